/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One place to wait, and the bulk reads of ring data. Behind it is io_uring or, where that is refused or not wanted, poll and pread
 * (loop_backend.h). Both keep the same promises, so nothing else of the agent knows which one works; tests/unit/test_agent_loop.c
 * holds each to this header.
 *
 * Waiting is by level: a source that is still readable at the next wait is reported again. Not thread-safe: only the
 * thread that opened the loop uses it.
 */
#ifndef SPANRING_AGENT_LOOP_H
#define SPANRING_AGENT_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum loop_source {
	LOOP_BELL,    /* a program's ring fills */
	LOOP_STORE,   /* the store thread has a result */
	LOOP_INOTIFY, /* something new in the ring directory */
	LOOP_SIGNAL,
	LOOP_STATUS,  /* someone asks */
	LOOP_CHILD,   /* the recorded command ended */
	LOOP_METRICS, /* someone wants metrics, or goes on with it */
	LOOP_SOURCES
};

enum loop_io {
	LOOP_IO_AUTO, /* io_uring; poll and pread where that is refused */
	LOOP_IO_URING,
	LOOP_IO_POSIX
};

#define LOOP_READS_MAX 128u /* in one call of loop_read */
#define LOOP_WHY_BYTES 160u

struct loop_read {
	int fd;
	uint64_t offset;
	void *to;
	uint32_t bytes;
	int result; /* bytes read, may be short; or negative errno */
};

struct loop;

/* Words of enum loop_io, "auto", "uring" and "posix"; ends in NULL. */
extern const char *const loop_io_names[];

/*
 * 0, or negative errno, then ret_why says what refuses io_uring: the kernel (EPERM, ENOSYS, EOPNOTSUPP) or want of memory (ENOMEM, after
 * two seconds). With LOOP_IO_AUTO that is no failure.
 */
int loop_open(enum loop_io wanted, struct loop **ret_loop, char ret_why[LOOP_WHY_BYTES]);
void loop_close(struct loop *loop);

/* Which one works, LOOP_IO_URING or LOOP_IO_POSIX, and why that one, for people. */
enum loop_io loop_in_use(const struct loop *loop);
const char *loop_why(const struct loop *loop);

/*
 * Wait for this descriptor to be readable (or hung up), from now on; fd < 0 takes the source out, which comes before the
 * descriptor is closed. One that cannot be waited on is taken out at the next wait.
 */
void loop_watch(struct loop *loop, enum loop_source source, int fd);

/* This loop can wait for a futex, too. */
bool loop_has_futex(const struct loop *loop);

/*
 * From the return of this call on a wake of that futex makes the source ready, once. 0, also when it waits already;
 * negative errno when it does not: the word has another value, or its file was cut. Cut later, it never becomes ready.
 */
int loop_arm_futex(struct loop *loop, enum loop_source source, const uint32_t *word, uint32_t value);

/*
 * Until a source is ready, a signal was handled or the time is over; ret_ready has bit 1 << source for each. 0 or negative
 * errno.
 */
int loop_wait(struct loop *loop, uint64_t timeout_ns, uint32_t *ret_ready);

/*
 * All of these; returns when the last one is done, and sources that become ready meanwhile are reported by the next wait. count <=
 * LOOP_READS_MAX. 0, or what kept them from being started.
 */
int loop_read(struct loop *loop, struct loop_read *reads, uint32_t count);

#endif

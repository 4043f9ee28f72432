/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One place to wait, and the bulk reads of ring data. Behind it is one io_uring; nothing of that shows here, so that
 * another mechanism can take its place.
 *
 * Waiting is by level: a source that is still readable at the next wait is reported again. Not thread-safe: only the
 * thread that opened the loop uses it.
 */
#ifndef SPANRING_AGENT_LOOP_H
#define SPANRING_AGENT_LOOP_H

#include <stddef.h>
#include <stdint.h>

enum loop_source {
	LOOP_BELL,    /* a program's ring fills */
	LOOP_STORE,   /* the store thread has a result */
	LOOP_INOTIFY, /* something new in the ring directory */
	LOOP_SIGNAL,
	LOOP_STATUS, /* someone asks */
	LOOP_CHILD,  /* the recorded command ended */
	LOOP_SOURCES
};

#define LOOP_READS_MAX 128u /* in one call of loop_read */

struct loop_read {
	int fd;
	uint64_t offset;
	void *to;
	uint32_t bytes;
	int result; /* bytes read, may be short; or negative errno */
};

struct loop;

/*
 * 0, or negative errno: the kernel refuses io_uring (EPERM, ENOSYS), or has no memory for it (ENOMEM, after two
 * seconds).
 */
int loop_open(struct loop **ret_loop);
void loop_close(struct loop *loop);

/* Wait for this descriptor to be readable, from now on. fd < 0 takes the source out. */
void loop_watch(struct loop *loop, enum loop_source source, int fd);

/* Until a source is ready or the time is over; ret_ready has bit 1 << source for each. 0 or negative errno. */
int loop_wait(struct loop *loop, uint64_t timeout_ns, uint32_t *ret_ready);

/*
 * All of these, at once; returns when the last one is done. count <= LOOP_READS_MAX. 0, or what kept them from being
 * started.
 */
int loop_read(struct loop *loop, struct loop_read *reads, uint32_t count);

#endif

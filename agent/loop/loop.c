/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "loop_backend.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define PROC_BYTES 4096u

struct loop {
	const struct loop_backend *backend;
	void *state;
	char why[LOOP_WHY_BYTES];
};

const char *const loop_io_names[] = {
    [LOOP_IO_AUTO] = "auto", [LOOP_IO_URING] = "uring", [LOOP_IO_POSIX] = "posix", NULL};

static void read_proc(const char *path, char ret_text[PROC_BYTES]) {
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_text, PROC_BYTES - 1);
	ret_text[got > 0 ? got : 0] = '\0';
}

static bool has_seccomp_filter(void) {
	char text[PROC_BYTES];
	read_proc("/proc/self/status", text);
	return strstr(text, "\nSeccomp:\t2") != NULL;
}

/* The kernel answers the same to a switch, a filter and a security module. */
static void tell_refusal(int rc, char ret_why[LOOP_WHY_BYTES]) {
	char text[PROC_BYTES] = "";
	bool is_policy = rc == -EPERM || rc == -EACCES;
	if (is_policy)
		read_proc("/proc/sys/kernel/io_uring_disabled", text);
	if (*text == '1' || *text == '2')
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "io_uring is refused: kernel.io_uring_disabled is %c", *text);
	else if ((is_policy || rc == -ENOSYS) && has_seccomp_filter())
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "io_uring is refused by a seccomp filter: %s", strerror(-rc));
	else if (rc == -ENOSYS)
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "this kernel has no io_uring");
	else if (rc == -EOPNOTSUPP)
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "the io_uring of this kernel is too old");
	else if (rc == -ENOMEM)
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "no locked memory left for io_uring (RLIMIT_MEMLOCK)");
	else
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "io_uring cannot be set up: %s", strerror(-rc));
}

int loop_open(enum loop_io wanted, struct loop **ret_loop, char ret_why[LOOP_WHY_BYTES]) {
	CLEANUP_FREE struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop) {
		(void)snprintf(ret_why, LOOP_WHY_BYTES, "not enough memory");
		return -ENOMEM;
	}
	(void)snprintf(loop->why, sizeof(loop->why), wanted == LOOP_IO_AUTO ? "io_uring is allowed" : "asked for");
	loop->backend = wanted == LOOP_IO_POSIX ? &loop_posix : &loop_uring;
	int rc = loop->backend->open(&loop->state);
	if (rc < 0 && wanted != LOOP_IO_POSIX)
		tell_refusal(rc, loop->why);
	if (rc < 0 && wanted == LOOP_IO_AUTO) {
		loop->backend = &loop_posix;
		rc = loop->backend->open(&loop->state);
	}
	(void)snprintf(ret_why, LOOP_WHY_BYTES, "%s", loop->why);
	if (rc == 0)
		*ret_loop = TAKE_PTR(loop);
	return rc;
}

void loop_close(struct loop *loop) {
	if (!loop)
		return;
	loop->backend->close(loop->state);
	free(loop);
}

enum loop_io loop_in_use(const struct loop *loop) {
	return loop->backend->io;
}

const char *loop_why(const struct loop *loop) {
	return loop->why;
}

void loop_watch(struct loop *loop, enum loop_source source, int fd) {
	loop->backend->watch(loop->state, source, fd);
}

bool loop_has_futex(const struct loop *loop) {
	return loop->backend->has_futex && loop->backend->has_futex(loop->state);
}

int loop_arm_futex(struct loop *loop, enum loop_source source, const uint32_t *word, uint32_t value) {
	return loop_has_futex(loop) ? loop->backend->arm_futex(loop->state, source, word, value) : -ENOTSUP;
}

int loop_wait(struct loop *loop, uint64_t timeout_ns, uint32_t *ret_ready) {
	return loop->backend->wait(loop->state, timeout_ns, ret_ready);
}

int loop_read(struct loop *loop, struct loop_read *reads, uint32_t count) {
	return count > LOOP_READS_MAX ? ERR_LIMIT : loop->backend->read(loop->state, reads, count);
}

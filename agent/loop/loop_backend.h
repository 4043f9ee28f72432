/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind loop.h, whose words these functions keep. `state` is what open returned. */
#ifndef SPANRING_AGENT_LOOP_BACKEND_H
#define SPANRING_AGENT_LOOP_BACKEND_H

#include "loop.h"

struct loop_backend {
	enum loop_io io;
	int (*open)(void **ret_state);
	void (*close)(void *state);
	void (*watch)(void *state, enum loop_source source, int fd);
	/* Both NULL where the loop cannot wait for a futex. */
	bool (*has_futex)(const void *state);
	int (*arm_futex)(void *state, enum loop_source source, const uint32_t *word, uint32_t value);
	int (*wait)(void *state, uint64_t timeout_ns, uint32_t *ret_ready);
	int (*read)(void *state, struct loop_read *reads, uint32_t count); /* count <= LOOP_READS_MAX */
};

extern const struct loop_backend loop_uring;
extern const struct loop_backend loop_posix;

/*
 * The io_uring of loop_uring, ready for use: it takes the requests that loop_uring makes and refuses all others (EACCES), and
 * refuses every registration, for as long as it lives. Here for the test of that. ret_has_futex: the kernel knows LOOP_URING_FUTEX_WAIT.
 * 0 or negative errno.
 */
struct io_uring;
int loop_uring_setup(struct io_uring *ring, bool *ret_has_futex);

/* IORING_OP_FUTEX_WAIT of Linux 6.7, which older headers do not have. */
#define LOOP_URING_FUTEX_WAIT 51u

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h by ppoll and pread, which every kernel and every container profile allows. So few descriptors can be given anew at
 * each wait: poll then costs what epoll does, knows nanoseconds everywhere, and keeps nothing in the kernel that could
 * differ from what is here. Reads run one after the other in the calling thread; the store thread works meanwhile all the same.
 */
#include "base/clock.h"
#include "base/errs.h"
#include "loop_backend.h"

#include <poll.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_SECONDS_MAX (3600 * UINT64_C(24)) /* the loop's "for ever" is more than a time_t may hold */

struct state {
	struct pollfd sources[LOOP_SOURCES]; /* fd < 0: poll passes over it */
};

static int posix_open(void **ret_state) {
	struct state *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	for (uint32_t i = 0; i < LOOP_SOURCES; i++)
		state->sources[i] = (struct pollfd){.fd = -1, .events = POLLIN};
	*ret_state = state;
	return 0;
}

static void posix_close(void *state) {
	free(state);
}

static void posix_watch(void *state_pointer, enum loop_source source, int fd) {
	struct state *state = state_pointer;
	state->sources[source].fd = fd < 0 ? -1 : fd;
}

static int posix_wait(void *state_pointer, uint64_t timeout_ns, uint32_t *ret_ready) {
	struct state *state = state_pointer;
	uint64_t seconds = timeout_ns / NS_PER_S;
	struct timespec timeout = {.tv_sec = (time_t)(seconds < WAIT_SECONDS_MAX ? seconds : WAIT_SECONDS_MAX),
	                           .tv_nsec = (long)(timeout_ns % NS_PER_S)};
	*ret_ready = 0;
	if (ppoll(state->sources, LOOP_SOURCES, &timeout, NULL) < 0)
		return errno == EINTR || errno == EAGAIN ? 0 : -errno;
	for (uint32_t i = 0; i < LOOP_SOURCES; i++) {
		short events = state->sources[i].fd < 0 ? 0 : state->sources[i].revents;
		if (events & POLLNVAL)
			state->sources[i].fd = -1;
		else if (events)
			*ret_ready |= 1u << i;
	}
	return 0;
}

static int posix_read(void *state, struct loop_read *reads, uint32_t count) {
	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		ssize_t got;
		do
			got = pread(reads[i].fd, reads[i].to, reads[i].bytes, (off_t)reads[i].offset);
		while (got < 0 && errno == EINTR);
		reads[i].result = got < 0 ? -errno : (int)got;
	}
	return 0;
}

const struct loop_backend loop_posix = {.io = LOOP_IO_POSIX,
                                        .open = posix_open,
                                        .close = posix_close,
                                        .watch = posix_watch,
                                        .wait = posix_wait,
                                        .read = posix_read};

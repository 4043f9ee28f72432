/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.h by one io_uring.
 *
 * 256 entries: every source and a full set of reads fit twice. Each source is one POLL request that is put again after
 * it fired. READs of a ring directory (tmpfs) always run on a kernel worker, which costs a hand-off, so they come in
 * sets whose copying overlaps with the store thread's compression; small drains use pread instead (intake.h). A buffer
 * belongs to the kernel until its completion is here: read returns only when none is left.
 *
 * A futex is one FUTEX_WAIT request, put when the caller is about to sleep: after the submission the kernel has it in the queue.
 *
 * The ring is made disabled, restricted to the requests that are used here, and only then enabled. What may be asked of it can
 * never be widened again, also not by somebody who gets hold of its descriptor: no opening, no writing, no socket, no registration.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "loop_backend.h"

#include <liburing.h>
#include <linux/futex.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define ENTRIES 256u
#define FUTEX_WORD_OF_32_BITS 2 /* FUTEX2_SIZE_U32, and not private: programs wake it */
#define SETUP_RETRY_NS (50 * NS_PER_MS)
/* Two seconds: a dead agent's ring is freed late, and its memory counts against us until then. */
#define SETUP_TRIES 40
/*
 * user_data: reads count from READ_BASE; of a poll, SOURCE_BASE and the number of its turn above the source, so that the answer to a
 * request that was taken back says nothing about the next one. Anything else is not ours and ignored.
 */
#define READ_BASE 1024u
#define SOURCE_BASE UINT64_C(4096)

struct state {
	struct io_uring ring;
	int fds[LOOP_SOURCES];
	uint32_t turns[LOOP_SOURCES];
	bool armed[LOOP_SOURCES];
	bool has_futex;
	bool is_futex[LOOP_SOURCES]; /* what is armed is one */
	int futex_error;             /* of the newest that failed */
	uint32_t ready;              /* seen while waiting for reads */
	struct loop_read *reads;
	uint32_t reads_count;
	uint32_t reads_open;
};

static int restrict_and_enable(struct io_uring *ring, bool *ret_has_futex) {
	static const uint8_t used[] = {IORING_OP_POLL_ADD, IORING_OP_POLL_REMOVE, IORING_OP_READ,
	                               LOOP_URING_FUTEX_WAIT};
	struct io_uring_restriction allowed[sizeof(used)] = {0};
	for (size_t i = 0; i < sizeof(used); i++)
		allowed[i] = (struct io_uring_restriction){.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = used[i]};
	unsigned int workers[2] = {2, 2}; /* more than two copy no faster and take the processors from the programs */
	(void)io_uring_register_iowq_max_workers(ring, workers);
	/* The shared library of liburing 2.3 forgot to export the functions for these two. */
	unsigned int fd = (unsigned int)ring->ring_fd;
	int rc = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, allowed, sizeof(used));
	*ret_has_futex = rc == 0;
	if (rc == -EINVAL) /* the kernel does not know the last one */
		rc = io_uring_register(fd, IORING_REGISTER_RESTRICTIONS, allowed, sizeof(used) - 1);
	return rc < 0 ? rc : io_uring_register(fd, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int loop_uring_setup(struct io_uring *ring, bool *ret_has_futex) {
	struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED | IORING_SETUP_SINGLE_ISSUER |
	                                          IORING_SETUP_DEFER_TASKRUN};
	int rc = io_uring_queue_init_params(ENTRIES, ring, &params);
	if (rc == -EINVAL) { /* before Linux 6.1 */
		params = (struct io_uring_params){.flags = IORING_SETUP_R_DISABLED};
		rc = io_uring_queue_init_params(ENTRIES, ring, &params);
	}
	if (rc < 0)
		return rc == -EINVAL ? -EOPNOTSUPP : rc;
	/* Without it a wait with a time would be a request of its own. */
	rc = params.features & IORING_FEAT_EXT_ARG ? restrict_and_enable(ring, ret_has_futex) : -EOPNOTSUPP;
	if (rc < 0)
		io_uring_queue_exit(ring);
	return rc == -EINVAL ? -EOPNOTSUPP : rc;
}

static int uring_open(void **ret_state) {
	CLEANUP_FREE struct state *state = calloc(1, sizeof(*state));
	if (!state)
		return -ENOMEM;
	int rc = -ENOMEM;
	for (int i = 0; i < SETUP_TRIES && rc == -ENOMEM; i++) {
		struct timespec pause = {.tv_nsec = (long)SETUP_RETRY_NS};
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		rc = loop_uring_setup(&state->ring, &state->has_futex);
	}
	if (rc < 0)
		return rc;
	for (uint32_t i = 0; i < LOOP_SOURCES; i++)
		state->fds[i] = FD_NONE;
	*ret_state = TAKE_PTR(state);
	return 0;
}

static void uring_close(void *state_pointer) {
	struct state *state = state_pointer;
	io_uring_queue_exit(&state->ring);
	free(state);
}

/* Never NULL for long: what is queued goes to the kernel and makes room. */
static struct io_uring_sqe *next_sqe(struct state *state) {
	struct io_uring_sqe *sqe = io_uring_get_sqe(&state->ring);
	if (sqe)
		return sqe;
	(void)io_uring_submit(&state->ring);
	return io_uring_get_sqe(&state->ring);
}

static uint64_t source_data(const struct state *state, uint32_t source) {
	return SOURCE_BASE + (((uint64_t)state->turns[source] << 8) | source);
}

static void uring_watch(void *state_pointer, enum loop_source source, int fd) {
	struct state *state = state_pointer;
	if (state->armed[source]) {
		struct io_uring_sqe *sqe = next_sqe(state);
		if (sqe) {
			io_uring_prep_poll_remove(sqe, source_data(state, source));
			io_uring_sqe_set_data64(sqe, UINT64_MAX);
		}
		state->armed[source] = false;
	}
	state->turns[source]++;
	state->ready &= ~(1u << source);
	state->fds[source] = fd;
}

static void arm_sources(struct state *state) {
	for (uint32_t i = 0; i < LOOP_SOURCES; i++) {
		if (state->armed[i] || state->fds[i] < 0)
			continue;
		struct io_uring_sqe *sqe = next_sqe(state);
		if (!sqe)
			return; /* at the next wait */
		io_uring_prep_poll_add(sqe, state->fds[i], POLLIN);
		io_uring_sqe_set_data64(sqe, source_data(state, i));
		state->armed[i] = true;
	}
}

static void complete_source(struct state *state, uint64_t data, int result) {
	uint32_t source = (uint32_t)(data - SOURCE_BASE) & 0xff;
	if (source >= LOOP_SOURCES || data != source_data(state, source))
		return;
	state->armed[source] = false;
	bool is_futex = state->is_futex[source];
	state->is_futex[source] = false;
	if (is_futex && result < 0)
		state->futex_error = result;
	else if (is_futex || result > 0)
		state->ready |= 1u << source;
	else if (result != -ECANCELED)
		state->fds[source] = FD_NONE;
}

static void complete(struct state *state, uint64_t data, int result) {
	if (data >= SOURCE_BASE) {
		complete_source(state, data, result);
		return;
	}
	if (data < READ_BASE || data - READ_BASE >= state->reads_count)
		return;
	state->reads[data - READ_BASE].result = result;
	state->reads_open--;
}

static void reap(struct state *state) {
	struct io_uring_cqe *cqe;
	unsigned int head;
	unsigned int seen = 0;
	io_uring_for_each_cqe(&state->ring, head, cqe) {
		complete(state, io_uring_cqe_get_data64(cqe), cqe->res);
		seen++;
	}
	io_uring_cq_advance(&state->ring, seen);
}

static bool uring_has_futex(const void *state) {
	return ((const struct state *)state)->has_futex;
}

static int uring_arm_futex(void *state_pointer, enum loop_source source, const uint32_t *word, uint32_t value) {
	struct state *state = state_pointer;
	if (state->armed[source])
		return 0;
	struct io_uring_sqe *sqe = next_sqe(state);
	if (!sqe)
		return -EAGAIN;
	state->turns[source]++;
	io_uring_prep_rw((int)LOOP_URING_FUTEX_WAIT, sqe, FUTEX_WORD_OF_32_BITS, word, 0, value);
	sqe->addr3 = FUTEX_BITSET_MATCH_ANY;
	io_uring_sqe_set_data64(sqe, source_data(state, source));
	state->armed[source] = true;
	state->is_futex[source] = true;
	state->futex_error = 0;
	int rc = io_uring_submit(&state->ring);
	/* Not taken by the kernel, it is when the loop waits: too late for a caller that must not miss a wake. */
	if (rc < 0)
		return rc;
	reap(state);
	return state->futex_error;
}

static int uring_wait(void *state_pointer, uint64_t timeout_ns, uint32_t *ret_ready) {
	struct state *state = state_pointer;
	arm_sources(state);
	struct io_uring_cqe *cqe;
	struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / NS_PER_S),
	                                    .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
	int rc;
	if (state->ready)
		rc = io_uring_submit(&state->ring);
	else
		rc = io_uring_submit_and_wait_timeout(&state->ring, &cqe, 1, &timeout, NULL);
	if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
		return rc;
	reap(state);
	*ret_ready = state->ready;
	state->ready = 0;
	return 0;
}

static int uring_read(void *state_pointer, struct loop_read *reads, uint32_t count) {
	struct state *state = state_pointer;
	state->reads = reads;
	state->reads_count = count;
	state->reads_open = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = next_sqe(state);
		reads[i].result = -EAGAIN;
		if (!sqe)
			continue; /* the caller finds it unread and reads it itself */
		io_uring_prep_read(sqe, reads[i].fd, reads[i].to, reads[i].bytes, reads[i].offset);
		io_uring_sqe_set_data64(sqe, READ_BASE + i);
		state->reads_open++;
	}
	int failure = 0;
	while (state->reads_open > 0) {
		int rc = io_uring_submit_and_wait(&state->ring, 1);
		if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
			failure = rc;
		reap(state);
		/* Nothing can be started or awaited any more: not a state that the agent can go on in. */
		if (failure < 0)
			break;
	}
	state->reads_count = 0;
	return failure;
}

const struct loop_backend loop_uring = {.io = LOOP_IO_URING,
                                        .open = uring_open,
                                        .close = uring_close,
                                        .watch = uring_watch,
                                        .has_futex = uring_has_futex,
                                        .arm_futex = uring_arm_futex,
                                        .wait = uring_wait,
                                        .read = uring_read};

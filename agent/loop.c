/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The io_uring behind loop.h.
 *
 * 256 entries: every source and a full set of reads fit twice. Each source is one POLL request that is put again after
 * it fired. READs of a ring directory (tmpfs) always run on a kernel worker, which costs a hand-off, so they come in
 * sets whose copying overlaps with the store thread's compression; small drains use pread instead (drain policy in
 * producer.c). A buffer belongs to the kernel until its completion is here: loop_read returns only when none is left.
 */
#include "loop.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#include <liburing.h>
#include <poll.h>
#include <stdbool.h>
#include <time.h>

#define ENTRIES 256u
#define SETUP_RETRY_NS (50 * NS_PER_MS)
#define SETUP_TRIES                                                                                                    \
	40 /* two seconds: a dead agent's ring is freed late, and its memory counts against us until then  \
	                */
/* user_data: sources count from 0, reads from here; anything above is not ours and ignored. */
#define READ_BASE 1024u

struct loop {
	struct io_uring ring;
	int fds[LOOP_SOURCES];
	bool armed[LOOP_SOURCES];
	uint32_t ready; /* seen while waiting for reads */
	struct loop_read *reads;
	uint32_t reads_count;
	uint32_t reads_open;
};

static int setup(struct io_uring *ring) {
	struct io_uring_params params = {.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN};
	int rc = io_uring_queue_init_params(ENTRIES, ring, &params);
	if (rc == -EINVAL)
		rc = io_uring_queue_init(ENTRIES, ring, 0);
	return rc;
}

int loop_open(struct loop **ret_loop) {
	CLEANUP_FREE struct loop *loop = calloc(1, sizeof(*loop));
	if (!loop)
		return -ENOMEM;
	int rc = -ENOMEM;
	for (int i = 0; i < SETUP_TRIES && rc == -ENOMEM; i++) {
		struct timespec pause = {.tv_nsec = (long)SETUP_RETRY_NS};
		if (i > 0)
			(void)nanosleep(&pause, NULL);
		rc = setup(&loop->ring);
	}
	if (rc < 0)
		return rc;
	unsigned int workers[2] = {2, 2}; /* more than two copy no faster and take the processors from the programs */
	(void)io_uring_register_iowq_max_workers(&loop->ring, workers);
	for (uint32_t i = 0; i < LOOP_SOURCES; i++)
		loop->fds[i] = FD_NONE;
	*ret_loop = TAKE_PTR(loop);
	return 0;
}

void loop_close(struct loop *loop) {
	if (!loop)
		return;
	io_uring_queue_exit(&loop->ring);
	free(loop);
}

/* Never NULL for long: what is queued goes to the kernel and makes room. */
static struct io_uring_sqe *next_sqe(struct loop *loop) {
	struct io_uring_sqe *sqe = io_uring_get_sqe(&loop->ring);
	if (sqe)
		return sqe;
	(void)io_uring_submit(&loop->ring);
	return io_uring_get_sqe(&loop->ring);
}

void loop_watch(struct loop *loop, enum loop_source source, int fd) {
	if (loop->armed[source]) {
		struct io_uring_sqe *sqe = next_sqe(loop);
		if (sqe) {
			io_uring_prep_poll_remove(sqe, (uint64_t)source);
			io_uring_sqe_set_data64(sqe, UINT64_MAX);
		}
		loop->armed[source] = false;
	}
	loop->fds[source] = fd;
}

static void arm_sources(struct loop *loop) {
	for (uint32_t i = 0; i < LOOP_SOURCES; i++) {
		if (loop->armed[i] || loop->fds[i] < 0)
			continue;
		struct io_uring_sqe *sqe = next_sqe(loop);
		if (!sqe)
			return; /* at the next wait */
		io_uring_prep_poll_add(sqe, loop->fds[i], POLLIN);
		io_uring_sqe_set_data64(sqe, i);
		loop->armed[i] = true;
	}
}

static void complete(struct loop *loop, uint64_t data, int result) {
	if (data < LOOP_SOURCES) {
		if (result == -ECANCELED)
			return;
		loop->armed[data] = false;
		loop->ready |= 1u << data;
		return;
	}
	if (data < READ_BASE || data - READ_BASE >= loop->reads_count)
		return;
	loop->reads[data - READ_BASE].result = result;
	loop->reads_open--;
}

static void reap(struct loop *loop) {
	struct io_uring_cqe *cqe;
	unsigned int head;
	unsigned int seen = 0;
	io_uring_for_each_cqe(&loop->ring, head, cqe) {
		complete(loop, io_uring_cqe_get_data64(cqe), cqe->res);
		seen++;
	}
	io_uring_cq_advance(&loop->ring, seen);
}

int loop_wait(struct loop *loop, uint64_t timeout_ns, uint32_t *ret_ready) {
	arm_sources(loop);
	struct io_uring_cqe *cqe;
	struct __kernel_timespec timeout = {.tv_sec = (int64_t)(timeout_ns / NS_PER_S),
	                                    .tv_nsec = (long long)(timeout_ns % NS_PER_S)};
	int rc;
	if (loop->ready)
		rc = io_uring_submit(&loop->ring);
	else
		rc = io_uring_submit_and_wait_timeout(&loop->ring, &cqe, 1, &timeout, NULL);
	if (rc < 0 && rc != -ETIME && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
		return rc;
	reap(loop);
	*ret_ready = loop->ready;
	loop->ready = 0;
	return 0;
}

int loop_read(struct loop *loop, struct loop_read *reads, uint32_t count) {
	if (count > LOOP_READS_MAX)
		return ERR_LIMIT;
	loop->reads = reads;
	loop->reads_count = count;
	loop->reads_open = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct io_uring_sqe *sqe = next_sqe(loop);
		reads[i].result = -EAGAIN;
		if (!sqe)
			continue; /* the caller finds it unread and reads it itself */
		io_uring_prep_read(sqe, reads[i].fd, reads[i].to, reads[i].bytes, reads[i].offset);
		io_uring_sqe_set_data64(sqe, READ_BASE + i);
		loop->reads_open++;
	}
	int failure = 0;
	while (loop->reads_open > 0) {
		int rc = io_uring_submit_and_wait(&loop->ring, 1);
		if (rc < 0 && rc != -EINTR && rc != -EAGAIN && rc != -EBUSY)
			failure = rc;
		reap(loop);
		/* Nothing can be started or awaited any more: not a state that the agent can go on in. */
		if (failure < 0)
			break;
	}
	loop->reads_count = 0;
	return failure;
}

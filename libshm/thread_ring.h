/* SPDX-License-Identifier: Apache-2.0 */
/* One ring per thread: taken at its first span, given back at its exit. Private to the writer library. */
#ifndef SPANRING_LIBSHM_THREAD_RING_H
#define SPANRING_LIBSHM_THREAD_RING_H

#include "ring_writer.h"
#include <spanring/async_abi.h>

struct spanring__process;

/*
 * Give this thread a ring, or the decision that it gets none. Returns its state, never one of before a fork; NULL if the
 * process is not traced. Takes the lock; keeps errno; no cancellation point.
 */
struct spanring__thread *spanring__thread_attach(void);

/* What becomes of a span that ends: a record, or a counter that says why there is none. The numbers are those of async_abi.h. */
enum spanring__fate {
	SPANRING__FATE_RECORD = SPANRING_ASYNC_ENDING_RECORD,
	SPANRING__FATE_FULL = SPANRING_ASYNC_ENDING_FULL,
	SPANRING__FATE_SAMPLED = SPANRING_ASYNC_ENDING_SAMPLED,
	SPANRING__FATE_SHORT = SPANRING_ASYNC_ENDING_SHORT
};

/* RECORD: there is room for it. Then let it come true; the stack has been taken. */
enum spanring__fate spanring__ring_fate(struct spanring__thread *self, const struct spanring_open_span *entry,
                                        uint64_t now, uint64_t duration);
void spanring__ring_fulfil(struct spanring__thread *self, enum spanring__fate fate,
                           const struct spanring_open_span *entry, uint64_t tail_word, uint64_t now, uint64_t duration,
                           uint64_t heap_word);

/* End all open spans as unfinished, publish, let the ring go. Without effect on a thread that has none. */
void spanring__thread_retire(struct spanring__process *process);

/* End all open spans of this thread as unfinished, and detach what is attached. */
void spanring__thread_end_all(struct spanring__thread *self, uint64_t now);

/* Register the thread-exit hook, once per process. 0 or negative errno. */
int spanring__thread_hooks(void);

/* Take the hook away: the library may be about to be unloaded, and threads that used it end later. */
void spanring__thread_unhook(void);

#endif

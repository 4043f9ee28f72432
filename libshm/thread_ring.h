/* SPDX-License-Identifier: Apache-2.0 */
/* One ring per thread: taken at its first span, given back at its exit. Private to the writer library. */
#ifndef SPANRING_LIBSHM_THREAD_RING_H
#define SPANRING_LIBSHM_THREAD_RING_H

#include "ring_writer.h"

struct spanring__process;

/*
 * Give this thread a ring, or the decision that it gets none. Returns its state, never one of before a fork; NULL if the
 * process is not traced. Takes the lock; keeps errno; no cancellation point.
 */
struct spanring__thread *spanring__thread_attach(void);

/* End all open spans as unfinished, publish, let the ring go. Without effect on a thread that has none. */
void spanring__thread_retire(struct spanring__process *process);

/* End all open spans of this thread as unfinished, and detach what is attached. */
void spanring__thread_end_all(struct spanring__thread *self, uint64_t now);

/* Register the thread-exit hook, once per process. 0 or negative errno. */
int spanring__thread_hooks(void);

/* Take the hook away: the library may be about to be unloaded, and threads that used it end later. */
void spanring__thread_unhook(void);

#endif

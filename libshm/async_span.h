/* SPDX-License-Identifier: Apache-2.0 */
/* A handle of the program, and the thread whose ring takes what is said about its span. */
#ifndef SPANRING_LIBSHM_ASYNC_SPAN_H
#define SPANRING_LIBSHM_ASYNC_SPAN_H

#include "ring_writer.h"
#include <spanring/async.h>

/*
 * This thread's state and the slot of an open span, which is kept until spanring__async_unuse. NULL, and nothing is kept: the handle is
 * empty, or stale (counted as misuse), or this thread has no ring.
 */
struct spanring__thread *spanring__async_use(struct spanring_async span, struct spanring_async_slot **ret_slot);
void spanring__async_unuse(struct spanring_async span);

#endif

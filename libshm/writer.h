/* SPDX-License-Identifier: Apache-2.0 */
/* Shared by the files that implement the public functions. */
#ifndef SPANRING_LIBSHM_WRITER_H
#define SPANRING_LIBSHM_WRITER_H

#include "ring_writer.h"

/*
 * The entry of an open span of this thread, with the thread's state; NULL for an empty handle and (counted as misuse) for one
 * that is stale or not of this thread.
 */
struct spanring_open_span *spanring__writer_find(struct spanring_span span, struct spanring__thread **ret_self);

#endif

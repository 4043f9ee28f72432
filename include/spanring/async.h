/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Spans that leave their thread, and contexts that come and go: for event loops, coroutines, queues and callbacks.
 *
 *     static struct spanring_site site = SPANRING_SITE_INIT("request", SPANRING_KIND_SERVER);
 *
 *     request->span = spanring_async_begin(&site);               // on any thread
 *     ...
 *     struct spanring_context context = spanring_async_context(request->span);
 *     struct spanring_attachment turn = spanring_context_attach(&context);
 *     handle(request);                                            // spans begun in here are children of the request
 *     spanring_context_detach(turn);                              // before the loop serves another request
 *     ...
 *     SPANRING_ASYNC_SET_I64(request->span, "http.status_code", 200);
 *     spanring_async_end(request->span);                          // on any thread, in any order
 *
 * The promises of spanring.h hold here, too. An async span costs about three times as much as an ordinary one, or as
 * much as one if many are begun and ended at once, so a span that ends on its own thread should be an ordinary one.
 *
 * A handle is plain data: copy it, keep it in a request, pass it to any thread of the process. It must reach the other thread by some
 * means that orders memory (a lock, a queue, an atomic), as any data must. A handle whose span has ended, or that comes from another process
 * (so also from before a fork), is stale: every function does nothing with it and counts it as misuse. When two threads end
 * the same span, one of them ends it. The empty handle (span_id 0) is accepted everywhere and does nothing.
 *
 * Up to 65,536 async spans may be open in a process; one more is dropped and counted (dropped_depth and dropped_async of
 * spanring_counters). They are not on a thread's stack: begin does not make one the parent of what comes next (attach its context for
 * that), they outlive the thread that began them, and they survive SIGKILL as all open spans do: what is open when the process ends, in whatever
 * way, is stored as unfinished. The record of a span belongs to the thread that ended it, and heap bytes are not counted for it.
 */
#ifndef SPANRING_ASYNC_H
#define SPANRING_ASYNC_H

#include <spanring/spanring.h>

SPANRING_EXTERN_C_BEGIN

/* Handle of an async span, 16 bytes, passed by value. All zero: the empty handle. */
struct spanring_async {
	uint64_t span_id;
	uint32_t slot;
	uint32_t generation;
};

/*
 * Begin a span at this site, child of what spans begun on this thread now are children of, or root of a new trace. Empty if
 * tracing is off, the thread has no ring, or too many are open.
 */
SPANRING_API struct spanring_async spanring_async_begin(struct spanring_site *site);

/* The same with another parent or kind. options may be NULL. */
SPANRING_API struct spanring_async spanring_async_begin_with(struct spanring_site *site,
                                                             const struct spanring_begin_options *options);

/*
 * Begin `count` spans at once, all with the same start and parent (NULL: as spanring_async_begin, and then each root is a trace of
 * its own). Fills all of ret_spans; those that could not be begun are empty, and last. Returns how many are not.
 */
SPANRING_API uint32_t spanring_async_begin_many(struct spanring_site *site, const struct spanring_context *parent,
                                                uint32_t count, struct spanring_async *ret_spans);

/* End a span, on any thread. A second end does nothing and is counted as misuse. */
SPANRING_API void spanring_async_end(struct spanring_async span);

/* End all of them, at the same moment. */
SPANRING_API void spanring_async_end_many(const struct spanring_async *spans, uint32_t count);

/* Context of an open async span, for children anywhere; all zero for an empty or stale handle. */
SPANRING_API struct spanring_context spanring_async_context(struct spanring_async span);

/*
 * As the functions of the same name in spanring.h, for any thread, also several at once. Of several calls at the same time any may be the last.
 */
SPANRING_API void spanring_async_set_status(struct spanring_async span, enum spanring_status status,
                                            const char *description);
SPANRING_API void spanring_async_set_bool(struct spanring_async span, struct spanring_key *key, bool value);
SPANRING_API void spanring_async_set_i64(struct spanring_async span, struct spanring_key *key, int64_t value);
SPANRING_API void spanring_async_set_u64(struct spanring_async span, struct spanring_key *key, uint64_t value);
SPANRING_API void spanring_async_set_f64(struct spanring_async span, struct spanring_key *key, double value);
SPANRING_API void spanring_async_set_string(struct spanring_async span, struct spanring_key *key, const char *value);
SPANRING_API void spanring_async_set_bytes(struct spanring_async span, struct spanring_key *key, const void *value,
                                           uint64_t value_bytes);
SPANRING_API void spanring_async_set_attributes(struct spanring_async span, const struct spanring_attribute *attributes,
                                                uint32_t count);
SPANRING_API void spanring_async_event(struct spanring_async span, struct spanring_key *name);
SPANRING_API void spanring_async_event_with(struct spanring_async span, struct spanring_key *name,
                                            const struct spanring_attribute *attributes, uint32_t count);
SPANRING_API void spanring_async_link(struct spanring_async span, const struct spanring_context *linked);

/* --- the context of a thread --------------------------------------------------------------------------------------- */

/* What spanring_context_attach gives and spanring_context_detach takes. id 0: nothing was attached. */
struct spanring_attachment {
	uint64_t id;
};

/*
 * Make a context the current one of this thread: spans begun from here on are its children, and spanring_context_current returns it,
 * until it is detached or another one is attached on top. Costs less than half a span, and is none: nothing is recorded.
 *
 * It takes one of the 128 places on the thread's stack, and where there is none left, nothing is attached and that is counted
 * (dropped_contexts of spanring_counters). Nothing is attached, either, for a context without trace or span (all zero: there is no parent),
 * or where tracing is off. Detach on the same thread, in reverse order.
 */
SPANRING_API struct spanring_attachment spanring_context_attach(const struct spanring_context *context);

/*
 * Take it back. Out of order, that is below spans or contexts that came later and are still there: it is taken out from below them, they stay,
 * and it is counted as misuse; so is a second detach, and one on another thread, which do nothing.
 */
SPANRING_API void spanring_context_detach(struct spanring_attachment attachment);

/* --- macros ------------------------------------------------------------------------------------------------------ */

/* Begin an async span in a variable of this name; give its site as a static of its own. */
#define SPANRING_ASYNC_BEGIN(variable, name) SPANRING_ASYNC_BEGIN_KIND(variable, name, SPANRING_KIND_INTERNAL)
#define SPANRING_ASYNC_BEGIN_KIND(variable, name, kind)                                                                \
	static struct spanring_site variable##_spanring_site = SPANRING_SITE_INIT(name, kind);                         \
	struct spanring_async variable = spanring_async_begin(&variable##_spanring_site)

/* As SPANRING_SET_BOOL and its like: a literal key, and the value is evaluated only if the span is recorded. */
#define SPANRING_ASYNC_SET_BOOL(span, key, value) SPANRING__SET(spanring_async_set_bool, span, key, value)
#define SPANRING_ASYNC_SET_I64(span, key, value) SPANRING__SET(spanring_async_set_i64, span, key, value)
#define SPANRING_ASYNC_SET_U64(span, key, value) SPANRING__SET(spanring_async_set_u64, span, key, value)
#define SPANRING_ASYNC_SET_F64(span, key, value) SPANRING__SET(spanring_async_set_f64, span, key, value)
#define SPANRING_ASYNC_SET_STRING(span, key, value) SPANRING__SET(spanring_async_set_string, span, key, value)

#define SPANRING_ASYNC_EVENT(span, name)                                                                               \
	do {                                                                                                           \
		static struct spanring_key spanring__name = SPANRING_KEY_INIT(name);                                   \
		if ((span).span_id != 0)                                                                               \
			spanring_async_event((span), &spanring__name);                                                 \
	} while (0)

/* For SPANRING_ATTACH; not to be called. */
static inline void spanring__scope_detach(struct spanring_attachment *attachment) {
	if (attachment->id != 0)
		spanring_context_detach(*attachment);
}

/* Attach a context (a const struct spanring_context *) until the end of the block. */
#define SPANRING_ATTACH(variable, context)                                                                             \
	struct spanring_attachment variable __attribute__((cleanup(spanring__scope_detach), unused)) =                 \
	    spanring_context_attach(context)

SPANRING_EXTERN_C_END

#endif

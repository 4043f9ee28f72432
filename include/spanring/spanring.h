/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libspanring: mark spans in a program.
 *
 *     #include <spanring/spanring.h>
 *
 *     int parse(const char *path) {
 *         SPANRING_SPAN(span, "parse");                      // ends where the block ends
 *         SPANRING_SET_STRING(span, "file.path", path);
 *         ...
 *         if (failed) spanring_set_status(span, SPANRING_STATUS_ERROR, "unexpected end of file");
 *         return rc;
 *     }
 *
 * There is nothing to initialise. The first span of the process attaches it (creates its directory and process file), the
 * first span of each thread attaches the thread (creates its ring). An agent, before or after, collects the records.
 *
 * PROMISES, for every function here unless its comment says otherwise:
 *   - never fails in a way the program must handle: where a span cannot be recorded it is counted (spanring_counters_read)
 *     and the handle returned is empty; every function accepts an empty handle and does nothing;
 *   - no lock, no system call and no allocation, except where a site, key or thread is seen for the first time, and for one
 *     call each time that half a ring has filled while the agent sleeps: it is woken;
 *   - no output, no signal handler, no thread, no abort; errno is preserved;
 *   - safe from any thread at any time; a handle belongs to the thread that began it and is used only there;
 *   - after fork the child is a new instance: handles from before the fork are stale there (counted no-op);
 *   - safe in a signal handler: a span begun there while the same thread is inside a function of this library is not recorded but
 *     counted (dropped_reentry), any other is recorded. The handler ends what it begins, and does not leave by siglongjmp out
 *     of a function of this library (that thread then records nothing more, counted). spanring_flush, spanring_shutdown and
 *     spanring_counters_read are not for handlers; nor should a handler be the first to begin a span in its thread, since
 *     that makes files;
 *   - every span that ends is in the statistics of its site (count, errors, durations), recorded or not.
 *
 * ENVIRONMENT, read once at attach; a value that makes no sense counts as absent
 *   where         SPANRING_DIR (ring directory), SPANRING_RING_BYTES (power of two, 64 KiB to 64 MiB)
 *   whether       SPANRING_DISABLED or OTEL_SDK_DISABLED (true or 1: off)
 *   what          OTEL_TRACES_SAMPLER, OTEL_TRACES_SAMPLER_ARG, SPANRING_STATISTICS (true | false), SPANRING_DURATION_MIN (such as
 *                 5us); `spanring-agent ctl` changes these while the program runs
 *   who           OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES (stored; service.name)
 *   limits of     OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT (else OTEL_ATTRIBUTE_COUNT_LIMIT), OTEL_SPAN_EVENT_COUNT_LIMIT,
 *   one span      OTEL_SPAN_LINK_COUNT_LIMIT (each 128 by default, at most 65535), OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT (as the first),
 *                 OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT (else OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT; bytes, 4096 by default and
 *                 at most)
 *   clock, tests  SPANRING_CLOCK (tsc | monotonic), SPANRING_TEST_MODE (true or 1: private memory, see testing.h)
 *
 * Words are OpenTelemetry's: span, trace, parent, kind, status, attribute, event, link, scope. docs/opentelemetry.md says field by
 * field what is recorded; context.h passes contexts between processes.
 */
#ifndef SPANRING_SPANRING_H
#define SPANRING_SPANRING_H

#include <spanring/export.h>
#include <spanring/record.h>
#include <spanring/version.h>
#include <stdbool.h>
#include <stdint.h>

SPANRING_EXTERN_C_BEGIN

/* What a span is for, as OpenTelemetry's SpanKind. */
enum spanring_kind {
	SPANRING_KIND_INTERNAL = 0,
	SPANRING_KIND_SERVER = 1,
	SPANRING_KIND_CLIENT = 2,
	SPANRING_KIND_PRODUCER = 3,
	SPANRING_KIND_CONSUMER = 4
};

/* How it ended, as OpenTelemetry's StatusCode. */
enum spanring_status { SPANRING_STATUS_UNSET = 0, SPANRING_STATUS_OK = 1, SPANRING_STATUS_ERROR = 2 };

/*
 * Instrumentation scope: the library or module that the spans of a site come from. Static, like a site. Define SPANRING_SCOPE
 * as the address of one before this header is included, and all sites made by the macros belong to it.
 */
struct spanring_scope {
	const char *name;
	const char *version; /* NULL: none */
};

#ifndef SPANRING_SCOPE
#define SPANRING_SCOPE 0
#endif

/*
 * A site: one place in the source that begins spans. Static storage, filled by SPANRING_SITE_INIT, never freed while the
 * process traces. `id` and `tag` are the library's: 0 until the first span, then the number of the interned site and the first
 * bytes of its records.
 * The texts must live as long as the site. A name longer than 255 bytes is cut at a UTF-8 boundary and counted.
 */
struct spanring_site {
	const char *name;
	const char *file;
	uint32_t line;
	uint8_t kind; /* enum spanring_kind: of spans begun without another */
	uint8_t reserved[3];
	uint32_t id;
	uint32_t tag;
	const struct spanring_scope *scope; /* NULL: none */
};

#define SPANRING_SITE_INIT(name_, kind_) SPANRING_SITE_INIT_SCOPE(name_, kind_, SPANRING_SCOPE)
#define SPANRING_SITE_INIT_SCOPE(name_, kind_, scope_)                                                                 \
	{ (name_), __FILE__, (uint32_t)__LINE__, (uint8_t)(kind_), {0, 0, 0}, 0, 0, (scope_) }

/* A key of attributes or a name of events: interned once, like a site. */
struct spanring_key {
	const char *text;
	uint32_t id;
	uint32_t reserved;
};

#define SPANRING_KEY_INIT(text_)                                                                                       \
	{ (text_), 0, 0 }

/* Handle of an open span; span_id 0 is the empty handle. Passed by value. */
struct spanring_span {
	uint64_t span_id;
};

/* What a child needs to know of its parent; plain data, may be copied to other threads. All zero: no parent. */
struct spanring_context {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint32_t flags; /* SPANRING_CONTEXT_*; others are ignored */
	uint32_t reserved;
};

#define SPANRING_CONTEXT_UNSAMPLED 1u /* the parent's trace is not kept: W3C's sampled flag is 0 */

/* Options of spanring_begin_with; zero-initialise, then set what is wanted. */
struct spanring_begin_options {
	const struct spanring_context
	    *parent; /* NULL: the innermost open span of this thread. All zero: a new trace. */
	int kind;    /* enum spanring_kind; used if has_kind */
	bool has_kind;
};

/* --- spans ------------------------------------------------------------------------------------------------------- */

/* The word behind "is tracing on": not part of the interface, used by the inline functions below. */
extern SPANRING_API const uint32_t *spanring__enabled;

/* Out-of-line forms of spanring_begin and spanring_end, for bindings from other languages. */
SPANRING_API struct spanring_span spanring_begin_site(struct spanring_site *site);
SPANRING_HOT_API void spanring_end_span(struct spanring_span span);

/* The same without the look at the word above; not part of the interface. */
SPANRING_HOT_API struct spanring_span spanring__begin_enabled(struct spanring_site *site, uint32_t enabled);

/*
 * Begin a span at this site, child of the innermost open span of this thread, or root of a new trace if there is none.
 * Returns its handle; empty if tracing is off, the thread has no ring, or more than 128 spans are open on this thread.
 */
static inline struct spanring_span spanring_begin(struct spanring_site *site) {
	const uint32_t *word = __atomic_load_n(&spanring__enabled, __ATOMIC_RELAXED);
	uint32_t enabled = __atomic_load_n(word, __ATOMIC_RELAXED);
	if (__builtin_expect(enabled == 0, 0)) {
		struct spanring_span empty = {0};
		return empty;
	}
	return spanring__begin_enabled(site, enabled);
}

/* As spanring_begin, with a parent from elsewhere (another thread) or another kind. options may be NULL. */
SPANRING_API struct spanring_span spanring_begin_with(struct spanring_site *site,
                                                      const struct spanring_begin_options *options);

/*
 * End a span: writes its record. Spans of a thread may end in any order, the usual one (innermost first) is the fast one.
 * A second end, or an end on another thread, does nothing and is counted as misuse.
 */
static inline void spanring_end(struct spanring_span span) {
	if (span.span_id != 0)
		spanring_end_span(span);
}

/* Context of an open span of this thread; all zero for an empty or stale handle. */
SPANRING_API struct spanring_context spanring_context_of(struct spanring_span span);

/* Context of the innermost open span of this thread; all zero if there is none. */
SPANRING_API struct spanring_context spanring_context_current(void);

/*
 * Set the status of an open span; the last call wins. description (UTF-8, may be NULL) is stored as the string attribute
 * "otel.status_description", only for SPANRING_STATUS_ERROR.
 */
SPANRING_API void spanring_set_status(struct spanring_span span, enum spanring_status status, const char *description);

/* --- attributes and events --------------------------------------------------------------------------------------- */

/*
 * Set a typed attribute of an open span of this thread. Setting a key again adds a second value; readers show the last one.
 * Strings are UTF-8, copied, cut at 4096 bytes (counted). The length form needs no terminating zero; value may then
 * contain any byte.
 */
SPANRING_API void spanring_set_bool(struct spanring_span span, struct spanring_key *key, bool value);
SPANRING_API void spanring_set_i64(struct spanring_span span, struct spanring_key *key, int64_t value);
SPANRING_API void spanring_set_u64(struct spanring_span span, struct spanring_key *key, uint64_t value);
SPANRING_API void spanring_set_f64(struct spanring_span span, struct spanring_key *key, double value);
SPANRING_API void spanring_set_string(struct spanring_span span, struct spanring_key *key, const char *value);
SPANRING_API void spanring_set_bytes(struct spanring_span span, struct spanring_key *key, const void *value,
                                     uint64_t value_bytes);

/* One attribute in an array of them; made by the functions below. */
struct spanring_attribute {
	struct spanring_key *key;
	uint32_t type; /* SPANRING_VALUE_* */
	uint32_t reserved;
	union {
		bool boolean;
		int64_t i64;
		uint64_t u64;
		double f64;
		const void *bytes; /* of a string; must live until the call that is given the array */
	} value;
	uint64_t value_bytes; /* of a string; SPANRING_TERMINATED: it ends at its zero byte */
};

#define SPANRING_TERMINATED UINT64_MAX

static inline struct spanring_attribute spanring_attribute_bool(struct spanring_key *key, bool value) {
	struct spanring_attribute attribute = {key, SPANRING_VALUE_BOOL, 0, {false}, 0};
	attribute.value.boolean = value;
	return attribute;
}

static inline struct spanring_attribute spanring_attribute_i64(struct spanring_key *key, int64_t value) {
	struct spanring_attribute attribute = {key, SPANRING_VALUE_I64, 0, {false}, 0};
	attribute.value.i64 = value;
	return attribute;
}

static inline struct spanring_attribute spanring_attribute_u64(struct spanring_key *key, uint64_t value) {
	struct spanring_attribute attribute = {key, SPANRING_VALUE_U64, 0, {false}, 0};
	attribute.value.u64 = value;
	return attribute;
}

static inline struct spanring_attribute spanring_attribute_f64(struct spanring_key *key, double value) {
	struct spanring_attribute attribute = {key, SPANRING_VALUE_F64, 0, {false}, 0};
	attribute.value.f64 = value;
	return attribute;
}

static inline struct spanring_attribute spanring_attribute_bytes(struct spanring_key *key, const void *value,
                                                                 uint64_t value_bytes) {
	struct spanring_attribute attribute = {key, SPANRING_VALUE_STRING, 0, {false}, 0};
	attribute.value.bytes = value;
	attribute.value_bytes = value_bytes;
	return attribute;
}

static inline struct spanring_attribute spanring_attribute_string(struct spanring_key *key, const char *value) {
	return spanring_attribute_bytes(key, value, SPANRING_TERMINATED);
}

/*
 * Set all attributes of an array, in its order, as one call for each would; the span is looked up once. An entry without a key
 * or of an unknown type is left out and counted as misuse.
 */
SPANRING_API void spanring_set_attributes(struct spanring_span span, const struct spanring_attribute *attributes,
                                          uint32_t count);

/* Record an event (a named moment) of an open span of this thread. */
SPANRING_API void spanring_event(struct spanring_span span, struct spanring_key *name);

/* The same with attributes of its own. They do not count as attributes of the span; those over their limit are counted there. */
SPANRING_API void spanring_event_with(struct spanring_span span, struct spanring_key *name,
                                      const struct spanring_attribute *attributes, uint32_t count);

/*
 * Link an open span of this thread to another span, anywhere: what it waited for, the message that caused it, the spans that a
 * batch was made of. A context without trace or span id is left out and counted as misuse.
 */
SPANRING_API void spanring_link(struct spanring_span span, const struct spanring_context *linked);

/* --- life cycle and counters ------------------------------------------------------------------------------------- */

/*
 * Publish this thread's records and wait until an agent has stored them, at most timeout_ns (0: publish only, no wait).
 * Returns 0 when stored (or nothing was there to store), -ETIMEDOUT when not within the time, -ENOTCONN when no agent runs
 * and timeout_ns is not 0. The only function here that may sleep.
 */
SPANRING_API int spanring_flush(uint64_t timeout_ns);

/*
 * Stop tracing in this process: ends this thread's open spans (flag: unfinished), publishes, releases all rings, marks the
 * instance as exited. Later calls of begin return empty handles. Called by itself at normal exit. Idempotent.
 */
SPANRING_API void spanring_shutdown(void);

/* Why a process or thread is not traced. */
enum spanring_reason {
	SPANRING_REASON_NONE = 0,      /* it is traced, or was not asked yet */
	SPANRING_REASON_DISABLED = 1,  /* switched off by the environment */
	SPANRING_REASON_DIRECTORY = 2, /* ring directory cannot be made or is not ours */
	SPANRING_REASON_SPACE = 3,     /* no room for a ring or process file */
	SPANRING_REASON_LIMIT =
	    4, /* too many rings in this process, or too many unattended instances in the directory */
	SPANRING_REASON_SYSTEM = 5,  /* another system call failed */
	SPANRING_REASON_SHUTDOWN = 6 /* spanring_shutdown was called */
};

/* Sums over all threads of this process since it attached. begun = ended + open. */
struct spanring_counters {
	uint64_t begun;
	uint64_t ended;
	uint64_t open;
	uint64_t dropped_full;       /* ended, but the ring was full */
	uint64_t dropped_depth;      /* begun deeper than 128 */
	uint64_t dropped_no_ring;    /* begun on a thread without a ring */
	uint64_t dropped_attributes; /* attributes that found no room */
	uint64_t dropped_events;
	uint64_t names_cut;
	uint64_t misuse;           /* stale or double end, attribute on an ended span */
	uint64_t threads_untraced; /* threads for which no ring could be made */
	uint32_t reason;           /* enum spanring_reason: why the process, or the last such thread, is not traced */
	uint32_t reserved;
	uint64_t attributes_over_limit; /* of one span or event: see ENVIRONMENT; not among dropped_attributes */
	uint64_t events_over_limit;
	uint64_t links_over_limit;
	uint64_t values_cut;         /* those of names_cut that were values */
	uint64_t dropped_links;      /* links that found no room */
	uint64_t contexts_malformed; /* traceparent, tracestate or baggage that broke its grammar (context.h) */
	uint64_t sampled_out;        /* ended, in a trace that the sampler does not keep */
	uint64_t sampled_out_short;  /* ended before their minimum duration */
	uint64_t dropped_async;      /* of dropped_depth: async spans that found no place (async.h) */
	uint64_t dropped_contexts;   /* contexts that could not be attached: more than 128 entries on this thread */
	uint64_t dropped_reentry; /* begun by a signal handler that interrupted this library; among begun and ended */
	uint64_t statistics_overflowed; /* sites of a thread that share one entry of its statistics */
};

/* Fill *ret_counters. Takes the library's lock: not for the hot path. */
SPANRING_API void spanring_counters_read(struct spanring_counters *ret_counters);

/* Constant text for a reason, never NULL. */
SPANRING_API const char *spanring_reason_text(uint32_t reason);

/* Version of the library that is linked at run time, "major.minor.patch". */
SPANRING_API const char *spanring_version(void);

/* --- macros ------------------------------------------------------------------------------------------------------ */

/* For SPANRING_SPAN; not to be called. */
static inline void spanring__scope_end(struct spanring_span *span) {
	spanring_end(*span);
}

/* Begin a span in a variable of this name; give its site as a static of its own. */
#define SPANRING_BEGIN(variable, name) SPANRING_BEGIN_KIND(variable, name, SPANRING_KIND_INTERNAL)
#define SPANRING_BEGIN_KIND(variable, name, kind)                                                                      \
	static struct spanring_site variable##_spanring_site = SPANRING_SITE_INIT(name, kind);                         \
	struct spanring_span variable = spanring_begin(&variable##_spanring_site)

/* The same, ended where the block ends, however it is left (return, break, goto, C++ exception). */
#define SPANRING_SPAN(variable, name) SPANRING_SPAN_KIND(variable, name, SPANRING_KIND_INTERNAL)
#define SPANRING_SPAN_KIND(variable, name, kind)                                                                       \
	static struct spanring_site variable##_spanring_site = SPANRING_SITE_INIT(name, kind);                         \
	struct spanring_span variable __attribute__((cleanup(spanring__scope_end), unused)) =                          \
	    spanring_begin(&variable##_spanring_site)

/* The same with an explicit parent: parent is a const struct spanring_context *. */
#define SPANRING_SPAN_CHILD_OF(variable, name, parent_)                                                                \
	static struct spanring_site variable##_spanring_site = SPANRING_SITE_INIT(name, SPANRING_KIND_INTERNAL);       \
	const struct spanring_begin_options variable##_spanring_options = {(parent_), 0, false};                       \
	struct spanring_span variable __attribute__((cleanup(spanring__scope_end), unused)) =                          \
	    spanring_begin_with(&variable##_spanring_site, &variable##_spanring_options)

/*
 * Set an attribute with a literal key, interned once. The value is evaluated only if the span is recorded: for an empty
 * handle nothing is evaluated or called, so an expensive value costs nothing there.
 */
#define SPANRING__SET(function, span, key, ...)                                                                        \
	do {                                                                                                           \
		static struct spanring_key spanring__key = SPANRING_KEY_INIT(key);                                     \
		if ((span).span_id != 0)                                                                               \
			function((span), &spanring__key, __VA_ARGS__);                                                 \
	} while (0)
#define SPANRING_SET_BOOL(span, key, value) SPANRING__SET(spanring_set_bool, span, key, value)
#define SPANRING_SET_I64(span, key, value) SPANRING__SET(spanring_set_i64, span, key, value)
#define SPANRING_SET_U64(span, key, value) SPANRING__SET(spanring_set_u64, span, key, value)
#define SPANRING_SET_F64(span, key, value) SPANRING__SET(spanring_set_f64, span, key, value)
#define SPANRING_SET_STRING(span, key, value) SPANRING__SET(spanring_set_string, span, key, value)

/* Record an event with a literal name. */
#define SPANRING_EVENT(span, name)                                                                                     \
	do {                                                                                                           \
		static struct spanring_key spanring__name = SPANRING_KEY_INIT(name);                                   \
		if ((span).span_id != 0)                                                                               \
			spanring_event((span), &spanring__name);                                                       \
	} while (0)

SPANRING_EXTERN_C_END

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Test mode: a program's own tests look at the spans it records, in the same process, without agent, files or waiting.
 *
 *     #include <spanring/testing.h>
 *
 *     int main(void) {
 *         assert(spanring_testing_start() == 0);             // before the first span
 *         parse("missing.txt");                              // the code under test
 *         const struct spanring_testing_span *span = spanring_testing_find("parse");
 *         assert(span && span->status == SPANRING_STATUS_ERROR && span->duration_ns == 1000);
 *         spanring_testing_reset();                          // before the next test
 *     }
 *
 * ON. By spanring_testing_start, or by SPANRING_TEST_MODE (1 or true) in the environment, read when the process attaches. The
 * mode holds for the life of the process. All the rest of the environment counts as ever: limits, sampler, service, and what
 * switches tracing off.
 *
 * WHAT IS REAL. Spans take the ordinary way through the library: the same begin and end, rings of the same layout, checked when
 * they are read. Only the edges differ: rings lie in private memory, so there is no ring directory, no file and no agent; and
 * the clock and the ids are these.
 *
 * CLOCK. It begins at SPANRING_TESTING_CLOCK_NS; each reading first moves it on by SPANRING_TESTING_STEP_NS. It is read once at
 * each begin, each end (also a stale one) and each event, and nowhere else. So a span around nothing lasts one step, one around
 * another such span three. Set or advance the clock, and it stands still but for that.
 *
 * IDS. Span ids of the first thread that begins a span are 1, 2, 3, ...; of the n-th one they go up from (n - 1) * 2^32 + 1.
 * The high half of the trace ids of the n-th thread is n, the low half a fixed sequence that looks random, so that samplers by
 * ratio decide as they do in earnest, and in every run alike. What one thread does gives the same ids whatever others do
 * meanwhile.
 *
 * READING. Each function below first takes what is new out of all rings. A ring that is full before that drops its newest
 * spans, as ever (it holds 16,384 records; SPANRING_RING_BYTES makes it larger): spanring_testing_lost tells. What is returned
 * belongs to the library and stays until the next spanring_testing_reset; the fields of a span that was open may change until
 * it has ended.
 *
 * THREADS. Any thread may begin and end spans meanwhile; what it has ended before the call is seen. These functions themselves,
 * and reading what they return, are for one thread at a time. They may allocate (from the system, never from the program's
 * heap) and lock.
 *
 * FORK. A child that begins a span or calls a function of this header is in test mode, too. It has no spans, and clock and ids
 * begin anew.
 */
#ifndef SPANRING_TESTING_H
#define SPANRING_TESTING_H

#include <spanring/spanring.h>

SPANRING_EXTERN_C_BEGIN

#define SPANRING_TESTING_CLOCK_NS UINT64_C(1000000000)
#define SPANRING_TESTING_STEP_NS UINT64_C(1000)

/* --- life cycle --------------------------------------------------------------------------------------------------- */

/*
 * Switch test mode on, before the first span of the process. 0, also if it is on already; -EBUSY if the process is traced in
 * earnest; -ECANCELED if tracing is switched off by the environment, shut down or has failed; -ENOMEM.
 */
SPANRING_API int spanring_testing_start(void);

/* Is this process in test mode? */
SPANRING_API bool spanring_testing_active(void);

/*
 * Forget all spans, set clock and ids to where they began; the calling thread counts as the first one. Spans that are open on
 * it are ended and forgotten: their handles are stale. No other thread may be in a function of the library. 0; -EBUSY if a span
 * is open on another thread, or an async span (then nothing is changed); -ENODEV if not in test mode.
 */
SPANRING_API int spanring_testing_reset(void);

/*
 * Spans, attributes, events and links recorded since the reset that could not be kept, for whatever reason. 0 in a sound test;
 * spanring_counters_read tells more.
 */
SPANRING_API uint64_t spanring_testing_lost(void);

/* --- clock -------------------------------------------------------------------------------------------------------- */

/* Set the clock, and stop its steps. 0; -EINVAL if that would turn it back; -ENODEV if not in test mode. */
SPANRING_API int spanring_testing_clock_set(uint64_t ns);

/* Move the clock on, and stop its steps. 0; -EINVAL if it would overflow; -ENODEV if not in test mode. */
SPANRING_API int spanring_testing_clock_advance(uint64_t ns);

/* Move the clock on by this before each reading from now on; 0: not at all. 0; -ENODEV if not in test mode. */
SPANRING_API int spanring_testing_clock_step(uint64_t step_ns);

/* The clock as it is, without a reading; 0 if not in test mode. */
SPANRING_API uint64_t spanring_testing_clock_now(void);

/* --- what is recorded --------------------------------------------------------------------------------------------- */

/* In the order in which they were set; a key that was set twice is there twice. */
struct spanring_testing_attribute {
	const struct spanring_testing_attribute *next; /* NULL: the last one */
	const char *key;
	uint32_t type; /* SPANRING_VALUE_* */
	uint32_t string_bytes;
	union {
		bool boolean;
		int64_t i64;
		uint64_t u64;
		double f64;
		const char *string; /* zero-terminated, but may hold zeros */
	} value;
};

struct spanring_testing_event {
	const struct spanring_testing_event *next;
	const char *name;
	uint64_t time_ns;
	uint32_t attribute_count;
	uint32_t reserved;
	const struct spanring_testing_attribute *attributes;
};

struct spanring_testing_link {
	const struct spanring_testing_link *next;
	struct spanring_context linked;
};

struct spanring_testing_span {
	const char *name;
	const char *file;
	uint32_t line;
	uint32_t thread;           /* that began it, in the order in which threads began their first spans: 1, 2, ... */
	const char *scope_name;    /* NULL: none */
	const char *scope_version; /* NULL: none */
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id; /* 0: root */
	uint64_t start_ns;
	uint64_t duration_ns;           /* of an open span: 0 */
	uint32_t kind;                  /* enum spanring_kind */
	uint32_t status;                /* enum spanring_status */
	const char *status_description; /* NULL: none */
	bool is_open;
	bool is_unfinished;     /* ended by thread exit or shutdown, not by the program */
	bool has_remote_parent; /* the parent was given as a context */
	uint8_t reserved[5];
	uint32_t attribute_count;
	uint32_t event_count;
	uint32_t link_count;
	uint32_t reserved1;
	const struct spanring_testing_attribute *attributes; /* NULL: none; also the next two */
	const struct spanring_testing_event *events;
	const struct spanring_testing_link *links;
};

/* How many spans have ended since the reset. */
SPANRING_API uint64_t spanring_testing_count(void);

/* Ended spans in the order of their ends: the first one (after: NULL), or that after another. NULL: no more. */
SPANRING_API const struct spanring_testing_span *spanring_testing_next(const struct spanring_testing_span *after);

/* The same, only spans of this name. */
SPANRING_API const struct spanring_testing_span *spanring_testing_next_named(const struct spanring_testing_span *after,
                                                                             const char *name);

/* First ended span of this name. */
static inline const struct spanring_testing_span *spanring_testing_find(const char *name) {
	return spanring_testing_next_named(NULL, name);
}

/* Open spans as of the call with NULL, in the order of their begins. */
SPANRING_API const struct spanring_testing_span *spanring_testing_next_open(const struct spanring_testing_span *after);

/* The span of this id, ended or (as of the last spanring_testing_next_open with NULL) open; NULL: none. */
SPANRING_API const struct spanring_testing_span *spanring_testing_span_of(uint64_t span_id);

/* Last attribute of this key in a list of a span or event; NULL: none. */
SPANRING_API const struct spanring_testing_attribute *
spanring_testing_attribute_of(const struct spanring_testing_attribute *attributes, const char *key);

/* First event of this name; NULL: none. */
SPANRING_API const struct spanring_testing_event *spanring_testing_event_of(const struct spanring_testing_span *span,
                                                                            const char *name);

/*
 * All ended spans as text, in the order of their ends, the same bytes for the same spans: to keep beside a test and compare. As
 * snprintf: at most bytes - 1 characters and a zero are written, the length of the whole text is returned.
 */
SPANRING_API uint64_t spanring_testing_text(char *ret_text, uint64_t bytes);

SPANRING_EXTERN_C_END

#endif

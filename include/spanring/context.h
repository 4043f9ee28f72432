/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts across processes: W3C Trace Context, W3C Baggage, the environment of child processes, ids for log lines.
 *
 *     struct spanring_remote remote;                                   // a server: continue the caller's trace
 *     (void)spanring_remote_extract(header("traceparent"), header("tracestate"), &remote);
 *     SPANRING_SPAN_CHILD_OF(span, "GET /users", &remote.context);     // a new trace if there was no valid header
 *
 *     char traceparent[SPANRING_TRACEPARENT_BYTES];                    // a client: pass it on
 *     struct spanring_context here = spanring_context_of(span);
 *     if (spanring_traceparent_inject(&here, 0, traceparent) > 0)
 *         add_header("traceparent", traceparent);
 *
 * Strict: what breaks the grammar is as good as absent, and counted (contexts_malformed of spanring_counters). What is absent
 * (NULL or empty) is not counted. Nothing here allocates, and no text is kept longer than the call.
 *
 * THE SAMPLED FLAG goes along with the trace, so that all its processes keep it or all drop it. What is extracted with the flag
 * clear has SPANRING_CONTEXT_UNSAMPLED in its context; a span begun as its child follows it, unless the sampler was chosen not
 * to listen to parents (docs/opentelemetry.md). What is injected, and what goes into the environment of a child, says what the
 * context says: 00 for one with SPANRING_CONTEXT_UNSAMPLED, else 01.
 */
#ifndef SPANRING_CONTEXT_H
#define SPANRING_CONTEXT_H

#include <spanring/spanring.h>
#include <stddef.h>

SPANRING_EXTERN_C_BEGIN

/* Sizes of texts, the terminating zero included. */
#define SPANRING_TRACEPARENT_BYTES 56u
#define SPANRING_TRACESTATE_BYTES 513u
#define SPANRING_BAGGAGE_BYTES 8193u
#define SPANRING_TRACE_ID_BYTES 33u
#define SPANRING_SPAN_ID_BYTES 17u
#define SPANRING_LOG_TEXT_BYTES 67u

#define SPANRING_TRACESTATE_MEMBERS_MAX 32u
#define SPANRING_BAGGAGE_MEMBERS_MAX 64u

#define SPANRING_FLAG_SAMPLED 0x01u /* of W3C Trace Context */
#define SPANRING_FLAG_RANDOM 0x02u  /* the trace id is random, as ours are */

/* --- W3C Trace Context --------------------------------------------------------------------------------------------- */

/* What came from another process. All zero: nothing. */
struct spanring_remote {
	struct spanring_context context;
	uint32_t flags; /* SPANRING_FLAG_*; bits that this version does not know are cleared */
	uint32_t reserved;
	char tracestate[SPANRING_TRACESTATE_BYTES]; /* to be passed on unchanged; "" if there is none */
};

/*
 * Read the values of the headers traceparent and tracestate (either may be NULL). True if there is a valid traceparent; else
 * *ret_remote is all zero. Lower-case hexadecimal only; version ff, a trace or parent id of zeros and, in version 00,
 * anything after the flags are refused; a later version is read by the rules of 00 and may go on after a dash.
 *
 * A tracestate that breaks its grammar (32 members, keys and values as in the standard, no key twice) is dropped whole and
 * does not harm the traceparent. White space around members and empty members are removed; of more than 512 bytes the first
 * members that fit are kept.
 */
SPANRING_API bool spanring_remote_extract(const char *traceparent, const char *tracestate,
                                          struct spanring_remote *ret_remote);

/*
 * "00-<trace>-<span>-<flags>". Its length, 55; 0 and an empty text if the context has no trace or no span. flags may be
 * SPANRING_FLAG_RANDOM; the sampled flag is the context's, whatever flags says of it.
 */
SPANRING_API size_t spanring_traceparent_inject(const struct spanring_context *context, uint32_t flags,
                                                char ret_text[SPANRING_TRACEPARENT_BYTES]);

/* --- baggage --------------------------------------------------------------------------------------------------------- */

/*
 * Names and values that travel with a trace (W3C Baggage). A plain struct of the caller's, 8 KiB; all zero is empty. `text` is the
 * value of the header `baggage`, ready to be sent.
 */
struct spanring_baggage {
	uint32_t count;    /* members */
	uint32_t bytes;    /* of text */
	uint32_t left_out; /* members that spanring_baggage_extract found beyond the limits */
	uint32_t reserved;
	char text[SPANRING_BAGGAGE_BYTES];
};

/* Make it an empty one: before its first use, and to use it again. */
SPANRING_API void spanring_baggage_clear(struct spanring_baggage *baggage);

/*
 * Read the value of the header. False, and nothing in *ret_baggage, if it is absent or breaks its grammar. At most 64
 * members and 8192 bytes are kept, the first ones that fit; the others are counted in left_out. Properties
 * (key=value;property) are kept and passed on. Of two members of one key the later counts.
 */
SPANRING_API bool spanring_baggage_extract(const char *text, struct spanring_baggage *ret_baggage);

/*
 * Set a member; one of the same key goes. key is a token (letters, digits and !#$%&'*+-.^_`|~), value any text, stored
 * percent-encoded. False if the key is none or there is no room; then nothing has changed.
 */
SPANRING_API bool spanring_baggage_set(struct spanring_baggage *baggage, const char *key, const char *value);

/* True if there was one. */
SPANRING_API bool spanring_baggage_remove(struct spanring_baggage *baggage, const char *key);

/*
 * The value of a key, percent-decoded, without its properties; cut at room - 1 bytes and terminated. Its whole length,
 * or -ENOENT. ret_value may be NULL if room is 0.
 */
SPANRING_API int spanring_baggage_get(const struct spanring_baggage *baggage, const char *key, char *ret_value,
                                      size_t room);

/* --- child processes ------------------------------------------------------------------------------------------------- */

/*
 * The context that the parent process put into TRACEPARENT, TRACESTATE and BAGGAGE. True if there is a valid traceparent;
 * baggage is independent of it. ret_baggage may be NULL. Reads the environment: not while another thread changes it.
 */
SPANRING_API bool spanring_context_from_environment(struct spanring_remote *ret_remote,
                                                    struct spanring_baggage *ret_baggage);

/* Entries for the environment of a child: "TRACEPARENT=00-...". Empty where there is nothing to pass. */
struct spanring_environment {
	char traceparent[12u + SPANRING_TRACEPARENT_BYTES];
	char tracestate[11u + SPANRING_TRACESTATE_BYTES];
	char baggage[8u + SPANRING_BAGGAGE_BYTES];
};

/*
 * Fill the entries for a child of `context` (NULL: of the innermost open span of this thread). tracestate and baggage may be NULL;
 * tracestate is that of the spanring_remote which began the trace here. Between fork and exec, put the entries that are not
 * empty into envp, in place of those that are there. Returns how many are not empty.
 */
SPANRING_API unsigned spanring_context_to_environment(const struct spanring_context *context, const char *tracestate,
                                                      const struct spanring_baggage *baggage,
                                                      struct spanring_environment *ret_environment);

/* --- log lines ------------------------------------------------------------------------------------------------------- */

/*
 * Ids in hexadecimal, zero-terminated; the length without it, 0 and "" for an id of zeros. These three may be called in a signal
 * handler; one that interrupts begin or end on its own thread can see the span just before or after.
 */
SPANRING_API size_t spanring_trace_id_text(const struct spanring_context *context,
                                           char ret_text[SPANRING_TRACE_ID_BYTES]);
SPANRING_API size_t spanring_span_id_text(const struct spanring_context *context,
                                          char ret_text[SPANRING_SPAN_ID_BYTES]);

/* "trace_id=<32 digits> span_id=<16 digits>" of the innermost open span of this thread; 0 and "" if there is none. */
SPANRING_API size_t spanring_log_text(char ret_text[SPANRING_LOG_TEXT_BYTES]);

SPANRING_EXTERN_C_END

#endif

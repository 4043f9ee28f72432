/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The 64-byte record: what a program writes into its ring and what an agent reads from it.
 *
 * Every record fills exactly one cache line and one ring slot. All of them end in the same eight bytes:
 *
 *      0                                             55 56    59 60   61   62  63
 *     +------------------------------------------------+--------+----+----+------+
 *     | body, by type                                  |  ref   |type|bits| lap  |
 *     +------------------------------------------------+--------+----+----+------+
 *
 * `lap` makes a record valid by itself. The slot for position p of a ring with C slots carries
 * spanring_lap(p / C); a slot never written holds 0, and a slot of the lap before holds another number. The writer
 * stores bytes 48..63 last, so a reader that sees the right lap (and has a barrier between that look and its copy, see
 * ring_abi.h) has the whole record, also behind the published head, also after SIGKILL.
 *
 * A span is one SPAN record, written when the span ends. ATTRIBUTE, EVENT and LINK records are written when the program
 * sets them, thus before the SPAN record that they belong to; they name it by span id, and carry the low half of its
 * trace id so that a reader finds the attributes of one trace without a join. A string value longer than the
 * bytes in its ATTRIBUTE record goes on in CONTINUATION records that follow it without a gap.
 *
 * All fields are fixed width, native byte order (rings do not leave the machine), times in ticks of the clock named in
 * the process file. Plain C types: ordering is added by whoever copies.
 */
#ifndef SPANRING_RECORD_H
#define SPANRING_RECORD_H

#include <spanring/export.h>
#include <stddef.h>
#include <stdint.h>

#define SPANRING_RECORD_BYTES 64u

/* Record types. A reader counts and skips a type that it does not know. */
#define SPANRING_RECORD_SPAN 1u
#define SPANRING_RECORD_ATTRIBUTE 2u
#define SPANRING_RECORD_CONTINUATION 3u
#define SPANRING_RECORD_EVENT 4u
#define SPANRING_RECORD_THREAD 5u /* a thread takes the ring over; first record of every thread in a ring */
#define SPANRING_RECORD_LINK 6u
#define SPANRING_RECORD_GAUGE 7u /* reserved */

/* `type` of an entry of the stack of open spans (ring_abi.h); none of these is ever the type of a record. */
#define SPANRING_ENTRY_UNSAMPLED 0u         /* an open span of a trace that is not sampled: no record will be written */
#define SPANRING_ENTRY_CONTEXT 8u           /* an attached context, no span */
#define SPANRING_ENTRY_CONTEXT_UNSAMPLED 9u /* the same, of a trace that is not sampled */

/* `bits` of a SPAN record: kind in bits 0-2, status in bits 3-4, flags above. */
#define SPANRING_BITS_KIND_MASK 0x07u
#define SPANRING_BITS_STATUS_SHIFT 3u
#define SPANRING_BITS_STATUS_MASK 0x03u
#define SPANRING_BITS_UNFINISHED 0x20u    /* ended by thread exit or shutdown, not by the program */
#define SPANRING_BITS_REMOTE_PARENT 0x40u /* the parent was given explicitly, not taken from the thread's stack */
#define SPANRING_BITS_HEAP 0x80u          /* the heap fields were counted, not just left at 0 */

/* Heap bytes are stored in units of 16 bytes, saturating. 0 and 0 where nothing counts the heap. */
#define SPANRING_HEAP_UNIT_BYTES 16u

struct spanring_record_tail {
	uint32_t ref; /* SPAN: site id. ATTRIBUTE: string id of the key. EVENT: string id of the name. Else 0. */
	uint8_t type;
	uint8_t bits;
	uint16_t lap;
};

struct spanring_span_record {
	uint64_t start_ticks;
	uint64_t duration_ticks;
	uint64_t span_id;   /* never 0 */
	uint64_t parent_id; /* 0: root */
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint32_t heap_alloc_units; /* bytes allocated inside the span / 16 */
	int32_t heap_net_units;    /* allocated minus freed by this thread inside the span / 16 */
	struct spanring_record_tail tail;
};

/* Value types of attributes; the numbers are part of the ring ABI and of the store format. */
#define SPANRING_VALUE_BOOL 1u
#define SPANRING_VALUE_I64 2u
#define SPANRING_VALUE_U64 3u
#define SPANRING_VALUE_F64 4u
#define SPANRING_VALUE_STRING 5u

#define SPANRING_ATTRIBUTE_INLINE_BYTES 32u
#define SPANRING_CONTINUATION_BYTES 56u
/* Longest string value; what is longer is cut (at a UTF-8 boundary) and counted. */
#define SPANRING_STRING_VALUE_MAX 4096u

struct spanring_attribute_record {
	uint64_t span_id;
	uint64_t trace_lo;
	uint8_t value_type;
	uint8_t reserved0;
	uint16_t string_bytes; /* whole length of a string value, continuation included; 0 for other types */
	uint32_t event_index;  /* 0: attribute of the span; n: of the n-th event of the span */
	uint8_t value[SPANRING_ATTRIBUTE_INLINE_BYTES]; /* number: first 8 bytes; string: its first 32 bytes */
	struct spanring_record_tail tail;
};

struct spanring_continuation_record {
	uint8_t bytes[SPANRING_CONTINUATION_BYTES];
	struct spanring_record_tail tail;
};

struct spanring_event_record {
	uint64_t span_id;
	uint64_t trace_lo;
	uint64_t time_ticks;
	uint32_t event_index; /* 1 for the first event of a span */
	uint32_t reserved0;
	uint64_t reserved1[3];
	struct spanring_record_tail tail;
};

/* The span is linked to another one, of this trace or any other. */
struct spanring_link_record {
	uint64_t span_id;
	uint64_t trace_lo;
	uint64_t linked_trace_hi;
	uint64_t linked_trace_lo;
	uint64_t linked_span_id; /* never 0, nor is the linked trace id */
	uint64_t reserved0[2];
	struct spanring_record_tail tail;
};

#define SPANRING_THREAD_NAME_BYTES 16u

struct spanring_thread_record {
	uint64_t start_ticks; /* when the thread attached */
	uint32_t tid;
	uint32_t reserved0;
	uint8_t name[SPANRING_THREAD_NAME_BYTES]; /* as in /proc/PID/task/TID/comm, padded with 0 */
	uint64_t reserved1[3];
	struct spanring_record_tail tail;
};

/* One slot of a ring. */
union spanring_record {
	struct spanring_span_record span;
	struct spanring_attribute_record attribute;
	struct spanring_continuation_record continuation;
	struct spanring_event_record event;
	struct spanring_link_record link;
	struct spanring_thread_record thread;
	uint8_t bytes[SPANRING_RECORD_BYTES];
	uint64_t words[SPANRING_RECORD_BYTES / 8u];
};

/* Lap number to lap tag: never 0, and different in any two laps that follow each other. */
static inline uint16_t spanring_lap_tag(uint64_t lap) {
	return (uint16_t)(lap % 65535u + 1u);
}

/* How many CONTINUATION records follow the ATTRIBUTE record of a string of this length. */
static inline uint32_t spanring_continuation_count(uint32_t string_bytes) {
	return string_bytes <= SPANRING_ATTRIBUTE_INLINE_BYTES
	           ? 0u
	           : (string_bytes - SPANRING_ATTRIBUTE_INLINE_BYTES + SPANRING_CONTINUATION_BYTES - 1u) /
	                 SPANRING_CONTINUATION_BYTES;
}

SPANRING_STATIC_ASSERT(sizeof(struct spanring_record_tail) == 8, "record tail is eight bytes");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_span_record) == 64, "span record fills one line");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_attribute_record) == 64, "attribute record fills one line");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_continuation_record) == 64, "continuation record fills one line");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_event_record) == 64, "event record fills one line");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_link_record) == 64, "link record fills one line");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_thread_record) == 64, "thread record fills one line");
SPANRING_STATIC_ASSERT(sizeof(union spanring_record) == SPANRING_RECORD_BYTES, "a slot is one record");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, start_ticks) == 0, "start at 0");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, duration_ticks) == 8, "duration at 8");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, span_id) == 16, "span id at 16");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, parent_id) == 24, "parent id at 24");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, trace_hi) == 32, "trace id, high half at 32");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, trace_lo) == 40, "trace id, low half at 40");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, heap_alloc_units) == 48, "heap allocated at 48");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, heap_net_units) == 52, "heap net at 52");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_span_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_attribute_record, value_type) == 16, "value type at 16");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_attribute_record, string_bytes) == 18, "string length at 18");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_attribute_record, event_index) == 20, "event index at 20");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_attribute_record, value) == 24, "value at 24");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_attribute_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_continuation_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_event_record, time_ticks) == 16, "event time at 16");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_event_record, event_index) == 24, "event index at 24");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_event_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_link_record, linked_trace_hi) == 16,
                       "linked trace id, high half at 16");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_link_record, linked_trace_lo) == 24, "linked trace id, low half at 24");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_link_record, linked_span_id) == 32, "linked span id at 32");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_link_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_thread_record, tid) == 8, "tid at 8");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_thread_record, name) == 16, "thread name at 16");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_thread_record, tail) == 56, "tail at 56");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_record_tail, type) == 4, "type at 60");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_record_tail, lap) == 6, "lap at 62");

#endif

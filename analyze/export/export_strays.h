/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that lie in another batch than the span that they belong to: attributes, events and links that were stored before their span ended (or after: a
 * span of several threads), and children whose parent is stored elsewhere. They wait here for their span.
 *
 * BOUNDED IN TWO PASSES. The first pass over the store takes rows and spans as they come and writes nothing: what waits is what lies between a row and its
 * span, and at the end what comes behind its span, or has none. The second begins with that, so no span misses a row; at each place it holds at most
 * what the first held there and what it left over. So if the first stays within EXPORT_STRAYS_MAX, the second needs no more than twice that and
 * cannot fail when half is written.
 *
 * ROWS WITHOUT A SPAN (it found no room in the ring, or was left out) would wait for ever. Where they fill the room, the ids of all spans are marked first, in a
 * filter of 2^27 bits with two for each, and rows whose span is not marked are not kept: of ten million spans it lets one in fifty pass that it should not.
 */
#ifndef SPANRING_ANALYZE_EXPORT_STRAYS_H
#define SPANRING_ANALYZE_EXPORT_STRAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPORT_STRAYS_MAX (1u << 18)
#define EXPORT_STRAYS_TEXT_MAX ((size_t)16 << 20)
#define EXPORT_STRAYS_CHILDREN_MAX (1u << 17) /* beyond them children are not kept, which costs their arrows */

enum export_stray_kind { EXPORT_STRAY_ATTRIBUTE, EXPORT_STRAY_EVENT, EXPORT_STRAY_LINK, EXPORT_STRAY_CHILD };

struct export_stray {
	uint64_t trace_lo; /* of the span that it waits for */
	uint64_t span_id;
	uint64_t batch;  /* in which it came, counted over all segments: its age */
	uint64_t value;  /* attribute: value; event: wall time; link: trace_hi; child: its start, wall time */
	uint64_t second; /* link: trace_lo; child: its span id */
	uint64_t third;  /* link: span id; child: its pid and tid */
	char *text;      /* of an attribute */
	uint32_t text_bytes;
	uint32_t name; /* attribute: key; event: name */
	uint32_t event_index;
	uint8_t type;
	uint8_t kind; /* enum export_stray_kind */
};

struct export_strays;

int export_strays_new(struct export_strays **ret_strays);
void export_strays_free(struct export_strays *strays);
/* From here on twice as many fit. */
void export_strays_second_pass(struct export_strays *strays);
/* From here on only rows of marked spans are kept. 0 or -ENOMEM; then the spans. */
int export_strays_filter(struct export_strays *strays);
void export_strays_mark(struct export_strays *strays, uint64_t trace_lo, uint64_t span_id);
uint32_t export_strays_count(const struct export_strays *strays);

/* The text is copied. 0, -ENOMEM or ERR_LIMIT. */
int export_strays_add(struct export_strays *strays, const struct export_stray *stray, const char *text);
/* One that waits for this span, in no order; its text is the caller's to free. False: there is none. */
bool export_strays_take(struct export_strays *strays, uint64_t trace_lo, uint64_t span_id,
                        struct export_stray *ret_stray);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON document read into a table of values: what `status` and `top` make of an agent's answer. Bounded: DOCUMENT_VALUES_MAX
 * values, DOCUMENT_DEPTH_MAX deep; anything that is not JSON is ERR_DAMAGED, never half a document. Values are numbers of
 * rows; DOCUMENT_NONE is no value, and every function takes it: what is asked of something that is not there is not there.
 */
#ifndef SPANRING_AGENT_DOCUMENT_H
#define SPANRING_AGENT_DOCUMENT_H

#include <stddef.h>
#include <stdint.h>

#define DOCUMENT_VALUES_MAX 65536u
#define DOCUMENT_DEPTH_MAX 16u
#define DOCUMENT_NONE UINT32_MAX
#define DOCUMENT_ROOT 0u

struct document_value {
	uint32_t key_at; /* of the text, in quotes; 0: none (an array's, or the root) */
	uint32_t at;     /* of the value's text */
	uint32_t bytes;
	uint32_t next;  /* in the same object or array */
	uint32_t first; /* in it */
};

struct document {
	const char *text; /* the caller's, must stay */
	struct document_value *values;
	uint32_t count;
};

/* 0, ERR_DAMAGED, ERR_LIMIT or -ENOMEM. */
int document_read(const char *text, size_t bytes, struct document *ret_document);
void document_done(struct document *document);

uint32_t document_find(const struct document *document, uint32_t object, const char *key);
uint32_t document_first(const struct document *document, uint32_t array);
uint32_t document_next(const struct document *document, uint32_t value);

/* The value behind a key; 0 where there is none or no number. */
uint64_t document_u64(const struct document *document, uint32_t object, const char *key);
double document_f64(const struct document *document, uint32_t object, const char *key);
/* A string without its escapes, safe for a terminal, cut where it does not fit; "" where there is none. Returns ret_text. */
const char *document_text(const struct document *document, uint32_t object, const char *key, char *ret_text,
                          size_t text_bytes);

#endif

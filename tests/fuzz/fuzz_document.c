/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An agent's answer against any bytes. What is accepted has values that lie within it, in one another and in order, none of them twice; every
 * text comes out printable; nothing is read behind the last byte.
 */
#include "agent/report/document.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
	if (!condition)
		abort();
}

static void check_text(const struct document *document, uint32_t object, const char *key) {
	char text[256];
	char again[1024];
	(void)document_text(document, object, key, text, sizeof(text));
	(void)text_printable(text, strlen(text), again, sizeof(again));
	require(strcmp(text, again) == 0);
	(void)document_u64(document, object, key);
	(void)document_f64(document, object, key);
}

static void check_values(const struct document *document, size_t size) {
	uint32_t seen = 1; /* the root is nobody's */
	for (uint32_t i = 0; i < document->count; i++) {
		const struct document_value *value = &document->values[i];
		require(value->bytes > 0 && value->at + (size_t)value->bytes <= size);
		require(value->key_at < value->at || value->at == 0 || value->key_at == 0);
		check_text(document, i, "service");
		check_text(document, i, "a");
		for (uint32_t at = document_first(document, i); at != DOCUMENT_NONE; at = document_next(document, at)) {
			require(at < document->count && at > i);
			require(document->values[at].at > value->at);
			require(document->values[at].at + document->values[at].bytes < value->at + value->bytes);
			seen++;
		}
	}
	require(seen == document->count);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct document document;
	/* Allocated to the byte, so that a sanitizer sees one too many. */
	char *text = malloc(size ? size : 1);
	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	if (document_read(text, size, &document) == 0) {
		check_values(&document, size);
		document_done(&document);
	}
	free(text);
	return 0;
}

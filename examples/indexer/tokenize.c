/* SPDX-License-Identifier: Apache-2.0 */
#include "tokenize.h"

#include <string.h>

#define BINARY_PROBE_BYTES 8192u
#define WORD_BYTES_MIN 2u
#define WORD_BYTES_MAX 64u

bool tokenize_is_binary(const struct buffer *content) {
	size_t probe = content->bytes < BINARY_PROBE_BYTES ? content->bytes : BINARY_PROBE_BYTES;
	return probe > 0 && memchr(content->data, 0, probe) != NULL;
}

static bool word_byte(unsigned char byte) {
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
	       byte >= 0x80;
}

static size_t word_end(const struct buffer *content, size_t at) {
	while (at < content->bytes && word_byte((unsigned char)content->data[at]))
		at++;
	return at;
}

static void word_append(struct buffer *words, const char *word, size_t bytes) {
	if (words->bytes > 0)
		words->data[words->bytes++] = ' ';
	for (size_t i = 0; i < bytes; i++) {
		char byte = word[i];
		words->data[words->bytes++] = byte >= 'A' && byte <= 'Z' ? (char)(byte - 'A' + 'a') : byte;
	}
}

int tokenize(const struct buffer *content, struct buffer *ret_words, uint64_t *ret_word_count) {
	/* Every word is followed by a separator or the end, so the result is never longer than the content. */
	int rc = buffer_reserve(ret_words, content->bytes + 2);
	if (rc < 0)
		return rc;
	uint64_t count = 0;
	ret_words->bytes = 0;
	for (size_t at = 0; at < content->bytes;) {
		size_t end = word_end(content, at);
		size_t bytes = end - at;
		if (bytes >= WORD_BYTES_MIN && bytes <= WORD_BYTES_MAX) {
			word_append(ret_words, content->data + at, bytes);
			count++;
		}
		at = end + 1;
	}
	ret_words->data[ret_words->bytes] = 0;
	*ret_word_count = count;
	return 0;
}

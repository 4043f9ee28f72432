/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The headers of other processes against any bytes. What is accepted must be written again as it was read, and its own text must
 * be accepted with the same meaning.
 *
 *     input := traceparent 0 tracestate 0 baggage          texts up to a zero byte or the end
 */
#include <spanring/context.h>

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* A zero-terminated copy of exact size, so that a sanitizer sees one byte too many. */
static char *take_text(const uint8_t **data, size_t *size) {
	const uint8_t *end = *size ? memchr(*data, 0, *size) : NULL;
	size_t bytes = end ? (size_t)(end - *data) : *size;
	char *text = malloc(bytes + 1);
	if (!text)
		abort();
	if (bytes)
		memcpy(text, *data, bytes);
	text[bytes] = '\0';
	*data += bytes + (end ? 1 : 0);
	*size -= bytes + (end ? 1 : 0);
	return text;
}

static void require(bool condition) {
	if (!condition)
		abort();
}

static void check_remote(const struct spanring_remote *remote) {
	struct spanring_remote again;
	char text[SPANRING_TRACEPARENT_BYTES];
	require(spanring_traceparent_inject(&remote->context, remote->flags, text) == 55);
	require(spanring_remote_extract(text, remote->tracestate, &again));
	require(memcmp(&again, remote, offsetof(struct spanring_remote, tracestate)) == 0);
	require(strcmp(again.tracestate, remote->tracestate) == 0);
}

static void check_baggage(struct spanring_baggage *baggage) {
	static struct spanring_baggage again;
	static char value[SPANRING_BAGGAGE_BYTES];
	char key[SPANRING_BAGGAGE_BYTES];
	require(baggage->count <= SPANRING_BAGGAGE_MEMBERS_MAX && strlen(baggage->text) == baggage->bytes);
	if (baggage->count == 0)
		return;
	require(spanring_baggage_extract(baggage->text, &again) && strcmp(again.text, baggage->text) == 0);
	size_t bytes = strcspn(baggage->text, "= \t");
	memcpy(key, baggage->text, bytes);
	key[bytes] = '\0';
	int length = spanring_baggage_get(baggage, key, value, sizeof(value));
	require(length >= 0);
	if (spanring_baggage_set(baggage, key, value))
		require(spanring_baggage_get(baggage, key, NULL, 0) <= length);
	require(strlen(baggage->text) == baggage->bytes);
	require(spanring_baggage_remove(baggage, key) && strlen(baggage->text) == baggage->bytes);
	require(baggage->count == 0 || spanring_baggage_extract(baggage->text, &again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct spanring_baggage baggage;
	struct spanring_remote remote;
	char *traceparent = take_text(&data, &size);
	char *tracestate = take_text(&data, &size);
	char *text = take_text(&data, &size);
	if (spanring_remote_extract(traceparent, tracestate, &remote))
		check_remote(&remote);
	if (spanring_baggage_extract(text, &baggage))
		check_baggage(&baggage);
	free(traceparent);
	free(tracestate);
	free(text);
	return 0;
}

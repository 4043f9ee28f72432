/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests against any bytes. What is accepted ends with an empty line within the bytes, means the same when nothing else follows, and
 * was not complete a byte earlier; what is refused has a status that there are words for.
 */
#include "agent/report/http.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
	if (!condition)
		abort();
}

/* Allocated to the byte, so that a sanitizer sees one too many. */
static enum http_result parse_copy(const uint8_t *data, size_t size, struct http_request *ret_request, size_t *ret_used,
                                   int *ret_status) {
	char *copy = malloc(size ? size : 1);
	require(copy != NULL);
	if (size)
		memcpy(copy, data, size);
	enum http_result result = http_parse(copy, size, ret_request, ret_used, ret_status);
	free(copy);
	return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	struct http_request request;
	struct http_request again;
	size_t used = 0;
	size_t used_again = 0;
	int status = 0;
	switch (parse_copy(data, size, &request, &used, &status)) {
	case HTTP_READY:
		require(used > 0 && used <= size && data[used - 1] == '\n');
		require(memchr(request.path, '\0', sizeof(request.path)) != NULL);
		require(request.path[0] == '/' || request.path[0] == '\0');
		require(parse_copy(data, used, &again, &used_again, &status) == HTTP_READY && used_again == used);
		require(memcmp(&request, &again, sizeof(request)) == 0);
		if (used <= HTTP_REQUEST_BYTES_MAX)
			require(parse_copy(data, used - 1, &again, &used_again, &status) == HTTP_MORE);
		break;
	case HTTP_MORE:
		require(size < HTTP_REQUEST_BYTES_MAX);
		break;
	default:
		require(strcmp(http_reason(status), http_reason(500)) != 0);
	}
	return 0;
}

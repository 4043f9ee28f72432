/* SPDX-License-Identifier: Apache-2.0 */
#include "span_limits.h"
#include <stdlib.h>

#define COUNT_DEFAULT 128u
#define COUNT_MAX 65535u
/* What nobody can mean: such a value counts as absent. */
#define ABSURD UINT64_C(0xffffffff)

/* A plain number cut at max; `otherwise` for anything else. */
static uint32_t number_of(const char *text, uint32_t otherwise, uint32_t max) {
	uint64_t number = 0;
	if (!text || !*text)
		return otherwise;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return otherwise;
		number = number * 10 + (uint64_t)(*text - '0');
		if (number > ABSURD)
			return otherwise;
	}
	return number < max ? (uint32_t)number : max;
}

static uint32_t count_of(const char *variable, uint32_t otherwise) {
	return number_of(getenv(variable), otherwise, COUNT_MAX);
}

void spanring__span_limits_choose(struct spanring__limits *ret_limits) {
	uint32_t attributes = count_of("OTEL_ATTRIBUTE_COUNT_LIMIT", COUNT_DEFAULT);
	uint32_t value_bytes = number_of(getenv("OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT"), SPANRING_STRING_VALUE_MAX,
	                                 SPANRING_STRING_VALUE_MAX);
	ret_limits->attributes = count_of("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", attributes);
	ret_limits->event_attributes = count_of("OTEL_EVENT_ATTRIBUTE_COUNT_LIMIT", attributes);
	ret_limits->events = count_of("OTEL_SPAN_EVENT_COUNT_LIMIT", COUNT_DEFAULT);
	ret_limits->links = count_of("OTEL_SPAN_LINK_COUNT_LIMIT", COUNT_DEFAULT);
	ret_limits->value_bytes =
	    number_of(getenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT"), value_bytes, SPANRING_STRING_VALUE_MAX);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that leaves one of everything that the library can say: attributes of every type with extreme and long values, events with and
 * without attributes, links, a remote parent, failed spans, async spans ended and not, and spans that are open when it ends: `rich_program ROUNDS`.
 */
#include <spanring/async.h>
#include <spanring/context.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LONG_BYTES 5000u /* several records of the ring */

static struct spanring_key moment = SPANRING_KEY_INIT("moment");
static struct spanring_key detail = SPANRING_KEY_INIT("d\xc3\xa9tail \xff\"\\");
static char long_text[LONG_BYTES + 1];

static void set_all_types(struct spanring_span span, long round) {
	const struct spanring_attribute several[] = {spanring_attribute_i64(&detail, INT64_MIN),
	                                             spanring_attribute_bytes(&detail, "a\0b", 3),
	                                             spanring_attribute_f64(&detail, -INFINITY)};
	SPANRING_SET_BOOL(span, "bool", round % 2);
	SPANRING_SET_I64(span, "i64", -round);
	SPANRING_SET_U64(span, "u64", UINT64_MAX - (uint64_t)round);
	SPANRING_SET_F64(span, "f64", (double)round / 3);
	SPANRING_SET_STRING(span, "empty", "");
	SPANRING_SET_STRING(span, "long", long_text + round * 37 % LONG_BYTES);
	spanring_set_attributes(span, several, sizeof(several) / sizeof(several[0]));
	spanring_event(span, &moment);
	spanring_event_with(span, &moment, several, 2);
}

static struct spanring_context one_round(long round) {
	static const struct spanring_context elsewhere = {.trace_hi = 7, .trace_lo = UINT64_MAX, .span_id = 9};
	SPANRING_SPAN_CHILD_OF(outer, "outer", round % 3 ? NULL : &elsewhere);
	set_all_types(outer, round);
	struct spanring_context context = spanring_context_of(outer);
	spanring_link(outer, &elsewhere);
	SPANRING_ASYNC_BEGIN(later, "later");
	SPANRING_ASYNC_SET_STRING(later, "text", long_text);
	SPANRING_ASYNC_EVENT(later, "thought");
	spanring_async_link(later, &context);
	if (round % 5)
		spanring_async_end(later);
	SPANRING_SPAN(inner, "inner");
	if (round % 4 == 0)
		spanring_set_status(inner, SPANRING_STATUS_ERROR, "went wrong");
	spanring_link(inner, &context);
	return context;
}

int main(int argc, char **argv) {
	long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
	for (unsigned i = 0; i < LONG_BYTES; i++)
		long_text[i] = (char)(1 + i % 255);
	for (long round = 0; round < rounds; round++)
		(void)one_round(round);
	SPANRING_BEGIN(open, "left open");
	set_all_types(open, rounds);
	SPANRING_BEGIN(below, "below");
	(void)below;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any text as a filter expression: it is refused at a place inside of it, or it can be asked of a span.
 *
 *     input := text up to a zero byte or the end
 */
#include "analyze/where/where_eval.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool condition) {
	if (!condition)
		abort();
}

static void ask(const struct where *where) {
	static const char *const names[] = {"", "work"};
	static const struct store_site sites[2] = {[1] = {.name = 1}};
	static const struct store_segment_view segment = {.site_count = 1, .sites = sites};
	static const uint64_t numbers[1] = {7};
	static const uint32_t words[1] = {1};
	static const int32_t net[1] = {-1};
	static const uint8_t bytes[1] = {1};
	static const struct store_attribute attribute = {.trace_lo = 7, .span_id = 7, .value = 7, .key = 1, .type = 3};
	static const uint32_t rows[1] = {0};
	const struct store_overview overview = {.names = names, .name_count = 1};
	const struct store_columns columns = {
	    .segment = &segment,
	    .span_count = 1,
	    .trace_hi = numbers,
	    .trace_lo = numbers,
	    .span_id = numbers,
	    .parent_id = numbers,
	    .start_ns = numbers,
	    .duration_ns = numbers,
	    .site = words,
	    .thread = words,
	    .kind = bytes,
	    .status = bytes,
	    .flags = bytes,
	    .heap_net_units = net,
	    .heap_alloc_units = words,
	    .attribute_count = 1,
	    .attributes = &attribute,
	    .attribute_row = rows,
	    .text = "",
	};
	struct where_filter *filter = NULL;
	uint8_t keep[1] = {2};
	(void)where_get_bounds(where);
	if (where_bind(where, &overview, &filter) != 0)
		return;
	if (where_observes(filter))
		require(where_observe(filter, &columns) == 0);
	require(where_rows(filter, &columns, keep) == 0 && keep[0] <= 1);
	where_filter_free(filter);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct where where;
	struct where_error error;
	char *text = malloc(size + 1);
	require(text != NULL);
	if (size)
		memcpy(text, data, size);
	text[size] = 0;
	bool good = where_parse(text, &where, &error) == 0;
	if (good)
		good = where_check(&where, UINT64_C(1700000000000000000), &error) == 0;
	if (good)
		ask(&where);
	else
		require(error.column <= strlen(text) && error.text[0] != 0);
	free(text);
	return 0;
}

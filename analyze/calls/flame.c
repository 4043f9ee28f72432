/* SPDX-License-Identifier: Apache-2.0 */
#include "flame.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const char *flame_value_text(enum call_value value, double amount, char ret_text[FLAME_VALUE_TEXT_BYTES]) {
	char text[UNITS_TEXT_BYTES];
	const char *sign = amount < 0 ? "-" : "";
	amount = fabs(amount);
	if (value == CALL_VALUE_ALLOCATED)
		(void)units_format_bytes(amount, text);
	else if (value == CALL_VALUE_CALLS)
		(void)units_format_count((uint64_t)(amount + 0.5), text);
	else
		(void)units_format_duration(amount, text);
	(void)snprintf(ret_text, FLAME_VALUE_TEXT_BYTES, "%s%s%s", sign, text,
	               value == CALL_VALUE_CALLS ? " calls" : "");
	return ret_text;
}

const char *flame_value_name(enum call_value value) {
	static const char *const names[] = {[CALL_VALUE_WALL] = "wall time",
	                                    [CALL_VALUE_SELF] = "self time",
	                                    [CALL_VALUE_ALLOCATED] = "allocated bytes",
	                                    [CALL_VALUE_CALLS] = "calls"};
	return names[value];
}

/* --- change ------------------------------------------------------------------------------------------------------ */

struct named {
	const struct call_view *view;
	uint32_t node;
};

static int compare_keys(const struct call_keys *left, uint32_t left_key, const struct call_keys *right,
                        uint32_t right_key) {
	bool left_real = left_key < left->key_count;
	bool right_real = right_key < right->key_count;
	if (!left_real || !right_real)
		return left_real != right_real ? (left_real ? 1 : -1) : (left_key > right_key) - (left_key < right_key);
	int order = strcmp(call_key_name(left, left_key), call_key_name(right, right_key));
	if (order == 0)
		order = strcmp(call_key_file(left, left_key, false), call_key_file(right, right_key, false));
	uint32_t left_line = call_key_line(left, left_key);
	uint32_t right_line = call_key_line(right, right_key);
	return order ? order : (left_line > right_line) - (left_line < right_line);
}

static int by_key(const void *a, const void *b) {
	const struct named *left = a;
	const struct named *right = b;
	return compare_keys(left->view->keys, left->view->nodes[left->node].key, right->view->keys,
	                    right->view->nodes[right->node].key);
}

/* Traces that begin in the view: calls of what is at the top, and of what has no stored parent. */
static double root_calls(const struct call_view *view) {
	double units = 0;
	for (uint32_t at = 1; at < view->node_count; at++) {
		const struct call_view_node *node = &view->nodes[at];
		bool is_top = node->parent == 0 || view->nodes[node->parent].key == CALL_KEY_ABSENT;
		units += is_top ? (double)node->figures.calls : 0;
	}
	return units;
}

static double scale_of(const struct call_view *view, const struct call_view *before) {
	double calls = root_calls(view);
	double calls_before = root_calls(before);
	if (calls > 0 && calls_before > 0)
		return calls / calls_before;
	return before->nodes[0].wide > 0 ? (double)view->nodes[0].wide / (double)before->nodes[0].wide : 1;
}

/* For each node the one before, or FLAME_NO_MATCH; sorted has room for all of before. */
static void match(const struct call_view *view, const struct call_view *before, struct named *sorted,
                  uint32_t *matches) {
	for (uint32_t at = 0; at < before->node_count; at++)
		sorted[at] = (struct named){before, at};
	for (uint32_t at = 1; at < view->node_count; at++)
		matches[at] = FLAME_NO_MATCH;
	matches[0] = 0;
	for (uint32_t at = 0; at < before->node_count; at++)
		qsort(sorted + before->nodes[at].first, before->nodes[at].count, sizeof(*sorted), by_key);
	for (uint32_t at = 1; at < view->node_count; at++) {
		uint32_t above = matches[view->nodes[at].parent];
		struct named wanted = {view, at};
		if (above == FLAME_NO_MATCH)
			continue;
		const struct named *found = bsearch(&wanted, sorted + before->nodes[above].first,
		                                    before->nodes[above].count, sizeof(*sorted), by_key);
		matches[at] = found ? found->node : FLAME_NO_MATCH;
	}
}

static int compare(struct flame *flame) {
	const struct call_view *view = flame->view;
	const struct call_view *before = flame->before;
	struct named *sorted CLEANUP_FREE = malloc(before->node_count * sizeof(*sorted));
	uint32_t *matches = malloc(view->node_count * sizeof(*matches));
	double kept = 0;
	flame->matches = matches;
	flame->changes = calloc(view->node_count, sizeof(*flame->changes));
	if (!sorted || !matches || !flame->changes)
		return -ENOMEM;
	flame->scale = scale_of(view, before);
	match(view, before, sorted, matches);
	for (uint32_t at = 0; at < view->node_count; at++) {
		struct flame_change *change = &flame->changes[at];
		const struct call_view_node *node = &view->nodes[at];
		const struct call_view_node *was = matches[at] == FLAME_NO_MATCH ? NULL : &before->nodes[matches[at]];
		change->is_new = !was;
		change->before_wide = was ? (double)was->wide * flame->scale : 0;
		change->own = (double)node->own - (was ? (double)was->own * flame->scale : 0);
		change->wide = (double)node->wide - change->before_wide;
		if (fabs(change->own) > flame->own_change_max)
			flame->own_change_max = fabs(change->own);
		kept += was ? (double)was->own : 0;
	}
	double whole = (double)before->nodes[0].wide;
	flame->gone_share = whole > 0 && kept < whole ? 1 - kept / whole : 0;
	return 0;
}

int flame_new(const struct call_view *view, const struct call_view *before, enum call_value value, bool strip,
              struct flame *ret_flame) {
	*ret_flame = (struct flame){.view = view, .before = before, .value = value, .strip = strip, .scale = 1};
	int error = before ? compare(ret_flame) : 0;
	if (error)
		flame_free(ret_flame);
	return error;
}

void flame_free(struct flame *flame) {
	free(flame->matches);
	free(flame->changes);
	flame->matches = NULL;
	flame->changes = NULL;
}

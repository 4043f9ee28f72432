/* SPDX-License-Identifier: Apache-2.0 */
/* What follows from an expression for whole batches. `and` keeps to both sides, `or` to the wider one, `not` to nothing. */
#include "where.h"

static struct where_bounds widest(void) {
	struct where_bounds bounds = {.until_wall_ns = UINT64_MAX};
	return bounds;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

static uint64_t larger(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

static void value_range(const struct where *where, const struct where_node *node, uint64_t *ret_min,
                        uint64_t *ret_max) {
	*ret_min = UINT64_MAX;
	*ret_max = 0;
	for (uint32_t v = node->value; v < node->value + node->value_count; v++) {
		*ret_min = smaller(*ret_min, (uint64_t)where->values[v].number);
		*ret_max = larger(*ret_max, (uint64_t)where->values[v].number);
	}
	if (node->op == WHERE_NOT_EQUAL || node->op == WHERE_LESS || node->op == WHERE_LESS_EQUAL)
		*ret_min = 0;
	if (node->op == WHERE_NOT_EQUAL || node->op == WHERE_GREATER || node->op == WHERE_GREATER_EQUAL)
		*ret_max = UINT64_MAX;
}

static struct where_bounds bounds_of_comparison(const struct where *where, const struct where_node *node) {
	struct where_bounds bounds = widest();
	uint64_t unused = 0;
	switch (node->field) {
	case WHERE_FIELD_DURATION:
		value_range(where, node, &bounds.duration_ns_min, &unused);
		break;
	case WHERE_FIELD_START: /* a span ends after it started, and starts before it ends */
	case WHERE_FIELD_END:
		value_range(where, node, &bounds.since_wall_ns, &bounds.until_wall_ns);
		break;
	case WHERE_FIELD_TRACE:
		bounds.has_trace =
		    node->op != WHERE_NOT_EQUAL && node->value_count == 1 && where->values[node->value].pattern.whole;
		bounds.trace_lo = bounds.has_trace ? where->values[node->value].pattern.lo : 0;
		break;
	default:
		break;
	}
	return bounds;
}

static struct where_bounds both(const struct where_bounds *a, const struct where_bounds *b) {
	struct where_bounds bounds = {.duration_ns_min = larger(a->duration_ns_min, b->duration_ns_min),
	                              .since_wall_ns = larger(a->since_wall_ns, b->since_wall_ns),
	                              .until_wall_ns = smaller(a->until_wall_ns, b->until_wall_ns),
	                              .has_trace = a->has_trace || b->has_trace,
	                              .trace_lo = a->has_trace ? a->trace_lo : b->trace_lo};
	return bounds;
}

static struct where_bounds either(const struct where_bounds *a, const struct where_bounds *b) {
	struct where_bounds bounds = {.duration_ns_min = smaller(a->duration_ns_min, b->duration_ns_min),
	                              .since_wall_ns = smaller(a->since_wall_ns, b->since_wall_ns),
	                              .until_wall_ns = larger(a->until_wall_ns, b->until_wall_ns),
	                              .has_trace = a->has_trace && b->has_trace && a->trace_lo == b->trace_lo,
	                              .trace_lo = a->trace_lo};
	return bounds;
}

/* Children come before their parents. */
struct where_bounds where_get_bounds(const struct where *where) {
	struct where_bounds bounds[WHERE_NODES_MAX];
	for (uint32_t i = 0; i < where->node_count; i++) {
		const struct where_node *node = &where->nodes[i];
		switch (node->type) {
		case WHERE_COMPARE:
			bounds[i] = bounds_of_comparison(where, node);
			break;
		case WHERE_AND:
			bounds[i] = both(&bounds[node->left], &bounds[node->right]);
			break;
		case WHERE_OR:
			bounds[i] = either(&bounds[node->left], &bounds[node->right]);
			break;
		case WHERE_NOT:
			bounds[i] = widest();
			break;
		}
	}
	return bounds[where->root];
}

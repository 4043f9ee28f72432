/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a name became slower, and which of its spans. Two views of one shift, that of the mean duration (or of the mean of the slowest 5 %):
 *
 *     spans       the time of a span is the own time of itself and of all spans below it. Of each call path the own time per span of the name is a part of the
 *                 mean; what it changed by is the part of the shift that it explains. Parts that overlap, or were stored apart, are a rest.
 *     attributes  leave out the spans that have a value: what the shift is then less is what the value explains. So a value that all spans share evenly explains
 *                 nothing, one that became slow explains all of it, and so does a slow one that became frequent.
 *
 * Both come with the interval that the slices of both runs give (sliced.h).
 */
#ifndef SPANRING_ANALYZE_WHY_H
#define SPANRING_ANALYZE_WHY_H

#include "change.h"

#define WHY_NODES_MAX 4096u
#define WHY_DEPTH_MAX 64u
#define WHY_KEYS_MAX 15u
#define WHY_VALUES_MAX 4096u
#define WHY_VALUE_TEXT_BYTES 128u
#define WHY_LEVEL 0.95
#define WHY_TAIL_SHARE 0.95

struct why_node {
	uint32_t parent; /* itself: the name that is asked about */
	uint32_t text;   /* of why.texts */
	double self_ns[2][SLICED_SLICES];
	double count[2];
};

struct why_value {
	uint32_t key; /* of why.keys */
	char text[WHY_VALUE_TEXT_BYTES];
	double weight[2][SLICED_SLICES];
	double total_ns[2][SLICED_SLICES];
};

/* One line of the answer. */
struct why_cause {
	uint32_t place; /* node or value */
	double part_ns; /* of the shift */
	double low_ns;
	double high_ns;
	double before; /* own time per span; or the mean of the spans with the value */
	double after;
	double share[2]; /* of a value: of the spans */
};

struct why {
	struct change_store stores[2];
	struct grid grid;
	const char **texts; /* names of both stores, each once */
	uint32_t text_count;
	uint32_t *text_of[2]; /* by name id */
	uint8_t *wanted[2];   /* by name id */
	const char *name;     /* what is asked about */
	bool is_tail;
	double threshold_ns[2]; /* of the tail */
	const char *keys[WHY_KEYS_MAX];
	uint32_t key_count;
	struct why_node *nodes;
	uint32_t node_count;
	struct why_value *values;
	uint32_t value_count;
	uint32_t *node_slots;  /* by hash: node, never 0 */
	uint32_t *value_slots; /* by hash: value + 1 */
	bool is_full;          /* some paths or values found no room */
	double weight[2][SLICED_SLICES];
	double total_ns[2][SLICED_SLICES];
	double count[2];
	double mean_ns[2];
	struct difference difference;
	struct why_cause *spans; /* what explains most first */
	size_t span_count;
	struct why_cause *attributes;
	size_t attribute_count;
	double rest_ns;
};

/* name: a glob, NULL: the root that takes most time. An exit code; on failure it was said, and nothing is held. */
int why_find(const struct context *context, const char *name, bool is_tail, struct why *ret_why);
void why_done(struct why *why);

/* "GET /cart > db.query"; as stored. The length as snprintf. */
size_t why_path(const struct why *why, uint32_t node, char *ret_text, size_t bytes);

/* --- between its files ------------------------------------------------------------------------------------------- */

/* All readings of the stores. 0 or a negative errno. */
int why_read(struct why *why);
/* The figures of what was read. 0 or -ENOMEM. */
int why_rank(struct why *why);

#endif

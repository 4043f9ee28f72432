/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Groups of spans by what they have: --group-by name,service,attr.KEY,bucket(attr.KEY,100) and --interval 10s.
 *
 * The key of a span is the values of all parts, one behind the other, each with its type before it. Keys are numbered in the order in which they
 * come; there is room for `groups_max` of them, and all that come later belong to one more, the others. As scans of one query show
 * the same rows in the same order, a span has the same number in each.
 */
#ifndef SPANRING_ANALYZE_GROUP_H
#define SPANRING_ANALYZE_GROUP_H

#include "analyze/kernels/span_values.h"
#include "analyze/query.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GROUP_PARTS_MAX 5u
#define GROUPS_MAX 1000u
#define GROUP_VALUE_BYTES_MAX 256u /* of a text in a key: what is behind is cut off */
#define GROUP_TEXT_BYTES (GROUP_VALUE_BYTES_MAX + 1u)

enum group_part_type { GROUP_TIME, GROUP_NAME, GROUP_SERVICE, GROUP_STATUS, GROUP_KIND, GROUP_PID, GROUP_ATTRIBUTE };

struct group_part {
	enum group_part_type type;
	char word[128];    /* as it was typed: the title of its column */
	char key[128];     /* of an attribute */
	double bucket;     /* width, 0: the value itself */
	uint64_t width_ns; /* of GROUP_TIME */
	uint32_t slot;
};

struct grouping {
	struct group_part parts[GROUP_PARTS_MAX];
	uint32_t part_count;
	struct span_values *values;
	uint8_t *keys; /* one behind the other */
	size_t key_bytes;
	size_t key_room;
	size_t ends[GROUPS_MAX]; /* of each key */
	uint32_t slots[4 * GROUPS_MAX];
	uint32_t group_count; /* without the others */
	bool has_others;
};

/* What is wrong goes to ret_text. 0 or -EINVAL. spec: NULL for time alone; interval_ns: 0 for none. */
int group_parse(const char *spec, uint64_t interval_ns, struct grouping *ret_grouping, char *ret_text,
                size_t text_bytes);
/* Before the first scan of the query. 0 or a negative errno. */
int group_bind(struct grouping *grouping, struct query *query);
void group_done(struct grouping *grouping);

uint32_t group_columns(const struct grouping *grouping);
/* group_of is about rows of this batch from now on. 0 or a negative errno. */
int group_take(struct grouping *grouping, const struct store_columns *columns);
/* The number of the group of a row; GROUPS_MAX: the others. 0 or -ENOMEM. */
int group_of(struct grouping *grouping, const struct query *query, const struct store_columns *columns, uint32_t row,
             uint32_t *ret_group);

/* One value of a key: whether there is one, whether it is a number, and its text. */
struct group_value {
	bool missing;
	bool is_number;
	uint64_t time_wall_ns; /* of GROUP_TIME */
	char text[GROUP_TEXT_BYTES];
	size_t text_bytes;
};
void group_value(const struct grouping *grouping, uint32_t group, uint32_t part, struct group_value *ret_value);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "group.h"

#include "base/checked.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX (GROUP_PARTS_MAX * (GROUP_VALUE_BYTES_MAX + 4u))
#define SLOT_COUNT (4u * GROUPS_MAX)

/* --- words ------------------------------------------------------------------------------------------------------- */

static int part_of_word(const char *word, struct group_part *part) {
	static const struct {
		const char *word;
		enum group_part_type type;
	} fields[] = {{"name", GROUP_NAME},
	              {"service", GROUP_SERVICE},
	              {"status", GROUP_STATUS},
	              {"kind", GROUP_KIND},
	              {"pid", GROUP_PID}};
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (strcmp(fields[i].word, word) == 0) {
			part->type = fields[i].type;
			return 0;
		}
	}
	if (strncmp(word, "attr.", 5) != 0 || !word[5])
		return -EINVAL;
	part->type = GROUP_ATTRIBUTE;
	(void)snprintf(part->key, sizeof(part->key), "%s", word + 5);
	return 0;
}

/* bucket(attr.KEY,WIDTH) */
static int part_of_bucket(const char *word, struct group_part *part) {
	char inner[sizeof(part->word)];
	size_t bytes = strlen(word);
	char *end = NULL;
	if (word[bytes - 1] != ')')
		return -EINVAL;
	(void)snprintf(inner, sizeof(inner), "%.*s", (int)(bytes - 8), word + 7);
	char *comma = strrchr(inner, ',');
	if (!comma || strncmp(inner, "attr.", 5) != 0)
		return -EINVAL;
	*comma = 0;
	part->bucket = strtod(comma + 1, &end);
	if (end == comma + 1 || *end != 0 || !isfinite(part->bucket) || part->bucket <= 0)
		return -EINVAL;
	return part_of_word(inner, part);
}

static int take_word(struct grouping *grouping, const char *word, size_t bytes, char *ret_text, size_t text_bytes) {
	struct group_part *part = &grouping->parts[grouping->part_count];
	if (grouping->part_count == GROUP_PARTS_MAX || bytes >= sizeof(part->word)) {
		(void)snprintf(ret_text, text_bytes, "--group-by: at most %u words of less than %zu bytes",
		               GROUP_PARTS_MAX - 1, sizeof(part->word));
		return -EINVAL;
	}
	(void)snprintf(part->word, sizeof(part->word), "%.*s", (int)bytes, word);
	int rc =
	    strncmp(part->word, "bucket(", 7) == 0 ? part_of_bucket(part->word, part) : part_of_word(part->word, part);
	if (rc == 0) {
		grouping->part_count++;
		return 0;
	}
	(void)snprintf(ret_text, text_bytes,
	               "--group-by '%.60s': give name, service, status, kind, pid, attr.KEY or bucket(attr.KEY,WIDTH), "
	               "with commas between",
	               part->word);
	return -EINVAL;
}

int group_parse(const char *spec, uint64_t interval_ns, struct grouping *ret_grouping, char *ret_text,
                size_t text_bytes) {
	memset(ret_grouping, 0, sizeof(*ret_grouping));
	if (interval_ns) {
		ret_grouping->parts[0] =
		    (struct group_part){.type = GROUP_TIME, .word = "start", .width_ns = interval_ns};
		ret_grouping->part_count = 1;
	}
	while (spec) {
		size_t bytes = 0;
		bool inside = false; /* of parentheses: commas there do not part words */
		for (; spec[bytes] && (spec[bytes] != ',' || inside); bytes++)
			inside = spec[bytes] == '(' || (inside && spec[bytes] != ')');
		int rc = take_word(ret_grouping, spec, bytes, ret_text, text_bytes);
		if (rc != 0)
			return rc;
		spec = spec[bytes] ? spec + bytes + 1 : NULL;
	}
	return 0;
}

/* --- values ------------------------------------------------------------------------------------------------------ */

static int observe(void *context, const struct store_columns *columns) {
	struct grouping *grouping = context;
	return span_values_observe(grouping->values, columns);
}

static uint32_t find_name(const struct query *query, const char *text) {
	for (uint32_t id = 1; id <= query->overview->name_count; id++)
		if (strcmp(query->overview->names[id], text) == 0)
			return id;
	return 0;
}

int group_bind(struct grouping *grouping, struct query *query) {
	int rc = span_values_new(&grouping->values);
	for (uint32_t i = 0; i < grouping->part_count && rc == 0; i++) {
		struct group_part *part = &grouping->parts[i];
		if (part->type == GROUP_ATTRIBUTE)
			rc = span_values_want(grouping->values, find_name(query, part->key), &part->slot);
	}
	if (rc != 0 || !span_values_columns(grouping->values))
		return rc;
	struct query_scan scan = {.columns = span_values_columns(grouping->values),
	                          .whole_time = true,
	                          .without_where = true,
	                          .on_batch = observe,
	                          .context = grouping};
	rc = query_scan(query, &scan);
	if (rc == ERR_LIMIT)
		log_error(
		    &query->context->log,
		    "--group-by: more than %u values of its attributes lie apart from their spans: ask one segment "
		    "file at a time",
		    SPAN_VALUES_STRAYS_MAX);
	return rc;
}

void group_done(struct grouping *grouping) {
	span_values_free(grouping->values);
	free(grouping->keys);
	memset(grouping, 0, sizeof(*grouping));
}

uint32_t group_columns(const struct grouping *grouping) {
	static const uint32_t columns[] = {[GROUP_TIME] = STORE_COLUMN_START,
	                                   [GROUP_NAME] = STORE_COLUMN_SITE,
	                                   [GROUP_SERVICE] = STORE_COLUMN_THREAD,
	                                   [GROUP_STATUS] = STORE_COLUMN_STATUS,
	                                   [GROUP_KIND] = STORE_COLUMN_KIND,
	                                   [GROUP_PID] = STORE_COLUMN_THREAD,
	                                   [GROUP_ATTRIBUTE] = 0};
	uint32_t wanted = span_values_columns(grouping->values);
	for (uint32_t i = 0; i < grouping->part_count; i++)
		wanted |= columns[grouping->parts[i].type];
	return wanted;
}

int group_take(struct grouping *grouping, const struct store_columns *columns) {
	return span_values_columns(grouping->values) ? span_values_place(grouping->values, columns) : 0;
}

/* --- keys -------------------------------------------------------------------------------------------------------- */

/* type (a digit, '-' for nothing), length in two bytes, bytes */
static size_t put(uint8_t *key, uint8_t type, const void *bytes, size_t count) {
	size_t kept = count < GROUP_VALUE_BYTES_MAX ? count : GROUP_VALUE_BYTES_MAX;
	key[0] = type;
	key[1] = (uint8_t)(kept & 0xff);
	key[2] = (uint8_t)(kept >> 8);
	if (kept)
		memcpy(key + 3, bytes, kept);
	return kept + 3;
}

static bool real_of(const struct span_value *value, double *ret_real) {
	if (value->type == SPANRING_VALUE_F64)
		memcpy(ret_real, &value->value, sizeof(*ret_real));
	else
		*ret_real = value->type == SPANRING_VALUE_I64 ? (double)(int64_t)value->value : (double)value->value;
	return value->type == SPANRING_VALUE_F64 || value->type == SPANRING_VALUE_I64 ||
	       value->type == SPANRING_VALUE_U64;
}

static size_t put_attribute(const struct group_part *part, const struct span_value *value, uint8_t *key) {
	char text[64];
	double real = 0;
	if (value->type == 0)
		return put(key, '-', NULL, 0);
	if (value->type == SPANRING_VALUE_STRING && part->bucket == 0)
		return put(key, 's', value->text, value->text_bytes);
	if (value->type == SPANRING_VALUE_BOOL)
		return put(key, 'b', value->value ? "true" : "false", value->value ? 4 : 5);
	if (!real_of(value, &real) || (part->bucket > 0 && !isfinite(real)))
		return put(key, '-', NULL, 0);
	if (part->bucket > 0)
		(void)snprintf(text, sizeof(text), "%.15g", floor(real / part->bucket) * part->bucket);
	else if (value->type == SPANRING_VALUE_I64)
		(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)value->value);
	else if (value->type == SPANRING_VALUE_U64)
		(void)snprintf(text, sizeof(text), "%" PRIu64, value->value);
	else
		(void)snprintf(text, sizeof(text), "%.17g", real);
	return put(key, isfinite(real) ? 'n' : 's', text, strlen(text));
}

static size_t put_part(const struct grouping *grouping, const struct group_part *part, const struct query *query,
                       const struct store_columns *columns, uint32_t row, uint8_t *key) {
	const struct store_overview *overview = query->overview;
	char text[32];
	const char *shown = text;
	uint32_t id = 0;
	switch (part->type) {
	case GROUP_TIME:
		(void)snprintf(text, sizeof(text), "%" PRIu64,
		               saturating_add(columns->start_ns[row], columns->segment->wall_offset_ns) /
		                   part->width_ns * part->width_ns);
		return put(key, 't', text, strlen(text));
	case GROUP_NAME:
		id = query_name(columns, row);
		shown = overview->names[id <= overview->name_count ? id : 0];
		return put(key, 's', shown, strlen(shown));
	case GROUP_SERVICE:
	case GROUP_PID:
		id = query_process(columns, row);
		if (id == 0 || id > overview->process_count)
			return put(key, '-', NULL, 0);
		(void)snprintf(text, sizeof(text), "%" PRIu32, overview->processes[id - 1].pid);
		if (part->type == GROUP_SERVICE)
			shown = overview->processes[id - 1].service;
		return put(key, part->type == GROUP_PID ? 'n' : 's', shown, strlen(shown));
	case GROUP_STATUS:
		shown = trace_status_text(columns->status[row]);
		return put(key, 's', shown, strlen(shown));
	case GROUP_KIND:
		shown = trace_kind_text(columns->kind[row]);
		return put(key, 's', shown, strlen(shown));
	case GROUP_ATTRIBUTE:
		break;
	}
	struct span_value value = span_values_get(grouping->values, columns, part->slot, row);
	return put_attribute(part, &value, key);
}

static int add_group(struct grouping *grouping, const uint8_t *key, size_t bytes) {
	if (grouping->key_bytes + bytes > grouping->key_room) {
		size_t room = 2 * grouping->key_room + KEY_BYTES_MAX;
		uint8_t *keys = realloc(grouping->keys, room);
		if (!keys)
			return -ENOMEM;
		grouping->keys = keys;
		grouping->key_room = room;
	}
	memcpy(grouping->keys + grouping->key_bytes, key, bytes);
	grouping->key_bytes += bytes;
	grouping->ends[grouping->group_count++] = grouping->key_bytes;
	return 0;
}

static const uint8_t *key_of(const struct grouping *grouping, uint32_t group, size_t *ret_bytes) {
	size_t begin = group ? grouping->ends[group - 1] : 0;
	*ret_bytes = grouping->ends[group] - begin;
	return grouping->keys + begin;
}

int group_of(struct grouping *grouping, const struct query *query, const struct store_columns *columns, uint32_t row,
             uint32_t *ret_group) {
	uint8_t key[KEY_BYTES_MAX];
	size_t bytes = 0;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (uint32_t i = 0; i < grouping->part_count; i++)
		bytes += put_part(grouping, &grouping->parts[i], query, columns, row, key + bytes);
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ key[i]) * UINT64_C(0x100000001b3);
	uint32_t at = (uint32_t)((hash >> 32) % SLOT_COUNT);
	for (; grouping->slots[at]; at = (at + 1) % SLOT_COUNT) {
		size_t known_bytes = 0;
		const uint8_t *known = key_of(grouping, grouping->slots[at] - 1, &known_bytes);
		if (known_bytes == bytes && memcmp(known, key, bytes) == 0) {
			*ret_group = grouping->slots[at] - 1;
			return 0;
		}
	}
	if (grouping->group_count == GROUPS_MAX) {
		grouping->has_others = true;
		*ret_group = GROUPS_MAX;
		return 0;
	}
	*ret_group = grouping->group_count;
	grouping->slots[at] = grouping->group_count + 1;
	return add_group(grouping, key, bytes);
}

void group_value(const struct grouping *grouping, uint32_t group, uint32_t part, struct group_value *ret_value) {
	size_t bytes = 0;
	const uint8_t *key = key_of(grouping, group, &bytes);
	for (uint32_t i = 0; i < part; i++)
		key += 3u + (size_t)key[1] + ((size_t)key[2] << 8);
	memset(ret_value, 0, sizeof(*ret_value));
	ret_value->missing = key[0] == '-';
	ret_value->is_number = key[0] == 'n';
	ret_value->text_bytes = (size_t)key[1] + ((size_t)key[2] << 8);
	memcpy(ret_value->text, key + 3, ret_value->text_bytes);
	if (key[0] == 't')
		ret_value->time_wall_ns = strtoull(ret_value->text, NULL, 10);
}

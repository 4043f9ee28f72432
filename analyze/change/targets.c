/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"

#include "analyze/import/json_reader.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/units.h"

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TARGETS_SCHEMA "targets/1"

const char *const target_level_words[] = {"good", "warning", "red", "no_data"};

struct reading {
	struct json_reader json;
	struct targets *targets;
	bool has_schema;
	bool newer;
};

static int open_value(struct reading *reading, enum json_type wanted) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0 || type == wanted)
		return rc < 0 ? rc : 0;
	return json_reader_refuse(&reading->json, "expected %s", wanted == JSON_OBJECT ? "an object" : "an array");
}

/* A text, which stays until the next one is read. */
static int read_text(struct reading *reading) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0)
		return rc;
	bool fits = type == JSON_STRING && reading->json.text_bytes <= BASELINE_TEXT_BYTES_MAX &&
	            strlen(reading->json.text) == reading->json.text_bytes;
	return fits ? 0 : json_reader_refuse(&reading->json, "expected a text");
}

static int read_level(struct reading *reading, unsigned metric, double *ret_level) {
	char *end = NULL;
	uint64_t whole = 0;
	int rc = read_text(reading);
	if (rc < 0)
		return rc;
	const char *text = reading->json.text;
	if (metric == CHANGE_ERRORS) {
		*ret_level = strtod(text, &end) / 100;
		bool sound = *text >= '0' && *text <= '9' && strcmp(end, "%") == 0 && isfinite(*ret_level);
		return sound ? 0 : json_reader_refuse(&reading->json, "expected a share like \"0.5%%\"");
	}
	rc = metric == CHANGE_HEAP ? units_parse_bytes(text, &whole) : units_parse_duration(text, &whole);
	*ret_level = (double)whole;
	return rc == 0
	           ? 0
	           : json_reader_refuse(&reading->json, metric == CHANGE_HEAP ? "expected a size like \"64KiB\""
	                                                                      : "expected a duration like \"10ms\"");
}

static int read_levels(struct reading *reading, unsigned metric, struct target *target) {
	int more = 0;
	int rc = open_value(reading, JSON_OBJECT);
	target->metric = metric;
	target->good = target->red = NAN;
	while (rc >= 0 && (more = json_reader_key(&reading->json)) == 1) {
		if (strcmp(reading->json.text, "good") == 0)
			rc = read_level(reading, metric, &target->good);
		else if (strcmp(reading->json.text, "red") == 0)
			rc = read_level(reading, metric, &target->red);
		else
			rc = json_reader_refuse(&reading->json, "expected \"good\" or \"red\"");
	}
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : more;
	if (isnan(target->good) && isnan(target->red))
		return json_reader_refuse(&reading->json, "expected \"good\", \"red\" or both");
	/* one level alone is both */
	if (isnan(target->good))
		target->good = target->red;
	if (isnan(target->red))
		target->red = target->good;
	return target->good <= target->red ? 0 : json_reader_refuse(&reading->json, "good is above red");
}

static int add_target(struct reading *reading, struct target **ret_target) {
	struct targets *targets = reading->targets;
	if (targets->count == TARGETS_MAX)
		return json_reader_refuse(&reading->json, "more than %u targets", TARGETS_MAX);
	*ret_target = &targets->items[targets->count++];
	memset(*ret_target, 0, sizeof(**ret_target));
	return 0;
}

static int read_key(struct reading *reading, char **glob) {
	const char *key = reading->json.text;
	struct target *target = NULL;
	int rc;
	if (strcmp(key, "name") == 0) {
		rc = read_text(reading);
		free(*glob);
		*glob = rc < 0 ? NULL : strdup(reading->json.text);
		return rc < 0 || *glob ? rc : -ENOMEM;
	}
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
		if (strcmp(key, change_metric_words[metric]) != 0)
			continue;
		rc = add_target(reading, &target);
		return rc < 0 ? rc : read_levels(reading, metric, target);
	}
	return json_reader_refuse(&reading->json, "expected name, p50, p95, p99, mean, self, errors or heap");
}

static int read_target(struct reading *reading) {
	char *glob CLEANUP_FREE = NULL;
	size_t first = reading->targets->count;
	int more = 0;
	int rc = open_value(reading, JSON_OBJECT);
	while (rc >= 0 && (more = json_reader_key(&reading->json)) == 1)
		rc = read_key(reading, &glob);
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : more;
	if (!glob)
		return json_reader_refuse(&reading->json, "a target without \"name\"");
	for (size_t i = first; i < reading->targets->count; i++) {
		reading->targets->items[i].glob = strdup(glob);
		if (!reading->targets->items[i].glob)
			return -ENOMEM;
	}
	return 0;
}

static int read_top(struct reading *reading) {
	int more = 0;
	if (strcmp(reading->json.text, "schema") == 0) {
		int rc = read_text(reading);
		if (rc < 0)
			return rc;
		reading->has_schema = strcmp(reading->json.text, TARGETS_SCHEMA) == 0;
		reading->newer = !reading->has_schema && strncmp(reading->json.text, "targets/", 8) == 0;
		return reading->has_schema
		           ? 0
		           : json_reader_refuse(&reading->json, "expected the schema \"%s\"", TARGETS_SCHEMA);
	}
	if (!reading->has_schema)
		return json_reader_refuse(&reading->json, "expected \"schema\" first");
	if (strcmp(reading->json.text, "targets") != 0)
		return json_reader_refuse(&reading->json, "expected \"targets\"");
	int rc = open_value(reading, JSON_ARRAY);
	while (rc >= 0 && (more = json_reader_item(&reading->json)) == 1)
		rc = read_target(reading);
	return rc < 0 ? rc : more;
}

int targets_read(struct byte_source *source, struct targets *ret_targets, char ret_why[BASELINE_WHY_BYTES]) {
	struct reading reading = {.targets = ret_targets};
	int more = 0;
	ret_why[0] = 0;
	ret_targets->count = 0;
	ret_targets->items = calloc(TARGETS_MAX, sizeof(ret_targets->items[0]));
	if (!ret_targets->items)
		return -ENOMEM;
	json_reader_init(&reading.json, source);
	int rc = open_value(&reading, JSON_OBJECT);
	while (rc >= 0 && (more = json_reader_key(&reading.json)) == 1)
		rc = read_top(&reading);
	rc = rc < 0 ? rc : more;
	if (rc == 0 && !reading.has_schema)
		rc = json_reader_refuse(&reading.json, "there is no \"schema\"");
	if (rc == 0 && json_reader_document(&reading.json) != 0)
		rc = json_reader_refuse(&reading.json, "expected the end");
	if (rc < 0 && rc != -ENOMEM) {
		(void)snprintf(ret_why, BASELINE_WHY_BYTES, "line %llu, column %llu: %s",
		               (unsigned long long)reading.json.line, (unsigned long long)reading.json.column,
		               reading.json.error);
		rc = reading.newer ? ERR_NEWER : ERR_DAMAGED;
	}
	json_reader_done(&reading.json);
	if (rc < 0)
		targets_done(ret_targets);
	return rc < 0 ? rc : 0;
}

int targets_load(const char *path, struct targets *ret_targets, char ret_why[BASELINE_WHY_BYTES]) {
	struct byte_source source;
	int fd CLEANUP_FD = FD_NONE;
	ret_why[0] = 0;
	memset(ret_targets, 0, sizeof(*ret_targets));
	int error = byte_source_open_file(path, &source, &fd);
	if (error)
		return error;
	error = targets_read(&source, ret_targets, ret_why);
	if (error && source.error)
		error = source.error;
	byte_source_done(&source);
	return error;
}

void targets_done(struct targets *targets) {
	for (size_t i = 0; i < targets->count; i++)
		free(targets->items[i].glob);
	free(targets->items);
	memset(targets, 0, sizeof(*targets));
}

int targets_judge(const struct targets *targets, const struct baseline *run, struct target_result **ret_results,
                  size_t *ret_count) {
	size_t room = targets->count * (run->name_count + 1) + 1;
	struct target_result *results = calloc(room, sizeof(*results));
	size_t count = 0;
	if (!results)
		return -ENOMEM;
	for (size_t t = 0; t < targets->count; t++) {
		const struct target *target = &targets->items[t];
		size_t before = count;
		for (size_t i = 0; i < run->name_count; i++) {
			const struct measured *measured = &run->names[i].figures[target->metric];
			if (fnmatch(target->glob, run->names[i].text, 0) != 0 || !(measured->records > 0))
				continue;
			results[count++] =
			    (struct target_result){.target = t,
			                           .name = run->names[i].text,
			                           .value = measured->value,
			                           .level = measured->value <= target->good  ? TARGET_GOOD
			                                    : measured->value <= target->red ? TARGET_WARNING
			                                                                     : TARGET_RED};
		}
		if (count == before)
			results[count++] = (struct target_result){.target = t, .level = TARGET_NO_DATA};
	}
	*ret_results = results;
	*ret_count = count;
	return 0;
}

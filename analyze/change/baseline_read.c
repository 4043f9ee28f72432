/* SPDX-License-Identifier: Apache-2.0 */
/* A baseline out of its file. Unknown keys are skipped, so that a later version may add some; numbers out of range are refused. */
#include "baseline_words.h"

#include "analyze/import/json_reader.h"
#include "analyze/kernels/student.h"

#include "base/errs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct json_reader json;
	struct baseline *baseline;
	size_t room;
	bool has_schema;
	bool has_grid[2];
	bool newer;
};

static int read_text(struct reading *reading, char **ret_text) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0)
		return rc;
	if (type != JSON_STRING || reading->json.text_bytes > BASELINE_TEXT_BYTES_MAX ||
	    strlen(reading->json.text) != reading->json.text_bytes)
		return json_reader_refuse(&reading->json, "expected a text of at most %u bytes",
		                          BASELINE_TEXT_BYTES_MAX);
	free(*ret_text);
	*ret_text = strdup(reading->json.text);
	return *ret_text ? 0 : -ENOMEM;
}

/* A number from least to most. */
static int read_number(struct reading *reading, double least, double most, double *ret_value) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0)
		return rc;
	double value = type == JSON_NUMBER ? strtod(reading->json.text, NULL) : NAN;
	if (!(value >= least && value <= most))
		return json_reader_refuse(&reading->json, "expected a number from %g to %g", least, most);
	*ret_value = value;
	return 0;
}

static int read_count(struct reading *reading, uint64_t *ret_count) {
	double value = 0;
	int rc = read_number(reading, 0, 0x1p63, &value);
	*ret_count = rc < 0 ? 0 : strtoull(reading->json.text, NULL, 10);
	return rc;
}

/* One of a list of words, ended by NULL or `count`; its place. */
static int read_word(struct reading *reading, const char *const *words, size_t count, unsigned *ret_place) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	for (size_t i = 0; rc >= 0 && type == JSON_STRING && i < count; i++) {
		if (strcmp(words[i], reading->json.text) != 0)
			continue;
		*ret_place = (unsigned)i;
		return 0;
	}
	return rc < 0 ? rc : json_reader_refuse(&reading->json, "expected %s or another known word", words[0]);
}

static int open_value(struct reading *reading, enum json_type wanted) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0)
		return rc;
	return type == wanted ? 0
	                      : json_reader_refuse(&reading->json, "expected %s",
	                                           wanted == JSON_OBJECT ? "an object" : "an array");
}

static int read_figure(struct reading *reading, unsigned metric, struct measured *measured) {
	static const double shares[] = {[CHANGE_P50] = 0.5, [CHANGE_P95] = 0.95, [CHANGE_P99] = 0.99};
	unsigned kind = MEASURED_NOTHING;
	int more = 0;
	int rc = open_value(reading, JSON_OBJECT);
	while (rc >= 0 && (more = json_reader_key(&reading->json)) == 1) {
		const char *key = reading->json.text;
		if (strcmp(key, "known") == 0)
			rc = read_word(reading, baseline_kind_words, MEASURED_SHARE + 1, &kind);
		else if (strcmp(key, "value") == 0)
			rc = read_number(reading, 0, 0x1p64, &measured->value);
		else if (strcmp(key, "records") == 0)
			rc = read_number(reading, 0, 0x1p64, &measured->records);
		else if (strcmp(key, "effective") == 0)
			rc = read_number(reading, 1e-9, 0x1p64, &measured->effective);
		else if (strcmp(key, "error") == 0)
			rc = read_number(reading, 0, 0x1p64, &measured->error);
		else if (strcmp(key, "freedom") == 0)
			rc = read_number(reading, 0.5, STUDENT_NORMAL, &measured->freedom);
		else
			rc = json_reader_skip(&reading->json);
	}
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : more;
	enum measured_kind wanted = metric <= CHANGE_P99      ? MEASURED_QUANTILE
	                            : metric == CHANGE_ERRORS ? MEASURED_SHARE
	                                                      : MEASURED_MEAN;
	bool complete = measured->freedom > 0 && (kind == MEASURED_MEAN || measured->effective > 0);
	if (kind != MEASURED_NOTHING && (kind != wanted || !complete || !(measured->records > 0)))
		return json_reader_refuse(&reading->json, "a figure that contradicts itself");
	if (kind == MEASURED_SHARE && measured->value > 1)
		return json_reader_refuse(&reading->json, "a share above 1");
	measured->kind = (enum measured_kind)kind;
	measured->share = metric <= CHANGE_P99 ? shares[metric] : 0;
	return 0;
}

/* Bins come in order, each once: *next is the lowest that may be. */
static int read_bin(struct reading *reading, uint32_t group, struct grid_weights *weights, uint32_t *next) {
	const struct grid *grid = &reading->baseline->grid;
	double place = 0;
	double weight = 0;
	int rc = open_value(reading, JSON_ARRAY);
	for (unsigned i = 0; i < 2 && rc >= 0; i++) {
		rc = json_reader_item(&reading->json);
		if (rc == 0)
			return json_reader_refuse(&reading->json, "expected a place and a weight");
		if (rc == 1)
			rc = i ? read_number(reading, 1e-9, 0x1p64, &weight)
			       : read_number(reading, 0, (double)((1u << grid->bits) - 1), &place);
	}
	if (rc >= 0)
		rc = json_reader_item(&reading->json);
	if (rc != 0)
		return rc < 0 ? rc : json_reader_refuse(&reading->json, "expected no more than place and weight");
	uint32_t bin = (group << grid->bits) + (uint32_t)place;
	if (bin < *next)
		return json_reader_refuse(&reading->json, "bins must be in order, each once");
	*next = bin + 1;
	return grid_add(grid, weights, bin, weight);
}

static int read_sketch(struct reading *reading, struct grid_weights *weights) {
	uint32_t next = 0;
	int more = 0;
	int rc = open_value(reading, JSON_OBJECT);
	if (rc >= 0 && !(reading->has_grid[0] && reading->has_grid[1]))
		return json_reader_refuse(&reading->json, "bins_per_octave and ns_per_tick must come before");
	for (uint32_t group = 0; group < GRID_GROUPS; group++)
		if (weights->groups[group])
			return json_reader_refuse(&reading->json, "a second sketch");
	while (rc >= 0 && (more = json_reader_key(&reading->json)) == 1) {
		char *end = NULL;
		unsigned long group = strtoul(reading->json.text, &end, 10);
		if (reading->json.text[0] < '0' || reading->json.text[0] > '9' || *end || group >= GRID_GROUPS)
			return json_reader_refuse(&reading->json, "expected an octave from 0 to %u", GRID_GROUPS - 1);
		rc = open_value(reading, JSON_ARRAY);
		while (rc >= 0 && (more = json_reader_item(&reading->json)) == 1)
			rc = read_bin(reading, (uint32_t)group, weights, &next);
		if (more < 0)
			break;
	}
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : more;
	return 0;
}

static struct baseline_name *add_name(struct reading *reading) {
	struct baseline *baseline = reading->baseline;
	if (baseline->name_count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 64;
		struct baseline_name *names = realloc(baseline->names, room * sizeof(*names));
		if (!names)
			return NULL;
		baseline->names = names;
		reading->room = room;
	}
	struct baseline_name *name = &baseline->names[baseline->name_count++];
	memset(name, 0, sizeof(*name));
	return name;
}

static int read_member(struct reading *reading, struct baseline_name *name) {
	const char *key = reading->json.text;
	for (unsigned metric = 0; metric < CHANGE_METRICS; metric++)
		if (strcmp(key, change_metric_keys[metric]) == 0)
			return read_figure(reading, metric, &name->figures[metric]);
	if (strcmp(key, "name") == 0)
		return read_text(reading, &name->text);
	if (strcmp(key, "count") == 0)
		return read_count(reading, &name->count);
	if (strcmp(key, "drift") == 0)
		return read_number(reading, 0, 100, &name->drift);
	if (strcmp(key, "sketch") == 0)
		return read_sketch(reading, &name->weights);
	return json_reader_skip(&reading->json);
}

static int read_name(struct reading *reading) {
	struct baseline *baseline = reading->baseline;
	int more = 0;
	int rc = open_value(reading, JSON_OBJECT);
	if (rc >= 0 && baseline->name_count == BASELINE_NAMES_MAX)
		return json_reader_refuse(&reading->json, "more than %u names", BASELINE_NAMES_MAX);
	struct baseline_name *name = rc >= 0 ? add_name(reading) : NULL;
	if (rc >= 0 && !name)
		return -ENOMEM;
	while (rc >= 0 && (more = json_reader_key(&reading->json)) == 1)
		rc = read_member(reading, name);
	if (rc < 0 || more < 0)
		return rc < 0 ? rc : more;
	grid_seal(&baseline->grid, &name->weights);
	if (!name->text)
		return json_reader_refuse(&reading->json, "a name without \"name\"");
	if (baseline->name_count > 1 && strcmp(name[-1].text, name->text) >= 0)
		return json_reader_refuse(&reading->json, "names must be in order, each once");
	for (unsigned metric = 0; metric <= CHANGE_P99; metric++)
		if (name->figures[metric].kind == MEASURED_QUANTILE && !(grid_total(&name->weights) > 0))
			return json_reader_refuse(&reading->json, "a quantile without a sketch");
	return 0;
}

static int read_names(struct reading *reading) {
	int more = 0;
	int rc = open_value(reading, JSON_ARRAY);
	while (rc >= 0 && (more = json_reader_item(&reading->json)) == 1)
		rc = read_name(reading);
	return rc < 0 ? rc : more;
}

static int read_schema(struct reading *reading) {
	enum json_type type = JSON_NULL;
	int rc = json_reader_value(&reading->json, &type);
	if (rc < 0)
		return rc;
	reading->has_schema = type == JSON_STRING && strcmp(reading->json.text, BASELINE_SCHEMA) == 0;
	if (reading->has_schema)
		return 0;
	reading->newer = type == JSON_STRING && strncmp(reading->json.text, "baseline/", 9) == 0;
	return json_reader_refuse(&reading->json, "expected the schema \"%s\"", BASELINE_SCHEMA);
}

static int read_bins(struct reading *reading) {
	double bins = 0;
	int rc = read_number(reading, 2, 1u << GRID_BITS_MAX, &bins);
	if (rc < 0)
		return rc;
	unsigned bits = 1;
	while ((double)(1u << bits) < bins)
		bits++;
	if ((double)(1u << bits) != bins)
		return json_reader_refuse(&reading->json, "expected a power of two");
	reading->baseline->grid.bits = bits;
	reading->has_grid[0] = true;
	return 0;
}

static int read_top(struct reading *reading) {
	static const char *const methods[] = {"exact", "sketch"};
	struct baseline *baseline = reading->baseline;
	const char *key = reading->json.text;
	unsigned method = 0;
	int rc;
	if (strcmp(key, "schema") == 0)
		return read_schema(reading);
	if (!reading->has_schema)
		return json_reader_refuse(&reading->json, "expected \"schema\" first");
	for (unsigned i = 0; i < BASELINE_TEXTS; i++)
		if (strcmp(key, baseline_text_keys[i]) == 0)
			return read_text(reading, &baseline->texts[i]);
	if (strcmp(key, "cores") == 0)
		return read_count(reading, &baseline->cores);
	if (strcmp(key, "created_wall_ns") == 0)
		return read_count(reading, &baseline->created_wall_ns);
	if (strcmp(key, "bins_per_octave") == 0 && baseline->name_count == 0)
		return read_bins(reading);
	if (strcmp(key, "ns_per_tick") == 0 && baseline->name_count == 0) {
		reading->has_grid[1] = true;
		return read_number(reading, 1e-6, 1e6, &baseline->grid.ns_per_tick);
	}
	if (strcmp(key, "method") == 0) {
		rc = read_word(reading, methods, 2, &method);
		baseline->is_sketch = method == 1;
		return rc;
	}
	if (strcmp(key, "names") == 0 && baseline->name_count == 0)
		return read_names(reading);
	return json_reader_skip(&reading->json);
}

/* Names do not move any more: quantiles point to their weights. */
static void point_to_weights(struct baseline *baseline) {
	for (size_t i = 0; i < baseline->name_count; i++) {
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			baseline->names[i].figures[metric].grid = &baseline->grid;
			baseline->names[i].figures[metric].weights = &baseline->names[i].weights;
		}
	}
}

static int fill_in(struct baseline *baseline) {
	for (unsigned i = 0; i < BASELINE_TEXTS; i++) {
		if (!baseline->texts[i])
			baseline->texts[i] = strdup("");
		if (!baseline->texts[i])
			return -ENOMEM;
	}
	return 0;
}

int baseline_read(struct byte_source *source, struct baseline *ret_baseline, char ret_why[BASELINE_WHY_BYTES]) {
	struct reading reading = {.baseline = ret_baseline};
	int more = 0;
	memset(ret_baseline, 0, sizeof(*ret_baseline));
	ret_why[0] = 0;
	json_reader_init(&reading.json, source);
	int rc = open_value(&reading, JSON_OBJECT);
	while (rc >= 0 && (more = json_reader_key(&reading.json)) == 1) {
		rc = read_top(&reading);
		if (rc >= 0 && source->bytes > BASELINE_BYTES_MAX)
			rc = json_reader_refuse(&reading.json, "the file is too large");
	}
	rc = rc < 0 ? rc : more;
	if (rc == 0 && !reading.has_schema)
		rc = json_reader_refuse(&reading.json, "there is no \"schema\"");
	if (rc == 0 && !(reading.has_grid[0] && reading.has_grid[1]))
		rc = json_reader_refuse(&reading.json, "there is no \"bins_per_octave\" or no \"ns_per_tick\"");
	if (rc == 0)
		rc = json_reader_document(&reading.json) == 0 ? 0
		                                              : json_reader_refuse(&reading.json, "expected the end");
	if (rc == 0)
		rc = fill_in(ret_baseline);
	if (rc < 0 && rc != -ENOMEM) {
		(void)snprintf(ret_why, BASELINE_WHY_BYTES, "line %llu, column %llu: %s",
		               (unsigned long long)reading.json.line, (unsigned long long)reading.json.column,
		               reading.json.error);
		rc = reading.newer ? ERR_NEWER : ERR_DAMAGED;
	}
	if (rc == 0)
		point_to_weights(ret_baseline);
	else
		baseline_done(ret_baseline);
	json_reader_done(&reading.json);
	return rc < 0 ? rc : 0;
}

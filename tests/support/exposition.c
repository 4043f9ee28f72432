/* SPDX-License-Identifier: Apache-2.0 */
#include "exposition.h"

#include "base/text.h"
#include "cmocka.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FAMILIES_MAX 256u
#define SAMPLES_MAX 4096u

struct reading {
	struct exposition *to;
	bool is_openmetrics;
	const char *line; /* for messages */
	size_t line_bytes;
};

static void refuse(const struct reading *reading, const char *why) {
	fail_msg("%s: %.*s", why, (int)reading->line_bytes, reading->line);
}

static void require(const struct reading *reading, bool condition, const char *why) {
	if (!condition)
		refuse(reading, why);
}

/* Returns where it ends. */
static const char *read_name(const struct reading *reading, const char *at, bool colons, char *ret_name,
                             size_t name_bytes) {
	size_t bytes = 0;
	while (isalnum((unsigned char)at[bytes]) || at[bytes] == '_' || (colons && at[bytes] == ':'))
		bytes++;
	require(reading, bytes > 0 && bytes < name_bytes && !isdigit((unsigned char)at[0]), "no name");
	memcpy(ret_name, at, bytes);
	ret_name[bytes] = '\0';
	return at + bytes;
}

static struct exposition_family *last_family(const struct reading *reading) {
	require(reading, reading->to->family_count > 0, "a line before any family");
	return &reading->to->families[reading->to->family_count - 1];
}

static void copy_rest(const struct reading *reading, const char *at, char *ret_text, size_t text_bytes) {
	size_t bytes = reading->line_bytes - (size_t)(at - reading->line);
	require(reading, bytes > 0 && bytes < text_bytes, "nothing, or too much, at the end of the line");
	memcpy(ret_text, at, bytes);
	ret_text[bytes] = '\0';
}

/* "# HELP name text" begins a family, "# TYPE name type" follows it at once. */
static void read_comment(const struct reading *reading) {
	char name[EXPOSITION_NAME_BYTES];
	bool is_help = strncmp(reading->line, "# HELP ", 7) == 0;
	require(reading, is_help || strncmp(reading->line, "# TYPE ", 7) == 0, "a comment of no known kind");
	const char *at = read_name(reading, reading->line + 7, true, name, sizeof(name));
	require(reading, *at == ' ', "no blank behind the name");
	if (is_help) {
		for (size_t i = 0; i < reading->to->family_count; i++)
			require(reading, strcmp(reading->to->families[i].name, name) != 0, "a family there twice");
		require(reading, reading->to->family_count < FAMILIES_MAX, "too many families");
		if (reading->to->family_count > 0)
			require(reading, last_family(reading)->type[0] != '\0', "a family without a type");
		struct exposition_family *family = &reading->to->families[reading->to->family_count++];
		memcpy(family->name, name, sizeof(name));
		copy_rest(reading, at + 1, family->help, sizeof(family->help));
		return;
	}
	struct exposition_family *family = last_family(reading);
	require(reading, strcmp(family->name, name) == 0, "a type without its help");
	require(reading, family->type[0] == '\0', "a second type");
	copy_rest(reading, at + 1, family->type, sizeof(family->type));
	require(reading,
	        strcmp(family->type, "counter") == 0 || strcmp(family->type, "gauge") == 0 ||
	            strcmp(family->type, "histogram") == 0,
	        "an unknown type");
}

/* name="value", ... up to the brace; each name once. Returns behind it. */
static const char *read_labels(const struct reading *reading, const char *at, char *ret_labels) {
	const char *begin = at;
	char names[8][EXPOSITION_NAME_BYTES];
	size_t count = 0;
	while (*at != '}') {
		require(reading, count < 8, "many labels");
		at = read_name(reading, at, false, names[count], EXPOSITION_NAME_BYTES);
		for (size_t i = 0; i < count; i++)
			require(reading, strcmp(names[i], names[count]) != 0, "a label there twice");
		count++;
		require(reading, at[0] == '=' && at[1] == '"', "no value of a label");
		for (at += 2; *at != '"'; at++) {
			require(reading, *at != '\n' && *at != '\0', "a value without its end");
			if (*at == '\\') {
				at++;
				require(reading, *at == '\\' || *at == '"' || *at == 'n', "no such escape");
			}
		}
		at++;
		require(reading, *at == ',' || *at == '}', "no comma");
		at += *at == ',';
	}
	size_t bytes = (size_t)(at - begin);
	require(reading, bytes < EXPOSITION_LABELS_BYTES, "long labels");
	memcpy(ret_labels, begin, bytes);
	ret_labels[bytes] = '\0';
	return at + 1;
}

/* Does a sample of this name belong to the family? */
static bool belongs(const struct reading *reading, const struct exposition_family *family, const char *name) {
	size_t bytes = strlen(family->name);
	if (strcmp(family->type, "histogram") == 0)
		return strncmp(name, family->name, bytes) == 0 &&
		       (strcmp(name + bytes, "_bucket") == 0 || strcmp(name + bytes, "_sum") == 0 ||
		        strcmp(name + bytes, "_count") == 0);
	if (strcmp(family->type, "counter") == 0 && reading->is_openmetrics)
		return strncmp(name, family->name, bytes) == 0 && strcmp(name + bytes, "_total") == 0;
	if (strcmp(family->type, "counter") == 0 && (bytes < 7 || strcmp(family->name + bytes - 6, "_total") != 0))
		return false;
	return strcmp(name, family->name) == 0;
}

static void read_sample(const struct reading *reading) {
	struct exposition *to = reading->to;
	struct exposition_family *family = last_family(reading);
	require(reading, to->sample_count < SAMPLES_MAX, "too many samples");
	struct exposition_sample *sample = &to->samples[to->sample_count];
	char number[64];
	char *end;
	const char *at = read_name(reading, reading->line, true, sample->name, sizeof(sample->name));
	if (*at == '{')
		at = read_labels(reading, at + 1, sample->labels);
	require(reading, *at == ' ', "no blank before the value");
	copy_rest(reading, at + 1, number, sizeof(number));
	sample->value = strtod(number, &end);
	require(reading, *end == '\0' && isdigit((unsigned char)number[0]), "no number");
	require(reading, family->type[0] != '\0' && belongs(reading, family, sample->name), "not of this family");
	for (size_t i = 0; i < to->sample_count; i++)
		require(reading,
		        strcmp(to->samples[i].name, sample->name) != 0 ||
		            strcmp(to->samples[i].labels, sample->labels) != 0,
		        "a sample there twice");
	sample->family = to->family_count - 1;
	family->sample_count++;
	to->sample_count++;
}

/* Buckets grow, in value and in bound; the last one is that of all, and is the count. */
static void check_histogram(const struct exposition *to, size_t family) {
	double bound = -INFINITY;
	double value = 0;
	bool has_sum = false;
	bool has_count = false;
	for (size_t i = 0; i < to->sample_count; i++) {
		const struct exposition_sample *sample = &to->samples[i];
		const char *suffix = sample->name + strlen(to->families[family].name);
		if (sample->family != family)
			continue;
		if (strcmp(suffix, "_bucket") == 0) {
			assert_int_equal(strncmp(sample->labels, "le=\"", 4), 0);
			double next =
			    strncmp(sample->labels + 4, "+Inf", 4) == 0 ? INFINITY : strtod(sample->labels + 4, NULL);
			assert_true(next > bound && sample->value >= value);
			bound = next;
			value = sample->value;
		}
		has_sum = has_sum || strcmp(suffix, "_sum") == 0;
		if (strcmp(suffix, "_count") == 0) {
			has_count = true;
			assert_true(bound == INFINITY && value == sample->value);
		}
	}
	assert_true(has_sum && has_count);
}

void exposition_read(const char *page, bool is_openmetrics, struct exposition *ret_exposition) {
	struct exposition *to = ret_exposition;
	bool is_over = false;
	*to = (struct exposition){.families = calloc(FAMILIES_MAX, sizeof(*to->families)),
	                          .samples = calloc(SAMPLES_MAX, sizeof(*to->samples))};
	assert_true(to->families && to->samples);
	for (size_t at = 0, bytes = strlen(page); at < bytes;) {
		uint32_t code;
		size_t length = text_utf8_sequence(page + at, bytes - at, &code);
		assert_true(length > 0 && (code >= ' ' || code == '\n'));
		at += length;
	}
	for (const char *line = page; *line;) {
		const char *end = strchr(line, '\n');
		struct reading reading = {to, is_openmetrics, line, end ? (size_t)(end - line) : strlen(line)};
		require(&reading, end != NULL, "a last line without its end");
		require(&reading, !is_over, "something behind the end");
		if (is_openmetrics && reading.line_bytes == 5 && strncmp(line, "# EOF", 5) == 0)
			is_over = true;
		else if (line[0] == '#')
			read_comment(&reading);
		else
			read_sample(&reading);
		line = end + 1;
	}
	assert_true(is_over == is_openmetrics);
	for (size_t i = 0; i < to->family_count; i++)
		if (strcmp(to->families[i].type, "histogram") == 0)
			check_histogram(to, i);
}

void exposition_free(struct exposition *exposition) {
	free(exposition->families);
	free(exposition->samples);
}

double exposition_find(const struct exposition *exposition, const char *name, const char *labels) {
	for (size_t i = 0; i < exposition->sample_count; i++)
		if (strcmp(exposition->samples[i].name, name) == 0 &&
		    strcmp(exposition->samples[i].labels, labels) == 0)
			return exposition->samples[i].value;
	return NAN;
}

double exposition_value(const struct exposition *exposition, const char *name, const char *labels) {
	double value = exposition_find(exposition, name, labels);
	if (isnan(value))
		fail_msg("no sample %s{%s}", name, labels);
	return value;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* A result from a file, which may be anybody's: what is not needed is skipped, what is too long is refused. */
#include "result.h"

#include "analyze/import/json_reader.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

struct reading {
	struct json_reader reader;
	struct result *result;
};

static int take_text(struct reading *reading, char *ret_text, size_t bytes) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_STRING)
		return json_reader_refuse(&reading->reader, "a text");
	if (rc == 0)
		(void)snprintf(ret_text, bytes, "%s", reading->reader.text);
	return rc;
}

static int take_samples(struct reading *reading, struct samples *samples) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_ARRAY)
		return json_reader_refuse(&reading->reader, "a list of numbers");
	while (rc == 0 && (rc = json_reader_item(&reading->reader)) == 1) {
		rc = json_reader_value(&reading->reader, &type);
		if (rc == 0 && (type != JSON_NUMBER || samples->count == SAMPLES_MAX))
			return json_reader_refuse(&reading->reader, "at most %u numbers", SAMPLES_MAX);
		if (rc == 0)
			samples_add(samples, strtod(reading->reader.text, NULL));
	}
	return rc;
}

static int take_row(struct reading *reading) {
	char better[RESULT_NAME_BYTES] = "";
	enum json_type type;
	struct result_row *row = result_row(reading->result, "", "", RESULT_LOWER_IS_BETTER);
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && (type != JSON_OBJECT || !row))
		return json_reader_refuse(&reading->reader, "at most %u results", RESULT_ROWS_MAX);
	while (rc == 0 && (rc = json_reader_key(&reading->reader)) == 1) {
		const char *key = reading->reader.text;
		if (strcmp(key, "name") == 0)
			rc = take_text(reading, row->name, sizeof(row->name));
		else if (strcmp(key, "unit") == 0)
			rc = take_text(reading, row->unit, sizeof(row->unit));
		else if (strcmp(key, "better") == 0)
			rc = take_text(reading, better, sizeof(better));
		else if (strcmp(key, "samples") == 0)
			rc = take_samples(reading, &row->samples);
		else
			rc = json_reader_skip(&reading->reader);
	}
	if (strcmp(better, "higher") == 0)
		row->direction = RESULT_HIGHER_IS_BETTER;
	else if (strcmp(better, "neither") == 0)
		row->direction = RESULT_NEITHER;
	return rc;
}

static int take_list(struct reading *reading, int (*take_one)(struct reading *reading)) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_ARRAY)
		return json_reader_refuse(&reading->reader, "a list");
	while (rc == 0 && (rc = json_reader_item(&reading->reader)) == 1)
		rc = take_one(reading);
	return rc;
}

static int take_number(struct reading *reading, double *ret_number) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_NUMBER && type != JSON_NULL)
		return json_reader_refuse(&reading->reader, "a number");
	*ret_number = rc == 0 && type == JSON_NUMBER ? strtod(reading->reader.text, NULL) : NAN;
	return rc;
}

static int take_gate(struct reading *reading) {
	char better[RESULT_NAME_BYTES] = "";
	enum json_type type;
	struct result_gate gate = {.value = NAN};
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_OBJECT)
		return json_reader_refuse(&reading->reader, "an object");
	while (rc == 0 && (rc = json_reader_key(&reading->reader)) == 1) {
		const char *key = reading->reader.text;
		if (strcmp(key, "name") == 0)
			rc = take_text(reading, gate.name, sizeof(gate.name));
		else if (strcmp(key, "unit") == 0)
			rc = take_text(reading, gate.unit, sizeof(gate.unit));
		else if (strcmp(key, "better") == 0)
			rc = take_text(reading, better, sizeof(better));
		else if (strcmp(key, "value") == 0)
			rc = take_number(reading, &gate.value);
		else if (strcmp(key, "good") == 0)
			rc = take_number(reading, &gate.good);
		else if (strcmp(key, "red_flag") == 0)
			rc = take_number(reading, &gate.red_flag);
		else
			rc = json_reader_skip(&reading->reader);
	}
	gate.higher_is_better = strcmp(better, "higher") == 0;
	if (rc == 0)
		result_gate(reading->result, &gate);
	return rc;
}

static int take_machine(struct reading *reading) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_OBJECT)
		return json_reader_refuse(&reading->reader, "an object");
	while (rc == 0 && (rc = json_reader_key(&reading->reader)) == 1)
		rc = strcmp(reading->reader.text, "fingerprint") == 0
		         ? take_text(reading, reading->result->fingerprint, MACHINE_FINGERPRINT_BYTES)
		         : json_reader_skip(&reading->reader);
	return rc;
}

static int take_document(struct reading *reading, char schema[RESULT_NAME_BYTES]) {
	enum json_type type;
	int rc = json_reader_value(&reading->reader, &type);
	if (rc == 0 && type != JSON_OBJECT)
		return json_reader_refuse(&reading->reader, "an object");
	while (rc == 0 && (rc = json_reader_key(&reading->reader)) == 1) {
		const char *key = reading->reader.text;
		if (strcmp(key, "schema") == 0)
			rc = take_text(reading, schema, RESULT_NAME_BYTES);
		else if (strcmp(key, "command") == 0)
			rc = take_text(reading, reading->result->command, RESULT_NAME_BYTES);
		else if (strcmp(key, "machine") == 0)
			rc = take_machine(reading);
		else if (strcmp(key, "results") == 0)
			rc = take_list(reading, take_row);
		else if (strcmp(key, "gates") == 0)
			rc = take_list(reading, take_gate);
		else
			rc = json_reader_skip(&reading->reader);
	}
	return rc;
}

int result_read(const char *path, struct result **ret_result, char ret_text[RESULT_TEXT_BYTES]) {
	char schema[RESULT_NAME_BYTES] = "";
	struct byte_source source;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)snprintf(ret_text, RESULT_TEXT_BYTES, "%.300s: %s: give a file written with --json", path,
		               strerror(errno));
		return -errno;
	}
	struct reading reading = {.result = calloc(1, sizeof(*reading.result))};
	int rc = reading.result ? byte_source_open(fd, &source) : -ENOMEM;
	if (rc < 0) {
		free(reading.result);
		(void)snprintf(ret_text, RESULT_TEXT_BYTES, "%.300s: %s", path, strerror(-rc));
		return rc;
	}
	json_reader_init(&reading.reader, &source);
	rc = take_document(&reading, schema);
	if (rc < 0)
		(void)snprintf(ret_text, RESULT_TEXT_BYTES, "%.300s:%llu: %.150s: give a file written with --json",
		               path, (unsigned long long)reading.reader.line, reading.reader.error);
	else if (strcmp(schema, RESULT_SCHEMA) != 0) {
		rc = ERR_FOREIGN;
		(void)snprintf(ret_text, RESULT_TEXT_BYTES,
		               "%.300s: not a " RESULT_SCHEMA ": give a file written with --json", path);
	}
	json_reader_done(&reading.reader);
	byte_source_done(&source);
	if (rc < 0) {
		result_free(reading.result);
		return rc;
	}
	*ret_result = reading.result;
	return 0;
}

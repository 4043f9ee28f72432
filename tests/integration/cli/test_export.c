/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-analyze export as a user meets it. What is exported and imported again must be the rows of the first
 * store, read through libstore without the analyzer; exported again, the same bytes. JSON is read by the strict reader of import, and
 * every trace event is compared with its span.
 */
#include "export_store.h"
#include "store_lines.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "analyze/import/json_reader.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <spanring/spanring.h>

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct scratch scratch;
static const char *program;

/* --- running ----------------------------------------------------------------------------------------------------- */

static struct export_store made;

static const char *path_of(const char *name) {
	static char paths[8][SCRATCH_PATH_BYTES];
	static unsigned next;
	char *path = paths[next++ % 8];
	(void)snprintf(path, SCRATCH_PATH_BYTES, "%.400s/%s", scratch.files, name);
	return path;
}

static struct child_result run(const char *const *arguments) {
	const char *argv[16] = {program};
	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	return child_run(argv, NULL);
}

static void expect(const char *const *arguments, int exit_code, const char *message) {
	struct child_result result = run(arguments);
	if (result.exit_code != exit_code || !strstr(result.err, message))
		fail_msg("%s %s exits with %d, not %d: %s", arguments[0], arguments[1], result.exit_code, exit_code,
		         result.err);
	child_result_free(&result);
}

static char *read_file(const char *path, size_t *ret_bytes) {
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;
	assert_non_null(file);
	ssize_t got = getdelim(&text, &room, EOF, file);
	(void)fclose(file);
	*ret_bytes = got > 0 ? (size_t)got : 0;
	return text;
}

static size_t count_lines(const char *const *arguments) {
	struct child_result result = run(arguments);
	size_t count = 0;
	assert_int_equal(result.exit_code, 0);
	for (const char *at = result.out; (at = strchr(at, '\n')); at++)
		count++;
	child_result_free(&result);
	return count;
}

/* --- round trips ------------------------------------------------------------------------------------------------- */

static void comes_back(const char *format, const char *from) {
	static struct store_lines expected;
	static struct store_lines found;
	const char *file = path_of("file");
	const char *store = path_of(format);
	expect((const char *[]){"export", format, scratch.store, "-o", file, NULL}, 0, "400 spans in");
	expect((const char *[]){"import", "--into", store, "--from", from, file, NULL}, 0, "");
	store_lines_read(scratch.store, &expected);
	store_lines_read(store, &found);
	store_lines_check_equal(&found, &expected);
	store_lines_free(&expected);
	store_lines_free(&found);
	expect((const char *[]){"audit", store, NULL}, 0, "");
}

/* Of a store of one batch: there the order is that of the file. */
static void gives_the_same_bytes(const char *format) {
	size_t first_bytes = 0;
	size_t second_bytes = 0;
	const char *first = path_of("first");
	const char *second = path_of("second");
	const char *again = path_of("again");
	expect((const char *[]){"export", format, path_of(format), "-o", first, NULL}, 0, "");
	expect((const char *[]){"import", "--into", again, "--from", format, first, NULL}, 0, "");
	expect((const char *[]){"export", format, again, "-o", second, NULL}, 0, "");
	CLEANUP_FREE char *a = read_file(first, &first_bytes);
	CLEANUP_FREE char *b = read_file(second, &second_bytes);
	assert_int_equal(first_bytes, second_bytes);
	assert_memory_equal(a, b, first_bytes);
}

static void jsonl_comes_back(void **state) {
	(void)state;
	comes_back("jsonl", "jsonl");
	gives_the_same_bytes("jsonl");
}

static void otlp_comes_back(void **state) {
	(void)state;
	comes_back("otlp", "otlp-json");
}

/* Lines of what CSV has columns for: without events and links, attributes of events, and what only a resource says. */
static void keep_columns_of_csv(struct store_lines *lines) {
	size_t kept = 0;
	for (size_t i = 0; i < lines->count; i++) {
		char *text = lines->lines[i];
		char *event = *text == 'A' ? strchr(text + 2, ' ') : NULL;
		if (*text == 'E' || *text == 'L' || (event && event[1] != '0')) {
			free(text);
			continue;
		}
		char *in = *text == 'S' ? strstr(text, " in '") : NULL;
		char *thread = in ? strstr(in, "thread ") : NULL;
		/* parent process, executable, command, resource */
		char *pid = in ? strstr(in, "' ") + 2 : NULL;
		char *end = pid ? strchr(pid, ' ') : NULL;
		if (thread)
			memmove(end, thread - 1, strlen(thread - 1) + 1);
		lines->lines[kept++] = text;
	}
	lines->count = kept;
}

static void csv_comes_back(void **state) {
	static struct store_lines expected;
	static struct store_lines found;
	const char *file = path_of("spans.csv");
	const char *store = path_of("csv");
	(void)state;
	expect((const char *[]){"export", "csv", scratch.store, "-o", file, NULL}, 0, "400 spans in");
	expect((const char *[]){"import", "--into", store, file, NULL}, 0, "");
	store_lines_read(scratch.store, &expected);
	store_lines_read(store, &found);
	keep_columns_of_csv(&expected);
	keep_columns_of_csv(&found);
	store_lines_check_equal(&found, &expected);
	store_lines_free(&expected);
	store_lines_free(&found);
	expect((const char *[]){"audit", store, NULL}, 0, "");
	gives_the_same_bytes("csv");
}

/* No field begins as a formula does, but for numbers. */
static void csv_has_no_formulas(void **state) {
	size_t bytes = 0;
	const char *file = path_of("formulas.csv");
	(void)state;
	expect((const char *[]){"export", "csv", scratch.store, "-o", file, NULL}, 0, "");
	CLEANUP_FREE char *text = read_file(file, &bytes);
	bool quoted = false;
	bool begins = true;
	for (size_t i = 0; i < bytes; i++) {
		if (begins && text[i] == '"' && !quoted) {
			quoted = true;
			continue;
		}
		if (begins && text[i] == '\r' && text[i + 1] == '\n') /* behind an empty field */
			continue;
		if (begins)
			assert_null(memchr("=+@\t\r", text[i], 5));
		if (begins && text[i] == '-')
			assert_true(text[i + 1] >= '0' && text[i + 1] <= '9' && !quoted);
		begins = false;
		if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted)
			begins = text[i] == ',' || text[i] == '\n';
	}
	assert_false(quoted);
}

/* --- Chrome ------------------------------------------------------------------------------------------------------ */

struct trace_event {
	char phase[4];
	char name[64];
	char span_id[20];
	char id[24];
	uint64_t ts_ns;
	uint64_t dur_ns;
	uint64_t pid;
	uint64_t tid;
};

/* "12.345" */
static uint64_t micros(const char *text) {
	unsigned long long whole = 0;
	unsigned decimals = 0;
	assert_int_equal(sscanf(text, "%llu.%3u", &whole, &decimals), 2);
	assert_int_equal(strlen(strchr(text, '.')), 4);
	return whole * 1000 + decimals;
}

static void read_member(struct json_reader *reader, struct trace_event *event) {
	char key[32];
	enum json_type type;
	(void)snprintf(key, sizeof(key), "%.31s", reader->text);
	if (strcmp(key, "args") == 0 || strcmp(key, "id2") == 0) {
		assert_int_equal(json_reader_value(reader, &type), 0);
		assert_int_equal(type, JSON_OBJECT);
		while (json_reader_key(reader) == 1) {
			bool span = strcmp(reader->text, "span_id") == 0;
			bool local = strcmp(reader->text, "local") == 0;
			if (!span && !local) {
				assert_int_equal(json_reader_skip(reader), 0);
				continue;
			}
			assert_int_equal(json_reader_value(reader, &type), 0);
			(void)snprintf(span ? event->span_id : event->id, 20, "%.19s", reader->text);
		}
		assert_int_equal(reader->failed, 0);
		return;
	}
	assert_int_equal(json_reader_value(reader, &type), 0);
	assert_true(type == JSON_STRING || type == JSON_NUMBER);
	if (strcmp(key, "ph") == 0)
		(void)snprintf(event->phase, sizeof(event->phase), "%.3s", reader->text);
	else if (strcmp(key, "name") == 0)
		(void)snprintf(event->name, sizeof(event->name), "%.63s", reader->text);
	else if (strcmp(key, "id") == 0)
		(void)snprintf(event->id, sizeof(event->id), "%.23s", reader->text);
	else if (strcmp(key, "ts") == 0)
		event->ts_ns = micros(reader->text);
	else if (strcmp(key, "dur") == 0)
		event->dur_ns = micros(reader->text);
	else if (strcmp(key, "pid") == 0)
		event->pid = strtoull(reader->text, NULL, 10);
	else if (strcmp(key, "tid") == 0)
		event->tid = strtoull(reader->text, NULL, 10);
}

struct found {
	unsigned complete;
	unsigned async;
	unsigned async_ends;
	unsigned instants;
	unsigned counters;
	unsigned processes;
	unsigned arrows_out;
	unsigned arrows_in;
	bool seen[EXPORT_SPANS];
};

static uint64_t first_start_ns(void) {
	uint64_t first = UINT64_MAX;
	for (uint32_t i = 0; i < EXPORT_SPANS; i++)
		first = made.spans[i].start_ns < first ? made.spans[i].start_ns : first;
	return first;
}

static void check_event(const struct trace_event *event, struct found *found) {
	char phase = event->phase[0];
	found->instants += phase == 'i';
	found->counters += phase == 'C';
	found->async_ends += phase == 'e';
	found->arrows_out += phase == 's';
	found->arrows_in += phase == 'f';
	found->processes += phase == 'M' && strcmp(event->name, "process_name") == 0;
	if (phase == 'C')
		assert_int_equal(event->ts_ns + first_start_ns(), EXPORT_SAMPLE_NS);
	if (phase != 'X' && phase != 'b')
		return;
	uint64_t number = strtoull(event->span_id, NULL, 16) - 100;
	assert_true(number < EXPORT_SPANS && !found->seen[number]);
	const struct store_span *span = &made.spans[number];
	found->seen[number] = true;
	assert_int_equal(event->ts_ns, span->start_ns - first_start_ns());
	if (phase == 'X')
		assert_int_equal(event->dur_ns, span->duration_ns);
	found->complete += phase == 'X';
	found->async += phase == 'b';
}

static void read_trace(const char *text, size_t bytes, struct found *found) {
	struct byte_source source;
	struct json_reader reader;
	enum json_type type;
	byte_source_memory(text, bytes, &source);
	json_reader_init(&reader, &source);
	assert_int_equal(json_reader_value(&reader, &type), 0);
	assert_int_equal(type, JSON_OBJECT);
	while (json_reader_key(&reader) == 1) {
		if (strcmp(reader.text, "traceEvents") != 0) {
			assert_int_equal(json_reader_skip(&reader), 0);
			continue;
		}
		assert_int_equal(json_reader_value(&reader, &type), 0);
		assert_int_equal(type, JSON_ARRAY);
		while (json_reader_item(&reader) == 1) {
			struct trace_event event = {0};
			assert_int_equal(json_reader_value(&reader, &type), 0);
			assert_int_equal(type, JSON_OBJECT);
			while (json_reader_key(&reader) == 1)
				read_member(&reader, &event);
			check_event(&event, found);
		}
	}
	if (reader.failed)
		fail_msg("line %" PRIu64 ", column %" PRIu64 ": %s", reader.line, reader.column, reader.error);
	json_reader_done(&reader);
}

/* A parent and a child of the same trace on different threads: an arrow each. */
static unsigned count_crossings(void) {
	unsigned count = 0;
	for (uint32_t i = 0; i < EXPORT_SPANS; i++) {
		const struct store_span *child = &made.spans[i];
		const struct store_span *parent = child->parent_id ? &made.spans[child->parent_id - 100] : NULL;
		count += parent && parent->trace_lo == child->trace_lo && parent->thread != child->thread;
	}
	return count;
}

static void chrome_has_every_span(void **state) {
	struct found found = {0};
	size_t bytes = 0;
	size_t lines = 0;
	const char *file = path_of("trace.json");
	(void)state;
	expect((const char *[]){"export", "chrome", scratch.store, "-o", file, NULL}, 0, "400 spans in");
	CLEANUP_FREE char *text = read_file(file, &bytes);
	read_trace(text, bytes, &found);
	for (uint32_t i = 0; i < EXPORT_SPANS; i++)
		assert_true(found.seen[i]);
	struct store_lines *all = calloc(1, sizeof(*all));
	assert_non_null(all);
	store_lines_read(scratch.store, all);
	for (size_t i = 0; i < all->count; i++)
		lines += all->lines[i][0] == 'E';
	store_lines_free(all);
	free(all);
	assert_int_equal(found.instants, lines);
	assert_int_equal(found.counters, 1);
	assert_int_equal(found.processes, EXPORT_PROCESSES);
	assert_true(found.async > 0 && found.async == found.async_ends);
	assert_int_equal(found.arrows_out, count_crossings());
	assert_int_equal(found.arrows_in, count_crossings());
}

/* --- what is asked for ------------------------------------------------------------------------------------------- */

static void filters_select(void **state) {
	size_t errors = 0;
	size_t late = 0;
	(void)state;
	for (uint32_t i = 0; i < EXPORT_SPANS; i++) {
		errors += made.spans[i].status == SPANRING_STATUS_ERROR;
		late += made.spans[i].start_ns >= 500000;
	}
	assert_int_equal(count_lines((const char *[]){"export", "jsonl", scratch.store, NULL}), EXPORT_SPANS);
	assert_int_equal(
	    count_lines((const char *[]){"export", "jsonl", scratch.store, "--where", "status = error", NULL}), errors);
	assert_int_equal(count_lines((const char *[]){"export", "jsonl", scratch.store, "--since",
	                                              "2026-11-20T18:40:00.0005Z", NULL}),
	                 late);
	assert_int_equal(count_lines((const char *[]){"export", "jsonl", scratch.store, "-n", "7", NULL}), 7);
	assert_int_equal(count_lines((const char *[]){"export", "jsonl", scratch.store, "--name", "nothing", NULL}), 0);
	struct child_result result = run((const char *[]){"export", "jsonl", scratch.store, "--no-attributes", NULL});
	assert_null(strstr(result.out, "\"attributes\""));
	assert_null(strstr(result.out, "\"events\""));
	assert_null(strstr(result.out, "\"links\""));
	child_result_free(&result);
}

static unsigned count_files(void) {
	unsigned count = 0;
	DIR *entries = opendir(scratch.files);
	while (entries && readdir(entries))
		count++;
	if (entries)
		(void)closedir(entries);
	return count;
}

static void nothing_half_written(void **state) {
	const char *file = path_of("kept");
	unsigned before;
	(void)state;
	FILE *kept = fopen(file, "w");
	assert_non_null(kept);
	assert_true(fputs("as it was", kept) >= 0);
	assert_int_equal(fclose(kept), 0);
	before = count_files();
	expect((const char *[]){"export", "jsonl", "/nowhere", "-o", file, NULL}, 3, "No such file");
	expect((const char *[]){"export", "jsonl", scratch.store, "-o", "/nowhere/x", NULL}, EXIT_CODE_OUTPUT,
	       "cannot be written");
	expect((const char *[]){"export", "jsonl", scratch.store, "-o", scratch.files, NULL}, EXIT_CODE_OUTPUT,
	       "Is a directory");
	/* a limit on the size of files, as a full disk is */
	const char *argv[] = {
	    "/bin/sh", "-c",          "ulimit -f 8; trap '' XFSZ; exec \"$0\" export jsonl \"$1\" -o \"$2\"",
	    program,   scratch.store, file,
	    NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OUTPUT);
	assert_non_null(strstr(result.err, "cannot be written"));
	child_result_free(&result);
	assert_int_equal(count_files(), before);
	size_t bytes = 0;
	CLEANUP_FREE char *text = read_file(file, &bytes);
	assert_int_equal(bytes, strlen("as it was"));
	assert_memory_equal(text, "as it was", bytes);
	const char *full[] = {"/bin/sh", "-c",          "exec \"$0\" export jsonl \"$1\" > /dev/full",
	                      program,   scratch.store, NULL};
	result = child_run(full, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_OUTPUT);
	child_result_free(&result);
}

/* More rows than may wait: if their spans are not stored they are no matter, else nothing is written. */
static void rows_far_from_their_spans(void **state) {
	const char *orphans = path_of("orphans");
	const char *apart = path_of("apart");
	const char *file = path_of("apart.jsonl");
	(void)state;
	export_store_make_apart(orphans, false);
	export_store_make_apart(apart, true);
	struct child_result result = run((const char *[]){"export", "jsonl", orphans, NULL});
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, "\"attributes\":{\"found\":2}"));
	child_result_free(&result);
	expect((const char *[]){"export", "jsonl", apart, "-o", file, NULL}, EXIT_CODE_FAILED,
	       "lie in other batches than their spans");
	assert_int_equal(access(file, F_OK), -1);
	expect((const char *[]){"export", "jsonl", apart, "-o", file, "--no-attributes", NULL}, 0, "65,536 spans in");
}

static void wrong_words(void **state) {
	(void)state;
	expect((const char *[]){"export", "jsnl", scratch.store, NULL}, 2, "did you mean 'jsonl'?");
	expect((const char *[]){"export", "folded", scratch.store, NULL}, 2, "flame STORE --format folded");
	expect((const char *[]){"export", scratch.store, NULL}, 2, "which store?");
}

static int make(void **state) {
	(void)state;
	program = child_program("spanring-analyze");
	scratch_make(&scratch);
	export_store_make(scratch.store, &made);
	return 0;
}

static int clear(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(jsonl_comes_back, make, clear),
	    cmocka_unit_test_setup_teardown(otlp_comes_back, make, clear),
	    cmocka_unit_test_setup_teardown(csv_comes_back, make, clear),
	    cmocka_unit_test_setup_teardown(csv_has_no_formulas, make, clear),
	    cmocka_unit_test_setup_teardown(chrome_has_every_span, make, clear),
	    cmocka_unit_test_setup_teardown(filters_select, make, clear),
	    cmocka_unit_test_setup_teardown(nothing_half_written, make, clear),
	    cmocka_unit_test_setup_teardown(rows_far_from_their_spans, make, clear),
	    cmocka_unit_test_setup_teardown(wrong_words, make, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-analyze import as a user meets it. Random spans are written in each format by this test, imported, and read back through libstore: every row
 * must be there as it was, and nothing else. Rows are compared as sorted lines of text, so that order does not count.
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "libstore/reader.h"
#include "libstore/writer.h"

#include <spanring/record.h>

#include <dirent.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINES_MAX 40000u
#define LINE_BYTES 1024u
#define SPANS 300u

static const char *const formats[] = {"jsonl", "csv", "otlp-json"};
enum { JSONL, CSV, OTLP };

struct lines {
	char *lines[LINES_MAX];
	size_t count;
};

__attribute__((format(printf, 2, 3))) static void line(struct lines *lines, const char *format, ...) {
	char text[LINE_BYTES];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	assert_true(lines->count < LINES_MAX);
	lines->lines[lines->count++] = strdup(text);
}

static int compare(const void *a, const void *b) {
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_equal(struct lines *expected, struct lines *found) {
	qsort(expected->lines, expected->count, sizeof(char *), compare);
	qsort(found->lines, found->count, sizeof(char *), compare);
	for (size_t i = 0; i < expected->count && i < found->count; i++)
		assert_string_equal(found->lines[i], expected->lines[i]);
	assert_int_equal(found->count, expected->count);
}

static void free_lines(struct lines *lines) {
	for (size_t i = 0; i < lines->count; i++)
		free(lines->lines[i]);
	lines->count = 0;
}

/* --- what is stored ---------------------------------------------------------------------------------------------- */

struct reading {
	const struct store_overview *overview;
	struct lines *lines;
};

static void line_of_attribute(struct lines *lines, uint64_t span_id, uint32_t event, const char *key, uint8_t type,
                              uint64_t value, const char *text, size_t bytes) {
	if (type == SPANRING_VALUE_STRING)
		line(lines, "A %016" PRIx64 " %u %s = '%.*s'", span_id, event, key, (int)bytes, text);
	else
		line(lines, "A %016" PRIx64 " %u %s = %u:%016" PRIx64, span_id, event, key, type, value);
}

static int on_batch(void *context, const struct store_columns *columns) {
	struct reading *reading = context;
	const struct store_overview *overview = reading->overview;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		const struct store_thread *thread = &columns->segment->threads[columns->thread[i]];
		const struct store_site *site = &columns->segment->sites[columns->site[i]];
		line(reading->lines,
		     "S %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %" PRIu64 " %" PRIu64
		     " '%s' '%s' %u %u %u '%s'",
		     columns->trace_hi[i], columns->trace_lo[i], columns->span_id[i], columns->parent_id[i],
		     columns->start_ns[i] + columns->segment->wall_offset_ns, columns->duration_ns[i],
		     overview->names[site->name], overview->processes[thread->process - 1].service, columns->kind[i],
		     columns->status[i], thread->tid, overview->names[thread->name]);
	}
	for (uint32_t i = 0; i < columns->attribute_count; i++) {
		const struct store_attribute *row = &columns->attributes[i];
		bool string = row->type == SPANRING_VALUE_STRING;
		line_of_attribute(reading->lines, row->span_id, row->event_index, overview->names[row->key], row->type,
		                  row->value, string ? columns->text + row->value : "", row->text_bytes);
	}
	for (uint32_t i = 0; i < columns->event_count; i++)
		line(reading->lines, "E %016" PRIx64 " %u '%s' %" PRIu64, columns->events[i].span_id,
		     columns->events[i].event_index, overview->names[columns->events[i].name],
		     columns->events[i].time_ns + columns->segment->wall_offset_ns);
	for (uint32_t i = 0; i < columns->link_count; i++)
		line(reading->lines, "L %016" PRIx64 " %016" PRIx64 "%016" PRIx64 " %016" PRIx64,
		     columns->links[i].span_id, columns->links[i].linked_trace_hi, columns->links[i].linked_trace_lo,
		     columns->links[i].linked_span_id);
	return 0;
}

static void read_store(const char *store, struct lines *lines) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	assert_int_equal(store_reader_open(store, &reader, text, sizeof(text)), 0);
	struct reading reading = {.overview = store_reader_overview(reader), .lines = lines};
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = on_batch, .context = &reading};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	assert_int_equal(store_reader_verify(reader, NULL, NULL), 0);
	size_t damage = 0;
	(void)store_reader_damage(reader, &damage);
	assert_int_equal(damage, 0);
	store_reader_close(reader);
}

static unsigned count_files(const char *directory, const char *part) {
	unsigned count = 0;
	DIR *entries = opendir(directory);
	for (struct dirent *entry; entries && (entry = readdir(entries));)
		count += strstr(entry->d_name, part) != NULL;
	if (entries)
		(void)closedir(entries);
	return count;
}

/* --- spans that this test makes up ------------------------------------------------------------------------------- */

static const char *const words[] = {
    "GET /", "q\"uo\\te", "tab\tand\nline", "a,b",          "\xc3\xa9\xe2\x82\xac", "\xf0\x9f\x98\x80",
    "plain", "x",         "'single'",       "{\"json\": 1}"};
#define WORDS (sizeof(words) / sizeof(words[0]))

static const char *word(struct seed *seed) {
	return words[seed_below(seed, WORDS)];
}

/* In quotes, as the format wants them. */
static void put_text(FILE *file, int format, const char *text) {
	char escaped[LINE_BYTES];
	if (format != CSV) {
		(void)json_escape(text, strlen(text), escaped, sizeof(escaped));
		(void)fprintf(file, "\"%s\"", escaped);
		return;
	}
	(void)fputc('"', file);
	for (; *text; text++)
		(void)fprintf(file, *text == '"' ? "\"\"" : "%c", *text);
	(void)fputc('"', file);
}

struct value {
	uint8_t type;
	uint64_t bits;
	const char *text;
	char number[64];
};

static struct value make_value(struct seed *seed) {
	static const uint8_t types[] = {SPANRING_VALUE_BOOL, SPANRING_VALUE_I64, SPANRING_VALUE_U64, SPANRING_VALUE_F64,
	                                SPANRING_VALUE_STRING};
	struct value value = {.type = types[seed_below(seed, 5)], .bits = seed_next(seed), .text = ""};
	double number = (double)(int64_t)value.bits * 1e-9;
	if (value.type == SPANRING_VALUE_BOOL)
		value.bits &= 1;
	if (value.type == SPANRING_VALUE_U64)
		value.bits |= UINT64_C(1) << 63;
	if (value.type == SPANRING_VALUE_F64)
		memcpy(&value.bits, &number, sizeof(value.bits));
	if (value.type == SPANRING_VALUE_STRING)
		value.text = word(seed);
	const char *boolean = value.bits ? "true" : "false";
	if (value.type == SPANRING_VALUE_BOOL)
		(void)snprintf(value.number, sizeof(value.number), "%s", boolean);
	else if (value.type == SPANRING_VALUE_F64)
		(void)snprintf(value.number, sizeof(value.number), "%.17e", number);
	else if (value.type == SPANRING_VALUE_I64)
		(void)snprintf(value.number, sizeof(value.number), "%" PRId64, (int64_t)value.bits);
	else
		(void)snprintf(value.number, sizeof(value.number), "%" PRIu64, value.bits);
	return value;
}

static void put_value(FILE *file, int format, const struct value *value) {
	static const char *const kinds[] = {[SPANRING_VALUE_BOOL] = "boolValue",
	                                    [SPANRING_VALUE_I64] = "intValue",
	                                    [SPANRING_VALUE_U64] = "int_value",
	                                    [SPANRING_VALUE_F64] = "doubleValue",
	                                    [SPANRING_VALUE_STRING] = "stringValue"};
	bool quoted = format == OTLP && (value->type == SPANRING_VALUE_I64 || value->type == SPANRING_VALUE_U64);
	if (format == OTLP)
		(void)fprintf(file, "{\"%s\":", kinds[value->type]);
	if (value->type == SPANRING_VALUE_STRING)
		put_text(file, format, value->text);
	else
		(void)fprintf(file, quoted ? "\"%s\"" : "%s", value->number);
	if (format == OTLP)
		(void)fputc('}', file);
}

static void put_attributes(FILE *file, int format, struct seed *seed, struct lines *lines, uint64_t span_id,
                           uint32_t event, const struct value *thread) {
	unsigned count = (unsigned)seed_below(seed, 4);
	(void)fprintf(file, format == OTLP ? "[" : "{");
	if (thread) {
		(void)fprintf(file, "{\"key\":\"thread.id\",\"value\":{\"intValue\":%" PRIu64 "}},", thread->bits);
		(void)fprintf(file, "{\"key\":\"thread.name\",\"value\":{\"stringValue\":");
		put_text(file, format, thread->text);
		(void)fprintf(file, count ? "}}," : "}}");
	}
	for (unsigned i = 0; i < count; i++) {
		struct value value = make_value(seed);
		(void)fprintf(file, format == OTLP ? "%s{\"key\":\"k.%u\",\"value\":" : "%s\"k.%u\":", i ? "," : "", i);
		put_value(file, format, &value);
		if (format == OTLP)
			(void)fputc('}', file);
		char key[16];
		(void)snprintf(key, sizeof(key), "k.%u", i);
		line_of_attribute(lines, span_id, event, key, value.type,
		                  value.type == SPANRING_VALUE_STRING ? 0 : value.bits, value.text, strlen(value.text));
	}
	(void)fprintf(file, format == OTLP ? "]" : "}");
}

static void put_events(FILE *file, int format, struct seed *seed, struct lines *lines, uint64_t span_id) {
	unsigned count = (unsigned)seed_below(seed, 3);
	(void)fprintf(file, ",\"events\":[");
	for (unsigned i = 0; i < count; i++) {
		const char *name = word(seed);
		uint64_t time_ns = 1 + seed_below(seed, INT64_MAX);
		(void)fprintf(file, "%s{\"name\":", i ? "," : "");
		put_text(file, format, name);
		(void)fprintf(file,
		              ",\"%s\":\"%" PRIu64 "\",\"attributes\":", format == OTLP ? "timeUnixNano" : "time_ns",
		              time_ns);
		line(lines, "E %016" PRIx64 " %u '%s' %" PRIu64, span_id, i + 1, name, time_ns);
		put_attributes(file, format, seed, lines, span_id, i + 1, NULL);
		(void)fputc('}', file);
	}
	(void)fprintf(file, "]");
}

static void put_links(FILE *file, int format, struct seed *seed, struct lines *lines, uint64_t span_id) {
	unsigned count = (unsigned)seed_below(seed, 3);
	(void)fprintf(file, ",\"links\":[");
	for (unsigned i = 0; i < count; i++) {
		uint64_t hi = seed_next(seed);
		uint64_t lo = seed_next(seed) | 1;
		uint64_t id = seed_next(seed) | 1;
		(void)fprintf(file,
		              format == OTLP
		                  ? "%s{\"traceId\":\"%016" PRIX64 "%016" PRIX64 "\",\"spanId\":\"%016" PRIX64 "\"}"
		                  : "%s{\"trace_id\":\"%016" PRIx64 "%016" PRIx64 "\",\"span_id\":\"%016" PRIx64 "\"}",
		              i ? "," : "", hi, lo, id);
		line(lines, "L %016" PRIx64 " %016" PRIx64 "%016" PRIx64 " %016" PRIx64, span_id, hi, lo, id);
	}
	(void)fprintf(file, "]");
}

struct made {
	uint64_t hi, lo, id, parent, start_ns, duration_ns;
	const char *name;
	const char *service;
	uint8_t kind, status;
	struct value thread;
};

static struct made make_span(struct seed *seed, uint64_t number) {
	struct made span = {.hi = seed_next(seed),
	                    .lo = seed_next(seed) | 1,
	                    .id = seed_next(seed) << 16 | (number + 1),
	                    .parent = seed_below(seed, 2) ? seed_next(seed) | 1 : 0,
	                    .start_ns = seed_below(seed, UINT64_C(1) << 62),
	                    .name = word(seed),
	                    .service = seed_below(seed, 2) ? "one" : "two, \"b\"",
	                    .kind = (uint8_t)seed_below(seed, 5),
	                    .status = (uint8_t)seed_below(seed, 3)};
	span.duration_ns = seed_below(seed, UINT64_C(1) << seed_below(seed, 63)) & (INT64_MAX >> 1);
	span.thread.bits = seed_below(seed, 3);
	span.thread.text = word(seed);
	return span;
}

static void line_of_span(struct lines *lines, const struct made *span) {
	line(lines,
	     "S %016" PRIx64 "%016" PRIx64 " %016" PRIx64 " %016" PRIx64 " %" PRIu64 " %" PRIu64
	     " '%s' '%s' %u %u %u '%s'",
	     span->hi, span->lo, span->id, span->parent, span->start_ns, span->duration_ns, span->name, span->service,
	     span->kind, span->status, (unsigned)span->thread.bits, span->thread.text);
}

static const char *const kinds[] = {"internal", "server", "client", "producer", "consumer"};
static const char *const statuses[] = {"unset", "ok", "error"};

static void put_parent(FILE *file, uint64_t parent) {
	if (parent)
		(void)fprintf(file, "%016" PRIx64, parent);
}

static void put_jsonl(FILE *file, struct seed *seed, struct lines *lines, const struct made *span) {
	(void)fprintf(file,
	              "{\"trace_id\":\"%016" PRIx64 "%016" PRIx64 "\",\"span_id\":\"%016" PRIx64 "\",\"parent_id\":\"",
	              span->hi, span->lo, span->id);
	put_parent(file, span->parent);
	(void)fprintf(file, "\",\"name\":");
	put_text(file, JSONL, span->name);
	(void)fprintf(file, ",\"service\":");
	put_text(file, JSONL, span->service);
	(void)fprintf(file, ",\"thread\":");
	put_text(file, JSONL, span->thread.text);
	(void)fprintf(file,
	              ",\"tid\":%" PRIu64 ",\"kind\":\"%s\",\"status\":\"%s\",\"start_ns\":%" PRIu64
	              ",\"duration_ns\":%" PRIu64 ",\"attributes\":",
	              span->thread.bits, kinds[span->kind], statuses[span->status], span->start_ns, span->duration_ns);
	put_attributes(file, JSONL, seed, lines, span->id, 0, NULL);
	put_events(file, JSONL, seed, lines, span->id);
	put_links(file, JSONL, seed, lines, span->id);
	(void)fprintf(file, "}\n");
}

static void put_csv(FILE *file, struct seed *seed, struct lines *lines, const struct made *span) {
	(void)fprintf(file, "%016" PRIx64 "%016" PRIx64 ",%016" PRIx64 ",", span->hi, span->lo, span->id);
	put_parent(file, span->parent);
	(void)fputc(',', file);
	put_text(file, CSV, span->name);
	(void)fputc(',', file);
	put_text(file, CSV, span->service);
	(void)fputc(',', file);
	put_text(file, CSV, span->thread.text);
	(void)fprintf(file, ",%" PRIu64 ",%s,%s,%" PRIu64 ",%" PRIu64, span->thread.bits, kinds[span->kind],
	              statuses[span->status], span->start_ns, span->start_ns + span->duration_ns);
	for (unsigned i = 0; i < 3; i++) {
		struct value value = make_value(seed);
		char key[16];
		(void)snprintf(key, sizeof(key), "a%u", i);
		(void)fputc(',', file);
		if (seed_below(seed, 3) == 0)
			continue;
		put_value(file, CSV, &value);
		line_of_attribute(lines, span->id, 0, key, value.type,
		                  value.type == SPANRING_VALUE_STRING ? 0 : value.bits, value.text, strlen(value.text));
	}
	(void)fprintf(file, "\r\n");
}

static void put_otlp(FILE *file, struct seed *seed, struct lines *lines, const struct made *span) {
	(void)fprintf(
	    file,
	    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":");
	put_text(file, OTLP, span->service);
	(void)fprintf(
	    file,
	    "}}]},\"scopeSpans\":[{\"scope\":{\"name\":\"s\",\"version\":\"1\"},\"spans\":[{\"traceId\":\"%016" PRIX64
	    "%016" PRIX64 "\",\"spanId\":\"%016" PRIX64 "\",\"parentSpanId\":\"",
	    span->hi, span->lo, span->id);
	put_parent(file, span->parent);
	(void)fprintf(file, "\",\"name\":");
	put_text(file, OTLP, span->name);
	(void)fprintf(file,
	              ",\"kind\":%u,\"status\":{\"code\":%u},\"startTimeUnixNano\":\"%" PRIu64
	              "\",\"endTimeUnixNano\":\"%" PRIu64 "\",\"attributes\":",
	              span->kind + 1u, span->status, span->start_ns, span->start_ns + span->duration_ns);
	put_attributes(file, OTLP, seed, lines, span->id, 0, &span->thread);
	put_events(file, OTLP, seed, lines, span->id);
	put_links(file, OTLP, seed, lines, span->id);
	(void)fprintf(file, "}]}]}]}\n");
}

static void write_spans(const char *path, int format, struct seed *seed, struct lines *lines, unsigned count) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	if (format == CSV)
		(void)fprintf(
		    file, "\xef\xbb\xbftrace_id,span_id,parent_id,name,service,thread,tid,kind,status,start_ns,end_ns,"
		          "attr.a0,attr.a1,attr.a2\r\n");
	for (unsigned i = 0; i < count; i++) {
		struct made span = make_span(seed, i);
		line_of_span(lines, &span);
		if (format == JSONL)
			put_jsonl(file, seed, lines, &span);
		else if (format == CSV)
			put_csv(file, seed, lines, &span);
		else
			put_otlp(file, seed, lines, &span);
	}
	assert_int_equal(fclose(file), 0);
}

/* --- stories ----------------------------------------------------------------------------------------------------- */

static struct scratch scratch;

static int make(void **state) {
	(void)state;
	scratch_make(&scratch);
	return 0;
}

static int clear(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

static void expect(const char *const *arguments, int exit_code, const char *message) {
	const char *argv[16] = {child_program("spanring-analyze")};
	for (size_t i = 0; arguments[i]; i++)
		argv[i + 1] = arguments[i];
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code || !strstr(result.err, message))
		fail_msg("exit %d, expected %d and '%s': %s%s", result.exit_code, exit_code, message, result.err,
		         result.out);
	child_result_free(&result);
}

static void write_file(char path[SCRATCH_PATH_BYTES], const char *text) {
	(void)snprintf(path, SCRATCH_PATH_BYTES, "%.400s/input", scratch.files);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void import_is_equal(int format) {
	static struct lines expected;
	static struct lines found;
	struct seed seed = seed_start(formats[format]);
	for (unsigned round = 0; round < seed_rounds(3); round++) {
		char path[SCRATCH_PATH_BYTES];
		write_file(path, "");
		write_spans(path, format, &seed, &expected, SPANS);
		expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "taken for");
		read_store(scratch.store, &found);
		check_equal(&expected, &found);
		expect((const char *[]){"audit", scratch.store, NULL}, 0, "");
		struct child_result result = child_run(
		    (const char *[]){child_program("spanring-analyze"), "latency", "--json", scratch.store, NULL},
		    NULL);
		assert_non_null(strstr(result.out, "\"coverage\": \"all\""));
		assert_non_null(strstr(result.out, "\"method\": \"sketch\""));
		child_result_free(&result);
		free_lines(&expected);
		free_lines(&found);
		scratch_remove_tree(scratch.store);
	}
}

static void jsonl_comes_back_equal(void **state) {
	(void)state;
	import_is_equal(JSONL);
}

static void csv_comes_back_equal(void **state) {
	(void)state;
	import_is_equal(CSV);
}

static void otlp_comes_back_equal(void **state) {
	(void)state;
	import_is_equal(OTLP);
}

#define TRACE "5b8efff798038103d269b633813fc60c"
#define GOOD                                                                                                           \
	"{\"trace_id\":\"" TRACE                                                                                       \
	"\",\"span_id\":\"eee19b7ec3c1b174\",\"name\":\"a\",\"start_ns\":1,\"duration_ns\":2}\n"

struct mistake {
	const char *text;
	const char *message;
};

static void mistakes_name_line_and_column(void **state) {
	static const struct mistake mistakes[] = {
	    {GOOD "{\"trace_id\":\"12\"}\n", "input:2:13: expected 32 hexadecimal digits"},
	    {GOOD "{\"spanid\":1}\n", "input:2:2: unknown key 'spanid': did you mean 'span_id'?"},
	    {GOOD "{\"name\":\"a\"}\n", "input:2:1: expected a trace id in every span"},
	    {GOOD "{\"name\" \"a\"}\n", "input:2:9: expected ':' after a key, found '\"'"},
	    {GOOD "{\"name\":\"\xff\"}\n", "input:2:11: expected UTF-8"},
	    {GOOD "{\"start\":\"yesterday\"}\n", "input:2:10: expected a time like"},
	    {GOOD "{\"duration_ns\":-1}\n", "input:2:16: expected whole nanoseconds"},
	    {"name,spam\nx,y\n", "input:1:6: unknown column 'spam'"},
	    {"name,kind\nx\n", "input:2:1: expected 2 fields as in the header, found 1"},
	    {"name,kind\n\"x\"y,z\n", "input:2:4: expected a comma or the end of the line after a closing quote"},
	    {"name,kind\nx,funny\n", "input:2:3: expected internal, server"},
	    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{\"traceId\":\"W47/95gDgQPSabYzgT/GDA==\"}]}]}]}",
	     "input:1:55: expected 32 hexadecimal digits"},
	    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[]}", "found the end of the input"},
	    {"{\"resourceSpans\":[{\"scopeSpans\":[{\"spans\":[{}]}]}]}", "expected a trace id in every span"},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++) {
		char path[SCRATCH_PATH_BYTES];
		write_file(path, mistakes[i].text);
		expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 3, mistakes[i].message);
		assert_int_equal(count_files(scratch.store, "segment-"), 0);
	}
}

static void what_is_sound_goes_on(void **state) {
	static const char *const texts[] = {
	    GOOD "nonsense\n" GOOD "{\"name\":[1\n" GOOD,
	    "trace_id,span_id,name,start_ns,duration_ns\n" TRACE ",eee19b7ec3c1b174,a,1,2\nx\n" TRACE
	    ",eee19b7ec3c1b175,b,1,2\n" TRACE ",eee,b,1,2\n" TRACE ",eee19b7ec3c1b176,b,1,2\n",
	    "{\"resource_spans\":[{\"scope_spans\":[{\"spans\":[{\"trace_id\":\"" TRACE
	    "\",\"span_id\":\"eee19b7ec3c1b174\",\"name\":\"a\",\"start_time_unix_nano\":1,\"end_time_unix_nano\":2},"
	    "{\"trace_id\":7,\"events\":[{\"x\":{}}]},{\"events\":{\"a\":[1]}},{\"trace_id\":\"" TRACE
	    "\",\"span_id\":\"eee19b7ec3c1b175\",\"name\":\"a\",\"start_time_unix_nano\":1,\"end_time_unix_nano\":2},"
	    "{\"trace_id\":\"" TRACE
	    "\",\"span_id\":\"eee19b7ec3c1b176\",\"name\":\"a\",\"start_time_unix_nano\":1,\"end_time_unix_nano\":2}]}]}]}"};
	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		static struct lines found;
		char path[SCRATCH_PATH_BYTES];
		write_file(path, texts[i]);
		expect((const char *[]){"import", "--keep-going", "--into", scratch.store, path, NULL}, 1,
		       "2 mistakes");
		read_store(scratch.store, &found);
		assert_int_equal(found.count, 3);
		free_lines(&found);
		expect((const char *[]){"audit", scratch.store, NULL}, 0, "");
		scratch_remove_tree(scratch.store);
	}
}

/* As in the OpenTelemetry specification's example, with every type of value. */
static void a_request_by_the_specification(void **state) {
	static const char request[] =
	    "{\"resourceSpans\":[{\"resource\":{\"attributes\":[{\"key\":\"service.name\",\"value\":{\"stringValue\":\"my.service\"}}],"
	    "\"droppedAttributesCount\":2},\"scopeSpans\":[{\"scope\":{\"name\":\"my.library\",\"version\":\"1.0.0\","
	    "\"attributes\":[{\"key\":\"my.scope.attribute\",\"value\":{\"stringValue\":\"x\"}}]},\"spans\":[{"
	    "\"traceId\":\"5B8EFFF798038103D269B633813FC60C\",\"spanId\":\"EEE19B7EC3C1B174\",\"parentSpanId\":\"EEE19B7EC3C1B173\","
	    "\"flags\":769,\"name\":\"I'm a server span\",\"startTimeUnixNano\":\"1544712660000000000\","
	    "\"endTimeUnixNano\":\"1544712661000000000\",\"kind\":\"SPAN_KIND_SERVER\",\"attributes\":["
	    "{\"key\":\"s\",\"value\":{\"stringValue\":\"v\"}},{\"key\":\"i\",\"value\":{\"intValue\":\"-9223372036854775808\"}},"
	    "{\"key\":\"b\",\"value\":{\"boolValue\":true}},{\"key\":\"y\",\"value\":{\"bytesValue\":\"AAEC\"}},"
	    "{\"key\":\"l\",\"value\":{\"arrayValue\":{\"values\":[{\"intValue\":1},{\"stringValue\":\"two\"},{\"arrayValue\":{}}]}}},"
	    "{\"key\":\"m\",\"value\":{\"kvlistValue\":{\"values\":[{\"key\":\"k\",\"value\":{\"kvlistValue\":{\"values\":[]}}}]}}},"
	    "{\"key\":\"n\",\"value\":{}}],\"droppedAttributesCount\":3,\"droppedEventsCount\":4,\"droppedLinksCount\":5,"
	    "\"status\":{\"code\":2,\"message\":\"broken\"},\"traceState\":\"a=b\",\"newInAnotherVersion\":[{\"x\":[]}]}]}],"
	    "\"schemaUrl\":\"https://example.org\"}]}";
	static struct lines expected;
	static struct lines found;
	char path[SCRATCH_PATH_BYTES];
	(void)state;
	write_file(path, request);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "taken for otlp-json");
	line(&expected,
	     "S " TRACE " eee19b7ec3c1b174 eee19b7ec3c1b173 1544712660000000000 1000000000 'I'm a server span' "
	     "'my.service' 1 2 0 ''");
	static const char *const attributes[] = {"s = 'v'",
	                                         "i = 2:8000000000000000",
	                                         "b = 1:0000000000000001",
	                                         "y = 'AAEC'",
	                                         "l.0 = 2:0000000000000001",
	                                         "l.1 = 'two'",
	                                         "l.2 = '[]'",
	                                         "m.k = '{}'",
	                                         "otel.status_description = 'broken'"};
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		line(&expected, "A eee19b7ec3c1b174 0 %s", attributes[i]);
	read_store(scratch.store, &found);
	check_equal(&expected, &found);
	free_lines(&expected);
	free_lines(&found);
	struct child_result result =
	    child_run((const char *[]){child_program("spanring-analyze"), "info", "--json", scratch.store, NULL}, NULL);
	assert_non_null(strstr(result.out, "\"attributes_over_limit\": 3"));
	assert_non_null(strstr(result.out, "\"events_over_limit\": 4"));
	assert_non_null(strstr(result.out, "\"links_over_limit\": 5"));
	assert_non_null(strstr(result.out, "\"resource_left_out\": 2"));
	assert_non_null(strstr(result.out, "\"my.library\""));
	child_result_free(&result);
}

/* Values within one another, and every way to write a character. */
static void values_within_values(void **state) {
	static const char text[] =
	    "{\"trace_id\":\"" TRACE "\",\"span_id\":\"eee19b7ec3c1b174\",\"name\":\"a\",\"start\":"
	    "\"1970-01-01T00:00:01.000000002Z\",\"end\":\"1970-01-01T01:00:02+01:00\",\"attributes\":{\"m\":{\"a\":{\"b\":[1,"
	    "[true]]},\"c\":-0.5e1},\"e\":[],\"f\":{},\"n\":null,\"u\":\"\\u00e9\\ud83d\\ude00\\ud83dx\\udc00\\/\"},"
	    "\"heap_allocated_bytes\":17,\"heap_net_bytes\":\"-1\"}\n";
	static const char *const attributes[] = {"m.a.b.0 = 2:0000000000000001",
	                                         "m.a.b.1.0 = 1:0000000000000001",
	                                         "m.c = 4:c014000000000000",
	                                         "e = '[]'",
	                                         "f = '{}'",
	                                         "u = '\xc3\xa9\xf0\x9f\x98\x80\xef\xbf\xbdx\xef\xbf\xbd/'"};
	static struct lines expected;
	static struct lines found;
	char path[SCRATCH_PATH_BYTES];
	(void)state;
	write_file(path, text);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "taken for jsonl");
	line(&expected, "S " TRACE " eee19b7ec3c1b174 0000000000000000 1000000002 999999998 'a' '' 0 0 0 ''");
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
		line(&expected, "A eee19b7ec3c1b174 0 %s", attributes[i]);
	read_store(scratch.store, &found);
	check_equal(&expected, &found);
	free_lines(&expected);
	free_lines(&found);
}

/* More than a batch was committed, and still nothing shows; the next writer clears up. */
static void killed_on_the_way(void **state) {
	static const char *const environment[] = {NULL};
	static struct lines found;
	char path[SCRATCH_PATH_BYTES];
	char pipe_path[SCRATCH_PATH_BYTES];
	(void)state;
	write_file(path, GOOD);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "");
	(void)snprintf(pipe_path, sizeof(pipe_path), "%.400s/pipe", scratch.files);
	assert_int_equal(mkfifo(pipe_path, 0600), 0);
	struct child child = child_start((const char *[]){child_program("spanring-analyze"), "import", "--from",
	                                                  "jsonl", "--into", scratch.store, pipe_path, NULL},
	                                 environment);
	FILE *file = fopen(pipe_path, "w");
	assert_non_null(file);
	for (unsigned i = 0; i < 140000; i++)
		assert_true(fputs(GOOD, file) >= 0);
	/* All but what the pipe and its buffers hold was read: two batches are committed. */
	assert_int_equal(fflush(file), 0);
	assert_true(count_files(scratch.store, ".db.tmp") > 0);
	child_signal(&child, SIGKILL);
	struct child_result result = child_finish(&child);
	assert_int_equal(result.exit_code, 128 + SIGKILL);
	child_result_free(&result);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)fclose(file);
	assert_true(count_files(scratch.store, ".db.tmp") > 0);
	read_store(scratch.store, &found);
	assert_int_equal(found.count, 1);
	free_lines(&found);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "");
	assert_int_equal(count_files(scratch.store, ".db.tmp"), 0);
	read_store(scratch.store, &found);
	assert_int_equal(found.count, 2);
	free_lines(&found);
	expect((const char *[]){"audit", scratch.store, NULL}, 0, "");
}

static void a_store_that_is_written_is_refused(void **state) {
	struct store_writer_options options = {.agent_version = "test"};
	struct store_writer *writer = NULL;
	char path[SCRATCH_PATH_BYTES];
	char text[512];
	int holder = 0;
	(void)state;
	write_file(path, GOOD);
	assert_int_equal(store_writer_open(scratch.store, &options, &writer, &holder, text, sizeof(text)), 0);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, EXIT_CODE_HELD,
	       "stop that agent first");
	assert_int_equal(store_writer_close(writer), 0);
	expect((const char *[]){"import", "--into", scratch.store, path, NULL}, 0, "");
}

static void wrong_words(void **state) {
	(void)state;
	expect((const char *[]){"import", "--into", scratch.store, NULL}, 2, "which file?");
	expect((const char *[]){"import", "--from", "xml", "--into", scratch.store, "x", NULL}, 2,
	       "jsonl, csv or otlp-json");
	expect((const char *[]){"import", "--into", scratch.store, "/nowhere/x", NULL}, 3, "cannot be opened");
	expect((const char *[]){"import", "--into", scratch.store, scratch.files, NULL}, 3, "cannot be read");
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(jsonl_comes_back_equal, make, clear),
	    cmocka_unit_test_setup_teardown(csv_comes_back_equal, make, clear),
	    cmocka_unit_test_setup_teardown(otlp_comes_back_equal, make, clear),
	    cmocka_unit_test_setup_teardown(mistakes_name_line_and_column, make, clear),
	    cmocka_unit_test_setup_teardown(what_is_sound_goes_on, make, clear),
	    cmocka_unit_test_setup_teardown(a_request_by_the_specification, make, clear),
	    cmocka_unit_test_setup_teardown(values_within_values, make, clear),
	    cmocka_unit_test_setup_teardown(killed_on_the_way, make, clear),
	    cmocka_unit_test_setup_teardown(a_store_that_is_written_is_refused, make, clear),
	    cmocka_unit_test_setup_teardown(wrong_words, make, clear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

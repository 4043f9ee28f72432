/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a value is what its highest source says, whatever order the sources are in; each written form is read as it was meant and written so that
 * it is read again; the form of a file is held to the byte; and docs/operating.md says of all this what the table says.
 * Method: config_parse with real variables and files; the parser with texts; memory and control words looked at afterwards.
 */
#include "support/cmocka.h"

#include "agent/footprint/memory_cap.h"
#include "agent/settings/config.h"
#include "agent/settings/config_file.h"
#include "agent/settings/preset_ratio.h"
#include "agent_files.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/sampling.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#define MIB (UINT64_C(1) << 20)
#define ITEMS_MAX 16u

static const struct log quiet = {.program = "test", .level = LOG_LEVEL_ERROR};

static void write_file(const char *path, const char *text) {
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void clear_environment(void) {
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		if (options_table[id].variable)
			assert_int_equal(unsetenv(options_table[id].variable), 0);
	assert_int_equal(setenv("SPANRING_CONFIG", "/dev/null", 1), 0);
}

/* Words after the command, NULL-terminated. A configuration points into them, up to the next call. */
static void must_parse(enum config_command command, const char *const *words, struct config *ret_config) {
	static char *argv[16];
	int argc = 1;
	argv[0] = "run";
	for (; words[argc - 1]; argc++)
		argv[argc] = (char *)(uintptr_t)words[argc - 1];
	assert_int_equal(config_parse(command, argc, argv, &quiet, ret_config), 0);
}

static void check(const struct config *config, enum options_id id, const char *text, enum options_source source,
                  uint32_t line) {
	char value[PATH_MAX];
	assert_string_equal(options_text(id, config, value, sizeof(value)), text);
	assert_int_equal(config->origins[id].source, source);
	assert_int_equal(config->origins[id].line, line);
}

static void each_source_overrules_the_one_below(void **state) {
	(void)state;
	struct config config;
	struct scratch scratch;
	char path[SCRATCH_PATH_BYTES + 16];
	scratch_make(&scratch);
	(void)snprintf(path, sizeof(path), "%s/agent.conf", scratch.files);
	clear_environment();
	must_parse(CONFIG_RUN, (const char *[]){NULL}, &config);
	check(&config, OPTIONS_FLUSH_INTERVAL, "1s", OPTIONS_FROM_DEFAULT, 0);
	assert_true(config.rings_are_default);
	must_parse(CONFIG_RUN, (const char *[]){"--preset", "low-latency", NULL}, &config);
	check(&config, OPTIONS_FLUSH_INTERVAL, "500ms", OPTIONS_FROM_PRESET, 0);
	check(&config, OPTIONS_PRESET, "low-latency", OPTIONS_FROM_FLAG, 0);
	check(&config, OPTIONS_DURABILITY, "normal", OPTIONS_FROM_DEFAULT, 0);

	write_file(path, "[agent]\npreset=high-throughput\nrings = /r\n[flush]\n\tflush-interval =  3s \r\n");
	must_parse(CONFIG_RUN, (const char *[]){"--config", path, "--preset", "low-latency", NULL}, &config);
	check(&config, OPTIONS_FLUSH_INTERVAL, "3s", OPTIONS_FROM_FILE, 5);
	check(&config, OPTIONS_MAX_WAIT, "5s", OPTIONS_FROM_PRESET, 0);
	check(&config, OPTIONS_RINGS, "/r", OPTIONS_FROM_FILE, 3);
	assert_string_equal(config.file, path);
	assert_false(config.rings_are_default);

	assert_int_equal(setenv("SPANRING_CONFIG", path, 1), 0);
	assert_int_equal(setenv("SPANRING_AGENT_FLUSH_INTERVAL", "4s", 1), 0);
	must_parse(CONFIG_RUN, (const char *[]){NULL}, &config);
	check(&config, OPTIONS_FLUSH_INTERVAL, "4s", OPTIONS_FROM_ENVIRONMENT, 0);
	check(&config, OPTIONS_MAX_WAIT, "10s", OPTIONS_FROM_PRESET, 0);
	check(&config, OPTIONS_PRESET, "high-throughput", OPTIONS_FROM_FILE, 2);
	must_parse(CONFIG_RUN, (const char *[]){"--flush-interval", "6s", "--flush-interval=5s", NULL}, &config);
	check(&config, OPTIONS_FLUSH_INTERVAL, "5s", OPTIONS_FROM_FLAG, 0);

	/* The place of record is its own. */
	assert_int_equal(setenv("SPANRING_STORE", "/elsewhere", 1), 0);
	must_parse(CONFIG_RECORD, (const char *[]){"--", "true", NULL}, &config);
	check(&config, OPTIONS_RINGS, "", OPTIONS_FROM_DEFAULT, 0);
	check(&config, OPTIONS_STORE, "spanring.store", OPTIONS_FROM_DEFAULT, 0);
	check(&config, OPTIONS_MEMORY_INTERVAL, "100ms", OPTIONS_FROM_DEFAULT, 0);
	assert_string_equal(config.command[0], "true");
	clear_environment();
	scratch_remove(&scratch);
}

static void presets_have_their_numbers(void **state) {
	(void)state;
	static const struct {
		const char *name;
		const char *values[4]; /* batch size, flush interval, max wait, ratio */
		uint32_t queue;
		uint64_t ring_bytes;
	} presets[] = {
	    {"default", {"65536", "1s", "30s", "own"}, 0, 0},
	    {"high-throughput", {"1000", "2s", "10s", "own"}, 5000, 512 << 10},
	    {"low-latency", {"100", "500ms", "5s", "own"}, 1000, 64 << 10},
	    {"balanced", {"512", "5s", "30s", "0.01"}, 2048, 128 << 10},
	    {"high-performance", {"2000", "5s", "30s", "0.001"}, 10000, 1 << 20},
	};
	static const enum options_id ids[] = {OPTIONS_BATCH_SIZE, OPTIONS_FLUSH_INTERVAL, OPTIONS_MAX_WAIT,
	                                      OPTIONS_RATIO};
	clear_environment();
	assert_int_equal(sizeof(presets) / sizeof(presets[0]), PRESET_COUNT);
	for (uint32_t i = 0; i < PRESET_COUNT; i++) {
		struct config config;
		char value[PATH_MAX];
		must_parse(CONFIG_RUN, (const char *[]){"--preset", presets[i].name, NULL}, &config);
		for (size_t j = 0; j < sizeof(ids) / sizeof(ids[0]); j++)
			assert_string_equal(options_text(ids[j], &config, value, sizeof(value)), presets[i].values[j]);
		assert_int_equal(preset_queue_records(config.preset), presets[i].queue);
		assert_int_equal(preset_ring_bytes(config.preset), presets[i].ring_bytes);
	}
}

/* Every bound is in, one step beyond is out, and what is written is read as the same. */
static void values_go_in_and_out(void **state) {
	(void)state;
	static const struct {
		enum options_id id;
		const char *in;
		const char *out; /* NULL: refused */
	} cases[] = {
	    {OPTIONS_MEMORY_CAP, "32MiB", "32MiB"},
	    {OPTIONS_MEMORY_CAP, "0.5GiB", "512MiB"},
	    {OPTIONS_MEMORY_CAP, "33554431", NULL},
	    {OPTIONS_MEMORY_CAP, "33554433", "33554433"},
	    {OPTIONS_MEMORY_CAP, "64GiB", "64GiB"},
	    {OPTIONS_MEMORY_CAP, "65GiB", NULL},
	    {OPTIONS_MEMORY_CAP, "64MB", NULL},
	    {OPTIONS_MEMORY_CAP, "-64MiB", NULL},
	    {OPTIONS_BATCH_SIZE, "1", "1"},
	    {OPTIONS_BATCH_SIZE, "0", NULL},
	    {OPTIONS_BATCH_SIZE, "65536", "65536"},
	    {OPTIONS_BATCH_SIZE, "65537", NULL},
	    {OPTIONS_BATCH_SIZE, "512 ", NULL},
	    {OPTIONS_BATCH_SIZE, "1e3", NULL},
	    {OPTIONS_BATCH_SIZE, "99999999999999999999", NULL},
	    {OPTIONS_FLUSH_INTERVAL, "1500us", "1500us"},
	    {OPTIONS_FLUSH_INTERVAL, "60s", "1m"},
	    {OPTIONS_FLUSH_INTERVAL, "60.001s", NULL},
	    {OPTIONS_FLUSH_INTERVAL, "999us", NULL},
	    {OPTIONS_FLUSH_INTERVAL, "0", NULL},
	    {OPTIONS_FLUSH_INTERVAL, "1", NULL},
	    {OPTIONS_FLUSH_INTERVAL, "1 sec", NULL},
	    {OPTIONS_MAX_WAIT, "1h", "1h"},
	    {OPTIONS_MEMORY_INTERVAL, "0", "0"},
	    {OPTIONS_MEMORY_INTERVAL, "9ms", NULL},
	    {OPTIONS_RATIO, "0", "0"},
	    {OPTIONS_RATIO, "1", "1"},
	    {OPTIONS_RATIO, "own", "own"},
	    {OPTIONS_RATIO, "1.01", NULL},
	    {OPTIONS_RATIO, "1%", NULL},
	    {OPTIONS_RATIO, "0.0000000000000000000000000000001", NULL},
	    {OPTIONS_DURABILITY, "full", "full"},
	    {OPTIONS_DURABILITY, "FULL", NULL},
	    {OPTIONS_QUIET, "yes", "yes"},
	    {OPTIONS_QUIET, "true", NULL},
	    {OPTIONS_STORE, "", NULL},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct config config = {0};
		struct config again = {0};
		char why[OPTIONS_WHY_BYTES] = "";
		char text[PATH_MAX];
		int rc = options_set(cases[i].id, cases[i].in, &config, why);
		if (rc != (cases[i].out ? 0 : -EINVAL) || (rc < 0 && !strstr(why, "give")))
			fail_msg("%s %s: %d \"%s\"", options_table[cases[i].id].name, cases[i].in, rc, why);
		if (rc < 0) {
			assert_memory_equal(&config, &again, sizeof(config));
			continue;
		}
		assert_string_equal(options_text(cases[i].id, &config, text, sizeof(text)), cases[i].out);
		assert_int_equal(options_set(cases[i].id, text, &again, why), 0);
		assert_memory_equal(&config, &again, sizeof(config));
	}
}

struct items {
	char text[512];
	size_t at;
	int stop_at_line;
};

static int note_item(void *context, const struct config_file_item *item) {
	struct items *items = context;
	items->at += (size_t)snprintf(items->text + items->at, sizeof(items->text) - items->at, "%u[%s]%s%s%s|",
	                              item->line, item->section, item->key ? item->key : "", item->key ? "=" : "",
	                              item->key ? item->value : "");
	return items->stop_at_line == (int)item->line ? -EINTR : 0;
}

/* Parsed in memory of exactly its size, for the sanitizers. */
static int parse_text(const char *text, size_t bytes, struct items *items, uint32_t *ret_line, char *ret_why) {
	CLEANUP_FREE char *copy = malloc(bytes + 1);
	assert_non_null(copy);
	memcpy(copy, text, bytes);
	return config_file_parse(copy, bytes, note_item, items, ret_line, ret_why);
}

static void files_are_read_as_written(void **state) {
	(void)state;
	static const struct {
		const char *in;
		const char *out;
	} cases[] = {
	    {"", ""},
	    {"\n\r\n  \n\t\r\n", ""},
	    {"# a = b\n  ; [c]\n#", ""},
	    {"[a]", "1[a]|"},
	    {" [ a-1 ]\t\nb=c", "1[a-1]|2[a-1]b=c|"},
	    {"[a]\r\nb = c # d \r\n\r\n[e]\nf = = [g] ;\n", "1[a]|2[a]b=c # d|4[e]|5[e]f== [g] ;|"},
	    {"[a]\nb = \xc3\xa4\xe2\x82\xac\n", "1[a]|2[a]b=\xc3\xa4\xe2\x82\xac|"},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct items items = {0};
		char why[CONFIG_FILE_WHY_BYTES] = "";
		uint32_t line;
		assert_int_equal(parse_text(cases[i].in, strlen(cases[i].in), &items, &line, why), 0);
		assert_string_equal(items.text, cases[i].out);
	}
	struct items items = {.stop_at_line = 2};
	char why[CONFIG_FILE_WHY_BYTES];
	uint32_t line;
	assert_int_equal(parse_text("[a]\nb=c\nd=e\n", 12, &items, &line, why), -EINTR);
	assert_string_equal(items.text, "1[a]|2[a]b=c|");
}

static void hostile_files_are_refused(void **state) {
	(void)state;
	static const struct {
		const char *in;
		size_t bytes;
		uint32_t line;
		const char *why;
	} cases[] = {
#define CASE(text, line, why) {text, sizeof(text) - 1, line, why}
	    CASE("a = b", 1, "before any section"),
	    CASE("[a]\nb\n", 2, "neither"),
	    CASE("[a\n", 1, "closing bracket"),
	    CASE("[", 1, "closing bracket"),
	    CASE("[]", 1, "no name"),
	    CASE("[A]", 1, "no name"),
	    CASE("[a] # b", 1, "closing bracket"),
	    CASE("[a]]", 1, "no name"),
	    CASE("[a]\n\n= c", 3, "no name"),
	    CASE("[a]\nb c = d", 2, "no name"),
	    CASE("[a]\nb =   ", 2, "no value"),
	    CASE("[a]\nb = c\0d", 2, "zero byte"),
	    CASE("\0", 1, "zero byte"),
	    CASE("[a]\n# \x1b[31m", 2, "control"),
	    CASE("[a]\rb = c\r", 1, "carriage return"),
	    CASE("[a]\nb = \xff\xfe", 2, "UTF-8"),
	    CASE("[a]\nb = \xc0\xaf", 2, "UTF-8"),
	    CASE("[a]\nb = \xe2\x82", 2, "UTF-8"),
	    CASE("\xef\xbb\xbf[a]", 1, "byte order mark"),
#undef CASE
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct items items = {0};
		char why[CONFIG_FILE_WHY_BYTES] = "";
		uint32_t line = 0;
		int rc = parse_text(cases[i].in, cases[i].bytes, &items, &line, why);
		if (rc != ERR_DAMAGED || line != cases[i].line || !strstr(why, cases[i].why))
			fail_msg("case %zu: %d, line %u: %s", i, rc, line, why);
	}
}

static void long_lines_and_large_files(void **state) {
	(void)state;
	struct scratch scratch;
	struct items items = {0};
	char path[SCRATCH_PATH_BYTES + 16];
	char why[CONFIG_FILE_WHY_BYTES];
	uint32_t line;
	CLEANUP_FREE char *text = malloc(CONFIG_FILE_BYTES_MAX + 2);
	assert_non_null(text);
	memset(text, '#', CONFIG_FILE_BYTES_MAX + 1);
	text[CONFIG_FILE_BYTES_MAX + 1] = '\0';
	assert_int_equal(parse_text(text, CONFIG_FILE_LINE_BYTES_MAX, &items, &line, why), 0);
	assert_int_equal(parse_text(text, CONFIG_FILE_LINE_BYTES_MAX + 1, &items, &line, why), ERR_DAMAGED);

	char *loaded = NULL;
	size_t bytes = 0;
	scratch_make(&scratch);
	(void)snprintf(path, sizeof(path), "%s/large", scratch.files);
	write_file(path, text);
	assert_int_equal(config_file_load(path, &loaded, &bytes), ERR_LIMIT);
	text[CONFIG_FILE_BYTES_MAX] = '\0';
	write_file(path, text);
	assert_int_equal(config_file_load(path, &loaded, &bytes), 0);
	assert_int_equal(bytes, CONFIG_FILE_BYTES_MAX);
	free(loaded);
	assert_int_equal(config_file_load("/dev/null", &loaded, &bytes), 0);
	assert_int_equal(bytes, 0);
	free(loaded);
	assert_int_equal(config_file_load("/dev/zero", &loaded, &bytes), ERR_FOREIGN);
	assert_int_equal(config_file_load(scratch.files, &loaded, &bytes), ERR_FOREIGN);
	(void)snprintf(path, sizeof(path), "%s/none", scratch.files);
	assert_int_equal(config_file_load(path, &loaded, &bytes), -ENOENT);
	scratch_remove(&scratch);
}

static void memory_is_shared_out(void **state) {
	(void)state;
	struct memory_cap memory;
	struct batch *batch;
	memory_cap_init(&memory, 64 * MIB, 0);
	assert_int_equal(memory.rows_full, BATCH_SPANS_MAX);
	memory_cap_init(&memory, 1024 * MIB, 0);
	assert_int_equal(memory.rows_full, BATCH_SPANS_MAX);
	memory_cap_init(&memory, 44 * MIB, 0);
	assert_int_equal(memory.rows_full, BATCH_SPANS_MAX / 2);
	memory_cap_init(&memory, 32 * MIB, 0);
	assert_in_range(memory.rows_full, MEMORY_CAP_ROWS_MIN, BATCH_SPANS_MAX / 5);

	assert_int_equal(batch_new(&batch), 0);
	memory_cap_shape(&memory, batch);
	uint32_t rows = memory.rows;
	assert_true(batch_has_room(batch, rows, rows, rows, rows * 64));
	assert_false(batch_has_room(batch, rows + 1, 0, 0, 0));
	assert_false(batch_has_room(batch, 0, 0, 0, rows * 64 + 1));
	struct store_span span = {.span_id = 1};
	for (uint32_t i = 0; i < rows; i++)
		batch_add_span(batch, &span);
	assert_false(batch_has_room(batch, 1, 0, 0, 0));
	batch_clear(batch);

	/* No process has as little as one byte, none as much as 2^62. */
	memory_cap_init(&memory, 64 * MIB, 0);
	memory.cap_bytes = 1;
	assert_true(memory_cap_look(&memory));
	assert_true(memory.over && memory.own_bytes > 0 && memory.rows == BATCH_SPANS_MAX / 2);
	for (int i = 0; i < 4; i++)
		assert_false(memory_cap_look(&memory));
	assert_int_equal(memory.rows, MEMORY_CAP_ROWS_MIN);
	assert_int_equal(memory.times_over, 1);
	memory_cap_shape(&memory, batch);
	assert_false(batch_has_room(batch, MEMORY_CAP_ROWS_MIN + 1, 0, 0, 0));
	memory.cap_bytes = UINT64_C(1) << 62;
	for (int i = 0; i < 4; i++)
		assert_false(memory_cap_look(&memory));
	assert_int_equal(memory.rows, BATCH_SPANS_MAX);
	memory_cap_shape(&memory, batch);
	assert_true(batch_has_room(batch, BATCH_SPANS_MAX, 0, 0, BATCH_TEXT_BYTES_MAX));
	batch_free(batch);
}

/* What lay behind the room is gone from memory, and is there again when the room grows. */
static void a_smaller_batch_gives_memory_back(void **state) {
	(void)state;
	struct batch *batch;
	assert_int_equal(batch_new(&batch), 0);
	memset(batch->text, 'x', BATCH_TEXT_BYTES_MAX);
	memset(batch->spans, 'x', sizeof(*batch->spans) * BATCH_SPANS_MAX);
	batch_set_room(batch, MEMORY_CAP_ROWS_MIN, 1u << 20, true);
	assert_int_equal(batch->text[(1u << 20) - 1], 'x');
	assert_int_equal(batch->text[2u << 20], 0);
	assert_int_equal(batch->spans[MEMORY_CAP_ROWS_MIN * 2].span_id, 0);
	assert_int_not_equal(batch->spans[MEMORY_CAP_ROWS_MIN - 1].span_id, 0);
	batch_set_room(batch, BATCH_SPANS_MAX, BATCH_TEXT_BYTES_MAX, false);
	struct store_span span = {.span_id = 7};
	for (uint32_t i = 0; i < BATCH_SPANS_MAX; i++)
		batch_add_span(batch, &span);
	assert_int_equal(batch->spans[BATCH_SPANS_MAX - 1].span_id, 7);
	batch_free(batch);
}

struct given {
	struct agent_files files;
	struct roster roster;
	struct preset_ratio_figures figures;
};

static void given_open(struct given *given) {
	struct producer *producer;
	memset(given, 0, sizeof(*given));
	agent_files_make(&given->files);
	assert_int_equal(fault_guard_install(), 0);
	given->files.process->enabled = 1;
	given->files.process->control_generation = 1;
	given->files.process->control_flags = SPANRING_CONTROL_PARENT_BASED;
	given->files.process->sampler = SPANRING_SAMPLER_ALWAYS_ON;
	given->files.process->sampler_threshold = SPANRING__SAMPLING_ALL;
	assert_int_equal(roster_init(&given->roster), 0);
	assert_int_equal(producer_open(given->files.rings_fd, AGENT_FILES_NAME, 0, &producer), 0);
	assert_int_equal(roster_add_producer(&given->roster, producer), 0);
}

static void given_close(struct given *given) {
	roster_done(&given->roster);
	agent_files_remove(&given->files);
}

static void programs_without_a_choice_get_the_ratio(void **state) {
	(void)state;
	struct given given;
	given_open(&given);
	struct spanring_process_header *process = given.files.process;
	preset_ratio_apply("0.25", &given.roster, &quiet, &given.figures);
	assert_int_equal(process->sampler, SPANRING_SAMPLER_TRACEIDRATIO);
	assert_true(process->sampler_threshold == SPANRING__SAMPLING_ALL / 4);
	assert_true(process->control_flags & SPANRING_CONTROL_PARENT_BASED);
	assert_int_equal(process->enabled, 2);
	assert_int_equal(given.figures.given, 1);
	/* Once: what ctl says afterwards stays. */
	process->sampler_threshold = 5;
	preset_ratio_apply("0.25", &given.roster, &quiet, &given.figures);
	assert_true(process->sampler_threshold == 5);
	given_close(&given);
}

static void programs_with_a_choice_keep_it(void **state) {
	(void)state;
	static const struct {
		uint32_t sampler, flags, generation, enabled;
	} cases[] = {
	    {SPANRING_SAMPLER_ALWAYS_ON, 0, 1, 1},
	    {SPANRING_SAMPLER_TRACEIDRATIO, SPANRING_CONTROL_PARENT_BASED, 1, 1},
	    {SPANRING_SAMPLER_ALWAYS_OFF, SPANRING_CONTROL_PARENT_BASED, 1, 1},
	    {SPANRING_SAMPLER_ALWAYS_ON, SPANRING_CONTROL_PARENT_BASED, 2, 2},
	    {SPANRING_SAMPLER_ALWAYS_ON, SPANRING_CONTROL_PARENT_BASED, 2, 0},
	};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct given given;
		given_open(&given);
		struct spanring_process_header *process = given.files.process;
		process->sampler = cases[i].sampler;
		process->control_flags = cases[i].flags;
		process->control_generation = cases[i].generation;
		process->enabled = cases[i].enabled;
		preset_ratio_apply("0.25", &given.roster, &quiet, &given.figures);
		assert_int_equal(process->sampler, cases[i].sampler);
		assert_true(process->sampler_threshold == SPANRING__SAMPLING_ALL);
		assert_int_equal(process->enabled, cases[i].enabled);
		assert_int_equal(given.figures.given, 0);
		assert_true(given.roster.producers[0]->ratio_settled);
		given_close(&given);
	}
}

/* A program that keeps its file locked is passed over at once, and gets its ratio when it lets go. */
static void nobody_is_waited_for(void **state) {
	(void)state;
	struct given given;
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	given_open(&given);
	CLEANUP_FD int fd = openat(given.files.directory_fd, SPANRING_PROCESS_NAME, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	/* Minutes, and the end of this test, if each waited. */
	for (int i = 0; i < 100; i++)
		preset_ratio_apply("0.25", &given.roster, &quiet, &given.figures);
	assert_int_equal(given.files.process->sampler, SPANRING_SAMPLER_ALWAYS_ON);
	assert_int_equal(given.figures.given + given.figures.refused, 0);
	lock.l_type = F_UNLCK;
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	preset_ratio_apply("0.25", &given.roster, &quiet, &given.figures);
	assert_int_equal(given.files.process->sampler, SPANRING_SAMPLER_TRACEIDRATIO);
	assert_int_equal(given.figures.given, 1);
	given_close(&given);
}

static void must_be_documented(const char *text, const char *row) {
	if (!strstr(text, row))
		fail_msg("docs/operating.md has no line: %s", row);
}

static void the_reference_says_what_the_table_says(void **state) {
	(void)state;
	static char text[1u << 18];
	CLEANUP_FD int fd = open(SPANRING_TEST_DOCS "/operating.md", O_RDONLY | O_CLOEXEC);
	ssize_t got = read(fd, text, sizeof(text) - 1);
	assert_true(got > 0);
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++) {
		const struct options_entry *entry = &options_table[id];
		char row[512];
		char bounds[OPTIONS_WHY_BYTES];
		char usual[64] = "";
		if (!entry->section)
			continue;
		if (entry->usual_record)
			(void)snprintf(usual, sizeof(usual), " `%s` (record: `%s`)", entry->usual, entry->usual_record);
		else if (entry->usual_system)
			(void)snprintf(usual, sizeof(usual), " `%s` (system: `%s`)", entry->usual, entry->usual_system);
		else if (entry->usual)
			(void)snprintf(usual, sizeof(usual), " `%s`", entry->usual);
		(void)options_bounds(id, bounds);
		(void)snprintf(row, sizeof(row), "| `%s` | `[%s]` | `%s` |%s%s |%s | %s |\n", entry->name,
		               entry->section, entry->variable, *bounds ? " " : "", bounds, usual,
		               entry->reloads ? "yes" : "restart");
		must_be_documented(text, row);
	}
	clear_environment();
	for (uint32_t i = 0; i < PRESET_COUNT; i++) {
		struct config config;
		char row[512];
		char texts[3][64];
		char queue[16] = "";
		must_parse(CONFIG_RUN, (const char *[]){"--preset", preset_names[i], NULL}, &config);
		if (preset_queue_records(i))
			(void)snprintf(queue, sizeof(queue), " %u", preset_queue_records(i));
		(void)snprintf(row, sizeof(row), "| `%s` | %s | %s | %s | %s |%s |\n", preset_names[i],
		               options_text(OPTIONS_BATCH_SIZE, &config, texts[0], sizeof(texts[0])),
		               options_text(OPTIONS_FLUSH_INTERVAL, &config, texts[1], sizeof(texts[1])),
		               options_text(OPTIONS_MAX_WAIT, &config, texts[2], sizeof(texts[2])), config.ratio,
		               queue);
		must_be_documented(text, row);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_source_overrules_the_one_below),
	    cmocka_unit_test(presets_have_their_numbers),
	    cmocka_unit_test(values_go_in_and_out),
	    cmocka_unit_test(files_are_read_as_written),
	    cmocka_unit_test(hostile_files_are_refused),
	    cmocka_unit_test(long_lines_and_large_files),
	    cmocka_unit_test(memory_is_shared_out),
	    cmocka_unit_test(a_smaller_batch_gives_memory_back),
	    cmocka_unit_test(programs_without_a_choice_get_the_ratio),
	    cmocka_unit_test(programs_with_a_choice_keep_it),
	    cmocka_unit_test(nobody_is_waited_for),
	    cmocka_unit_test(the_reference_says_what_the_table_says),
	};
	return cmocka_run_group_tests_name("agent_config", tests, NULL, NULL);
}

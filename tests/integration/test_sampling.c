/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: samplers decide once per trace and for all its threads and processes, and `spanring-agent ctl` changes what a running program
 * records from its next span on.
 * Method: a program that begins traces on command and says their ids; the store is read back and compared, trace by trace, with
 * what their ids and the phase they were begun in require.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "base/cleanup.h"
#include "libstore/reader.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define TRACES_MAX 24000u
#define NAMES_MAX 5u
#define ANSWER_MS 300000

static const char *const names[NAMES_MAX] = {"root", "child", "remote", "below", "grandchild"};

enum { ROOT = 1, CHILD = 2, REMOTE = 4, BELOW = 8, GRANDCHILD = 16 };
#define RUN (ROOT | CHILD | REMOTE | BELOW)
#define SPAWN (ROOT | GRANDCHILD)

struct trace {
	uint64_t hi;
	uint64_t lo;
	bool sampled;
	unsigned wanted; /* spans, by name */
	unsigned found;
};

struct story {
	struct session session;
	struct child program;
	int commands; /* write end of its pipe */
	FILE *answers;
	char pipe[SCRATCH_PATH_BYTES + 16];
	char pid[16];
	struct trace *traces;
	unsigned count;
	unsigned empty;   /* handles */
	unsigned unknown; /* spans of no trace that was said */
	const struct store_overview *overview;
};

static void story_begin(struct story *story, const char *const *environment) {
	const char *all[8] = {NULL};
	*story = (struct story){.traces = calloc(TRACES_MAX, sizeof(*story->traces))};
	assert_non_null(story->traces);
	session_open(&story->session);
	session_start_agent(&story->session);
	unsigned count = 0;
	all[count++] = story->session.environment;
	for (; environment && *environment; environment++)
		all[count++] = *environment;
	(void)snprintf(story->pipe, sizeof(story->pipe), "%s/commands", story->session.scratch.files);
	assert_int_equal(mkfifo(story->pipe, 0600), 0);
	const char *argv[] = {child_program("spanring-test-sampling"), story->pipe, NULL};
	/* Both ends: neither side waits for the other to open it. */
	story->commands = open(story->pipe, O_RDWR | O_CLOEXEC);
	assert_true(story->commands >= 0);
	story->program = child_start(argv, all);
	(void)snprintf(story->pid, sizeof(story->pid), "%d", (int)story->program.pid);
	story->answers = fdopen(story->program.out, "r");
	assert_non_null(story->answers);
	/* Nothing may hide in a buffer from the poll before each line. */
	(void)setvbuf(story->answers, NULL, _IONBF, 0);
	story->program.out = FD_NONE;
}

static void take_line(struct story *story, const char *line, unsigned wanted) {
	struct trace *trace = &story->traces[story->count];
	unsigned sampled;
	if (strcmp(line, "none\n") == 0) {
		story->empty++;
		return;
	}
	assert_true(story->count < TRACES_MAX);
	assert_int_equal(sscanf(line, "%16" SCNx64 "%16" SCNx64 " %u", &trace->hi, &trace->lo, &sampled), 3);
	trace->sampled = sampled == 1;
	trace->wanted = wanted;
	story->count++;
}

/* Tell the program something and wait until it is done. wanted: what is to be stored of each trace. Its first trace. */
static unsigned tell(struct story *story, const char *command, unsigned wanted) {
	char line[128];
	unsigned first = story->count;
	assert_int_equal(write(story->commands, command, strlen(command)), (ssize_t)strlen(command));
	for (;;) {
		struct pollfd ready = {fileno(story->answers), POLLIN, 0};
		assert_int_equal(poll(&ready, 1, ANSWER_MS), 1);
		if (!fgets(line, sizeof(line), story->answers))
			fail_msg("the program left");
		if (strcmp(line, "done\n") == 0)
			return first;
		take_line(story, line, wanted);
	}
}

static void ctl_as(struct story *story, const char *const *words, int exit_code, const char *expected) {
	const char *argv[16] = {child_program("spanring-agent"), "ctl", "--rings", story->session.scratch.rings};
	unsigned count = 4;
	for (; *words; words++)
		argv[count++] = *words;
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code || !strstr(exit_code ? result.err : result.out, expected))
		fail_msg("%s exits %d: %s%s; wanted: %s", argv[5], result.exit_code, result.out, result.err, expected);
	child_result_free(&result);
}

#define CTL(story, ...) ctl_as((story), (const char *const[]){(story)->pid, __VA_ARGS__, NULL}, 0, (story)->pid)

static int take_batch(void *context, const struct store_columns *columns) {
	struct story *story = context;
	for (uint32_t i = 0; i < columns->span_count; i++) {
		const struct store_site *site = &columns->segment->sites[columns->site[i]];
		const char *name = story->overview->names[site->name];
		unsigned trace = 0;
		unsigned bit = 0;
		while (bit < NAMES_MAX && strcmp(names[bit], name) != 0)
			bit++;
		while (trace < story->count && (story->traces[trace].lo != columns->trace_lo[i] ||
		                                story->traces[trace].hi != columns->trace_hi[i]))
			trace++;
		if (trace == story->count || bit == NAMES_MAX)
			story->unknown++;
		else
			story->traces[trace].found |= 1u << bit;
	}
	return 0;
}

/* Ends the program, then compares what is stored with what was wanted. */
static void story_end(struct story *story) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	assert_int_equal(write(story->commands, "quit\n", 5), 5);
	struct child_result result = child_finish(&story->program);
	if (result.exit_code != 0)
		fail_msg("program exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
	session_stop_agent(&story->session);
	assert_int_equal(store_reader_open(story->session.scratch.store, &reader, text, sizeof(text)), 0);
	story->overview = store_reader_overview(reader);
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = story};
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	store_reader_close(reader);
	for (unsigned i = 0; i < story->count; i++) {
		const struct trace *trace = &story->traces[i];
		if (trace->found != trace->wanted)
			fail_msg("trace %u (%016" PRIx64 "): stored %#x, wanted %#x", i, trace->lo, trace->found,
			         trace->wanted);
	}
	assert_int_equal(story->unknown, 0);
	session_check_audit(&story->session);
	(void)fclose(story->answers);
	(void)close(story->commands);
	free(story->traces);
	session_close(&story->session);
}

/* Kept are exactly the traces whose ids are below the ratio, each with all its spans. Returns how many. */
static unsigned want_by_id(struct story *story, unsigned first, uint64_t last_kept) {
	unsigned kept = 0;
	for (unsigned i = first; i < story->count; i++) {
		struct trace *trace = &story->traces[i];
		bool is_kept = trace->lo <= last_kept;
		if (trace->sampled != is_kept)
			fail_msg("trace %016" PRIx64 " has flag %d", trace->lo, trace->sampled);
		if (!is_kept)
			trace->wanted = 0;
		kept += is_kept;
	}
	return kept;
}

static void a_ratio_keeps_whole_traces(void **state) {
	(void)state;
	static const char *const environment[] = {"OTEL_TRACES_SAMPLER=parentbased_traceidratio",
	                                          "OTEL_TRACES_SAMPLER_ARG=0.25", NULL};
	struct story story;
	story_begin(&story, environment);
	unsigned first = tell(&story, "run 2000\n", RUN);
	assert_int_equal(first, 0);
	(void)tell(&story, "spawn 24\n", SPAWN);
	assert_int_equal(story.count, 2024);
	/* ratio * 2^64 - 1, and six standard deviations around a quarter */
	unsigned kept = want_by_id(&story, 0, UINT64_C(0x3fffffffffffffff));
	assert_in_range(kept, 506 - 117, 506 + 117);
	story_end(&story);
}

/* The library's ids are random: the bound is nine standard deviations wide. */
static void a_small_ratio_keeps_its_share(void **state) {
	(void)state;
	static const char *const environment[] = {"OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0.01",
	                                          "SPANRING_STATISTICS=0", NULL};
	struct story story;
	story_begin(&story, environment);
	(void)tell(&story, "run 20000\n", RUN);
	unsigned kept = 0;
	for (unsigned i = 0; i < story.count; i++) {
		struct trace *trace = &story.traces[i];
		assert_true(!trace->sampled || trace->lo <= UINT64_C(0x028f5c28f5c28f5f));
		if (!trace->sampled)
			trace->wanted = 0;
		kept += trace->sampled;
	}
	assert_int_equal(story.count, 20000);
	assert_in_range(kept, 200 - 127, 200 + 127);
	story_end(&story);
}

static void ctl_counts_from_the_next_span(void **state) {
	(void)state;
	struct story story;
	story_begin(&story, NULL);
	(void)tell(&story, "run 20\n", RUN);
	CTL(&story, "ratio", "0");
	(void)tell(&story, "run 20\n", 0);
	(void)tell(&story, "spawn 2\n", 0);
	CTL(&story, "ratio", "0.5");
	unsigned first = tell(&story, "run 400\n", RUN);
	unsigned kept = want_by_id(&story, first, UINT64_C(0x7fffffffffffffff));
	assert_in_range(kept, 200 - 60, 200 + 60);
	CTL(&story, "sampler", "always_on");
	(void)tell(&story, "run 20\n", RUN);
	(void)tell(&story, "spawn 2\n", SPAWN);
	CTL(&story, "site", "child", "disable", "statistics", "off");
	(void)tell(&story, "run 20\n", RUN & ~CHILD);
	CTL(&story, "site", "*", "enable", "site", "r*", "duration-min", "1h");
	(void)tell(&story, "run 20\n", CHILD | BELOW);
	CTL(&story, "site", "*", "duration-min", "0", "duration-min", "1h", "statistics", "on");
	(void)tell(&story, "run 20\n", 0);
	CTL(&story, "duration-min", "0", "disable");
	assert_int_equal(story.empty, 0);
	(void)tell(&story, "run 20\n", 0);
	assert_int_equal(story.empty, 20);
	CTL(&story, "ratio", "1");
	(void)tell(&story, "run 20\n", 0);
	assert_int_equal(story.empty, 40);
	CTL(&story, "enable");
	(void)tell(&story, "run 20\n", RUN);
	assert_int_equal(story.empty, 40);
	story_end(&story);
}

static void check_answer(const char *const *argv, int exit_code, const char *const *expected) {
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != exit_code)
		fail_msg("%s exits %d: %s%s", argv[1], result.exit_code, result.out, result.err);
	for (; *expected; expected++)
		if (!strstr(exit_code ? result.err : result.out, *expected))
			fail_msg("%s: \"%s\" is not in: %s%s", argv[1], *expected, result.out, result.err);
	child_result_free(&result);
}

static void ps_and_show_say_how_it_is(void **state) {
	(void)state;
	struct story story;
	story_begin(&story, NULL);
	(void)tell(&story, "run 5\n", RUN);
	const char *agent = child_program("spanring-agent");
	const char *rings = story.session.scratch.rings;
	CTL(&story, "sampler", "traceidratio", "0.125", "duration-min", "5us", "site", "child", "disable");
	CTL(&story, "sampler", "always_on", "sampler", "parentbased_traceidratio", "0.125");
	const char *const show[] = {agent, "ctl", story.pid, "show", "--rings", rings, NULL};
	check_answer(show, 0,
	             (const char *const[]){"service spanring-test-sampling: enabled",
	                                   "sampler parentbased_traceidratio 0.125", "statistics on",
	                                   "duration-min 5.000 us", "  site child (",
	                                   "sampling_program.c:", "): disabled", NULL});
	const char *const show_json[] = {agent, "ctl", "--json", "--rings", rings, story.pid, "show", NULL};
	check_answer(show_json, 0,
	             (const char *const[]){"\"schema\": \"ctl/1\"", "\"ratio\": 0.125", "\"enabled\": true",
	                                   "\"duration_min_ns\": 5000", "\"name\": \"child\"", "\"enabled\": false",
	                                   "\"failed\": 0", NULL});
	const char *const ps[] = {agent, "ps", "--rings", rings, NULL};
	check_answer(ps, 0,
	             (const char *const[]){story.pid, "spanring-test-s", "running", " on ",
	                                   "parentbased_traceidratio 0.125", "COMMAND", NULL});
	const char *const ps_json[] = {agent, "ps", "--json", "--rings", rings, NULL};
	check_answer(ps_json, 0,
	             (const char *const[]){"\"schema\": \"ps/1\"", "\"rings\": 2", "\"begun\": 20", "\"dropped\": 0",
	                                   "\"service\": \"spanring-test-sampling\"", "\"state\": \"running\"", NULL});
	const char *const other[] = {agent, "ctl", "1", "show", "--rings", rings, NULL};
	check_answer(other, 3, (const char *const[]){"1: no such traced process at ", NULL});
	const char *const wrong[] = {agent, "ctl", story.pid, "ratio", "2", "--rings", rings, NULL};
	check_answer(wrong, 2, (const char *const[]){"ratio 2: give a number from 0 to 1", NULL});
	const char *const option[] = {agent, "ctl", story.pid, "--loud", "--rings", rings, NULL};
	check_answer(option, 2, (const char *const[]){"unknown option \"--loud\"", NULL});
	const char *const site[] = {agent, "ctl", story.pid, "site", "no.such", "disable", "--rings", rings, NULL};
	check_answer(site, 1, (const char *const[]){"site no.such: no program has come to a site of that name", NULL});
	CTL(&story, "site", "*", "enable", "duration-min", "0", "ratio", "1");
	story_end(&story);
}

static void the_ended_and_the_foreign_are_left_alone(void **state) {
	(void)state;
	struct session session;
	char path[SCRATCH_PATH_BYTES + 64];
	session_open(&session);
	const char *agent = child_program("spanring-agent");
	const char *const all[] = {agent, "ctl", "all", "disable", "--rings", session.scratch.rings, NULL};
	const char *const ps[] = {agent, "ps", "--rings", session.scratch.rings, NULL};
	check_answer(all, 3, (const char *const[]){"no traced process runs at ", session.scratch.rings, NULL});
	check_answer(ps, 0, (const char *const[]){"no traced process at ", NULL});
	/* One that was killed: its files stay for an agent. */
	const char *argv[] = {child_program("spanring-test-sampling"), "child", NULL};
	const char *environment[] = {session.environment,
	                             "TRACEPARENT=00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00", NULL};
	struct child_result result = child_run(argv, environment);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	check_answer(ps, 0, (const char *const[]){"exited", "spanring-test-s", NULL});
	check_answer(all, 3, (const char *const[]){"no traced process runs at ", NULL});
	(void)snprintf(path, sizeof(path), "%s/00112233445566778899aabbccddeeff", session.scratch.rings);
	assert_int_equal(mkdir(path, 0700), 0);
	(void)snprintf(path, sizeof(path), "%s/00112233445566778899aabbccddeeff/process", session.scratch.rings);
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "noise", 5), 5);
	check_answer(all, 3, (const char *const[]){"00112233445566778899aabbccddeeff: not a traced process", NULL});
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_ratio_keeps_whole_traces),
	    cmocka_unit_test(a_small_ratio_keeps_its_share),
	    cmocka_unit_test(ctl_counts_from_the_next_span),
	    cmocka_unit_test(ps_and_show_say_how_it_is),
	    cmocka_unit_test(the_ended_and_the_foreign_are_left_alone),
	};
	return cmocka_run_group_tests_name("sampling", tests, NULL, NULL);
}

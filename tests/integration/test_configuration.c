/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a mistake anywhere in the configuration stops the agent before it touches anything, with one line that says where; what `config` prints is
 * what runs; and each value of the flush policy does in a running agent what it says.
 * Method: real programs, variables and files. An agent is left one reason to commit at a time, and its status tells which one it had.
 */
#include "libstore/reader.h"
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_NS (300 * NS_PER_S) /* ends a hang, measures nothing */
#define TREES "100"
#define SPANS (100u * STORED_SPANS_PER_TREE)
#define CAPPED_ROWS 12288u /* of a batch with a cap of 32 MiB */
#define PROGRAMS 4
#define WORDS_MAX 24

static void write_file(const char *path, const char *bytes, size_t count) {
	CLEANUP_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, count), (ssize_t)count);
}

struct mistake {
	const char *file; /* text of it; NULL: none */
	size_t bytes;
	const char *variable;
	const char *flags[3];
	const char *words[3]; /* that the line must have */
};

static void check_mistake(const struct session *session, const struct mistake *mistake) {
	char path[SCRATCH_PATH_BYTES + 16];
	char variable[SCRATCH_PATH_BYTES + 32] = "SPANRING_CONFIG=/dev/null";
	char rings[SCRATCH_PATH_BYTES + 16];
	struct stat status;
	(void)snprintf(path, sizeof(path), "%s/agent.conf", session->scratch.files);
	(void)snprintf(rings, sizeof(rings), "%s/new", session->scratch.rings);
	if (mistake->file) {
		write_file(path, mistake->file, mistake->bytes);
		(void)snprintf(variable, sizeof(variable), "SPANRING_CONFIG=%s", path);
	}
	const char *environment[] = {variable, mistake->variable, NULL};
	const char *argv[WORDS_MAX] = {child_program("spanring-agent"), "run", "--rings", rings, "--store",
	                               session->scratch.store};
	for (uint32_t i = 0; i < 3 && mistake->flags[i]; i++)
		argv[6 + i] = mistake->flags[i];
	struct child_result result = child_run(argv, environment);
	const char *newline = strchr(result.err, '\n');
	bool right = result.exit_code == EXIT_CODE_USAGE && newline && newline[1] == '\0' && result.out[0] == '\0';
	for (uint32_t i = 0; i < 3 && mistake->words[i]; i++)
		right = right && strstr(result.err, mistake->words[i]);
	if (!right)
		fail_msg("exit %d, wanted \"%s\" and so on: %s%s", result.exit_code, mistake->words[0], result.err,
		         result.out);
	child_result_free(&result);
	assert_int_equal(stat(rings, &status), -1);
	assert_int_equal(stat(session->scratch.store, &status), -1);
}

#define FILE_TEXT(text) .file = (text), .bytes = sizeof(text) - 1

static void mistakes_stop_the_start(void **state) {
	(void)state;
	static const struct mistake mistakes[] = {
	    {FILE_TEXT("# x\n[flush]\nflush-intervall = 3s\n"),
	     .words = {"agent.conf:3:", "flush-intervall", "did you mean \"flush-interval\""}},
	    {FILE_TEXT("[flsh]\n"), .words = {"agent.conf:1:", "[flsh]", "did you mean [flush]"}},
	    {FILE_TEXT("[agent]\nnonsense = 3\n"), .words = {"agent.conf:2:", "nonsense", "spanring-agent config"}},
	    {FILE_TEXT("[agent]\nheap = yes\n"), .words = {"agent.conf:2:", "unknown key", "heap"}},
	    {FILE_TEXT("[agent]\nmax-wait = 3s\n"), .words = {"agent.conf:2:", "max-wait belongs into [flush]"}},
	    {FILE_TEXT("[flush]\nmax-wait = 3s\n\nmax-wait = 3s\n"),
	     .words = {"agent.conf:4:", "twice", "first in line 2"}},
	    {FILE_TEXT("[flush]\n[agent]\n[flush]\n"), .words = {"agent.conf:3:", "[flush]", "first in line 1"}},
	    {FILE_TEXT("[flush]\nmax-wait = 3 sec\n"), .words = {"agent.conf:2:", "3 sec", "10ms to 1h"}},
	    {FILE_TEXT("[flush]\nmax-wait = 2h\n"), .words = {"agent.conf:2:", "2h", "10ms to 1h"}},
	    {FILE_TEXT("[agent]\nmemory-cap = 1MiB\n"), .words = {"agent.conf:2:", "1MiB", "32MiB to 64GiB"}},
	    {FILE_TEXT("[agent]\npreset = low-latncy\n"), .words = {"agent.conf:2:", "did you mean low-latency?"}},
	    {FILE_TEXT("[agent]\nstore = here\n"), .words = {"agent.conf:2:", "here", "from \"/\" on"}},
	    {FILE_TEXT("[agent]\nquiet = yes\0\n"), .words = {"agent.conf:2:", "zero byte"}},
	    {FILE_TEXT("[agent]\nquiet = \xff\n"), .words = {"agent.conf:2:", "UTF-8"}},
	    {FILE_TEXT("quiet = yes"), .words = {"agent.conf:1:", "before any section"}},
	    /* Also what a flag overrules. */
	    {FILE_TEXT("[flush]\nmax-wait = soon\n"), .flags = {"--max-wait", "1s"},
	     .words = {"agent.conf:2:", "soon"}},
	    {.variable = "SPANRING_AGENT_MAX_WAIT=soon", .words = {"SPANRING_AGENT_MAX_WAIT=soon", "10ms to 1h"}},
	    {.variable = "SPANRING_AGENT_MAX_WIAT=1s",
	     .words = {"SPANRING_AGENT_MAX_WIAT", "did you mean SPANRING_AGENT_MAX_WAIT?"}},
	    {.variable = "SPANRING_AGENT_HEAP=yes", .words = {"SPANRING_AGENT_HEAP"}},
	    {.flags = {"--max-wait", "soon"}, .words = {"--max-wait soon", "10ms to 1h"}},
	    {.flags = {"--batch-size", "0"}, .words = {"--batch-size 0", "1 to 65536"}},
	    {.flags = {"--ratio", "2"}, .words = {"--ratio 2", "0 to 1"}},
	    {.flags = {"--presett", "balanced"}, .words = {"--presett", "did you mean --preset?"}},
	    {.flags = {"--config", "/nonexistent/agent.conf"}, .words = {"/nonexistent/agent.conf", "No such file"}},
	    {.flags = {"--config", "/dev"}, .words = {"/dev:", "no regular file", "--config"}},
	};
	struct session session;
	session_open(&session);
	for (size_t i = 0; i < sizeof(mistakes) / sizeof(mistakes[0]); i++)
		check_mistake(&session, &mistakes[i]);
	session_close(&session);
}

/* The lines of a configuration file that say something. */
static void plain_lines(const char *text, char *ret_lines, size_t bytes) {
	size_t at = 0;
	while (*text) {
		size_t length = strcspn(text, "\n") + 1;
		if (*text != '#' && *text != '\n')
			at += (size_t)snprintf(ret_lines + at, bytes - at, "%.*s", (int)length, text);
		text += length;
	}
}

static char *run_config(const char *const *words, const char *const *environment) {
	const char *argv[WORDS_MAX] = {child_program("spanring-agent"), "config"};
	for (uint32_t i = 0; words[i]; i++)
		argv[2 + i] = words[i];
	struct child_result result = child_run(argv, environment);
	if (result.exit_code != 0)
		fail_msg("config exits %d: %s", result.exit_code, result.err);
	free(result.err);
	return result.out;
}

static void what_config_prints_config_reads(void **state) {
	(void)state;
	static const char *const environment[] = {"SPANRING_CONFIG=/dev/null", "SPANRING_AGENT_MAX_WAIT=1234ms",
	                                          "SPANRING_STORE=/a b/#c", NULL};
	struct session session;
	char path[SCRATCH_PATH_BYTES + 16];
	char first[8192] = "";
	char second[8192] = "";
	session_open(&session);
	(void)snprintf(path, sizeof(path), "%s/agent.conf", session.scratch.files);
	const char *words[] = {"--preset",     "balanced", "--memory-cap",      "100MiB", "--quiet",
	                       "--durability", "full",     "--memory-interval", "0",      NULL};
	char *text = run_config(words, environment);
	write_file(path, text, strlen(text));
	plain_lines(text, first, sizeof(first));
	free(text);
	assert_non_null(strstr(first, "\nstore = /a b/#c\n"));
	assert_non_null(strstr(first, "\nmax-wait = 1234ms\n"));
	assert_non_null(strstr(first, "\nbatch-size = 512\n"));
	const char *again[] = {"--config", path, NULL};
	text = run_config(again, NULL);
	plain_lines(text, second, sizeof(second));
	assert_string_equal(first, second);
	assert_non_null(strstr(text, "agent.conf:"));
	free(text);

	const char *json[] = {"record", "--json", "--config", path, "--batch-size", "9", NULL};
	text = run_config(json, NULL);
	assert_non_null(strstr(text, "\"schema\": \"config/1\""));
	assert_non_null(strstr(text, "\"command\": \"record\""));
	assert_non_null(strstr(text, "\"source\": \"flag\""));
	assert_non_null(strstr(text, "\"value\": \"spanring.store\""));
	free(text);
	session_close(&session);
}

static uint64_t number_of(const char *text, const char *key) {
	char pattern[64];
	uint64_t number = UINT64_MAX;
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	const char *at = strstr(text, pattern);
	if (!at || sscanf(at + strlen(pattern), "%" SCNu64, &number) != 1)
		fail_msg("no %s in the status: %s", key, text);
	return number;
}

static char *ask_status(const struct session *session) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                      session->scratch.rings,          NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("status exits %d: %s", result.exit_code, result.err);
	free(result.err);
	return result.out;
}

/* Returns the first status in which the number is at least that. */
static char *wait_for_status(const struct session *session, const char *key, uint64_t least) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (;;) {
		char *text = ask_status(session);
		if (number_of(text, key) >= least)
			return text;
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("%s stays below %" PRIu64 ": %s", key, least, text);
		free(text);
	}
}

/* With nothing that commits by itself; words: what does. */
static void start_agent(struct session *session, const char *const *words) {
	static const char *const silent[] = {"--statistics-interval", "1h", "--memory-interval", "0", NULL};
	const char *environment[] = {"SPANRING_CONFIG=/dev/null", NULL};
	const char *argv[WORDS_MAX] = {child_program("spanring-agent"), "run",     "--rings",
	                               session->scratch.rings,          "--store", session->scratch.store};
	uint32_t count = 6;
	for (uint32_t i = 0; silent[i]; i++)
		argv[count++] = silent[i];
	for (uint32_t i = 0; words[i]; i++)
		argv[count++] = words[i];
	session->agent = child_start(argv, environment);
	child_wait_for_line(&session->agent, session->scratch.store);
}

/* A program that has written its trees, and lives until it is let go. */
struct waiting {
	struct child child;
	int hold; /* what it reads from */
};

static struct waiting start_waiting(const struct session *session, const char *setting) {
	const char *environment[] = {session->environment, setting, NULL};
	const char *argv[] = {child_program("spanring-test-producer"), "--trees", TREES, "--wait", NULL};
	int ends[2];
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	(void)close(ends[0]);
	return (struct waiting){.child = child_start(argv, environment), .hold = ends[1]};
}

static void let_go(struct waiting *waiting) {
	(void)close(waiting->hold);
	(void)session_producer_finish(&waiting->child);
}

/* The spans of a living program are committed for this reason and no other. */
static void check_reason(const char *const *words, const char *reason, uint64_t least_spans) {
	static const char *const reasons[] = {"batch_size", "flush_interval", "max_wait", "ring_half_full", "full"};
	struct session session;
	session_open(&session);
	start_agent(&session, words);
	struct waiting waiting = start_waiting(&session, NULL);
	char *text = wait_for_status(&session, "committed_spans", least_spans);
	for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
		const char *handovers = strstr(text, "\"handovers\"");
		assert_non_null(handovers);
		uint64_t count = number_of(handovers, reasons[i]);
		if (strcmp(reasons[i], reason) == 0 ? count == 0 : count != 0)
			fail_msg("%" PRIu64 " for %s: %s", count, reasons[i], text);
	}
	free(text);
	let_go(&waiting);
	session_stop_agent(&session);
	struct stored stored;
	stored_load(session.scratch.store, &stored);
	assert_int_equal(stored.count, SPANS);
	stored_free(&stored);
	session_check_audit(&session);
	session_close(&session);
}

static void batch_size_commits(void **state) {
	(void)state;
	static const char *const words[] = {"--batch-size", "100", "--flush-interval", "1m", "--max-wait", "1h", NULL};
	check_reason(words, "batch_size", 100);
}

static void flush_interval_commits(void **state) {
	(void)state;
	static const char *const words[] = {"--flush-interval", "5ms", "--max-wait", "1h", NULL};
	check_reason(words, "flush_interval", SPANS);
}

static void max_wait_commits(void **state) {
	(void)state;
	static const char *const words[] = {"--flush-interval", "1m", "--max-wait", "20ms", NULL};
	check_reason(words, "max_wait", SPANS);
}

struct sizes {
	uint32_t largest;
	uint64_t spans;
};

static int take_batch(void *context, const struct store_columns *columns) {
	struct sizes *sizes = context;
	sizes->spans += columns->span_count;
	if (columns->span_count > sizes->largest)
		sizes->largest = columns->span_count;
	return 0;
}

/* 30,000 spans wait in rings when the agent comes. */
static struct sizes collect_with(const char *cap) {
	static const char *const run[] = {"--trees", "1500", NULL};
	const char *words[] = {"--memory-cap", cap, "--flush-interval", "1m", NULL};
	struct session session;
	struct store_reader *reader = NULL;
	char text[512] = "";
	session_open(&session);
	for (int i = 0; i < PROGRAMS; i++) {
		struct child producer = session_producer(&session, run);
		struct session_counters counters = session_producer_finish(&producer);
		assert_int_equal(counters.dropped_full, 0);
	}
	start_agent(&session, words);
	char *status = ask_status(&session);
	if (strcmp(cap, "32MiB") == 0)
		assert_in_range(number_of(status, "batch_room_spans"), 8192, CAPPED_ROWS);
	assert_int_not_equal(number_of(status, "memory_bytes"), 0);
	free(status);
	session_stop_agent(&session);
	session_check_audit(&session);
	struct sizes sizes = {0};
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = take_batch, .context = &sizes};
	assert_int_equal(store_reader_open(session.scratch.store, &reader, text, sizeof(text)), 0);
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	store_reader_close(reader);
	session_close(&session);
	return sizes;
}

static void memory_cap_bounds_batches(void **state) {
	(void)state;
	struct sizes small = collect_with("32MiB");
	struct sizes large = collect_with("4GiB");
	assert_int_equal(small.spans, PROGRAMS * 1500 * STORED_SPANS_PER_TREE);
	assert_int_equal(large.spans, small.spans);
	assert_in_range(small.largest, 1, CAPPED_ROWS);
	assert_in_range(large.largest, CAPPED_ROWS + 1, 65536);
}

static void check_sampler(const struct session *session, const struct waiting *waiting, const char *sampler) {
	char pid[16];
	(void)snprintf(pid, sizeof(pid), "%d", (int)waiting->child.pid);
	const char *argv[] = {child_program("spanring-agent"), "ctl", pid, "show", "--rings",
	                      session->scratch.rings,          NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0 || !strstr(result.out, sampler))
		fail_msg("wanted %s: %s%s", sampler, result.out, result.err);
	child_result_free(&result);
}

static void a_preset_samples_programs_that_chose_nothing(void **state) {
	(void)state;
	static const char *const words[] = {"--preset", "balanced", NULL};
	struct session session;
	session_open(&session);
	start_agent(&session, words);
	struct waiting choosy = start_waiting(&session, "OTEL_TRACES_SAMPLER=traceidratio");
	free(wait_for_status(&session, "processes", 1));
	struct waiting plain = start_waiting(&session, NULL);
	char *text = wait_for_status(&session, "ratio_given", 1);
	assert_int_equal(number_of(text, "ratio_given"), 1);
	assert_int_equal(number_of(text, "batch_size"), 512);
	free(text);
	check_sampler(&session, &plain, "sampler parentbased_traceidratio 0.01,");
	check_sampler(&session, &choosy, "sampler traceidratio 1,");
	let_go(&choosy);
	let_go(&plain);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

/* record tells its command before the first span, and what it told in the file counts as well. */
static void record_samples_from_the_start(void **state) {
	(void)state;
	static const char *const samplers[] = {NULL, "OTEL_TRACES_SAMPLER=always_on"};
	static const char settings[] = "[programs]\nratio = 0\n";
	for (size_t i = 0; i < 2; i++) {
		struct session session;
		struct stored stored;
		char path[SCRATCH_PATH_BYTES + 16];
		session_open(&session);
		(void)snprintf(path, sizeof(path), "%s/agent.conf", session.scratch.files);
		write_file(path, settings, sizeof(settings) - 1);
		const char *argv[] = {child_program("spanring-agent"),
		                      "record",
		                      "--config",
		                      path,
		                      "-o",
		                      session.scratch.store,
		                      "--",
		                      child_program("spanring-test-producer"),
		                      "--trees",
		                      TREES,
		                      NULL};
		const char *environment[] = {samplers[i], NULL};
		struct child_result result = child_run(argv, environment);
		if (result.exit_code != 0)
			fail_msg("record exits %d: %s", result.exit_code, result.err);
		child_result_free(&result);
		stored_load(session.scratch.store, &stored);
		assert_int_equal(stored.count, samplers[i] ? SPANS : 0);
		stored_free(&stored);
		session_check_audit(&session);
		session_close(&session);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(mistakes_stop_the_start),
	    cmocka_unit_test(what_config_prints_config_reads),
	    cmocka_unit_test(batch_size_commits),
	    cmocka_unit_test(flush_interval_commits),
	    cmocka_unit_test(max_wait_commits),
	    cmocka_unit_test(memory_cap_bounds_batches),
	    cmocka_unit_test(a_preset_samples_programs_that_chose_nothing),
	    cmocka_unit_test(record_samples_from_the_start),
	};
	return cmocka_run_group_tests_name("configuration", tests, NULL, NULL);
}

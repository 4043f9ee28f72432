/* SPDX-License-Identifier: Apache-2.0 */
/* baseline and check as a user and a CI meet them, on stores of known runs (run_store.h). */
#include "cli_store.h"
#include "run_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define STORES 5u
#define ARGUMENTS_MAX 16u
#define PATH_BYTES (SCRATCH_PATH_BYTES + 32)
#define FILE_BYTES_MAX (4u << 20)

enum store { BEFORE, SAME, SLOWER, FASTER, ROLLUPS };

static struct scratch scratch;
static const char *program;
static char paths[STORES][PATH_BYTES];
static struct run_truth truths[STORES];
static char baseline[PATH_BYTES];

/* Up to NULL. */
static struct child_result run(const char *command, const char *const *words) {
	static const char *const environment[] = {
	    "LC_ALL=C.UTF-8",        "COLUMNS=80",     "NO_COLOR", "TERM=xterm", "GITHUB_SHA", "CI_COMMIT_SHA",
	    "GIT_COMMIT=cafe123def", "SPANRING_STORE", NULL};
	const char *argv[ARGUMENTS_MAX] = {program, command};
	for (size_t count = 2; *words; words++)
		argv[count++] = *words;
	return child_run(argv, environment);
}

#define RUN(command, ...) run(command, (const char *const[]){__VA_ARGS__, NULL})

static char *read_file(const char *path) {
	char *text = calloc(1, FILE_BYTES_MAX);
	FILE *file CLEANUP_FILE = fopen(path, "r");
	if (!file)
		fail_msg("%s is missing", path);
	assert_non_null(text);
	assert_true(fread(text, 1, FILE_BYTES_MAX - 1, file) < FILE_BYTES_MAX - 1);
	return text;
}

static void write_file(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void expect(struct child_result result, int code, const char *out, const char *err) {
	if (result.exit_code != code || !strstr(result.out, out) || !strstr(result.err, err))
		fail_msg("exit %d, not %d; out: %s\nerr: %s", result.exit_code, code, result.out, result.err);
	child_result_free(&result);
}

static void save(enum store store, const char *path) {
	expect(RUN("baseline", "save", path, paths[store]), EXIT_CODE_OK, "", "names of");
}

/* The number of a figure of a name in a baseline file. */
static double figure_of(const char *text, const char *name, const char *figure, const char *key) {
	char anchor[64];
	(void)snprintf(anchor, sizeof(anchor), "\"name\": \"%s\"", name);
	const char *at = strstr(text, anchor);
	(void)snprintf(anchor, sizeof(anchor), "\"%s\": {", figure);
	at = at ? strstr(at, anchor) : NULL;
	(void)snprintf(anchor, sizeof(anchor), "\"%s\": ", key);
	at = at ? strstr(at, anchor) : NULL;
	if (!at)
		fail_msg("no %s of %s of %s", key, figure, name);
	return strtod(at + strlen(anchor), NULL);
}

static double quantile_of(enum store store, unsigned name, double share) {
	return (double)truths[store].durations[name][(size_t)ceil(share * truths[store].requests) - 1];
}

static void a_baseline_holds_the_figures(void **state) {
	char *text CLEANUP_FREE = NULL;
	(void)state;
	save(BEFORE, baseline);
	text = read_file(baseline);
	for (unsigned name = 0; name < RUN_NAMES; name++) {
		const char *words = run_names[name];
		double mean = (double)truths[BEFORE].totals[name] / truths[BEFORE].requests;
		assert_true(figure_of(text, words, "p50_ns", "value") == quantile_of(BEFORE, name, 0.5));
		assert_true(figure_of(text, words, "p95_ns", "value") == quantile_of(BEFORE, name, 0.95));
		assert_true(figure_of(text, words, "p99_ns", "value") == quantile_of(BEFORE, name, 0.99));
		assert_true(fabs(figure_of(text, words, "mean_ns", "value") / mean - 1) < 1e-12);
		assert_true(figure_of(text, words, "p50_ns", "records") == truths[BEFORE].requests);
	}
	assert_non_null(strstr(text, "\"schema\": \"baseline/1\""));
	assert_non_null(strstr(text, "\"commit\": \"cafe123def\""));
	assert_non_null(strstr(text, "\"direction\": \"lower\""));
	/* in order of names, so that git shows what changed */
	const char *at[] = {strstr(text, "\"GET /cart\""), strstr(text, "\"auth\""), strstr(text, "\"db.query\""),
	                    strstr(text, "\"render\"")};
	for (size_t i = 0; i + 1 < 4; i++)
		assert_true(at[i] && at[i + 1] && at[i] < at[i + 1]);
	expect(RUN("baseline", "show", baseline), EXIT_CODE_OK, "commit cafe123def", "");
	struct child_result shown = RUN("baseline", "show", baseline, "--json");
	assert_string_equal(shown.out, text);
	child_result_free(&shown);
}

/* The sums of the sketch are the spans. */
static void a_sketch_counts_every_span(void **state) {
	char *text CLEANUP_FREE = read_file(baseline);
	const char *at = strstr(text, "\"sketch\": {");
	const char *end = at ? strchr(at, '}') : NULL;
	double sum = 0;
	(void)state;
	/* pairs of a place and a weight */
	for (; at && end && at < end; at = strchr(at + 1, '[')) {
		unsigned place;
		double weight;
		if (sscanf(at, "[%u, %lf]", &place, &weight) == 2)
			sum += weight;
	}
	assert_true(sum > 0);
	assert_true(sum == truths[BEFORE].requests);
}

static void equal_runs_pass(void **state) {
	(void)state;
	expect(RUN("check", "--baseline", baseline, paths[SAME]), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", baseline, paths[BEFORE], "--json"), EXIT_CODE_OK, "\"status\": \"pass\"", "");
	expect(RUN("check", "--baseline", baseline, paths[SAME], "--threshold", "1%"), EXIT_CODE_OK, "pass: ", "");
}

static void slower_runs_are_regressions(void **state) {
	(void)state;
	expect(RUN("check", "--baseline", baseline, paths[SLOWER]), EXIT_CODE_FAILED, "regression  db.query", "");
	struct child_result result = RUN("check", "--baseline", baseline, paths[SLOWER], "--json");
	assert_int_equal(result.exit_code, EXIT_CODE_FAILED);
	assert_non_null(strstr(result.out, "\"schema\": \"check/1\""));
	assert_non_null(
	    strstr(result.out, "\"status\": \"regression\",\n  \"baseline\": {\n    \"commit\": \"cafe123def\""));
	const char *at = strstr(result.out, "\"status\": \"regression\",\n      \"name\": \"db.query\"");
	assert_non_null(at);
	double change = strtod(strstr(at, "\"change_percent\": ") + 18, NULL);
	double wanted = 100 * (quantile_of(SLOWER, RUN_DB, 0.5) / quantile_of(BEFORE, RUN_DB, 0.5) - 1);
	assert_true(fabs(change - wanted) < 1e-6);
	child_result_free(&result);
	expect(RUN("check", "--baseline", baseline, paths[FASTER]), EXIT_CODE_OK, "improvement: ", "");
	expect(RUN("check", "--baseline", baseline, paths[FASTER], "--improvement", "90%"), EXIT_CODE_OK, "pass: ", "");
}

static void thresholds_are_those_given(void **state) {
	(void)state;
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--threshold", "80%"), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--threshold", "80%", "--threshold", "p50=10%"),
	       EXIT_CODE_FAILED, "db.query   p50", "");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--metric", "errors"), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--min-effect", "1s"), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--name", "auth"), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", baseline, paths[FASTER], "--name", "db.*", "--expect", "mean=-20%"),
	       EXIT_CODE_OK, "improvement: ", "");
	expect(RUN("check", "--baseline", baseline, paths[FASTER], "--name", "db.*", "--expect", "mean=-60%"),
	       EXIT_CODE_FAILED, "goal_missed", "");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--threshold", "p98=10%"), EXIT_CODE_USAGE, "",
	       "--threshold 'p98=10%'");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--expect", "30%"), EXIT_CODE_USAGE, "", "--expect");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--metric", "p98"), EXIT_CODE_USAGE, "", "--metric");
	expect(RUN("check", paths[SLOWER]), EXIT_CODE_USAGE, "", "against what?");
}

static void rollups_and_records_go_together(void **state) {
	char path[PATH_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/rollups.json", scratch.files);
	save(ROLLUPS, path);
	expect(RUN("baseline", "show", path), EXIT_CODE_OK, "from the statistics of all spans", "");
	expect(RUN("check", "--baseline", path, paths[ROLLUPS]), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", path, paths[SLOWER]), EXIT_CODE_FAILED, "regression  db.query", "");
	expect(RUN("check", "--baseline", baseline, paths[ROLLUPS]), EXIT_CODE_OK, "pass: ", "");
}

static void a_missing_baseline_does_not_pass(void **state) {
	char path[PATH_BYTES];
	struct stat status;
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/new.json", scratch.files);
	expect(RUN("check", "--baseline", path, paths[BEFORE], "--json"), EXIT_CODE_NO_BASELINE,
	       "\"status\": \"no_baseline\"", "there is no baseline");
	assert_true(stat(path, &status) != 0);
	expect(RUN("check", "--baseline", path, paths[BEFORE], "--record-missing"), EXIT_CODE_OK, "baseline_recorded",
	       "");
	expect(RUN("check", "--baseline", path, paths[SAME], "--record-missing"), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("baseline", "save", "/nonexistent/b.json", paths[BEFORE]), EXIT_CODE_OUTPUT, "",
	       "cannot be written");
	expect(RUN("baseline", "show", "/nonexistent/b.json"), EXIT_CODE_NO_BASELINE, "", "no such file");
	expect(RUN("baseline", baseline), EXIT_CODE_USAGE, "", "save or show?");
	expect(RUN("baseline", "save", path, paths[BEFORE], "--name", "nobody"), EXIT_CODE_FAILED, "",
	       "nothing was written");
}

/* The same file with one text in place of another. */
static void expect_changed(const char *from, const char *to, int code, const char *err) {
	char path[PATH_BYTES];
	char *text CLEANUP_FREE = read_file(baseline);
	char *changed CLEANUP_FREE = NULL;
	char *at = strstr(text, from);
	if (!at)
		fail_msg("no %s", from);
	*at = 0;
	assert_true(asprintf(&changed, "%s%s%s", text, to, at + strlen(from)) > 0);
	(void)snprintf(path, sizeof(path), "%s/changed.json", scratch.files);
	write_file(path, changed);
	expect(RUN("check", "--baseline", path, paths[BEFORE], "--threshold", "20%"), code, "", err);
}

static void other_machines_are_refused(void **state) {
	char path[PATH_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/changed.json", scratch.files);
	expect_changed("\"cpu\": \"", "\"cpu\": \"Other ", EXIT_CODE_NO_BASELINE, "the processor differs");
	expect(RUN("check", "--baseline", path, paths[BEFORE], "--force"), EXIT_CODE_OK, "pass: ", "");
	expect_changed("\"cores\": ", "\"cores\": 9", EXIT_CODE_NO_BASELINE, "the number of cores differs");
	expect_changed("\"kernel\": \"", "\"kernel\": \"9", EXIT_CODE_NO_BASELINE, "the kernel differs");
	expect_changed("\"host\": \"", "\"host\": \"other-", EXIT_CODE_OK, "");
}

static void damaged_files_are_named(void **state) {
	static const struct {
		const char *from;
		const char *to;
		const char *err;
	} cases[] = {
	    {"baseline/1", "baseline/2", "expected the schema \"baseline/1\""},
	    {"\"bins_per_octave\": 64", "\"bins_per_octave\": 63", "expected a power of two"},
	    {"\"ns_per_tick\": 1", "\"ns_per_tick\": 0", "expected a number"},
	    {"\"known\": \"quantile\"", "\"known\": \"mean\"", "contradicts itself"},
	    {"\"value\": ", "\"value\": -", "expected a number"},
	    {"\"freedom\": ", "\"freedom\": 0.0", "expected a number"},
	    {"\"name\": \"auth\"", "\"name\": \"A\"", "names must be in order"},
	    {"\"name\": \"auth\",", "", "a name without"},
	    {"\"sketch\": {", "\"sketches\": {", "a quantile without a sketch"},
	    {"[", "{", "line "},
	    {"\n    }\n  ]\n}\n", "\n    }\n  ]\n", "line "},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		expect_changed(cases[i].from, cases[i].to, EXIT_CODE_INPUT, cases[i].err);
	struct child_result result = RUN("check", "--baseline", scratch.files, paths[BEFORE], "--json");
	assert_int_equal(result.exit_code, EXIT_CODE_INPUT);
	assert_string_equal(result.out, "");
	child_result_free(&result);
	expect(RUN("check", "--baseline", scratch.files, paths[BEFORE]), EXIT_CODE_INPUT, "",
	       "no baseline that can be read");
	expect(RUN("check", "--baseline", baseline, "/nonexistent"), EXIT_CODE_INPUT, "", "/nonexistent");
}

static void hostile_names_stay_inert(void **state) {
	char path[PATH_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/evil.json", scratch.files);
	save(FASTER, path);
	char *text CLEANUP_FREE = read_file(path);
	assert_non_null(strstr(text, "\"name\": \"evil\\u001b[31m\\u000aname\""));
	struct child_result result = RUN("baseline", "show", path);
	assert_null(strchr(result.out, '\x1b'));
	assert_non_null(strstr(result.out, "evil"));
	child_result_free(&result);
	expect(RUN("check", "--baseline", path, paths[FASTER]), EXIT_CODE_OK, "pass: ", "");
	expect(RUN("check", "--baseline", path, paths[BEFORE], "--threshold", "1000%"), EXIT_CODE_OK,
	       "1 names of the baseline have no span here", "");
	expect(RUN("check", "--baseline", baseline, paths[FASTER]), EXIT_CODE_OK, "1 names are not in the baseline",
	       "");
}

/* --- targets ----------------------------------------------------------------------------------------------------- */

static void targets_have_two_levels(void **state) {
	char path[PATH_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/targets.json", scratch.files);
	write_file(
	    path,
	    "{\"schema\": \"targets/1\", \"targets\": [\n"
	    "  {\"name\": \"db.*\", \"p99\": {\"good\": \"1s\", \"red\": \"2s\"}},\n"
	    "  {\"name\": \"auth\", \"p50\": {\"good\": \"1us\", \"red\": \"1s\"}, \"errors\": {\"red\": \"1%\"}}\n"
	    "]}\n");
	expect(RUN("check", "--targets", path, paths[BEFORE]), EXIT_CODE_OK, "warning  auth", "");
	expect(RUN("check", "--targets", path, paths[BEFORE], "--baseline", baseline, "--json"), EXIT_CODE_OK,
	       "\"level\": \"good\"", "");
	write_file(path,
	           "{\"schema\": \"targets/1\", \"targets\": [{\"name\": \"render\", \"mean\": {\"red\": \"1us\"}}]}");
	expect(RUN("check", "--targets", path, paths[BEFORE]), EXIT_CODE_FAILED, "red    render", "");
	write_file(path,
	           "{\"schema\": \"targets/1\", \"targets\": [{\"name\": \"nobody\", \"mean\": {\"red\": \"1us\"}}]}");
	expect(RUN("check", "--targets", path, paths[BEFORE]), EXIT_CODE_FAILED, "no_data", "");
	write_file(path, "{\"schema\": \"targets/1\", \"targets\": [{\"name\": \"x\", \"mean\": {\"red\": 5}}]}");
	expect(RUN("check", "--targets", path, paths[BEFORE]), EXIT_CODE_INPUT, "", "line 1, column");
	write_file(
	    path,
	    "{\"schema\": \"targets/1\", \"targets\": [{\"name\": \"x\", \"mean\": {\"good\": \"2s\", \"red\": \"1s\"}}]}");
	expect(RUN("check", "--targets", path, paths[BEFORE]), EXIT_CODE_INPUT, "", "good is above red");
	expect(RUN("check", "--targets", "/nonexistent", paths[BEFORE]), EXIT_CODE_INPUT, "", "/nonexistent");
}

/* --- alerts ------------------------------------------------------------------------------------------------------ */

static void a_command_gets_the_alert(void **state) {
	char command[2 * PATH_BYTES];
	char path[PATH_BYTES];
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/alert.json", scratch.files);
	(void)snprintf(command, sizeof(command), "cat >'%s'; echo said", path);
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-exec", command), EXIT_CODE_FAILED, "",
	       "said");
	char *text CLEANUP_FREE = read_file(path);
	assert_non_null(strstr(text, "\"type\": \"performance_regression\""));
	assert_non_null(strstr(text, "\"severity\": \"warning\""));
	assert_non_null(strstr(text, "\"name\": \"db.query\""));
	assert_non_null(strstr(text, "\"timestamp\": \"2"));
	assert_int_equal(unlink(path), 0);
	/* nothing to tell */
	expect(RUN("check", "--baseline", baseline, paths[SAME], "--alert-exec", command), EXIT_CODE_OK, "", "");
	assert_true(access(path, F_OK) != 0);
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-exec", "exit 7"), EXIT_CODE_FAILED, "",
	       "warning: check: the alert command failed: it exited with 7");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-exec", "exec sleep 1000"), EXIT_CODE_FAILED,
	       "", "more than 5 s");
}

/* One request, answered with this status; what came is in a file. */
static pid_t serve(const char *path, const char *answer, uint16_t *ret_port) {
	struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(address);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 1), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&address, &bytes), 0);
	*ret_port = ntohs(address.sin_port);
	pid_t child = child_fork();
	if (child == 0) {
		static char text[1 << 16];
		size_t got = 0;
		int peer = accept(fd, NULL, NULL);
		while (got + 1 < sizeof(text) && !strstr(text, "\"timestamp\"")) {
			ssize_t more = recv(peer, text + got, sizeof(text) - 1 - got, 0);
			if (more <= 0)
				break;
			got += (size_t)more;
		}
		FILE *file = fopen(path, "w");
		(void)fputs(text, file);
		(void)fclose(file);
		(void)send(peer, answer, strlen(answer), MSG_NOSIGNAL);
		_exit(0);
	}
	(void)close(fd);
	return child;
}

static void a_server_gets_the_alert(void **state) {
	char url[64];
	char path[PATH_BYTES];
	uint16_t port = 0;
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/request.txt", scratch.files);
	pid_t child = serve(path, "HTTP/1.1 204 No Content\r\n\r\n", &port);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/alerts?x=1", port);
	struct child_result result = RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-url", url);
	assert_int_equal(result.exit_code, EXIT_CODE_FAILED);
	assert_string_equal(result.err, "");
	child_result_free(&result);
	assert_int_equal(waitpid(child, NULL, 0), child);
	char *text CLEANUP_FREE = read_file(path);
	assert_memory_equal(text, "POST /alerts?x=1 HTTP/1.0\r\n", 27);
	assert_non_null(strstr(text, "Content-Type: application/json\r\n"));
	assert_non_null(strstr(text, "\r\n\r\n{"));
	child = serve(path, "HTTP/1.1 500 Oops\r\n\r\n", &port);
	(void)snprintf(url, sizeof(url), "http://127.0.0.1:%u", port);
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-url", url), EXIT_CODE_FAILED, "",
	       "the answer is status 500");
	assert_int_equal(waitpid(child, NULL, 0), child);
	/* nobody listens there any more */
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-url", url), EXIT_CODE_FAILED, "",
	       "warning: check: the alert did not reach");
	expect(RUN("check", "--baseline", baseline, paths[SLOWER], "--alert-url", "https://x/"), EXIT_CODE_FAILED, "",
	       "for https use --alert-exec");
}

static void outputs_are_the_golden_ones(void **state) {
	char path[SCRATCH_PATH_BYTES];
	struct child_result result = RUN("check", "--baseline", baseline, paths[SLOWER]);
	(void)state;
	(void)snprintf(path, sizeof(path), "%s/check-80.txt", getenv("SPANRING_TEST_GOLDEN"));
	if (getenv("SPANRING_TEST_GOLDEN_WRITE"))
		write_file(path, result.out);
	char *wanted CLEANUP_FREE = read_file(path);
	assert_string_equal(result.out, wanted);
	child_result_free(&result);
}

static int setup(void **state) {
	static const struct run_plan plans[STORES] = {
	    [BEFORE] = {.seed = 21, .errors = 0.01},
	    [SAME] = {.seed = 22, .errors = 0.01},
	    [SLOWER] = {.seed = 23, .errors = 0.01, .factors = {[RUN_DB] = 1.4}},
	    [FASTER] = {.seed = 24, .errors = 0.01, .factors = {[RUN_DB] = 0.6}, .extra = CLI_EVIL_NAME},
	    [ROLLUPS] = {.seed = 25, .errors = 0.01, .rollups = true},
	};
	(void)state;
	scratch_make(&scratch);
	program = child_program("spanring-analyze");
	(void)snprintf(baseline, sizeof(baseline), "%s/baseline.json", scratch.files);
	for (unsigned i = 0; i < STORES; i++) {
		(void)snprintf(paths[i], sizeof(paths[i]), "%s/run-%u", scratch.files, i);
		run_store_make(paths[i], &plans[i], &truths[i]);
	}
	return 0;
}

static int teardown(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_baseline_holds_the_figures),
	    cmocka_unit_test(a_sketch_counts_every_span),
	    cmocka_unit_test(equal_runs_pass),
	    cmocka_unit_test(slower_runs_are_regressions),
	    cmocka_unit_test(thresholds_are_those_given),
	    cmocka_unit_test(rollups_and_records_go_together),
	    cmocka_unit_test(a_missing_baseline_does_not_pass),
	    cmocka_unit_test(other_machines_are_refused),
	    cmocka_unit_test(damaged_files_are_named),
	    cmocka_unit_test(hostile_names_stay_inert),
	    cmocka_unit_test(targets_have_two_levels),
	    cmocka_unit_test(a_command_gets_the_alert),
	    cmocka_unit_test(a_server_gets_the_alert),
	    cmocka_unit_test(outputs_are_the_golden_ones),
	};
	return cmocka_run_group_tests(tests, setup, teardown);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench suite: the commands one after the other, each as a user would run it, put together into one result with all gates. A command
 * that measures nothing is a red flag, too.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "bench/harness/words.h"
#include "gates.h"
#include "suite.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define WORDS_OF_STEP 10u

static const char help[] =
    "spanring-bench suite all | benchmark | memory | load | async | coldstart [--quick] [--gates FILE]\n"
    "                     [--json | --csv | --markdown] [--agent PROGRAM]\n"
    "\n"
    "Runs the commands of a group, or all, and puts their figures and gates together. --quick: few rounds.\n"
    "--gates FILE: levels of your own, a line each: quick: overhead ratio = 1.2 1.5\n"
    "Exit status 1 when a gate is at its red flag, or a command fails.\n";

static const struct step {
	const char *group;
	const char *words[WORDS_OF_STEP]; /* ends with NULL */
	const char *quick[WORDS_OF_STEP]; /* added with --quick */
} steps[] = {
    {"benchmark", {"quick"}, {"--iterations", "20"}},
    {"benchmark", {"run"}, {"--iterations", "10"}},
    {"benchmark", {"concurrent"}, {"--threads", "4", "--ops", "200"}},
    {"benchmark", {"sampling"}, {"--iterations", "10"}},
    {"benchmark", {"stages"}, {"--spans", "40000"}},
    {"memory", {"memory", "baseline"}, {NULL}},
    {"memory", {"memory", "tracers"}, {NULL}},
    {"memory", {"memory", "growth"}, {"--samples", "5"}},
    {"memory", {"memory", "stability"}, {"--duration", "1s"}},
    {"memory", {"memory", "per-span"}, {"--samples", "5"}},
    {"load", {"load", "--users", "20", "--duration", "10s", "--ramp-up", "2s"}, {"--duration", "1s", "--ramp-up", "0"}},
    {"load", {"load", "--users", "10", "--think-time", "1ms", "--duration", "5s"}, {"--duration", "500ms"}},
    {"async", {"run", "context-switch"}, {"--iterations", "10"}},
    {"coldstart", {"coldstart"}, {"--iterations", "5"}},
    {"coldstart", {"warmstart"}, {"--iterations", "20"}},
};
#define STEP_COUNT (sizeof(steps) / sizeof(steps[0]))

static const char *const groups[] = {"all", "benchmark", "memory", "load", "async", "coldstart"};
#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))

struct suite {
	const struct log *log;
	enum result_format format;
	bool is_quick;
	const char *agent;
	const char *gates_file;
	struct gates gates;
};

/* "load", "memory growth": what the result of a step calls itself. */
static void name_of(const struct step *step, char ret_name[RESULT_NAME_BYTES]) {
	bool two = step->words[1] && step->words[1][0] != '-';
	(void)snprintf(ret_name, RESULT_NAME_BYTES, "%s%s%s", step->words[0], two ? " " : "",
	               two ? step->words[1] : "");
}

/* Run this program with the words of the step; its document goes to out. 0 or negative errno; a red flag is none. */
static int run_step(const struct suite *suite, const struct step *step, int out) {
	const char *argv[2 * WORDS_OF_STEP + 6] = {"/proc/self/exe"};
	size_t count = 1;
	posix_spawn_file_actions_t actions;
	pid_t pid;
	int status = 0;
	for (size_t i = 0; step->words[i]; i++)
		argv[count++] = step->words[i];
	for (size_t i = 0; suite->is_quick && step->quick[i]; i++)
		argv[count++] = step->quick[i];
	if (suite->agent) {
		argv[count++] = "--agent";
		argv[count++] = suite->agent;
	}
	argv[count++] = "--json";
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc = posix_spawn(&pid, argv[0], &actions, NULL, (char *const *)(uintptr_t)argv, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) && WEXITSTATUS(status) <= EXIT_CODE_FAILED ? 0 : -ECHILD;
}

static int take_rows(const struct result *from, const char *name, struct result *result) {
	for (uint32_t i = 0; i < from->row_count; i++) {
		char full[RESULT_NAME_BYTES];
		(void)snprintf(full, sizeof(full), "%.20s: %.40s", name, from->rows[i]->name);
		struct result_row *row = result_row(result, full, from->rows[i]->unit, from->rows[i]->direction);
		if (!row)
			return -ENOMEM;
		row->samples = from->rows[i]->samples;
	}
	return 0;
}

static int take_gates(struct suite *suite, const struct result *from, const char *name, struct result *result) {
	for (uint32_t i = 0; i < from->gate_count; i++) {
		struct result_gate gate = from->gates[i];
		if (gates_apply(&suite->gates, name, &gate) < 0) {
			log_error(suite->log, "%s: levels of \"%s: %s\" are no numbers in its unit (%s)",
			          suite->gates_file, name, gate.name, gate.unit);
			return -EINVAL;
		}
		char full[RESULT_NAME_BYTES];
		(void)snprintf(full, sizeof(full), "%.20s: %.40s", name, gate.name);
		memcpy(gate.name, full, sizeof(full));
		result_gate(result, &gate);
	}
	return 0;
}

/* 0 or negative errno; a step without a result is a gate of its own. */
static int take_step(struct suite *suite, const struct step *step, struct result *result) {
	char name[RESULT_NAME_BYTES];
	char path[64];
	char text[RESULT_TEXT_BYTES];
	struct result *from = NULL;
	name_of(step, name);
	CLEANUP_FD int fd = memfd_create("spanring-bench", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	int rc = run_step(suite, step, fd);
	if (rc == 0 && result_read(path, &from, text) == 0) {
		rc = take_rows(from, name, result);
		if (rc == 0)
			rc = take_gates(suite, from, name, result);
		result_free(from);
		return rc;
	}
	log_error(suite->log, "suite: %s gave no result", name);
	struct result_gate failed = {.unit = "", .value = NAN, .good = 0, .red_flag = 0};
	(void)snprintf(failed.name, sizeof(failed.name), "%.40s gave a result", name);
	result_gate(result, &failed);
	return 0;
}

static int run_group(struct suite *suite, const char *group, struct result *result) {
	for (size_t i = 0; i < STEP_COUNT; i++) {
		if (strcmp(group, "all") != 0 && strcmp(group, steps[i].group) != 0)
			continue;
		int rc = take_step(suite, &steps[i], result);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int run_and_report(struct suite *suite, const char *group) {
	struct result *result = result_new("suite");
	int rc = result ? run_group(suite, group, result) : -ENOMEM;
	int code = rc == 0 ? EXIT_CODE_OK : rc == -EINVAL ? EXIT_CODE_INPUT : EXIT_CODE_FAILED;
	const struct gate_override *unused = strcmp(group, "all") == 0 ? gates_unused(&suite->gates) : NULL;
	if (code == EXIT_CODE_OK && unused) {
		log_error(suite->log, "%s:%u: there is no gate \"%s: %s\"", suite->gates_file, unused->line,
		          unused->command, unused->name);
		code = EXIT_CODE_INPUT;
	}
	if (code == EXIT_CODE_OK) {
		result_fact(result, "group", "%s%s", group, suite->is_quick ? ", few rounds" : "");
		code = result_print(result, suite->format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
	}
	result_free(result);
	return code;
}

static int refuse_group(const struct log *log, const char *word) {
	const char *nearest = word ? suggest_nearest(word, groups, GROUP_COUNT) : NULL;
	if (nearest)
		log_error(log, "suite: unknown group '%s': did you mean '%s'?", word, nearest);
	else
		log_error(log, "suite: which group? Give all, benchmark, memory, load, async or coldstart");
	return EXIT_CODE_USAGE;
}

int suite_command(int argc, char **argv, const struct log *log) {
	struct suite *suite CLEANUP_FREE = calloc(1, sizeof(*suite));
	char text[RESULT_TEXT_BYTES];
	if (!suite)
		return EXIT_CODE_FAILED;
	suite->log = log;
	const struct word table[] = {
	    {"quick", WORD_SWITCH, &suite->is_quick, 0, 0},
	    {"gates", WORD_TEXT, &suite->gates_file, 0, 0},
	    {"agent", WORD_TEXT, &suite->agent, 0, 0},
	    WORDS_OF_FORMAT(&suite->format),
	};
	const char *plain[2] = {NULL};
	struct words words = {.log = log,
	                      .help = help,
	                      .table = table,
	                      .count = sizeof(table) / sizeof(table[0]),
	                      .plain = plain,
	                      .plain_max = 1};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	size_t group = 0;
	while (plain[0] && group < GROUP_COUNT && strcmp(groups[group], plain[0]) != 0)
		group++;
	if (!plain[0] || group == GROUP_COUNT)
		return refuse_group(log, plain[0]);
	if (suite->gates_file && gates_read(suite->gates_file, &suite->gates, text) < 0) {
		log_error(log, "suite: %s", text);
		return EXIT_CODE_INPUT;
	}
	return run_and_report(suite, groups[group]);
}

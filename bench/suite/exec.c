/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench exec: any command, timed with tracing off (SPANRING_DISABLED) and on (rings of its own, an agent storing), in turns. For
 * programs that link the library; of any other the two are the same, which is a test of the method.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "bench/harness/words.h"
#include "bench/stage.h"
#include "bench/timed_child.h"
#include "suite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WORDS_OF_COMMAND 64u
#define ITERATIONS 20u
#define WARMUP 2u
#define RATIO_MAX 2.0

static const char help[] =
    "spanring-bench exec [--iterations N] [--warmup N] [--max-ratio X] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "                    -- COMMAND ...\n"
    "\n"
    "Runs COMMAND with tracing off and on, in turns: wall time, processor time and largest memory of both,\n"
    "and their ratio with its 95 % interval. What it prints is thrown away; it must exit 0. Exit status 1\n"
    "when the ratio of wall times is not below --max-ratio (default 2).\n";

struct exec {
	const struct log *log;
	enum result_format format;
	uint64_t iterations;
	uint64_t warmup;
	double ratio_max;
	const char *agent;
	const char *keep;
	const char *const *command;
};

enum { OFF, ON, SIDES };

struct figures {
	struct samples wall[SIDES];
	struct samples cpu[SIDES];
	struct samples peak[SIDES];
};

static int run_once(const struct exec *exec, const struct stage *stage, int side, struct timed_child *ret_child) {
	int rc = side == OFF ? setenv("SPANRING_DISABLED", "1", 1) : unsetenv("SPANRING_DISABLED");
	if (rc == 0)
		rc = setenv("SPANRING_DIR", stage->folders.rings, 1);
	rc = rc < 0 ? -errno : timed_child_run(exec->command, NULL, ret_child);
	if (rc < 0)
		log_error(exec->log, "exec: %s: %s", exec->command[0],
		          rc == -ENOENT   ? "not found: is it misspelt, or not in PATH?"
		          : rc == -ECHILD ? "did not exit with 0: run it by itself first"
		                          : strerror(-rc));
	return rc;
}

static int measure(const struct exec *exec, const struct stage *stage, struct figures *figures) {
	for (uint64_t i = 0; i < exec->warmup + exec->iterations; i++) {
		for (int turn = 0; turn < SIDES; turn++) {
			int side = (turn + (int)(i % SIDES)) % SIDES;
			struct timed_child child;
			int rc = run_once(exec, stage, side, &child);
			if (rc < 0)
				return rc;
			if (i < exec->warmup)
				continue;
			samples_add(&figures->wall[side], (double)child.wall_ns);
			samples_add(&figures->cpu[side], (double)child.cpu_ns);
			samples_add(&figures->peak[side], (double)child.peak_bytes);
		}
	}
	return 0;
}

static int add(struct result *result, const char *name, const char *unit, const struct samples *samples) {
	struct result_row *row = result_row(result, name, unit, RESULT_LOWER_IS_BETTER);
	if (!row)
		return -ENOMEM;
	row->samples = *samples;
	return 0;
}

static int add_ratio(struct result *result, const char *name, const struct samples *sides,
                     struct samples_summary *ret_summary) {
	struct result_row *row = result_row(result, name, "x", RESULT_LOWER_IS_BETTER);
	if (!row)
		return -ENOMEM;
	samples_ratios(&sides[OFF], &sides[ON], &row->samples);
	samples_summarise(&row->samples, ret_summary);
	return 0;
}

static int fill(const struct exec *exec, const struct figures *figures, struct result *result) {
	struct samples_summary wall, cpu;
	int rc = add(result, "wall, off", "ns", &figures->wall[OFF]);
	if (rc == 0)
		rc = add(result, "wall, on", "ns", &figures->wall[ON]);
	if (rc == 0)
		rc = add_ratio(result, "wall ratio", figures->wall, &wall);
	if (rc == 0)
		rc = add(result, "processor, off", "ns", &figures->cpu[OFF]);
	if (rc == 0)
		rc = add(result, "processor, on", "ns", &figures->cpu[ON]);
	if (rc == 0)
		rc = add_ratio(result, "processor ratio", figures->cpu, &cpu);
	if (rc == 0)
		rc = add(result, "peak memory, off", "bytes", &figures->peak[OFF]);
	if (rc == 0)
		rc = add(result, "peak memory, on", "bytes", &figures->peak[ON]);
	if (rc == 0)
		result_gate(result, &(struct result_gate){.name = "wall ratio",
		                                          .unit = "x",
		                                          .value = wall.median,
		                                          .good = 1 + (exec->ratio_max - 1) / 2,
		                                          .red_flag = exec->ratio_max});
	return rc;
}

static int measure_and_report(const struct exec *exec, const struct stage *stage) {
	struct figures *figures CLEANUP_FREE = calloc(1, sizeof(*figures));
	struct result *result = result_new("exec");
	int code = EXIT_CODE_FAILED;
	if (figures && result && measure(exec, stage, figures) == 0) {
		result_fact(result, "command", "%s", exec->command[0]);
		if (fill(exec, figures, result) == 0)
			code = result_print(result, exec->format, stdout) < 0 ? EXIT_CODE_OUTPUT
			                                                      : result_exit_code(result);
	}
	result_free(result);
	return code;
}

int exec_command(int argc, char **argv, const struct log *log) {
	struct exec exec = {.log = log, .iterations = ITERATIONS, .warmup = WARMUP, .ratio_max = RATIO_MAX};
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &exec.iterations, 5, SAMPLES_MAX},
	    {"warmup", WORD_NUMBER, &exec.warmup, 0, SAMPLES_MAX},
	    {"max-ratio", WORD_RATIO, &exec.ratio_max, 0, 0},
	    {"agent", WORD_TEXT, &exec.agent, 0, 0},
	    {"keep", WORD_TEXT, &exec.keep, 0, 0},
	    WORDS_OF_FORMAT(&exec.format),
	};
	const char *plain[WORDS_OF_COMMAND + 1] = {NULL};
	struct words words = {.log = log,
	                      .help = help,
	                      .table = table,
	                      .count = sizeof(table) / sizeof(table[0]),
	                      .plain_is_command = true,
	                      .plain = plain,
	                      .plain_max = WORDS_OF_COMMAND};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	if (!plain[0]) {
		log_error(log, "exec: which command? spanring-bench exec -- COMMAND ...");
		return EXIT_CODE_USAGE;
	}
	exec.command = plain;
	struct bench_options options = {.log = *log, .agent = exec.agent, .keep = exec.keep};
	struct stage stage;
	code = stage_open(&options, true, &stage);
	if (code != EXIT_CODE_OK)
		return code;
	code = measure_and_report(&exec, &stage);
	int closed = stage_close(&stage);
	return code == EXIT_CODE_OK ? closed : code;
}

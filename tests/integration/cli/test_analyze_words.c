/* SPDX-License-Identifier: Apache-2.0 */
/* What somebody types and reads: letters that stand together, tables as comma-separated values, and the words when there is nothing to show. */
#include "cli_store.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include "base/errs.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS_MAX 10u

static struct scratch scratch;

/* "{}" stands for the store. */
static struct child_result run(const char *const *words) {
	const char *argv[WORDS_MAX + 2] = {child_program("spanring-analyze")};
	for (size_t i = 0; words[i]; i++) {
		assert_true(i < WORDS_MAX);
		argv[i + 1] = strcmp(words[i], "{}") == 0 ? scratch.store : words[i];
	}
	return child_run(argv, NULL);
}

static void expect(const char *const *words, int exit_code, const char *out, const char *err) {
	struct child_result result = run(words);
	if (result.exit_code != exit_code || (out && strcmp(result.out, out) != 0) || !strstr(result.err, err))
		fail_msg("%s %s: exit %d, out: %.200s, err: %s", words[0], words[1], result.exit_code, result.out,
		         result.err);
	child_result_free(&result);
}

static unsigned lines_of(const char *text) {
	unsigned lines = 0;
	for (; (text = strchr(text, '\n')); text++)
		lines++;
	return lines;
}

static void letters_stand_together(void **state) {
	static const char *const ways[][4] = {
	    {"-n", "3", "--csv", NULL}, {"-n3", "--csv", NULL}, {"-qn3", "--csv", NULL}, {"--limit=3", "--csv", NULL}};
	(void)state;
	for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
		const char *words[WORDS_MAX] = {"slowest", "{}"};
		memcpy(&words[2], ways[i], sizeof(ways[i]));
		struct child_result result = run(words);
		assert_int_equal(result.exit_code, 0);
		assert_int_equal(lines_of(result.out), 1 + 3);
		child_result_free(&result);
	}
	expect((const char *const[]){"slowest", "{}", "-nq", NULL}, EXIT_CODE_USAGE, "", "--limit 'q'");
	expect((const char *const[]){"slowest", "{}", "-qx", NULL}, EXIT_CODE_USAGE, "", "unknown option '-qx'");
	expect((const char *const[]){"slowest", "{}", "-qn", NULL}, EXIT_CODE_USAGE, "", "'--limit' needs a value");
	expect((const char *const[]){"slowest", "{}", "--quiet=1", NULL}, EXIT_CODE_USAGE, "", "takes no value");
}

static void mistakes_name_the_command(void **state) {
	(void)state;
	expect((const char *const[]){"slowest", "{}", "-n0", NULL}, EXIT_CODE_USAGE, "", "slowest: --limit");
	expect((const char *const[]){"latency", "{}", "--sort", "foo", NULL}, EXIT_CODE_USAGE, "",
	       "latency: --sort 'foo'");
	expect((const char *const[]){"unfinished", "{}", "--csv", "--attributes", NULL}, EXIT_CODE_USAGE, "",
	       "unfinished: --attributes");
	expect((const char *const[]){"errors", "{}", "--csv", "--json", NULL}, EXIT_CODE_USAGE, "",
	       "errors: --json or --csv");
}

static void nothing_found_names_the_filters(void **state) {
	(void)state;
	char words[2 * SCRATCH_PATH_BYTES];
	(void)snprintf(words, sizeof(words), "%s: no stored span matches: name 'nobody', where 'duration > 9d'",
	               scratch.store);
	expect((const char *const[]){"slowest", "{}", "--name", "nobody", "--where", "duration > 9d", NULL}, 0, "",
	       words);
	expect((const char *const[]){"latency", "{}", "--service", "x\ny", "--until", "2000-01-01", NULL}, 0, "",
	       "no stored span matches: service 'x\\x0ay', the given times");
	expect((const char *const[]){"histogram", "nobody", "{}", NULL}, 0, "",
	       "no stored span matches: name 'nobody'");
	expect((const char *const[]){"errors", "{}", "--name", "nobody", NULL}, 0, "",
	       "no stored span failed: name 'nobody'");
	expect((const char *const[]){"trace", "feedfeed", "{}", NULL}, EXIT_CODE_FAILED, "", scratch.store);
}

/* A line of titles, and as many lines as there are rows, also none. */
static void tables_are_comma_separated(void **state) {
	static const struct {
		const char *const words[5];
		const char *titles;
		unsigned rows;
	} cases[] = {
	    {{"errors", "{}"},
	     "name,errors,count,service,pid,last_start_wall_ns,last_duration_ns,last_trace_id,last_span_id\r\n",
	     2},
	    {{"slowest", "{}", "-n5"},
	     "duration_ns,name,service,pid,start_wall_ns,status,trace_id,span_id,parent_id\r\n",
	     5},
	    {{"slowest", "{}", "--name", "nobody"},
	     "duration_ns,name,service,pid,start_wall_ns,status,trace_id,span_id,parent_id\r\n",
	     0},
	    {{"unfinished", "{}"},
	     "age_ns,name,service,pid,tid,thread,file,line,reason,start_wall_ns,status,depth,trace_id,span_id,"
	     "parent_id\r\n",
	     0},
	    {{"histogram", "GET*", "{}"}, "from_ns,to_ns,count\r\n", 1},
	    {{"info", "{}"}, "service,pid,state,spans,attached_wall_ns,uid,ppid,executable,command,instance\r\n", 2},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const char *words[WORDS_MAX] = {0};
		memcpy(words, cases[i].words, sizeof(cases[i].words));
		for (size_t at = 0; at < WORDS_MAX; at++) {
			if (words[at])
				continue;
			words[at] = "--csv";
			break;
		}
		struct child_result result = run(words);
		if (result.exit_code != 0 || strncmp(result.out, cases[i].titles, strlen(cases[i].titles)) != 0 ||
		    lines_of(result.out) != 1 + cases[i].rows)
			fail_msg("%s: exit %d, %s%s", words[0], result.exit_code, result.out, result.err);
		child_result_free(&result);
	}
}

static void a_folder_without_rings_is_none(void **state) {
	char file[SCRATCH_PATH_BYTES + 16];
	(void)state;
	expect((const char *const[]){"rings", scratch.rings, NULL}, 0, "", "no process has rings there");
	(void)snprintf(file, sizeof(file), "%s/letter.txt", scratch.rings);
	int fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	expect((const char *const[]){"rings", scratch.rings, NULL}, EXIT_CODE_INPUT, "", "not a ring directory");
	(void)snprintf(file, sizeof(file), "%s/control", scratch.rings);
	fd = open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	expect((const char *const[]){"rings", scratch.rings, NULL}, 0, "", "no process has rings there");
}

static int make(void **state) {
	(void)state;
	scratch_make(&scratch);
	cli_store_make(scratch.store, CLI_BALANCED);
	return 0;
}

static int clean(void **state) {
	(void)state;
	scratch_remove(&scratch);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(letters_stand_together),          cmocka_unit_test(mistakes_name_the_command),
	    cmocka_unit_test(nothing_found_names_the_filters), cmocka_unit_test(tables_are_comma_separated),
	    cmocka_unit_test(a_folder_without_rings_is_none),
	};
	return cmocka_run_group_tests_name("words of the analyzer", tests, make, clean);
}

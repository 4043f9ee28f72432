/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/sampler.h"
#include "base/errs.h"
#include "support/child.h"
#include "support/cmocka.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define STAT_REST " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23\n"

static void fields_of_stat_are_found_behind_any_name(void **state) {
	(void)state;
	static const char *const names[] = {"(cat)", "(a b)", "() 1 2 3)", "(((", "(x) S 9 9 9 (y)"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char text[256];
		struct sampler_stat stat;
		(void)snprintf(text, sizeof(text), "123 %s%s" STAT_REST, names[i], names[i][2] == '(' ? ")" : "");
		assert_int_equal(sampler_parse_stat(text, &stat), 0);
		assert_int_equal(stat.state, 'S');
		assert_int_equal(stat.faults_minor, 7);
		assert_int_equal(stat.faults_major, 9);
		assert_int_equal(stat.user_ticks, 11);
		assert_int_equal(stat.system_ticks, 12);
		assert_int_equal(stat.threads, 17);
		assert_int_equal(stat.start_time, 19);
		assert_int_equal(stat.rss_pages, 21);
	}
}

static void broken_stat_is_refused(void **state) {
	(void)state;
	static const char *const texts[] = {
	    "",
	    "123",
	    "123 (a",
	    "123 (a)",
	    "123 (a) ",
	    "123 (a) S",
	    "123 (a) S 1 2 3",
	    "123 (a) S x x x x x x x x x x x x x x x x x x x x x x",
	    "123 (a) S 1 2 3 4 5 6 99999999999999999999999 8 9 1 1 1 1 1 1 1 1 1 1 1 1"};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct sampler_stat stat;
		assert_int_equal(sampler_parse_stat(texts[i], &stat), ERR_DAMAGED);
	}
}

static void lines_of_kilobytes_are_found_by_their_whole_key(void **state) {
	(void)state;
	static const char text[] = "5581-ffff ---p 00000000 00:00 0 [rollup]\nRss:              1024 kB\nPss:   7 kB\n"
	                           "Pss_Anon:   3 kB\nAnonymous:  12 kB\nSwapPss: 9 kB\nSwap:  0 kB\nBroken: kB\n";
	assert_int_equal(sampler_parse_bytes(text, "Rss"), 1024 * 1024);
	assert_int_equal(sampler_parse_bytes(text, "Pss"), 7 * 1024);
	assert_int_equal(sampler_parse_bytes(text, "Anonymous"), 12 * 1024);
	assert_int_equal(sampler_parse_bytes(text, "Swap"), 0);
	assert_true(sampler_parse_bytes(text, "Broken") == UINT64_MAX);
	assert_true(sampler_parse_bytes(text, "Absent") == UINT64_MAX);
	assert_true(sampler_parse_bytes("", "Rss") == UINT64_MAX);
	assert_true(sampler_parse_bytes("Rss: 99999999999999999999 kB\n", "Rss") == UINT64_MAX);
}

static struct sampler_target target_of(pid_t pid) {
	char path[64];
	char text[1024];
	struct sampler_stat stat;
	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
	FILE *file = fopen(path, "re");
	assert_non_null(file);
	size_t bytes = fread(text, 1, sizeof(text) - 1, file);
	text[bytes] = '\0';
	(void)fclose(file);
	assert_int_equal(sampler_parse_stat(text, &stat), 0);
	return (struct sampler_target){.pid = (uint32_t)pid, .start_time = stat.start_time, .uid = geteuid()};
}

static void this_process_is_sampled(void **state) {
	(void)state;
	struct sampler_target target = target_of(getpid());
	struct store_memory_sample sample;
	assert_int_equal(sampler_life(&target), SAMPLER_ALIVE);
	assert_int_equal(sampler_take(&target, &sample), 0);
	assert_int_equal(sample.threads, 1);
	assert_true(sample.rss_bytes > 4096 && sample.rss_bytes != UINT64_MAX);
	assert_true(sample.anonymous_bytes <= sample.rss_bytes);
	assert_true(sample.faults_minor > 0 && sample.time_ns > 0);
}

static void another_start_time_or_owner_is_another_process(void **state) {
	(void)state;
	struct store_memory_sample sample;
	struct sampler_target target = target_of(getpid());
	target.start_time++;
	assert_int_equal(sampler_life(&target), SAMPLER_DEAD);
	assert_int_equal(sampler_take(&target, &sample), -ESRCH);
	target.start_time = 0;
	assert_int_equal(sampler_life(&target), SAMPLER_UNKNOWN);
	assert_int_equal(sampler_take(&target, &sample), -ESRCH);
	target = target_of(getpid());
	target.uid = geteuid() + 1;
	assert_int_equal(sampler_take(&target, &sample), -ESRCH);
}

static void a_dead_process_is_dead_and_a_zombie_in_doubt(void **state) {
	(void)state;
	int hold[2];
	char byte;
	assert_int_equal(pipe(hold), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(hold[1]);
		_exit(read(hold[0], &byte, 1) == 0 ? 0 : 1);
	}
	struct sampler_target target = target_of(pid);
	assert_int_equal(sampler_life(&target), SAMPLER_ALIVE);
	(void)close(hold[1]);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(sampler_life(&target), SAMPLER_UNKNOWN);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(sampler_life(&target), SAMPLER_DEAD);
	(void)close(hold[0]);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_of_stat_are_found_behind_any_name),
	    cmocka_unit_test(broken_stat_is_refused),
	    cmocka_unit_test(lines_of_kilobytes_are_found_by_their_whole_key),
	    cmocka_unit_test(this_process_is_sampled),
	    cmocka_unit_test(another_start_time_or_owner_is_another_process),
	    cmocka_unit_test(a_dead_process_is_dead_and_a_zombie_in_doubt),
	};
	return cmocka_run_group_tests_name("agent_sampler", tests, NULL, NULL);
}

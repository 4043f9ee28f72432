/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/footprint/footprint_mark.h"
#include "agent/footprint/sampler.h"
#include "base/errs.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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
		assert_int_equal(stat.virtual_bytes, 20);
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
	assert_true(sampler_parse_bytes("Rss: -5 kB\n", "Rss") == UINT64_MAX);
	assert_true(sampler_parse_count("a: 5\nb:\t-1\n", "b") == UINT64_MAX);
	assert_int_equal(sampler_parse_count("a: 5\nb:\t17\n", "b"), 17);
	assert_true(sampler_parse_count("b: \n17\n", "b") == UINT64_MAX);
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

static int take_once(struct sampler_target *target, struct store_memory_sample *ret_sample) {
	struct sampler sampler;
	sampler_init(&sampler, "/proc");
	return sampler_take(&sampler, target, ret_sample);
}

static void this_process_is_sampled(void **state) {
	(void)state;
	struct sampler_target target = target_of(getpid());
	struct store_memory_sample sample;
	assert_int_equal(sampler_life(&target), SAMPLER_ALIVE);
	assert_int_equal(take_once(&target, &sample), 0);
	assert_int_equal(sample.threads, 1);
	assert_int_equal(sample.pss_state, STORE_PSS_READ);
	assert_true(sample.pss_bytes <= sample.rss_bytes && sample.pss_ns > 0 && sample.pss_ns != UINT64_MAX);
	assert_true(sample.switches_voluntary != UINT64_MAX && sample.switches_involuntary != UINT64_MAX);
	assert_true(sample.heap_allocated_bytes == UINT64_MAX && sample.heap_freed_bytes == UINT64_MAX);
	assert_true(sample.rss_bytes > 4096 && sample.rss_bytes != UINT64_MAX);
	assert_true(sample.anonymous_bytes <= sample.rss_bytes);
	assert_true(sample.faults_minor > 0 && sample.time_ns > 0);
}

static void open_descriptors_are_counted(void **state) {
	(void)state;
	int more[20];
	struct sampler_target target = target_of(getpid());
	struct store_memory_sample before;
	struct store_memory_sample after;
	assert_int_equal(take_once(&target, &before), 0);
	for (int i = 0; i < 20; i++)
		assert_true((more[i] = open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0);
	assert_int_equal(take_once(&target, &after), 0);
	assert_int_equal(after.descriptors, before.descriptors + 20);
	for (int i = 0; i < 20; i++)
		(void)close(more[i]);
}

struct waiting {
	pthread_barrier_t there;
	pthread_barrier_t leave;
};

static void *wait_to_leave(void *context) {
	struct waiting *waiting = context;
	(void)pthread_barrier_wait(&waiting->there);
	(void)pthread_barrier_wait(&waiting->leave);
	return NULL;
}

static void context_switches_are_those_of_all_threads(void **state) {
	(void)state;
	enum { THREADS = 4 };
	struct waiting waiting;
	pthread_t threads[THREADS];
	struct sampler_target target = target_of(getpid());
	struct store_memory_sample alone;
	struct store_memory_sample together;
	assert_int_equal(take_once(&target, &alone), 0);
	assert_int_equal(pthread_barrier_init(&waiting.there, NULL, THREADS + 1), 0);
	assert_int_equal(pthread_barrier_init(&waiting.leave, NULL, THREADS + 1), 0);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, wait_to_leave, &waiting), 0);
	(void)pthread_barrier_wait(&waiting.there);
	target.full_after_ns = 0;
	assert_int_equal(take_once(&target, &together), 0);
	assert_true(together.threads >= THREADS + 1);
	assert_true(together.switches_voluntary != UINT64_MAX);
	assert_true(together.switches_voluntary >= alone.switches_voluntary);
	/* Without a full sample only the first thread's would be known, which is not said of the process. */
	target.full_after_ns = UINT64_MAX;
	assert_int_equal(take_once(&target, &together), 0);
	assert_int_equal(together.pss_state, STORE_PSS_LEFT_OUT);
	assert_true(together.switches_voluntary == UINT64_MAX && together.pss_ns == UINT64_MAX);
	assert_true(together.pss_bytes == UINT64_MAX && together.rss_bytes != UINT64_MAX);
	(void)pthread_barrier_wait(&waiting.leave);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	(void)pthread_barrier_destroy(&waiting.there);
	(void)pthread_barrier_destroy(&waiting.leave);
}

/* --- a /proc of our own, which says what we want ------------------------------------------------------------------ */

#define FAKE_PID 77u

static void put(const struct scratch *scratch, const char *name, const char *text) {
	char path[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/%u/%s", scratch->files, FAKE_PID, name);
	FILE *file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void put_folder(const struct scratch *scratch, const char *name) {
	char path[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(path, sizeof(path), "%s/%u/%s", scratch->files, FAKE_PID, name);
	assert_int_equal(mkdir(path, 0700), 0);
}

static void put_status(const struct scratch *scratch, const char *name, const char *rest) {
	char text[512];
	(void)snprintf(text, sizeof(text), "Name:\tx\nUid:\t%u\t%u\t0\t0\n%s", geteuid(), geteuid(), rest);
	put(scratch, name, text);
}

/* Three threads, two of them listed; two descriptors. */
static void make_process(const struct scratch *scratch) {
	put_folder(scratch, "");
	put(scratch, "stat", "77 (x) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 3 18 19 20 21 22 23\n");
	put_status(scratch, "status",
	           "RssAnon: 5 kB\nVmSwap: 6 kB\nvoluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n");
	put(scratch, "smaps_rollup", "Rss: 40 kB\nPss: 30 kB\nAnonymous: 20 kB\nSwap: 10 kB\n");
	put_folder(scratch, "fd");
	put(scratch, "fd/0", "");
	put(scratch, "fd/1", "");
	put_folder(scratch, "task");
	put_folder(scratch, "task/77");
	put_folder(scratch, "task/78");
	put_folder(scratch, "task/79"); /* has just ended */
	put_status(scratch, "task/77/status", "voluntary_ctxt_switches:\t7\nnonvoluntary_ctxt_switches:\t8\n");
	put_status(scratch, "task/78/status", "voluntary_ctxt_switches:\t100\nnonvoluntary_ctxt_switches:\t200\n");
}

static int take_made(const struct scratch *scratch, struct store_memory_sample *ret_sample) {
	struct sampler sampler;
	struct sampler_target target = {.pid = FAKE_PID, .start_time = 19, .uid = geteuid()};
	sampler_init(&sampler, scratch->files);
	return sampler_take(&sampler, &target, ret_sample);
}

static void every_figure_is_where_it_belongs(void **state) {
	(void)state;
	struct scratch scratch;
	struct store_memory_sample sample;
	scratch_make(&scratch);
	make_process(&scratch);
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_int_equal(sample.threads, 3);
	assert_int_equal(sample.rss_bytes, 40 * 1024);
	assert_int_equal(sample.pss_bytes, 30 * 1024);
	assert_int_equal(sample.anonymous_bytes, 20 * 1024);
	assert_int_equal(sample.swap_bytes, 10 * 1024);
	assert_int_equal(sample.faults_minor, 7);
	assert_int_equal(sample.faults_major, 9);
	assert_int_equal(sample.descriptors, 2);
	assert_int_equal(sample.switches_voluntary, 107);
	assert_int_equal(sample.switches_involuntary, 208);
	scratch_remove(&scratch);
}

/* Nonsense is a figure that was not read, never a number. */
static void hostile_files_give_no_figures(void **state) {
	(void)state;
	struct scratch scratch;
	struct store_memory_sample sample;
	static const char *const rollups[] = {
	    "", "Pss:", "Pss: -", "Pss: 99999999999999999999999 kB\n", "\n\n\nPss\n", "Pss: 18446744073709551615 kB\n"};
	scratch_make(&scratch);
	make_process(&scratch);
	for (size_t i = 0; i < sizeof(rollups) / sizeof(rollups[0]); i++) {
		put(&scratch, "smaps_rollup", rollups[i]);
		assert_int_equal(take_made(&scratch, &sample), 0);
		assert_int_equal(sample.pss_state, STORE_PSS_REFUSED);
		assert_true(sample.pss_bytes == UINT64_MAX);
		assert_int_equal(sample.rss_bytes, 21 * sysconf(_SC_PAGESIZE));
	}
	put_status(&scratch, "task/78/status", "voluntary_ctxt_switches:\tmany\n");
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_true(sample.switches_voluntary == UINT64_MAX && sample.switches_involuntary == UINT64_MAX);
	put_status(&scratch, "task/78/status",
	           "voluntary_ctxt_switches:\t18446744073709551614\nnonvoluntary_ctxt_switches:\t1\n");
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_true(sample.switches_voluntary == UINT64_MAX && sample.switches_involuntary == 9);
	put(&scratch, "stat", "77 (x) S 1 2 3\n");
	assert_int_equal(take_made(&scratch, &sample), ERR_DAMAGED);
	put(&scratch, "stat", "");
	assert_int_equal(take_made(&scratch, &sample), ERR_DAMAGED);
	scratch_remove(&scratch);
}

static void more_names_than_are_counted_are_no_number(void **state) {
	(void)state;
	struct scratch scratch;
	struct store_memory_sample sample;
	char name[32];
	scratch_make(&scratch);
	make_process(&scratch);
	for (unsigned i = 2; i < 4096; i++) {
		(void)snprintf(name, sizeof(name), "fd/%u", i);
		put(&scratch, name, "");
	}
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_int_equal(sample.descriptors, 4096);
	put(&scratch, "fd/4096", "");
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_true(sample.descriptors == UINT64_MAX);
	for (unsigned i = 100; i < 161; i++) {
		(void)snprintf(name, sizeof(name), "task/%u", i);
		put_folder(&scratch, name);
	}
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_int_equal(sample.switches_voluntary, 107);
	put_folder(&scratch, "task/161");
	assert_int_equal(take_made(&scratch, &sample), 0);
	assert_true(sample.switches_voluntary == UINT64_MAX);
	scratch_remove(&scratch);
}

/* --- the budget, in a time of its own ----------------------------------------------------------------------------- */

static void over_time_no_more_is_spent_than_the_share(void **state) {
	(void)state;
	static const uint64_t costs_ns[] = {1, 1000, 40000, 3000000, 700000000};
	for (size_t i = 0; i < sizeof(costs_ns) / sizeof(costs_ns[0]); i++) {
		struct sampler_budget budget;
		uint64_t now_ns = 12345;
		uint64_t spent_ns = 0;
		const uint64_t most_ns = 10000000;
		sampler_budget_init(&budget, 300, most_ns, now_ns);
		for (unsigned turn = 0; turn < 20000; turn++) {
			if (sampler_budget_has(&budget, 0, now_ns)) {
				sampler_budget_pay(&budget, costs_ns[i]);
				spent_ns += costs_ns[i];
				now_ns += 7;
				continue;
			}
			uint64_t ready_ns = sampler_budget_ready_ns(&budget, now_ns);
			assert_true(ready_ns > now_ns);
			assert_false(sampler_budget_has(&budget, 0, ready_ns - 300));
			assert_true(sampler_budget_has(&budget, 0, ready_ns));
			now_ns = ready_ns;
		}
		assert_true(spent_ns <= (now_ns - 12345) / 300 + most_ns + costs_ns[i]);
		/* And not much less. */
		assert_true(spent_ns + costs_ns[i] >= most_ns || costs_ns[i] < 1000);
	}
}

static void a_budget_forgets_nothing_and_saves_no_more_than_it_may(void **state) {
	(void)state;
	struct sampler_budget budget;
	sampler_budget_init(&budget, 100, 50, 1000);
	sampler_budget_pay(&budget, 60);
	assert_false(sampler_budget_has(&budget, 0, 1000));
	assert_true(sampler_budget_has(&budget, 11, 1000));
	/* 99 ns at a time earn as much as one long wait. */
	uint64_t now_ns = 1000;
	while (!sampler_budget_has(&budget, 0, now_ns))
		now_ns += 99;
	assert_true(now_ns >= 1000 + 1100 && now_ns < 1000 + 1100 + 99);
	assert_true(sampler_budget_has(&budget, 0, now_ns + UINT64_C(1000000000000)));
	sampler_budget_pay(&budget, 50);
	assert_false(sampler_budget_has(&budget, 0, now_ns));
	sampler_budget_pay(&budget, UINT64_MAX);
	assert_false(sampler_budget_has(&budget, 0, now_ns));
	assert_true(sampler_budget_ready_ns(&budget, now_ns) > now_ns);
}

static void another_start_time_or_owner_is_another_process(void **state) {
	(void)state;
	struct store_memory_sample sample;
	struct sampler_target target = target_of(getpid());
	target.start_time++;
	assert_int_equal(sampler_life(&target), SAMPLER_DEAD);
	assert_int_equal(take_once(&target, &sample), -ESRCH);
	target.start_time = 0;
	assert_int_equal(sampler_life(&target), SAMPLER_UNKNOWN);
	assert_int_equal(take_once(&target, &sample), -ESRCH);
	target = target_of(getpid());
	target.uid = geteuid() + 1;
	assert_int_equal(take_once(&target, &sample), -ESRCH);
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
	assert_true(sampler_runs(&target));
	assert_true(sampler_start_time(pid) == target.start_time);
	(void)close(hold[1]);
	siginfo_t info;
	assert_int_equal(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
	assert_int_equal(sampler_life(&target), SAMPLER_UNKNOWN);
	assert_false(sampler_runs(&target));
	assert_true(sampler_start_time(pid) == target.start_time);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	assert_int_equal(sampler_life(&target), SAMPLER_DEAD);
	assert_false(sampler_runs(&target));
	assert_int_equal(sampler_start_time(pid), 0);
	(void)close(hold[0]);
}

/* Each figure by itself makes a program one that is at work; the resident set only beyond what two ways of counting differ by. */
static void only_a_program_in_which_nothing_changed_is_quiet(void **state) {
	(void)state;
	const struct store_memory_sample base = {.time_ns = 1000,
	                                         .threads = 3,
	                                         .rss_bytes = 16000,
	                                         .cpu_user_ns = 50,
	                                         .cpu_system_ns = 60,
	                                         .faults_minor = 7,
	                                         .faults_major = 8,
	                                         .descriptors = 9};
	struct store_memory_sample others[] = {base, base, base, base, base, base, base, base};
	const bool quiet[] = {true, true, false, false, false, false, false, false};
	others[1].rss_bytes -= 900;
	others[2].rss_bytes += 1100;
	others[3].threads++;
	others[4].cpu_user_ns++;
	others[5].cpu_system_ns++;
	others[6].faults_minor++;
	others[7].descriptors--;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct footprint_mark mark = {.taken_ns = 0};
		footprint_mark_take(&mark, &base, 5);
		assert_false(mark.quiet); /* there was none before */
		footprint_mark_take(&mark, &others[i], 5);
		assert_int_equal(mark.quiet, quiet[i]);
		footprint_mark_take(&mark, &others[i], 6);
		assert_false(mark.quiet); /* a span ended */
		footprint_mark_take(&mark, &others[i], 6);
		assert_true(mark.quiet);
	}
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(fields_of_stat_are_found_behind_any_name),
	    cmocka_unit_test(broken_stat_is_refused),
	    cmocka_unit_test(lines_of_kilobytes_are_found_by_their_whole_key),
	    cmocka_unit_test(this_process_is_sampled),
	    cmocka_unit_test(open_descriptors_are_counted),
	    cmocka_unit_test(context_switches_are_those_of_all_threads),
	    cmocka_unit_test(every_figure_is_where_it_belongs),
	    cmocka_unit_test(hostile_files_give_no_figures),
	    cmocka_unit_test(more_names_than_are_counted_are_no_number),
	    cmocka_unit_test(over_time_no_more_is_spent_than_the_share),
	    cmocka_unit_test(a_budget_forgets_nothing_and_saves_no_more_than_it_may),
	    cmocka_unit_test(another_start_time_or_owner_is_another_process),
	    cmocka_unit_test(only_a_program_in_which_nothing_changed_is_quiet),
	    cmocka_unit_test(a_dead_process_is_dead_and_a_zombie_in_doubt),
	};
	return cmocka_run_group_tests_name("agent_sampler", tests, NULL, NULL);
}

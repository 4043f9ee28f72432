/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: SIGHUP and `spanring-agent reload` change what can change in a running agent, a mistake changes nothing, and no span is lost by it.
 * Method: a real agent with a file of its own; what it runs with is read from its status; under load every number of a program is looked for.
 */
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define THREADS 2u
#define TREES 20000u
#define SPANS_PER_THREAD (TREES * STORED_SPANS_PER_TREE)
#define RELOADS 40u
#define PATH_BYTES (SCRATCH_PATH_BYTES + 32)

struct setting {
	struct session session;
	char file[PATH_BYTES];
};

static void write_file(const struct setting *setting, const char *text) {
	char other[PATH_BYTES + 8];
	(void)snprintf(other, sizeof(other), "%s.new", setting->file);
	CLEANUP_FD int fd = open(other, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	assert_int_equal(rename(other, setting->file), 0);
}

static void setting_open(struct setting *setting, const char *text, const char *const *more) {
	session_open(&setting->session);
	(void)snprintf(setting->file, sizeof(setting->file), "%s/agent.conf", setting->session.scratch.files);
	write_file(setting, text);
	const char *options[8] = {"--config", setting->file};
	for (size_t i = 0; more && more[i]; i++)
		options[i + 2] = more[i];
	session_spawn_agent(&setting->session, options, NULL);
	child_wait_for_line(&setting->session.agent, setting->session.scratch.store);
}

static void setting_close(struct setting *setting) {
	session_stop_agent(&setting->session);
	session_close(&setting->session);
}

static struct child_result run(const struct setting *setting, const char *word, const char *flag) {
	const char *argv[] = {child_program("spanring-agent"),
	                      word,
	                      "--rings",
	                      setting->session.scratch.rings,
	                      "--config",
	                      "/dev/null",
	                      flag,
	                      NULL};
	return child_run(argv, NULL);
}

/* Reload; its exit code, and a text that its answer must hold. */
static void reload(const struct setting *setting, int exit_code, const char *text) {
	struct child_result result = run(setting, "reload", NULL);
	if (result.exit_code != exit_code || !strstr(exit_code == 0 ? result.out : result.err, text))
		fail_msg("reload exits %d: %s%s", result.exit_code, result.out, result.err);
	child_result_free(&result);
}

static void check_status(const struct setting *setting, const char *text, bool there) {
	struct child_result result = run(setting, "status", "--json");
	assert_int_equal(result.exit_code, 0);
	if ((strstr(result.out, text) != NULL) != there)
		fail_msg("the status has %s %s: %s", there ? "no" : "a", text, result.out);
	child_result_free(&result);
}

static void what_can_change_changes(void **state) {
	(void)state;
	struct setting setting;
	setting_open(&setting, "[flush]\nflush-interval = 2s\n[agent]\npreset = balanced\n",
	             (const char *[]){"--max-wait", "7s", NULL});
	check_status(&setting, "\"flush_interval_ns\": 2000000000,", true);
	reload(&setting, 0, "nothing changed\n");
	write_file(&setting, "[agent]\npreset = low-latency\nmemory-cap = 48MiB\nlog-level = warning\n"
	                     "[flush]\nmax-wait = 9s\n[retention]\nretain-age = 3h\n[programs]\nratio = 0.25\n");
	reload(&setting, 0, "preset = low-latency, memory-cap = 48MiB, log-level = warning, batch-size = 100, ");
	check_status(&setting, "\"flush_interval_ns\": 500000000,", true);
	check_status(&setting, "\"batch_size\": 100,", true);
	check_status(&setting, "\"memory_cap_bytes\": 50331648,", true);
	check_status(&setting, "\"max_wait_ns\": 7000000000,", true); /* the flag is higher, now as then */
	check_status(&setting, "\"ratio\": \"0.25\",", true);
	check_status(&setting, "\"reloads\": 2,", true);
	setting_close(&setting);
}

static void what_cannot_is_named_and_stays(void **state) {
	(void)state;
	struct setting setting;
	setting_open(&setting, "[flush]\ndurability = normal\n", NULL);
	write_file(&setting, "[agent]\nio = posix\n[flush]\ndurability = full\nbatch-size = 77\n");
	reload(&setting, 0, "batch-size = 77; needs a restart: io, durability\n");
	child_wait_for_line(&setting.session.agent, "needs a restart to change: io, durability");
	check_status(&setting, "\"io_wanted\": \"auto\",", true);
	check_status(&setting, "\"batch_size\": 77,", true);
	setting_close(&setting);
}

static void a_mistake_changes_nothing(void **state) {
	(void)state;
	static const char *const bad[] = {
	    "[flush]\nflush-interval = 300ms\nflush-intervall = 1s\n",
	    "[flush]\nflush-interval = 300ms\nbatch-size = 0\n",
	    "[flush]\nflush-interval = 300ms\n\x01\n",
	    "[nothing]\n",
	    "[flush]\nflush-interval = 300ms\n[flush]\n",
	};
	struct setting setting;
	setting_open(&setting, "[flush]\nflush-interval = 250ms\n", NULL);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		write_file(&setting, bad[i]);
		reload(&setting, 1, "nothing changed, the configuration is wrong: ");
		child_wait_for_line(&setting.session.agent, "agent.conf:");
		check_status(&setting, "\"flush_interval_ns\": 250000000,", true);
	}
	assert_int_equal(unlink(setting.file), 0);
	reload(&setting, 1, "No such file or directory");
	check_status(&setting, "\"reloads\": 0,", true);
	check_status(&setting, "\"reloads_refused\": 6,", true);
	write_file(&setting, "[flush]\nflush-interval = 300ms\n");
	child_signal(&setting.session.agent, SIGHUP);
	child_wait_for_line(&setting.session.agent, "configuration read again: flush-interval = 300ms");
	check_status(&setting, "\"flush_interval_ns\": 300000000,", true);
	setting_close(&setting);
}

static void without_an_agent_it_says_so(void **state) {
	(void)state;
	struct setting setting;
	session_open(&setting.session);
	reload(&setting, 1, "no agent runs on ");
	session_close(&setting.session);
}

/* Values that make the agent work differently, one after the other, while two threads write. */
static void write_random_file(const struct setting *setting, struct seed *seed) {
	char text[512];
	(void)snprintf(text, sizeof(text),
	               "[agent]\nmemory-cap = %" PRIu64 "MiB\n[flush]\nbatch-size = %" PRIu64
	               "\nflush-interval = %" PRIu64 "ms\nmax-wait = %" PRIu64 "ms\n[retention]\nretain-age = %" PRIu64
	               "h\n[programs]\nmemory-interval = %" PRIu64 "ms\nstatistics-interval = %" PRIu64 "ms\n%s",
	               32 + seed_below(seed, 64), 1 + seed_below(seed, 65536), 1 + seed_below(seed, 100),
	               10 + seed_below(seed, 100), 1 + seed_below(seed, 100), 10 * seed_below(seed, 20),
	               10 + seed_below(seed, 500), seed_below(seed, 4) == 0 ? "a mistake\n" : "");
	write_file(setting, text);
}

static void nothing_is_lost_under_load(void **state) {
	(void)state;
	static const char *const arguments[] = {"--threads", "2", "--trees", "20000", "--flush-every", "1000", NULL};
	struct seed seed = seed_start("reload");
	struct setting setting;
	struct stored stored;
	setting_open(&setting, "[flush]\n", NULL);
	struct child producer = session_producer(&setting.session, arguments);
	for (unsigned i = 0; i < seed_rounds(RELOADS); i++) {
		write_random_file(&setting, &seed);
		child_signal(&setting.session.agent, SIGHUP);
		struct child_result result = run(&setting, "reload", NULL);
		assert_in_range(result.exit_code, 0, 1);
		child_result_free(&result);
	}
	struct session_counters counters = session_producer_finish(&producer);
	assert_int_equal(counters.dropped_full + counters.dropped_no_ring, 0);
	session_stop_agent(&setting.session);
	stored_load(setting.session.scratch.store, &stored);
	assert_int_equal(stored.count, THREADS * SPANS_PER_THREAD);
	stored_check_tree(&stored);
	for (uint64_t thread = 0; thread < THREADS; thread++)
		assert_int_equal(stored_count_of(&stored, 0, thread), SPANS_PER_THREAD);
	stored_free(&stored);
	session_check_audit(&setting.session);
	session_close(&setting.session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_can_change_changes),    cmocka_unit_test(what_cannot_is_named_and_stays),
	    cmocka_unit_test(a_mistake_changes_nothing),  cmocka_unit_test(without_an_agent_it_says_so),
	    cmocka_unit_test(nothing_is_lost_under_load),
	};
	return cmocka_run_group_tests_name("reload", tests, NULL, NULL);
}

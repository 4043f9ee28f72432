/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a store that failed is tried again soon enough to be back within five seconds, and seldom enough to be left alone; the probe tells
 * a place that can be written from one that cannot, and leaves nothing there.
 * Method: the state machine at times of the test's choosing; the probe on real folders, limited by RLIMIT_FSIZE.
 */
#include "support/cmocka.h"
#include "support/scratch.h"

#include "agent/commit/breaker.h"
#include "agent/commit/store_probe.h"
#include "base/clock.h"
#include "base/errs.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define FAILURES 5u
#define PAUSE_NS (60 * NS_PER_S)
#define BACK_WITHIN_NS (5 * NS_PER_S)
#define LONG_NS (600 * NS_PER_S)

static struct breaker opened(uint64_t *now_ns) {
	struct breaker breaker;
	breaker_init(&breaker, FAILURES, PAUSE_NS);
	for (uint32_t i = 0; i < FAILURES; i++) {
		(void)breaker_failed(&breaker, *now_ns, false);
		*now_ns = breaker_at_ns(&breaker);
	}
	assert_int_equal(breaker.state, BREAKER_OPEN);
	return breaker;
}

static void nothing_is_due_while_it_works(void **state) {
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, FAILURES, PAUSE_NS);
	assert_int_equal(breaker.state, BREAKER_OK);
	assert_int_equal(breaker_due(&breaker, UINT64_MAX), BREAKER_WAIT);
	assert_true(breaker_at_ns(&breaker) == UINT64_MAX);
	assert_false(breaker_worked(&breaker));
}

static void pauses_double_until_it_opens(void **state) {
	(void)state;
	struct breaker breaker;
	uint64_t now = NS_PER_S;
	uint64_t pause = BREAKER_RETRY_NS_MIN;
	breaker_init(&breaker, FAILURES, PAUSE_NS);
	for (uint32_t i = 1; i < FAILURES; i++) {
		assert_true(breaker_failed(&breaker, now, false) == (i == 1));
		assert_int_equal(breaker.state, BREAKER_FAILING);
		assert_true(breaker_at_ns(&breaker) == now + pause);
		assert_int_equal(breaker_due(&breaker, now + pause - 1), BREAKER_WAIT);
		assert_int_equal(breaker_due(&breaker, now + pause), BREAKER_COMMIT);
		now += pause;
		pause *= 2;
	}
	assert_true(breaker_failed(&breaker, now, false));
	assert_int_equal(breaker.state, BREAKER_OPEN);
	assert_true(breaker.failing_ns == NS_PER_S);
	assert_int_equal(breaker_due(&breaker, now + BREAKER_PROBE_NS - 1), BREAKER_WAIT);
	assert_int_equal(breaker_due(&breaker, now + BREAKER_PROBE_NS), BREAKER_PROBE);
}

static void the_first_success_closes_it(void **state) {
	(void)state;
	uint64_t now = NS_PER_S;
	struct breaker breaker = opened(&now);
	assert_true(breaker_worked(&breaker));
	assert_int_equal(breaker.state, BREAKER_OK);
	assert_int_equal(breaker.failures, 0);
	assert_true(breaker_failed(&breaker, now, false));
	assert_int_equal(breaker.state, BREAKER_FAILING);
	assert_true(breaker_at_ns(&breaker) == now + BREAKER_RETRY_NS_MIN);
}

static void one_failure_may_be_enough(void **state) {
	(void)state;
	struct breaker breaker;
	breaker_init(&breaker, 1, PAUSE_NS);
	assert_true(breaker_failed(&breaker, NS_PER_S, false));
	assert_int_equal(breaker.state, BREAKER_OPEN);
}

/* With probes that fail only the pause brings a commit. */
static void failing_probes_keep_commits_away(void **state) {
	(void)state;
	uint64_t now = NS_PER_S;
	struct breaker breaker = opened(&now);
	uint64_t commit_at = breaker.commit_at_ns;
	uint32_t probes = 0;
	while (breaker_due(&breaker, now) != BREAKER_COMMIT) {
		assert_int_equal(breaker_due(&breaker, now), BREAKER_PROBE);
		assert_false(breaker_failed(&breaker, now, true));
		probes++;
		assert_true(breaker_at_ns(&breaker) > now);
		now = breaker_at_ns(&breaker);
	}
	assert_true(now == commit_at);
	assert_in_range(probes, PAUSE_NS / BREAKER_PROBE_NS - 1, PAUSE_NS / BREAKER_PROBE_NS);
	assert_int_equal(breaker.failures, FAILURES);
	assert_false(breaker_failed(&breaker, now, false));
	assert_true(breaker.commit_at_ns == now + PAUSE_NS);
}

/* Whatever failed before, and however often: something that can succeed is due within five seconds. */
static void it_is_never_long_until_the_next_try(void **state) {
	(void)state;
	static const uint32_t failures[] = {1, FAILURES, 1000};
	for (size_t i = 0; i < sizeof(failures) / sizeof(failures[0]); i++) {
		struct breaker breaker;
		uint64_t now = NS_PER_S;
		breaker_init(&breaker, failures[i], PAUSE_NS);
		(void)breaker_failed(&breaker, now, false);
		for (uint32_t step = 0; now < LONG_NS; step++) {
			uint64_t next = breaker_at_ns(&breaker);
			assert_true(next > now && next - now < BACK_WITHIN_NS);
			now = next;
			bool is_probe = breaker_due(&breaker, now) == BREAKER_PROBE && step % 3 != 0;
			(void)breaker_failed(&breaker, now, is_probe);
		}
	}
}

static unsigned entries_in(const char *path) {
	DIR *directory = opendir(path);
	unsigned count = 0;
	assert_non_null(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static void the_probe_tells_and_leaves_nothing(void **state) {
	(void)state;
	struct scratch scratch;
	struct rlimit before;
	char text[512] = "";
	char nowhere[SCRATCH_PATH_BYTES + 16];
	scratch_make(&scratch);
	(void)signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(store_probe(scratch.files, text, sizeof(text)), 0);
	assert_string_equal(text, "");
	assert_int_equal(entries_in(scratch.files), 2);
	(void)snprintf(nowhere, sizeof(nowhere), "%s/nowhere", scratch.files);
	assert_int_equal(store_probe(nowhere, text, sizeof(text)), -ENOENT);
	assert_non_null(strstr(text, nowhere));
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	struct rlimit small = {.rlim_cur = STORE_PROBE_BYTES / 2, .rlim_max = before.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	int rc = store_probe(scratch.files, text, sizeof(text));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	assert_int_equal(rc, ERR_FULL);
	assert_int_equal(entries_in(scratch.files), 2);
	scratch_remove(&scratch);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nothing_is_due_while_it_works),      cmocka_unit_test(pauses_double_until_it_opens),
	    cmocka_unit_test(the_first_success_closes_it),        cmocka_unit_test(one_failure_may_be_enough),
	    cmocka_unit_test(failing_probes_keep_commits_away),   cmocka_unit_test(it_is_never_long_until_the_next_try),
	    cmocka_unit_test(the_probe_tells_and_leaves_nothing),
	};
	return cmocka_run_group_tests_name("agent_breaker", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows B09 and B10 (threat T20): a program whose agent is stopped, or was never there, goes on as before. It waits for nobody, drops
 * what finds no room, counts each drop, and does not grow.
 * Method: while the agent is stopped, a filter kills the program at any system call but a futex wake; what is stored after SIGCONT and
 * what was dropped is what was begun. Without an agent, resident memory is compared before and after. Latencies are printed, never judged.
 */
#include "host_books.h"
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include "unit/ring_view.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/futex.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <spanring/statistics_abi.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define SPANS 300000u
#define SPANS_WITHOUT_AGENT 1000000u
#define WARMING_SPANS 40000u /* more than a ring holds */
/* A page for the ring; and the histogram of the one site, reserved from its first span on, is touched bin by bin. */
#define GROWTH_BYTES_MAX (SPANRING_PAGE_BYTES + sizeof(struct spanring_site_statistics))
#define LATENCIES 200000u
#define EXIT_CODE 7

static struct scene {
	uint64_t ready;
	uint64_t go;
	uint64_t rss_before_bytes;
	uint64_t rss_after_bytes;
	struct spanring_counters counters;
	uint32_t latencies_ns[2][LATENCIES];
} * scene;

static void one_span(void) {
	SPANRING_SPAN(span, "quiet");
	SPANRING_SET_U64(span, "u", 7);
}

static void spans_of(unsigned phase, unsigned count) {
	for (unsigned i = 0; i < count; i++) {
		uint64_t before_ns = clock_monotonic_ns();
		one_span();
		scene->latencies_ns[phase][i % LATENCIES] = (uint32_t)(clock_monotonic_ns() - before_ns);
	}
}

static int by_u32(const void *left, const void *right) {
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;
	return a < b ? -1 : a > b;
}

static uint32_t latency_ns(unsigned phase, unsigned count, unsigned per_mille) {
	count = count < LATENCIES ? count : LATENCIES;
	qsort(scene->latencies_ns[phase], count, sizeof(uint32_t), by_u32);
	return scene->latencies_ns[phase][(uint64_t)(count - 1u) * per_mille / 1000u];
}

static void forbid_waiting(void) {
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 4, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 2),
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[1])),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, FUTEX_WAKE, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void writes_beside_a_stopped_agent(void) {
	spans_of(0, seed_rounds(SPANS));
	(void)spanring_flush(0);
	__atomic_store_n(&scene->ready, 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&scene->go, __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	if (SANITIZER_SLOWDOWN == 1) /* they make system calls of their own */
		forbid_waiting();
	spans_of(1, seed_rounds(SPANS));
	spanring_counters_read(&scene->counters);
}

static void test_stopped_agent(void **state) {
	(void)state;
	struct session session;
	unsigned spans = seed_rounds(SPANS);
	int status;
	session_open(&session);
	session_start_agent(&session);
	memset(scene, 0, sizeof(*scene));
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", session.scratch.rings, 1);
		writes_beside_a_stopped_agent();
		_exit(0);
	}
	clock_wait_for_u64(&scene->ready, 1);
	child_signal(&session.agent, SIGSTOP);
	__atomic_store_n(&scene->go, 1, __ATOMIC_RELEASE);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	child_signal(&session.agent, SIGCONT);
	session_stop_agent(&session);
	struct host_books total = host_books_total(&session);
	assert_int_equal(scene->counters.begun, 2u * spans);
	assert_int_equal(scene->counters.ended, 2u * spans);
	assert_true(scene->counters.dropped_full > 0);
	assert_int_equal(total.begun, scene->counters.begun);
	assert_int_equal(total.dropped_full, scene->counters.dropped_full);
	assert_int_equal(total.stored, scene->counters.begun - scene->counters.dropped_full);
	(void)printf("span and attribute, ns: agent running p50 %u p99.9 %u, agent stopped p50 %u p99.9 %u\n",
	             latency_ns(0, spans, 500), latency_ns(0, spans, 999), latency_ns(1, spans, 500),
	             latency_ns(1, spans, 999));
	session_close(&session);
}

/* Counted page by page; the figure in statm is an estimate. */
static uint64_t resident_bytes(void) {
	char text[1024];
	int fd = open("/proc/self/smaps_rollup", O_RDONLY | O_CLOEXEC);
	CHECK(fd >= 0);
	ssize_t bytes = read(fd, text, sizeof(text) - 1);
	CHECK(bytes > 0 && close(fd) == 0);
	text[bytes] = '\0';
	const char *at = strstr(text, "\nRss:");
	CHECK(at);
	return strtoull(at + strlen("\nRss:"), NULL, 10) * 1024u;
}

static void writes_without_agent(void) {
	/* Until the ring is full: then every page that a span needs has been touched, code and data. */
	for (unsigned i = 0; i < WARMING_SPANS; i++)
		one_span();
	(void)resident_bytes();
	scene->rss_before_bytes = resident_bytes();
	for (unsigned i = 0; i < seed_rounds(SPANS_WITHOUT_AGENT); i++)
		one_span();
	scene->rss_after_bytes = resident_bytes();
	spanring_counters_read(&scene->counters);
	exit(EXIT_CODE);
}

static void test_no_agent(void **state) {
	(void)state;
	struct session session;
	int status;
	session_open(&session);
	memset(scene, 0, sizeof(*scene));
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", session.scratch.rings, 1);
		writes_without_agent();
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), EXIT_CODE);
	if (SANITIZER_SLOWDOWN == 1 && scene->rss_after_bytes > scene->rss_before_bytes + GROWTH_BYTES_MAX)
		fail_msg("%u spans without an agent: resident memory grows from %u to %u bytes",
		         seed_rounds(SPANS_WITHOUT_AGENT), (unsigned)scene->rss_before_bytes,
		         (unsigned)scene->rss_after_bytes);
	/* The first agent finds what the ring holds, and the count of all the rest. */
	session_collect(&session);
	struct host_books total = host_books_total(&session);
	assert_int_equal(scene->counters.begun, seed_rounds(SPANS_WITHOUT_AGENT) + WARMING_SPANS);
	assert_int_equal(total.begun, scene->counters.begun);
	assert_int_equal(total.dropped_full, scene->counters.dropped_full);
	assert_int_equal(total.stored, total.begun - total.dropped_full);
	assert_true(total.stored > 0 && total.dropped_full > 0);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_stopped_agent),
	    cmocka_unit_test(test_no_agent),
	};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		return 1;
	return cmocka_run_group_tests_name("host_agent", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B31 (threat T11): a pid is no identity. Processes that had, or have, the same pid are different instances with their own
 * books and their own unfinished spans, and a living one is never taken for dead.
 * Method: pid namespaces of the test's own. In one, a pid is given again at once (ns_last_pid); two at a time hold living processes
 * of equal pids, of which one is killed while an agent looks on.
 */
#include "host_books.h"
#include "support/clock_wait.h"
#include "support/cmocka.h"

#include "unit/ring_view.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define REUSED_PID 300
#define LIVES 3u
#define CONTAINERS 2u

static struct scene {
	const char *rings;
	pid_t reused[LIVES];
	uint64_t ready[CONTAINERS];
	pid_t inner[CONTAINERS]; /* as the container sees it */
	uint64_t go[CONTAINERS];
	char producer[1024];
} * scene;

static bool namespaces_are_allowed(void) {
	int status;
	pid_t pid = child_fork();
	if (pid == 0)
		_exit(unshare(CLONE_NEWPID) == 0 ? 0 : 1);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && status == 0)
		return true;
	(void)fprintf(stderr, "no pid namespaces here\n");
	return false;
}

static void next_pid_is(pid_t pid) {
	char text[24];
	int length = snprintf(text, sizeof(text), "%d", (int)pid - 1);
	int fd = open("/proc/sys/kernel/ns_last_pid", O_WRONLY | O_CLOEXEC);
	CHECK(fd >= 0 && write(fd, text, (size_t)length) == length);
	(void)close(fd);
}

/* n finished spans and one that is open when the process is killed. */
static void lives_and_is_killed(unsigned n) {
	for (unsigned i = 0; i < n; i++) {
		SPANRING_SPAN(span, "finished");
	}
	SPANRING_BEGIN(left, "left open");
	(void)left;
	(void)raise(SIGKILL);
}

/* First process of its namespace. */
static void gives_a_pid_again(void) {
	for (unsigned life = 0; life < LIVES; life++) {
		int status;
		next_pid_is(REUSED_PID);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0)
			lives_and_is_killed(life + 1);
		CHECK(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status));
		scene->reused[life] = pid;
	}
}

/* Run it as process 1 of a new pid namespace; its pid here. */
static pid_t start_in_namespace(void (*run)(unsigned), unsigned argument) {
	int ready[2];
	pid_t first = 0;
	assert_int_equal(pipe(ready), 0);
	pid_t outer = child_fork();
	assert_true(outer >= 0);
	if (outer == 0) {
		setenv("SPANRING_DIR", scene->rings, 1);
		CHECK(unshare(CLONE_NEWPID) == 0);
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			run(argument);
			exit(0);
		}
		CHECK(write(ready[1], &pid, sizeof(pid)) == sizeof(pid));
		int status;
		CHECK(waitpid(pid, &status, 0) == pid);
		_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 0);
	}
	assert_int_equal(read(ready[0], &first, sizeof(first)), sizeof(first));
	(void)close(ready[0]);
	(void)close(ready[1]);
	return outer;
}

static void reuse(unsigned unused) {
	(void)unused;
	gives_a_pid_again();
}

static void test_pid_given_again(void **state) {
	(void)state;
	struct session session;
	struct host_books books[HOST_BOOKS_MAX];
	int status;
	if (!namespaces_are_allowed() || access("/proc/sys/kernel/ns_last_pid", W_OK) != 0)
		skip();
	session_open(&session);
	scene->rings = session.scratch.rings;
	session_start_agent(&session);
	pid_t outer = start_in_namespace(reuse, 0);
	assert_int_equal(waitpid(outer, &status, 0), outer);
	assert_int_equal(status, 0);
	session_stop_agent(&session);
	unsigned count = host_books_load(&session, books);
	assert_int_equal(count, LIVES);
	unsigned seen = 0;
	for (unsigned life = 0; life < LIVES; life++) {
		const struct host_books *own = host_books_of(books, count, REUSED_PID, life);
		assert_int_equal(scene->reused[life], REUSED_PID);
		assert_int_equal(own->unfinished, 1);
		assert_in_range(own->stored, 1, LIVES);
		assert_int_equal(own->begun, own->stored + 1);
		seen |= 1u << own->stored;
		for (unsigned other = 0; other < life; other++)
			assert_string_not_equal(own->instance,
			                        host_books_of(books, count, REUSED_PID, other)->instance);
	}
	assert_int_equal(seen, 0xe); /* each life with its own number of spans */
	session_close(&session);
}

static void waits_in_a_span(unsigned container) {
	SPANRING_BEGIN(left, "left open");
	scene->inner[container] = getpid();
	__atomic_store_n(&scene->ready[container], 1, __ATOMIC_RELEASE);
	while (__atomic_load_n(&scene->go[container], __ATOMIC_ACQUIRE) == 0)
		(void)sched_yield();
	if (container == 0)
		(void)raise(SIGABRT);
	spanring_end(left);
}

/* As an init of a container does: one process under it, of a pid that the other container has, too. */
static void contains_one(unsigned container) {
	int status;
	next_pid_is(REUSED_PID);
	pid_t pid = fork();
	CHECK(pid >= 0);
	if (pid == 0) {
		waits_in_a_span(container);
		exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid);
}

static void wait_for_one_instance(const struct session *session) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	while (view_count_instances(session->scratch.rings) != 1 && clock_monotonic_ns() < deadline_ns)
		(void)sched_yield();
	assert_int_equal(view_count_instances(session->scratch.rings), 1);
}

static void test_containers_with_equal_pids(void **state) {
	(void)state;
	struct session session;
	struct host_books books[HOST_BOOKS_MAX];
	pid_t outer[CONTAINERS];
	int status;
	if (!namespaces_are_allowed() || access("/proc/sys/kernel/ns_last_pid", W_OK) != 0)
		skip();
	session_open(&session);
	scene->rings = session.scratch.rings;
	session_start_agent(&session);
	for (unsigned i = 0; i < CONTAINERS; i++)
		outer[i] = start_in_namespace(contains_one, i);
	for (unsigned i = 0; i < CONTAINERS; i++)
		clock_wait_for_u64(&scene->ready[i], 1);
	assert_int_equal(scene->inner[0], REUSED_PID);
	assert_int_equal(scene->inner[1], REUSED_PID);
	__atomic_store_n(&scene->go[0], 1, __ATOMIC_RELEASE);
	assert_int_equal(waitpid(outer[0], &status, 0), outer[0]);
	/* The agent takes the dead one away; the living one stays, and stays alone. */
	wait_for_one_instance(&session);
	unsigned count = host_books_load(&session, books);
	uint64_t unfinished = 0;
	for (unsigned i = 0; i < count; i++)
		unfinished += books[i].unfinished;
	assert_int_equal(unfinished, 1);
	__atomic_store_n(&scene->go[1], 1, __ATOMIC_RELEASE);
	assert_int_equal(waitpid(outer[1], &status, 0), outer[1]);
	session_stop_agent(&session);
	count = host_books_load(&session, books);
	assert_int_equal(count, CONTAINERS);
	for (unsigned i = 0; i < count; i++) {
		assert_int_equal(books[i].pid, REUSED_PID);
		assert_int_equal(books[i].begun, 1);
		assert_int_equal(books[i].stored + books[i].unfinished, 1);
	}
	assert_int_equal(books[0].unfinished + books[1].unfinished, 1);
	assert_string_not_equal(books[0].instance, books[1].instance);
	session_close(&session);
}

static int keep_alive[2];

/* The new program has the pid and the start time of the old one, but nothing of its memory. */
static void executes_what_waits(void) {
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	SPANRING_BEGIN(left, "open at exec");
	(void)left;
	CHECK(null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(keep_alive[0], STDIN_FILENO) >= 0);
	CHECK(close(keep_alive[1]) == 0);
	(void)execl(scene->producer, scene->producer, "--trees", "1", "--wait", (char *)NULL);
	_exit(1);
}

static void test_exec_ends_the_old_instance(void **state) {
	(void)state;
	struct session session;
	struct host_books books[HOST_BOOKS_MAX];
	uint64_t unfinished = 0;
	int status;
	session_open(&session);
	session_start_agent(&session);
	assert_int_equal(pipe(keep_alive), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", session.scratch.rings, 1);
		executes_what_waits();
	}
	(void)close(keep_alive[0]);
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	while (unfinished == 0 && clock_monotonic_ns() < deadline_ns) {
		unsigned count = host_books_load(&session, books);
		for (unsigned i = 0; i < count; i++)
			unfinished += books[i].unfinished;
	}
	assert_int_equal(unfinished, 1);
	assert_int_equal(kill(pid, 0), 0);
	/* The old one goes, the new one comes; neither waits for the other. */
	wait_for_one_instance(&session);
	(void)close(keep_alive[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	session_stop_agent(&session);
	unsigned count = host_books_load(&session, books);
	assert_int_equal(count, 2);
	assert_int_equal(
	    host_books_of(books, count, pid, 0)->unfinished + host_books_of(books, count, pid, 1)->unfinished, 1);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_pid_given_again),
	    cmocka_unit_test(test_containers_with_equal_pids),
	    cmocka_unit_test(test_exec_ends_the_old_instance),
	};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		return 1;
	(void)snprintf(scene->producer, sizeof(scene->producer), "%s", child_program("spanring-test-producer"));
	return cmocka_run_group_tests_name("host_identity", tests, NULL, NULL);
}

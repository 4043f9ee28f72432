/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B32 (threat T12): whatever makes a process out of a process, a child writes to its own ring or nowhere, no record belongs to
 * two, and the books of each instance balance.
 * Method: {fork, vfork, raw clone, clone with shared memory, posix_spawn, daemon} x {a span open, none} x {parent ends first, child
 * ends first}; what a process does to itself (exec, close_range, setuid, namespaces); a storm of children beside a running agent.
 * Everything goes through the agent and `audit`, and each process must have exactly the books that its calls add up to.
 */
#include "host_books.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include "unit/ring_view.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <spawn.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define CHILD_SPANS 2u
#define PRODUCER_SPANS 5u /* of one tree of tests/integration/producer */
#define STACK_BYTES (256u << 10)
#define STORM_CHILDREN 200u
#define STORM_AT_ONCE 16u
#define NOBODY 65534u

enum kind { BY_FORK, BY_VFORK, BY_RAW_CLONE, BY_SHARED_CLONE, BY_SPAWN, BY_DAEMON, KIND_COUNT };

static const char *const kind_names[KIND_COUNT] = {"fork",         "vfork",       "raw clone",
                                                   "shared clone", "posix_spawn", "daemon"};

struct cell {
	enum kind kind;
	bool open;
	bool parent_first;
};

/* Seen by all processes of a scenario. */
static struct scene {
	struct cell cell;
	pid_t child;
	int parent_lives[2]; /* a pipe that ends with the parent */
	char producer[1024];
} * scene;

extern char **environ;

static void write_span(void) {
	SPANRING_SPAN(span, "finished");
}

/* Only sees memory that is there in a child of every kind. */
static void child_body(void) {
	static struct spanring_site site = SPANRING_SITE_INIT("of the child", SPANRING_KIND_INTERNAL);
	char byte;
	scene->child = (pid_t)syscall(SYS_getpid);
	if (scene->cell.parent_first) {
		(void)close(scene->parent_lives[1]);
		(void)!read(scene->parent_lives[0], &byte, 1); /* until the parent is gone */
	}
	for (unsigned i = 0; i < CHILD_SPANS; i++)
		spanring_end(spanring_begin(&site));
}

static int shared_child(void *argument) {
	(void)argument;
	child_body();
	_exit(0);
}

static pid_t make_shared_clone(void) {
	uint8_t *stack = mmap(NULL, STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(stack != MAP_FAILED);
	return clone(shared_child, stack + STACK_BYTES, CLONE_VM | SIGCHLD, NULL);
}

static pid_t make_spawned(void) {
	char *const argv[] = {scene->producer, (char *)(uintptr_t) "--trees", (char *)(uintptr_t) "1", NULL};
	posix_spawn_file_actions_t actions;
	pid_t pid;
	CHECK(posix_spawn_file_actions_init(&actions) == 0);
	CHECK(posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0) == 0);
	CHECK(posix_spawn(&pid, scene->producer, &actions, NULL, argv, environ) == 0);
	CHECK(posix_spawn_file_actions_destroy(&actions) == 0);
	scene->child = pid;
	return pid;
}

static pid_t make_child(void) {
	pid_t pid;
	switch (scene->cell.kind) {
	case BY_VFORK:
		pid = vfork();
		break;
	case BY_RAW_CLONE:
		pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		break;
	case BY_SHARED_CLONE:
		return make_shared_clone();
	case BY_SPAWN:
		return make_spawned();
	case BY_DAEMON:
		/* The parent ends inside, the child is what returns. */
		CHECK(daemon(1, 1) == 0);
		child_body();
		exit(0);
	default:
		pid = fork();
	}
	if (pid != 0)
		return pid;
	child_body();
	if (scene->cell.kind == BY_FORK)
		exit(0);
	_exit(0);
}

static void makes_a_child(void) {
	int status;
	struct spanring_span left = {0};
	static struct spanring_site site = SPANRING_SITE_INIT("open", SPANRING_KIND_INTERNAL);
	write_span();
	if (scene->cell.open)
		left = spanring_begin(&site);
	CHECK(pipe(scene->parent_lives) == 0);
	pid_t pid = make_child();
	CHECK(pid > 0);
	if (scene->cell.parent_first)
		_exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	spanring_end(left);
}

/* A child whose parent is gone is ours (PR_SET_CHILD_SUBREAPER). */
static void reap_all(void) {
	int status;
	while (waitpid(-1, &status, 0) > 0)
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			fail_msg("a child of %s ends with status %x", kind_names[scene->cell.kind], (unsigned)status);
}

static bool is_possible(const struct cell *cell) {
	/* A vforked child keeps its parent waiting; daemon() ends the parent. */
	return !(cell->kind == BY_VFORK && cell->parent_first) && !(cell->kind == BY_DAEMON && !cell->parent_first);
}

static void check_cell(const struct session *session, pid_t parent) {
	struct host_books books[HOST_BOOKS_MAX];
	const struct cell *cell = &scene->cell;
	bool shares_memory = cell->kind == BY_VFORK || cell->kind == BY_SHARED_CLONE;
	unsigned open = cell->open ? 1u : 0u;
	unsigned count = host_books_load(session, books);
	assert_int_equal(count, shares_memory ? 1 : 2);
	const struct host_books *own = host_books_of(books, count, parent, 0);
	assert_int_equal(own->begun, 1u + open + (shares_memory ? CHILD_SPANS : 0u));
	assert_int_equal(own->open, cell->parent_first ? open : 0u);
	assert_int_equal(own->unfinished, own->open);
	assert_int_equal(own->stored, own->begun - own->open);
	if (shares_memory)
		return;
	const struct host_books *other = host_books_of(books, count, scene->child, 0);
	assert_string_not_equal(other->instance, own->instance);
	assert_int_equal(other->begun, cell->kind == BY_SPAWN ? PRODUCER_SPANS : CHILD_SPANS);
	assert_int_equal(other->open, 0);
	assert_int_equal(other->dropped_no_ring, cell->kind == BY_RAW_CLONE ? CHILD_SPANS : 0u);
	assert_int_equal(other->stored, other->begun - other->dropped_no_ring);
}

static void test_matrix(void **state) {
	(void)state;
	for (unsigned n = 0; n < KIND_COUNT * 4u; n++) {
		struct session session;
		scene->cell = (struct cell){(enum kind)(n / 4u), (n & 1u) != 0, (n & 2u) != 0};
		if (!is_possible(&scene->cell))
			continue;
		session_open(&session);
		pid_t parent = view_run(session.scratch.rings, makes_a_child, VIEW_EXIT);
		reap_all();
		session_collect(&session);
		check_cell(&session, parent);
		session_close(&session);
	}
}

/* --- what a process does to itself --------------------------------------------------------------------------------- */

static void check_itself(void (*scenario)(void), uint64_t begun, uint64_t dropped_no_ring) {
	struct session session;
	struct host_books books[HOST_BOOKS_MAX];
	session_open(&session);
	pid_t pid = view_run(session.scratch.rings, scenario, VIEW_EXIT);
	session_collect(&session);
	unsigned count = host_books_load(&session, books);
	const struct host_books *own = host_books_of(books, count, pid, 0);
	assert_int_equal(count, 1);
	assert_int_equal(own->begun, begun);
	assert_int_equal(own->dropped_no_ring, dropped_no_ring);
	assert_int_equal(own->stored, begun - dropped_no_ring);
	session_close(&session);
}

static void *other_thread(void *argument) {
	(void)argument;
	write_span();
	return NULL;
}

static void on_another_thread(void) {
	pthread_t thread;
	CHECK(pthread_create(&thread, NULL, other_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
}

static void closes_everything(void) {
	write_span();
	SPANRING_BEGIN(left, "open");
	CHECK(syscall(SYS_close_range, 3u, ~0u, 0u) == 0);
	write_span();
	on_another_thread();
	spanring_end(left);
}

static void test_all_descriptors_closed(void **state) {
	(void)state;
	check_itself(closes_everything, 4, 0);
}

/* Its own ring stays; a new one cannot be made in the directory of the user it was. */
static void becomes_nobody(void) {
	write_span();
	SPANRING_BEGIN(left, "open");
	CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	write_span();
	on_another_thread();
	spanring_end(left);
}

static void test_setuid(void **state) {
	(void)state;
	if (geteuid() != 0) {
		(void)fprintf(stderr, "needs root\n");
		skip();
	}
	check_itself(becomes_nobody, 4, 1);
}

static void changes_namespace(void) {
	write_span();
	SPANRING_BEGIN(left, "open");
	int fd = open("/proc/self/ns/uts", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || unshare(CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET) != 0)
		(void)fprintf(stderr, "no namespaces here\n");
	else
		CHECK(setns(fd, CLONE_NEWUTS) == 0);
	write_span();
	on_another_thread();
	spanring_end(left);
}

static void test_setns(void **state) {
	(void)state;
	check_itself(changes_namespace, 4, 0);
}

static void executes(void) {
	int null = open("/dev/null", O_WRONLY);
	write_span();
	if (scene->cell.open) {
		SPANRING_BEGIN(left, "open at exec");
		(void)left;
	}
	CHECK(null >= 0 && dup2(null, STDOUT_FILENO) >= 0);
	(void)execl(scene->producer, scene->producer, "--trees", "1", (char *)NULL);
	_exit(1);
}

/* One pid, two instances: the first one died with its span open, the second one has only its own. */
static void test_exec(void **state) {
	(void)state;
	for (unsigned open = 0; open < 2; open++) {
		struct session session;
		struct host_books books[HOST_BOOKS_MAX];
		scene->cell.open = open != 0;
		session_open(&session);
		pid_t pid = view_run(session.scratch.rings, executes, VIEW_EXIT);
		session_collect(&session);
		unsigned count = host_books_load(&session, books);
		assert_int_equal(count, 2);
		const struct host_books *first = host_books_of(books, count, pid, 0);
		const struct host_books *second = host_books_of(books, count, pid, 1);
		if (first->begun == PRODUCER_SPANS) {
			const struct host_books *swapped = first;
			first = second;
			second = swapped;
		}
		assert_string_not_equal(first->instance, second->instance);
		assert_int_equal(first->begun, 1u + open);
		assert_int_equal(first->unfinished, open);
		assert_int_equal(second->begun, PRODUCER_SPANS);
		assert_int_equal(second->stored, PRODUCER_SPANS);
		session_close(&session);
	}
}

/* --- storm ----------------------------------------------------------------------------------------------------------- */

static void storm(void) {
	unsigned living = 0;
	int status;
	SPANRING_BEGIN(left, "open");
	for (unsigned i = 0; i < seed_rounds(STORM_CHILDREN); i++) {
		if (living == STORM_AT_ONCE) {
			CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
			living--;
		}
		pid_t pid = fork();
		CHECK(pid >= 0);
		if (pid == 0) {
			write_span();
			write_span();
			if (i & 1u)
				exit(0);
			_exit(0);
		}
		living++;
	}
	for (; living > 0; living--)
		CHECK(wait(&status) > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0);
	spanring_end(left);
}

static void test_storm(void **state) {
	(void)state;
	struct session session;
	setenv("SPANRING_RING_BYTES", "65536", 1);
	session_open(&session);
	session_start_agent(&session);
	(void)view_run(session.scratch.rings, storm, VIEW_EXIT);
	session_stop_agent(&session);
	unsetenv("SPANRING_RING_BYTES");
	struct host_books total = host_books_total(&session);
	assert_int_equal(total.begun, 1u + 2u * seed_rounds(STORM_CHILDREN));
	assert_int_equal(total.stored, total.begun);
	assert_int_equal(total.open, 0);
	/* And nothing is left of any of them. */
	assert_int_equal(view_count_instances(session.scratch.rings), 0);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_matrix), cmocka_unit_test(test_all_descriptors_closed),
	    cmocka_unit_test(test_setuid), cmocka_unit_test(test_setns),
	    cmocka_unit_test(test_exec),   cmocka_unit_test(test_storm),
	};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED || prctl(PR_SET_CHILD_SUBREAPER, 1) != 0)
		return 1;
	(void)snprintf(scene->producer, sizeof(scene->producer), "%s", child_program("spanring-test-producer"));
	return cmocka_run_group_tests_name("host_fork", tests, NULL, NULL);
}

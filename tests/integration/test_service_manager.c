/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a service manager hears at the right moments that the agent is ready, reloads, stops, and is alive, also while its store hangs; and a
 * collector of logs gets one JSON object a line, whatever lies in the ring directory.
 * Method: the manager's socket is a datagram socket of the test, with a path and with an abstract name; every message is read in order. The disk
 * hangs by support/gate_vfs.c. Lines of the log are taken apart by SQLite.
 */
#include "support/cmocka.h"
#include "support/session.h"

#include "agent/service/notify.h"
#include "base/cleanup.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define DEADLINE_MS 120000 /* ends a hang */
#define MESSAGES_MAX 10000u
#define WATCHDOG "WATCHDOG_USEC=40000"
#define PATH_BYTES (SCRATCH_PATH_BYTES + 64)

struct manager {
	int fd;
	char variable[PATH_BYTES + 16]; /* NOTIFY_SOCKET=... */
};

static void manager_open(struct manager *ret_manager, const struct session *session, bool is_abstract) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int bytes = is_abstract
	                ? snprintf(address.sun_path, sizeof(address.sun_path), "@spanring-test-%ld", (long)getpid())
	                : snprintf(address.sun_path, sizeof(address.sun_path), "%s/notify", session->scratch.files);
	assert_in_range(bytes, 2, (int)sizeof(address.sun_path) - 1);
	(void)snprintf(ret_manager->variable, sizeof(ret_manager->variable), "NOTIFY_SOCKET=%s", address.sun_path);
	if (is_abstract)
		address.sun_path[0] = '\0';
	ret_manager->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(ret_manager->fd, (const struct sockaddr *)&address,
	                      (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)bytes)),
	                 0);
}

static void manager_next(const struct manager *manager, char ret_text[NOTIFY_TEXT_BYTES]) {
	struct pollfd ready = {.fd = manager->fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, DEADLINE_MS), 1);
	ssize_t got = recv(manager->fd, ret_text, NOTIFY_TEXT_BYTES - 1, 0);
	assert_true(got > 0);
	ret_text[got] = '\0';
}

/* Up to the first message that begins with this; returns how many signs of life came before. */
static unsigned manager_wait(const struct manager *manager, const char *beginning, char ret_text[NOTIFY_TEXT_BYTES]) {
	unsigned alive = 0;
	for (unsigned i = 0; i < MESSAGES_MAX; i++) {
		manager_next(manager, ret_text);
		if (strncmp(ret_text, beginning, strlen(beginning)) == 0)
			return alive;
		bool is_status = strncmp(ret_text, "STATUS=", 7) == 0;
		if (strcmp(ret_text, "WATCHDOG=1") != 0 && !is_status)
			fail_msg("%s came before %s", ret_text, beginning);
		alive += !is_status;
	}
	fail_msg("no %s", beginning);
	return 0;
}

static void a_life(bool is_abstract) {
	struct session session;
	struct manager manager;
	char text[NOTIFY_TEXT_BYTES];
	session_open(&session);
	manager_open(&manager, &session, is_abstract);
	session_spawn_agent(&session, (const char *[]){"--config", "/dev/null", NULL},
	                    (const char *[]){manager.variable, WATCHDOG, "WATCHDOG_PID", NULL});
	assert_int_equal(manager_wait(&manager, "READY=1\nSTATUS=0 programs, 0 rings, ", text), 0);
	assert_non_null(strstr(text, "store ok"));
	/* Ready is ready: it answers. */
	const char *argv[] = {child_program("spanring-agent"), "reload", "--rings", session.scratch.rings, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	(void)manager_wait(&manager, "RELOADING=1\nMONOTONIC_USEC=", text);
	assert_true(strtoull(strrchr(text, '=') + 1, NULL, 10) > 0);
	(void)manager_wait(&manager, "READY=1\n", text);
	for (int i = 0; i < 3; i++)
		(void)manager_wait(&manager, "WATCHDOG=1", text);
	child_signal(&session.agent, SIGTERM);
	(void)manager_wait(&manager, "STOPPING=1", text);
	struct child_result end = child_finish(&session.agent);
	assert_int_equal(end.exit_code, 0);
	child_result_free(&end);
	(void)close(manager.fd);
	session_close(&session);
}

static void the_manager_hears_of_a_life(void **state) {
	(void)state;
	a_life(false);
}

static void names_may_be_abstract(void **state) {
	(void)state;
	a_life(true);
}

/* A store that hangs is told, and is no death: signs of life go on until it moves again. */
static void a_hanging_store_is_no_death(void **state) {
	(void)state;
	static const char *const arguments[] = {"--threads", "1", "--trees", "10", NULL};
	struct session session;
	struct manager manager;
	char gate[PATH_BYTES];
	char text[NOTIFY_TEXT_BYTES];
	session_open(&session);
	manager_open(&manager, &session, false);
	(void)snprintf(gate, sizeof(gate), "SPANRING_TEST_GATE=%s/gate", session.scratch.files);
	CLEANUP_FD int gate_fd = open(strchr(gate, '=') + 1, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(gate_fd >= 0);
	session.agent_program = "spanring-test-hanging-agent";
	session_spawn_agent(&session, (const char *[]){"--config", "/dev/null", "--stall-after", "10ms", NULL},
	                    (const char *[]){manager.variable, WATCHDOG, "WATCHDOG_PID", gate, NULL});
	(void)manager_wait(&manager, "READY=1\n", text);
	assert_int_equal(flock(gate_fd, LOCK_EX), 0);
	struct child producer = session_producer(&session, arguments);
	do
		(void)manager_wait(&manager, "STATUS=", text);
	while (!strstr(text, "store stalled"));
	for (int i = 0; i < 20; i++)
		(void)manager_wait(&manager, "WATCHDOG=1", text);
	assert_int_equal(flock(gate_fd, LOCK_UN), 0);
	do
		(void)manager_wait(&manager, "STATUS=", text);
	while (!strstr(text, "store ok"));
	(void)session_producer_finish(&producer);
	session_stop_agent(&session);
	session_check_audit(&session);
	(void)close(manager.fd);
	session_close(&session);
}

/* A loop that does not turn gives no sign of life: what was sent before it stopped is all that comes. */
static void a_stopped_agent_gives_no_sign(void **state) {
	(void)state;
	struct session session;
	struct manager manager;
	char text[NOTIFY_TEXT_BYTES];
	session_open(&session);
	manager_open(&manager, &session, false);
	session_spawn_agent(&session, (const char *[]){"--config", "/dev/null", NULL},
	                    (const char *[]){manager.variable, WATCHDOG, "WATCHDOG_PID", NULL});
	(void)manager_wait(&manager, "READY=1\n", text);
	(void)manager_wait(&manager, "WATCHDOG=1", text);
	child_signal(&session.agent, SIGSTOP);
	char path[64];
	char stat[512] = "";
	(void)snprintf(path, sizeof(path), "/proc/%ld/stat", (long)session.agent.pid);
	while (!strstr(stat, ") T ")) { /* stopped, in all its threads */
		CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
		ssize_t got = read(fd, stat, sizeof(stat) - 1);
		stat[got > 0 ? got : 0] = '\0';
	}
	while (recv(manager.fd, text, sizeof(text), MSG_DONTWAIT) > 0)
		continue;
	struct pollfd ready = {.fd = manager.fd, .events = POLLIN};
	assert_int_equal(poll(&ready, 1, 200), 0);
	child_signal(&session.agent, SIGCONT);
	(void)manager_wait(&manager, "WATCHDOG=1", text);
	session_stop_agent(&session);
	(void)close(manager.fd);
	session_close(&session);
}

static void variables_are_for_nobody_else(void **state) {
	(void)state;
	const struct log log = {.program = "test", .level = LOG_LEVEL_ERROR};
	struct notify notify;
	assert_int_equal(setenv("NOTIFY_SOCKET", "/nonexistent/notify", 1), 0);
	assert_int_equal(setenv("WATCHDOG_USEC", "7000000", 1), 0);
	assert_int_equal(setenv("WATCHDOG_PID", "1", 1), 0);
	notify_open(&notify, &log);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_null(getenv("WATCHDOG_USEC"));
	assert_null(getenv("WATCHDOG_PID"));
	assert_int_equal(notify.watchdog_ns, 0); /* of another process */
	assert_false(notify_send(&notify, true, "READY=1"));
	notify_close(&notify);
	static const char *const strange[] = {"vsock:2:1", "x", "/", "@", ""};
	for (size_t i = 0; i < sizeof(strange) / sizeof(strange[0]); i++) {
		assert_int_equal(setenv("NOTIFY_SOCKET", strange[i], 1), 0);
		assert_int_equal(setenv("WATCHDOG_USEC", "1", 1), 0);
		notify_open(&notify, &log);
		assert_true(notify.fd < 0);
		assert_int_equal(notify.watchdog_ns, 0);
		assert_true(notify_send(&notify, true, "READY=1"));
	}
}

static void count_lines(const char *text, unsigned *ret_lines, unsigned *ret_refused) {
	sqlite3 *db = NULL;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(db,
	                                    "SELECT json_extract(?1, '$.event'), json_extract(?1, '$.file') "
	                                    "WHERE json_valid(?1) AND json_extract(?1, '$.pid') > 0",
	                                    -1, &statement, NULL),
	                 SQLITE_OK);
	*ret_lines = *ret_refused = 0;
	for (const char *end; (end = strchr(text, '\n')); text = end + 1, ++*ret_lines) {
		assert_int_equal(sqlite3_bind_text(statement, 1, text, (int)(end - text), SQLITE_STATIC), SQLITE_OK);
		if (sqlite3_step(statement) != SQLITE_ROW)
			fail_msg("no JSON: %.*s", (int)(end - text), text);
		*ret_refused += strcmp((const char *)sqlite3_column_text(statement, 0), "ring_refused") == 0;
		assert_int_equal(sqlite3_reset(statement), SQLITE_OK);
	}
	assert_int_equal(*text, '\0');
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void hostile_names_stay_in_their_line(void **state) {
	(void)state;
	struct session session;
	unsigned lines;
	unsigned refused;
	session_open(&session);
	/* A store whose name would end the line, and programs' folders that are none. */
	int bytes = snprintf(session.scratch.store, sizeof(session.scratch.store), "%s/a\n{\"b\"}\x1b[2J\xff",
	                     session.scratch.files);
	assert_in_range(bytes, 1, (int)sizeof(session.scratch.store) - 1);
	for (unsigned i = 0; i < 40; i++) {
		char path[PATH_BYTES];
		(void)snprintf(path, sizeof(path), "%s/%032x", session.scratch.rings, i);
		assert_int_equal(symlink("/proc/self/mem", path), 0);
	}
	session_spawn_agent(
	    &session, (const char *[]){"--config", "/dev/null", "--log-format", "json", "--log-level", "debug", NULL},
	    NULL);
	child_wait_for_line(&session.agent, "\"event\":\"started\"");
	child_signal(&session.agent, SIGTERM);
	struct child_result result = child_finish(&session.agent);
	assert_int_equal(result.exit_code, 0);
	count_lines(result.err, &lines, &refused);
	assert_true(lines >= 1);
	assert_non_null(strstr(result.err, "\"event\":\"stopped\""));
	child_result_free(&result);

	session_spawn_agent(&session, (const char *[]){"--config", "/dev/null", "--log-format", "json", NULL}, NULL);
	child_signal(&session.agent, SIGCONT);
	const char *status[] = {child_program("spanring-agent"), "status", "--rings", session.scratch.rings, NULL};
	for (int exit_code = 1; exit_code != 0;) {
		struct child_result answer = child_run(status, NULL);
		exit_code = answer.exit_code;
		child_result_free(&answer);
	}
	child_signal(&session.agent, SIGTERM);
	result = child_finish(&session.agent);
	assert_int_equal(result.exit_code, 0);
	count_lines(result.err, &lines, &refused);
	assert_int_equal(refused, 16); /* the first ones: the status counts all */
	assert_non_null(strstr(result.err, "a\\u000a{\\\"b\\\"}\\u001b[2J\\ufffd"));
	child_result_free(&result);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_manager_hears_of_a_life),   cmocka_unit_test(names_may_be_abstract),
	    cmocka_unit_test(a_hanging_store_is_no_death),   cmocka_unit_test(a_stopped_agent_gives_no_sign),
	    cmocka_unit_test(variables_are_for_nobody_else), cmocka_unit_test(hostile_names_stay_in_their_line),
	};
	return cmocka_run_group_tests_name("service_manager", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: at most one agent works on a ring directory and on a store, the next one can always begin when it is gone, and an agent that takes
 * over from a running one loses nothing and stores nothing twice.
 * Method: second agents beside a first, also from another pid namespace, where its number means nothing; the first killed and followed at
 * once; agents that relieve each other again and again under programs that wait for the store, so that nothing may be dropped; and
 * sockets that are not the agent's, which must cost nobody a signal.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/errs.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define KILLS 5
#define ROUNDS 6
#define PRODUCERS 3
#define ENDS_PER_ROUND 6000

static const char *const take_over[] = {"--take-over", NULL};

static struct child_result run_second(const struct session *session, const char *const *wrap, const char *option) {
	const char *argv[20];
	int count = 0;
	for (; wrap && wrap[count]; count++)
		argv[count] = wrap[count];
	const char *words[] = {child_program("spanring-agent"), "run",  "--rings", session->scratch.rings, "--store",
	                       session->scratch.store,          option, NULL};
	for (int i = 0; words[i]; i++)
		argv[count++] = words[i];
	argv[count] = NULL;
	return child_run(argv, NULL);
}

/* One line, the exit code of its own, and who has it. */
static void check_refused(struct child_result *result, const char *text) {
	if (result->exit_code != EXIT_CODE_HELD || !strstr(result->err, text))
		fail_msg("exit code %d: %s", result->exit_code, result->err);
	assert_ptr_equal(strchr(result->err, '\n'), result->err + strlen(result->err) - 1);
	child_result_free(result);
}

static const char *holder_text(const struct session *session) {
	static char text[32];
	(void)snprintf(text, sizeof(text), "process %d", (int)session->agent.pid);
	return text;
}

static void a_second_agent_in_another_pid_namespace_is_refused(void **state) {
	(void)state;
	static const char *const as_root[] = {"/usr/bin/unshare", "--pid", "--fork", NULL};
	static const char *const as_user[] = {"/usr/bin/unshare", "--user", "--map-root-user", "--pid", "--fork", NULL};
	const char *const *wrap = geteuid() == 0 ? as_root : as_user;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	struct child_result result = run_second(&session, wrap, NULL);
	bool possible = result.exit_code != 1 && result.exit_code != 127;
	if (possible) {
		check_refused(&result, holder_text(&session));
		result = run_second(&session, wrap, "--take-over");
		check_refused(&result, "another pid namespace");
	}
	session_stop_agent(&session); /* still there, and unharmed */
	session_close(&session);
	if (!possible) {
		print_message("skipped: no pid namespaces here\n");
		skip();
	}
}

static void after_a_kill_the_next_begins_at_once(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	for (unsigned round = 0; round < seed_rounds(KILLS); round++) {
		session_start_agent(&session);
		session_kill_agent(&session);
	}
	session_spawn_agent(&session, take_over, NULL); /* a socket is left, and nobody behind it */
	child_wait_for_line(&session.agent, session.scratch.store);
	session_stop_agent(&session);
	session_close(&session);
}

/* --- under load --------------------------------------------------------------------------------------------------- */

struct load {
	struct session session;
	struct child producers[PRODUCERS];
	const uint64_t *acknowledged;
	uint64_t trees;
	uint64_t target;
};

static void begin(struct load *load, unsigned rounds) {
	char trees[24];
	char ack[PRODUCERS][SCRATCH_PATH_BYTES + 8];
	load->target = 0;
	load->trees = (uint64_t)rounds * ENDS_PER_ROUND / STORED_SPANS_PER_TREE;
	session_open(&load->session);
	(void)snprintf(trees, sizeof(trees), "%llu", (unsigned long long)load->trees);
	for (int i = 0; i < PRODUCERS; i++) {
		char process[8];
		(void)snprintf(ack[i], sizeof(ack[i]), "%s/ack%d", load->session.scratch.files, i);
		(void)snprintf(process, sizeof(process), "%d", i);
		if (i == 0)
			load->acknowledged = session_acknowledgements(ack[i]);
		const char *arguments[] = {"--process", process,         "--trees", trees, "--ack",
		                           ack[i],      "--flush-every", "1500",    NULL};
		load->producers[i] = session_producer(&load->session, arguments);
	}
}

static void check_all_once(struct load *load) {
	for (int i = 0; i < PRODUCERS; i++) {
		struct session_counters counters = session_producer_finish(&load->producers[i]);
		assert_int_equal(counters.dropped_full, 0);
	}
	session_stop_agent(&load->session);
	struct stored stored;
	stored_load(load->session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < PRODUCERS; process++)
		assert_int_equal(stored_count_of(&stored, process, 0), load->trees * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	session_check_audit(&load->session);
	(void)session_check_segments(&load->session);
}

static void wait_for_more(struct load *load, struct seed *seed) {
	load->target += seed_below(seed, ENDS_PER_ROUND);
	clock_wait_for_u64(&load->acknowledged[0], load->target);
}

static void finish_old(struct child *old) {
	struct child_result result = child_finish(old);
	if (result.exit_code != 0 || !strstr(result.err, "stopped"))
		fail_msg("the old agent exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
}

static void agents_relieve_each_other_under_load(void **state) {
	(void)state;
	struct seed seed = seed_start("two_agents");
	struct load load;
	unsigned rounds = seed_rounds(ROUNDS);
	begin(&load, rounds);
	session_start_agent(&load.session);
	for (unsigned round = 0; round < rounds; round++) {
		wait_for_more(&load, &seed);
		struct child old = load.session.agent;
		session_spawn_agent(&load.session, take_over, NULL);
		child_wait_for_line(&load.session.agent, "has finished");
		finish_old(&old);
		child_wait_for_line(&load.session.agent, load.session.scratch.store);
	}
	check_all_once(&load);
	session_close(&load.session);
}

/* --- sockets that are not the agent's ------------------------------------------------------------------------------ */

/* A service of somebody else, which answers and would die of the signal. */
static pid_t start_victim(const char *path) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	assert_true(snprintf(address.sun_path, sizeof(address.sun_path), "%s", path) < (int)sizeof(address.sun_path));
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		(void)signal(SIGTERM, SIG_DFL);
		if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 || listen(fd, 8) < 0 ||
		    write(ready[1], "x", 1) != 1)
			_exit(1);
		for (;;) {
			int one = accept(fd, NULL, NULL);
			(void)send(one, "hello", 5, MSG_NOSIGNAL); /* who asked may be gone */
			(void)close(one);
		}
	}
	char byte;
	(void)close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	(void)close(ready[0]);
	return pid;
}

static void a_link_to_a_foreign_socket_costs_its_owner_nothing(void **state) {
	(void)state;
	struct session session;
	char victim[SCRATCH_PATH_BYTES + 16];
	char link[SCRATCH_PATH_BYTES + 16];
	session_open(&session);
	(void)snprintf(victim, sizeof(victim), "%s/victim", session.scratch.files);
	(void)snprintf(link, sizeof(link), "%s/agent.sock", session.scratch.rings);
	pid_t pid = start_victim(victim);
	assert_int_equal(symlink(victim, link), 0);
	struct child_result result = run_second(&session, NULL, "--take-over");
	check_refused(&result, "agent.sock");
	int status;
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	/* Without the question an agent begins, with a socket of its own; what the link led to stays. */
	session_start_agent(&session);
	session_stop_agent(&session);
	assert_int_equal(access(victim, F_OK), 0);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	session_close(&session);
}

static void take_over_is_a_word_for_run_only(void **state) {
	(void)state;
	const char *argv[] = {child_program("spanring-agent"), "status", "--take-over", NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, EXIT_CODE_USAGE);
	child_result_free(&result);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_second_agent_in_another_pid_namespace_is_refused),
	    cmocka_unit_test(after_a_kill_the_next_begins_at_once),
	    cmocka_unit_test(agents_relieve_each_other_under_load),
	    cmocka_unit_test(a_link_to_a_foreign_socket_costs_its_owner_nothing),
	    cmocka_unit_test(take_over_is_a_word_for_run_only),
	};
	return cmocka_run_group_tests_name("two_agents", tests, NULL, NULL);
}

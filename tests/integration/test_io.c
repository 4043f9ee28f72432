/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the agent works where io_uring is refused, as in a container of the usual kind, stores the same, and says what it
 * uses and why; who insists on io_uring is told what to do.
 * Method: a seccomp filter with what Docker's default profile refuses to a container without capabilities. It cannot be taken off
 * again, so the cases that need none come first.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ARGUMENTS_MAX 8
#define THREADS 2u
#define SPANS_PER_THREAD 2500u

static void start_agent(struct session *session, const char *io, const char *line) {
	const char *argv[ARGUMENTS_MAX] = {child_program("spanring-agent"), "run",     "--rings",
	                                   session->scratch.rings,          "--store", session->scratch.store};
	char variable[64] = "SPANRING_AGENT_IO";
	if (io)
		(void)snprintf(variable, sizeof(variable), "SPANRING_AGENT_IO=%s", io);
	const char *environment[] = {variable, NULL};
	session->agent = child_start(argv, environment);
	child_wait_for_line(&session->agent, line);
}

static void check_status(const struct session *session, const char *const *texts, bool json) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--rings", session->scratch.rings,
	                      json ? "--json" : NULL,          NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	for (; *texts; texts++)
		if (!strstr(result.out, *texts))
			fail_msg("no %s in the status: %s", *texts, result.out);
	child_result_free(&result);
}

/* A program runs, all its spans are stored once, and the books balance. */
static void check_all_is_stored(struct session *session) {
	static const char *const arguments[] = {"--threads", "2", "--trees", "500", NULL};
	struct stored stored;
	struct child producer = session_producer(session, arguments);
	(void)session_producer_finish(&producer);
	session_stop_agent(session);
	stored_load(session->scratch.store, &stored);
	assert_int_equal(stored.count, THREADS * SPANS_PER_THREAD);
	stored_check_tree(&stored);
	for (uint64_t thread = 0; thread < THREADS; thread++)
		assert_int_equal(stored_count_of(&stored, 0, thread), SPANS_PER_THREAD);
	stored_free(&stored);
	session_check_audit(session);
}

/* Only asks: without room for the answer nothing is made. */
static bool is_refused_here(void) {
	return syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno != EFAULT;
}

static void auto_takes_io_uring(void **state) {
	(void)state;
	struct session session;
	if (is_refused_here())
		skip();
	session_open(&session);
	start_agent(&session, NULL, ", io uring (io_uring is allowed)");
	check_status(&session,
	             (const char *[]){"\"io\": \"uring\"", "\"io_wanted\": \"auto\"",
	                              "\"io_reason\": \"io_uring is allowed\"", NULL},
	             true);
	check_status(&session, (const char *[]){"io           uring (io_uring is allowed)", NULL}, false);
	check_all_is_stored(&session);
	session_close(&session);
}

static void posix_is_used_when_asked_for(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	start_agent(&session, "posix", ", io posix (asked for)");
	check_status(
	    &session,
	    (const char *[]){"\"io\": \"posix\"", "\"io_wanted\": \"posix\"", "\"io_reason\": \"asked for\"", NULL},
	    true);
	check_all_is_stored(&session);
	session_close(&session);
}

/* Of the calls that there are on this processor. */
static const int refused_calls[] = {
    SYS_io_uring_setup,
    SYS_io_uring_enter,
    SYS_io_uring_register,
    SYS_acct,
    SYS_add_key,
    SYS_bpf,
    SYS_clock_adjtime,
    SYS_clock_settime,
    SYS_delete_module,
    SYS_finit_module,
    SYS_fsopen,
    SYS_init_module,
    SYS_kexec_load,
    SYS_keyctl,
    SYS_mount,
    SYS_move_mount,
    SYS_name_to_handle_at,
    SYS_open_by_handle_at,
    SYS_open_tree,
    SYS_perf_event_open,
    SYS_pivot_root,
    SYS_quotactl,
    SYS_reboot,
    SYS_request_key,
    SYS_setns,
    SYS_settimeofday,
    SYS_swapon,
    SYS_swapoff,
    SYS_syslog,
    SYS_umount2,
    SYS_unshare,
    SYS_userfaultfd,
    SYS_vhangup,
};
#define REFUSED_COUNT (sizeof(refused_calls) / sizeof(refused_calls[0]))

static void refuse_calls(int error) {
	struct sock_filter filter[REFUSED_COUNT + 3] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
	for (size_t i = 0; i < REFUSED_COUNT; i++)
		filter[1 + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)refused_calls[i],
		                                             (uint8_t)(REFUSED_COUNT - i), 0);
	filter[1 + REFUSED_COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[2 + REFUSED_COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)error);
	struct sock_fprog program = {.len = REFUSED_COUNT + 3, .filter = filter};
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), 0);
	assert_true(is_refused_here());
	assert_int_equal(errno, error);
}

static void auto_goes_on_without(void) {
	struct session session;
	session_open(&session);
	/* The switch of the machine comes first, where it is off. */
	start_agent(&session, NULL, ", io posix (io_uring is refused");
	check_status(&session,
	             (const char *[]){"\"io\": \"posix\"", "\"io_wanted\": \"auto\"",
	                              "\"io_reason\": \"io_uring is refused", NULL},
	             true);
	check_status(&session, (const char *[]){"io           posix (io_uring is refused", NULL}, false);
	check_all_is_stored(&session);
	session_close(&session);
}

static void auto_goes_on_in_a_container(void **state) {
	(void)state;
	refuse_calls(EPERM);
	auto_goes_on_without();
}

static void uring_alone_ends_the_start(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	const char *argv[] = {child_program("spanring-agent"),
	                      "run",
	                      "--rings",
	                      session.scratch.rings,
	                      "--store",
	                      session.scratch.store,
	                      "--io",
	                      "uring",
	                      NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 1);
	assert_non_null(strstr(result.err, "io_uring is refused"));
	assert_non_null(strstr(result.err, "--io posix"));
	assert_true(access(session.scratch.store, F_OK) < 0);
	child_result_free(&result);
	session_close(&session);
}

/* Other profiles answer as if the call did not exist. The newer filter's answer counts. */
static void auto_goes_on_where_the_call_is_unknown(void **state) {
	(void)state;
	refuse_calls(ENOSYS);
	auto_goes_on_without();
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(auto_takes_io_uring),
	    cmocka_unit_test(posix_is_used_when_asked_for),
	    cmocka_unit_test(auto_goes_on_in_a_container),
	    cmocka_unit_test(uring_alone_ends_the_start),
	    cmocka_unit_test(auto_goes_on_where_the_call_is_unknown),
	};
	return cmocka_run_group_tests_name("io", tests, NULL, NULL);
}

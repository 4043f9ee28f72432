/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `top` shows what `status` knows, obeys its keys and the size of the terminal, waits for an agent that is away, and gives the terminal
 * back as it was, however it ends; `status` says of each program and ring how it is.
 * Method: a pseudo terminal whose other end reads frames; every wait is for a text, with a deadline.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/session.h"

#include "base/errs.h"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>
#include <utmp.h>

#define DEADLINE_NS (60 * NS_PER_S)
#define SEEN_BYTES (1u << 16)
#define TAKEN "\033[?1049h"
#define GIVEN_BACK "\033[?25h\033[?1049l"

struct view {
	pid_t pid;
	int terminal; /* our end */
	int slave;    /* kept open, to look at its settings afterwards */
	struct termios before;
	size_t bytes;
	char seen[SEEN_BYTES];
};

static void start_view(const struct session *session, const char *const *environment, struct view *ret_view) {
	struct winsize size = {.ws_row = 24, .ws_col = 100};
	memset(ret_view, 0, sizeof(*ret_view));
	assert_int_equal(openpty(&ret_view->terminal, &ret_view->slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(ret_view->slave, &ret_view->before), 0);
	const char *program = child_program("spanring-agent");
	ret_view->pid = child_fork();
	assert_true(ret_view->pid >= 0);
	if (ret_view->pid > 0)
		return;
	(void)close(ret_view->terminal);
	if (login_tty(ret_view->slave) < 0)
		_exit(126);
	(void)unsetenv("COLUMNS");
	(void)unsetenv("NO_COLOR");
	(void)setenv("TERM", "xterm", 1);
	for (; environment && *environment; environment++)
		(void)putenv((char *)*environment);
	(void)execl(program, program, "top", "--interval", "100ms", "--rings", session->scratch.rings, (char *)NULL);
	_exit(127);
}

/* What comes until it holds the text; what was seen before is forgotten with it. */
static void wait_for(struct view *view, const char *text) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (;;) {
		const char *at = memmem(view->seen, view->bytes, text, strlen(text));
		if (at) {
			size_t used = (size_t)(at - view->seen) + strlen(text);
			memmove(view->seen, view->seen + used, view->bytes - used);
			view->bytes -= used;
			return;
		}
		if (view->bytes > SEEN_BYTES / 2) {
			memmove(view->seen, view->seen + SEEN_BYTES / 4, view->bytes - SEEN_BYTES / 4);
			view->bytes -= SEEN_BYTES / 4;
		}
		struct pollfd wait = {.fd = view->terminal, .events = POLLIN};
		if (poll(&wait, 1, 1000) > 0) {
			ssize_t got = read(view->terminal, view->seen + view->bytes, SEEN_BYTES - view->bytes);
			if (got <= 0)
				fail_msg("the view is over without \"%s\": %.*s", text, (int)view->bytes, view->seen);
			view->bytes += (size_t)got;
		}
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("no \"%s\" in: %.*s", text, (int)view->bytes, view->seen);
	}
}

static void press(const struct view *view, const char *key) {
	assert_int_equal(write(view->terminal, key, strlen(key)), (ssize_t)strlen(key));
}

/* It ends with this code, and the terminal is as it was. */
static void finish_view(struct view *view, int code) {
	int status;
	struct termios after;
	wait_for(view, GIVEN_BACK);
	assert_int_equal(waitpid(view->pid, &status, 0), view->pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), code);
	assert_int_equal(tcgetattr(view->slave, &after), 0);
	assert_int_equal(after.c_lflag, view->before.c_lflag);
	assert_int_equal(after.c_iflag, view->before.c_iflag);
	assert_int_equal(after.c_oflag, view->before.c_oflag);
	assert_int_equal(after.c_cc[VMIN], view->before.c_cc[VMIN]);
	assert_int_equal(after.c_cc[VTIME], view->before.c_cc[VTIME]);
	(void)close(view->terminal);
	(void)close(view->slave);
}

static struct child start_program(const struct session *session, const char *service) {
	char variable[160];
	(void)snprintf(variable, sizeof(variable), "OTEL_SERVICE_NAME=%s", service);
	const char *environment[] = {session->environment, variable, NULL};
	const char *argv[] = {child_program("spanring-test-producer"),
	                      "--threads",
	                      "2",
	                      "--trees",
	                      "100",
	                      "--flush-every",
	                      "1000",
	                      "--hang-depth",
	                      "3",
	                      NULL};
	return child_start(argv, environment);
}

static void end_program(struct child *program) {
	child_signal(program, SIGKILL);
	struct child_result result = child_finish(program);
	child_result_free(&result);
}

static void the_view_lives(void **state) {
	(void)state;
	static struct view view;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	start_view(&session, NULL, &view);
	wait_for(&view, TAKEN);
	wait_for(&view, "all is well");
	wait_for(&view, "q quit   s sort (rate)   r rings (off)");
	struct child program = start_program(&session, "shop\033[2J");
	wait_for(&view, "shop\\x1b[2J"); /* shown, not obeyed */
	wait_for(&view, "running");
	press(&view, "r");
	wait_for(&view, "  ring 0");
	wait_for(&view, "r rings (on)");
	press(&view, "s");
	wait_for(&view, "s sort (lag)");
	press(&view, "ssss");
	wait_for(&view, "s sort (rate)");
	/* The terminal becomes smaller: a column goes. */
	wait_for(&view, "STORED");
	struct winsize size = {.ws_row = 10, .ws_col = 60};
	assert_int_equal(ioctl(view.terminal, TIOCSWINSZ, &size), 0);
	wait_for(&view, "LAG\033[K");
	/* The agent goes, and another one comes. */
	session_stop_agent(&session);
	wait_for(&view, "has no agent; asking again");
	session_start_agent(&session);
	wait_for(&view, "commits");
	wait_for(&view, "running");
	press(&view, "q");
	finish_view(&view, EXIT_CODE_OK);
	end_program(&program);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

static void the_terminal_is_given_back(void **state) {
	(void)state;
	static struct view view;
	static const int signals[] = {SIGTERM, SIGHUP, SIGINT};
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++) {
		start_view(&session, NULL, &view);
		wait_for(&view, "all is well");
		assert_int_equal(kill(view.pid, signals[i]), 0);
		finish_view(&view, EXIT_CODE_OK);
	}
	start_view(&session, NULL, &view);
	wait_for(&view, "all is well");
	press(&view, "\003"); /* Ctrl-C */
	finish_view(&view, EXIT_CODE_OK);
	/* Ctrl-Z, and back. */
	start_view(&session, NULL, &view);
	wait_for(&view, "all is well");
	int status;
	assert_int_equal(kill(view.pid, SIGTSTP), 0);
	assert_int_equal(waitpid(view.pid, &status, WUNTRACED), view.pid);
	assert_true(WIFSTOPPED(status));
	wait_for(&view, GIVEN_BACK);
	assert_int_equal(kill(view.pid, SIGCONT), 0);
	wait_for(&view, TAKEN);
	wait_for(&view, "all is well");
	press(&view, "q");
	finish_view(&view, EXIT_CODE_OK);
	session_stop_agent(&session);
	session_close(&session);
}

static void colours_are_asked_for(void **state) {
	(void)state;
	static struct view view;
	static const char *const plain[] = {"NO_COLOR=1", NULL};
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	start_view(&session, NULL, &view);
	wait_for(&view, "\033[1mq quit");
	press(&view, "q");
	finish_view(&view, EXIT_CODE_OK);
	start_view(&session, plain, &view);
	wait_for(&view, "q quit");
	if (memmem(view.seen, view.bytes, "\033[1m", 4))
		fail_msg("colours in spite of NO_COLOR");
	press(&view, "q");
	finish_view(&view, EXIT_CODE_OK);
	session_stop_agent(&session);
	session_close(&session);
}

static struct child_result ask(const struct session *session, const char *command, const char *option) {
	const char *argv[] = {child_program("spanring-agent"), command, "--rings",
	                      session->scratch.rings,          option,  NULL};
	return child_run(argv, NULL);
}

static void must_say(const struct session *session, const char *command, const char *option, const char *const *words) {
	struct child_result result = ask(session, command, option);
	if (result.exit_code != 0)
		fail_msg("%s exits %d: %s", command, result.exit_code, result.err);
	assert_null(strchr(result.out, '\033'));
	for (; *words; words++)
		if (!strstr(result.out, *words))
			fail_msg("%s %s does not say \"%s\": %s", command, option ? option : "", *words, result.out);
	child_result_free(&result);
}

static void wait_for_status(const struct session *session, const char *words) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (bool is_there = false; !is_there;) {
		struct child_result result = ask(session, "status", "--json");
		assert_int_equal(result.exit_code, 0);
		is_there = strstr(result.out, words) != NULL;
		if (!is_there && clock_monotonic_ns() > deadline_ns)
			fail_msg("the status never says %s: %s", words, result.out);
		child_result_free(&result);
	}
}

static void status_says_how_each_ring_is(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	must_say(&session, "status", NULL,
	         (const char *const[]){"health       all is well\n", "store state  ok\n", NULL});
	struct child program = start_program(&session, "shop");
	wait_for_status(&session, "\"open\": 3");
	wait_for_status(&session, "\"stored\": 1000");
	must_say(&session, "status", NULL, (const char *const[]){"shop", "running", " rings; 0 have ended", NULL});
	must_say(&session, "status", "--each-ring", (const char *const[]){"  ring 0", "live", NULL});
	must_say(&session, "top", "--each-ring", (const char *const[]){"  ring 0", "health  all is well", NULL});
	must_say(&session, "top", "--once", (const char *const[]){"shop", "PID", NULL});
	/* A ring that is cut off under the agent is put aside, and it is said which and why. */
	char script[SCRATCH_PATH_BYTES + 64];
	(void)snprintf(script, sizeof(script), "truncate -s 100 %s/*/ring-0000", session.scratch.rings);
	struct child_result result = child_run((const char *[]){"/bin/sh", "-c", script, NULL}, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	wait_for_status(&session, "\"state\": \"quarantined\"");
	must_say(&session, "status", NULL,
	         (const char *const[]){"attention    ring 0 of", "(shop) is not read any more", "  ring 0", NULL});
	end_program(&program);
	session_stop_agent(&session);
	session_close(&session);
}

static void wrong_words_are_refused(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	static const struct {
		const char *command;
		const char *option;
		int code;
		const char *words;
	} cases[] = {{"top", "--sort=size", EXIT_CODE_USAGE, "rate, lag, drops, open or pid"},
	             {"top", "--interval=1ms", EXIT_CODE_USAGE, "from 100ms"},
	             {"top", "--json", EXIT_CODE_USAGE, "status --json"},
	             {"top", "now", EXIT_CODE_USAGE, "unexpected word"},
	             {"status", "--once", EXIT_CODE_USAGE, "belongs to top"},
	             {"ps", "--each-ring", EXIT_CODE_USAGE, "belongs to status and top"},
	             {"top", "--once", EXIT_CODE_FAILED, "no agent runs on"},
	             {"status", NULL, EXIT_CODE_FAILED, "no agent runs on"}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct child_result result = ask(&session, cases[i].command, cases[i].option);
		if (result.exit_code != cases[i].code || !strstr(result.err, cases[i].words) || *result.out)
			fail_msg("%s %s exits %d: %s", cases[i].command, cases[i].option, result.exit_code, result.err);
		child_result_free(&result);
	}
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_view_lives),          cmocka_unit_test(the_terminal_is_given_back),
	    cmocka_unit_test(colours_are_asked_for),   cmocka_unit_test(status_says_how_each_ring_is),
	    cmocka_unit_test(wrong_words_are_refused),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

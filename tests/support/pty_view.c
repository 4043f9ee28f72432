/* SPDX-License-Identifier: Apache-2.0 */
#include "pty_view.h"

#include "support/child.h"
#include "support/cmocka.h"

#include "base/clock.h"

#include <poll.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utmp.h>

#define DEADLINE_NS (60 * NS_PER_S)

void pty_view_start(const char *const *argv, const char *const *environment, struct pty_view *ret_view) {
	struct winsize size = {.ws_row = 24, .ws_col = 100};
	memset(ret_view, 0, sizeof(*ret_view));
	assert_int_equal(openpty(&ret_view->terminal, &ret_view->slave, NULL, NULL, &size), 0);
	assert_int_equal(tcgetattr(ret_view->slave, &ret_view->before), 0);
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
	(void)execv(argv[0], (char *const *)argv);
	_exit(127);
}

void pty_view_wait_for(struct pty_view *view, const char *text) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (;;) {
		const char *at = memmem(view->seen, view->bytes, text, strlen(text));
		if (at) {
			size_t used = (size_t)(at - view->seen) + strlen(text);
			memmove(view->seen, view->seen + used, view->bytes - used);
			view->bytes -= used;
			return;
		}
		if (view->bytes > PTY_VIEW_SEEN_BYTES / 2) {
			memmove(view->seen, view->seen + PTY_VIEW_SEEN_BYTES / 4,
			        view->bytes - PTY_VIEW_SEEN_BYTES / 4);
			view->bytes -= PTY_VIEW_SEEN_BYTES / 4;
		}
		struct pollfd wait = {.fd = view->terminal, .events = POLLIN};
		if (poll(&wait, 1, 1000) > 0) {
			ssize_t got = read(view->terminal, view->seen + view->bytes, PTY_VIEW_SEEN_BYTES - view->bytes);
			if (got <= 0)
				fail_msg("the view is over without \"%s\": %.*s", text, (int)view->bytes, view->seen);
			view->bytes += (size_t)got;
		}
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("no \"%s\" in: %.*s", text, (int)view->bytes, view->seen);
	}
}

void pty_view_press(const struct pty_view *view, const char *keys) {
	assert_int_equal(write(view->terminal, keys, strlen(keys)), (ssize_t)strlen(keys));
}

void pty_view_resize(const struct pty_view *view, unsigned short rows, unsigned short columns) {
	struct winsize size = {.ws_row = rows, .ws_col = columns};
	assert_int_equal(ioctl(view->terminal, TIOCSWINSZ, &size), 0);
}

void pty_view_finish(struct pty_view *view, int code) {
	int status;
	struct termios after;
	pty_view_wait_for(view, PTY_VIEW_GIVEN_BACK);
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

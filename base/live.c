/* SPDX-License-Identifier: Apache-2.0 */
#include "live.h"

#include "cleanup.h"
#include "clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>

const char *live_line_end(const struct live *live) {
	return live->is_screen ? "\033[K\n" : "\n";
}

static void show(struct live *live) {
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	if (!file)
		return;
	live->draw(live->context, file);
	if (fclose(file) == 0 && !screen_show(&live->screen, text, bytes))
		live->is_over = live->is_lost = true;
}

static void take_key(struct live *live) {
	char key;
	ssize_t got = read(live->screen.in_fd, &key, 1);
	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
		live->is_over = true; /* nobody can say any more that it should end */
	if (got == 1 && !live->key(live->context, key))
		live->is_over = true;
}

static void take_signal(struct live *live) {
	struct signalfd_siginfo info;
	if (read(live->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) || info.ssi_signo == SIGWINCH)
		return;
	if (info.ssi_signo != SIGTSTP) {
		live->is_over = true;
		return;
	}
	screen_give_back(&live->screen);
	(void)raise(SIGSTOP);
	if (live->is_screen)
		screen_take(STDIN_FILENO, STDOUT_FILENO, &live->screen);
}

static int open_signals(int *ret_fd) {
	static const int wanted[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGWINCH};
	sigset_t set;
	(void)sigemptyset(&set);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++)
		(void)sigaddset(&set, wanted[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return -errno;
	*ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *ret_fd < 0 ? -errno : 0;
}

/* Until the next look, a key or a signal. */
static void wait_for_something(struct live *live) {
	struct pollfd waits[] = {
	    {.fd = live->signal_fd, .events = POLLIN},
	    {.fd = live->is_screen && live->screen.has_keys ? live->screen.in_fd : -1, .events = POLLIN}};
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t rest_ns = live->look_at_ns > now_ns ? live->look_at_ns - now_ns : 0;
	if (poll(waits, 2, (int)(rest_ns / NS_PER_MS) + 1) < 0 && errno != EINTR)
		live->is_over = true;
	if (waits[0].revents)
		take_signal(live);
	if (waits[1].revents && !live->is_over)
		take_key(live);
}

static void run_screen(struct live *live) {
	screen_take(STDIN_FILENO, STDOUT_FILENO, &live->screen);
	while (!live->is_over) {
		if (clock_monotonic_ns() >= live->look_at_ns)
			live->look(live->context);
		show(live);
		wait_for_something(live);
	}
	screen_give_back(&live->screen);
}

static void run_plain(struct live *live) {
	for (uint64_t frame = 1; !live->is_over; frame++) {
		live->look(live->context);
		live->draw(live->context, stdout);
		if (fflush(stdout) != 0 || ferror(stdout))
			live->is_over = live->is_lost = true;
		if (live->frames > 0 && frame >= live->frames)
			return;
		while (!live->is_over && clock_monotonic_ns() < live->look_at_ns)
			wait_for_something(live);
	}
}

int live_run(struct live *live) {
	CLEANUP_FD int signal_fd = FD_NONE;
	int rc = open_signals(&signal_fd);
	if (rc < 0)
		return rc;
	live->signal_fd = signal_fd;
	if (live->is_screen)
		run_screen(live);
	else
		run_plain(live);
	return live->is_lost ? -EPIPE : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One thread that waits for three things: a key, a signal, the time of the next look. The agent is asked through its status
 * socket like by anybody else; an agent that does not answer within ASK_NS is said to be busy, one that is gone is waited
 * for. The terminal is given back on every way out, and while the view is stopped with Ctrl-Z.
 */
#include "top.h"

#include "agent/report/status.h"
#include "agent/report/status_ask.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "screen.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>

#define ASK_NS NS_PER_S
#define HEAD_LINES 8u /* above the rows, and one below */
#define RED "\033[31m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct top {
	const struct config *config;
	const struct log *log;
	struct screen screen;
	int signal_fd;
	struct view views[2];
	uint32_t newest;  /* of the two views */
	int error;        /* of the last question */
	uint64_t away_ns; /* since when there is none */
	uint64_t look_at_ns;
	enum view_sort sort;
	bool each_ring;
	bool is_over;
	bool is_lost; /* the terminal is gone */
};

static void ask(struct top *top) {
	uint32_t other = 1 - top->newest;
	uint64_t now_ns = clock_monotonic_ns();
	top->look_at_ns = now_ns + top->config->top_interval_ns;
	top->error = view_ask(top->config->rings, ASK_NS, &top->views[other]);
	if (top->error < 0) {
		top->away_ns = top->away_ns ? top->away_ns : now_ns;
		return;
	}
	view_compare(&top->views[other], &top->views[top->newest]);
	top->newest = other;
	top->away_ns = 0;
}

static void print_health(FILE *file, const struct view *view, const struct view_form *form) {
	const char *colour = form->colour && view->advice_count ? RED : "";
	(void)fprintf(file, "%shealth  ", colour);
	uint32_t columns = form->columns > 30 ? form->columns - 30 : 0;
	if (view->advice_count == 0)
		(void)fputs("all is well", file);
	else if (columns == 0)
		(void)fputs(view->advice[0], file);
	else
		view_print_cell(file, view->advice[0], columns, false);
	if (view->advice_count > 1)
		(void)fprintf(file, " (%u more in status)", view->advice_count - 1);
	(void)fprintf(file, "%s%s", *colour ? PLAIN : "", form->line_end);
}

static void print_line(FILE *file, const char *label, const char *text, const struct view_form *form) {
	(void)fprintf(file, "%-7s ", label);
	if (form->columns > 8)
		view_print_cell(file, text, form->columns - 8, false);
	else
		(void)fputs(text, file);
	(void)fputs(form->line_end, file);
}

static void print_head(FILE *file, const struct view *view, const struct view_form *form) {
	const struct document *document = &view->document;
	char line[3 * VIEW_LINE_BYTES];
	char part[VIEW_LINE_BYTES];
	char path[VIEW_LINE_BYTES];
	char up[UNITS_TEXT_BYTES];
	char kept[UNITS_TEXT_BYTES];
	(void)snprintf(line, sizeof(line), "%" PRIu64 ", up %s, %s", document_u64(document, DOCUMENT_ROOT, "agent_pid"),
	               units_format_duration(document_f64(document, DOCUMENT_ROOT, "uptime_ns"), up),
	               view_use_text(view, part));
	print_line(file, "agent", line, form);
	uint64_t segments = document_u64(document, DOCUMENT_ROOT, "store_segments");
	(void)document_text(document, DOCUMENT_ROOT, "store_state", part, sizeof(part));
	(void)document_text(document, DOCUMENT_ROOT, "store", path, sizeof(path));
	if (segments > 0)
		(void)snprintf(line, sizeof(line), "%s, %s in %" PRIu64 " segments, %s", part,
		               units_format_bytes(document_f64(document, DOCUMENT_ROOT, "store_bytes"), kept), segments,
		               path);
	else
		(void)snprintf(line, sizeof(line), "%s, %s", part, path);
	print_line(file, "store", line, form);
	print_line(file, "spans", view_spans_text(view, part), form);
	print_line(file, "waiting", view_waiting_text(view, part), form);
	print_line(file, "commits", view_commits_text(view, part), form);
	print_health(file, view, form);
	(void)fputs(form->line_end, file);
}

static void print_absence(FILE *file, const struct top *top, const char *line_end) {
	char time[UNITS_TEXT_BYTES];
	bool is_none = top->error == -ENOENT || top->error == -ECONNREFUSED;
	(void)fprintf(file, "%s %s; asking again until it answers, for %s now%s", top->config->rings,
	              is_none                    ? "has no agent"
	              : top->error == -ETIMEDOUT ? "has an agent that does not answer"
	                                         : strerror(-top->error),
	              units_format_duration((double)(clock_monotonic_ns() - top->away_ns), time), line_end);
	(void)fprintf(file, "programs go on, and count what their rings do not hold%s", line_end);
}

static int print_frame(FILE *file, struct top *top, bool is_live) {
	struct view *view = &top->views[top->newest];
	uint32_t rows = is_live ? screen_rows(top->screen.out_fd) : 0;
	struct view_form form = {.columns = screen_columns(STDOUT_FILENO),
	                         .rows_max = (uint32_t)top->config->top_limit,
	                         .each_ring = top->each_ring,
	                         .colour = is_live && screen_has_colour(STDOUT_FILENO),
	                         .line_end = is_live ? "\033[K\n" : "\n"};
	if (rows > HEAD_LINES + 2 && form.rows_max > rows - HEAD_LINES - 2)
		form.rows_max = rows - HEAD_LINES - 2;
	if (top->error < 0) {
		print_absence(file, top, form.line_end);
	} else {
		print_head(file, view, &form);
		view_order(view, top->sort);
		(void)view_print_rows(file, view, &form);
	}
	if (is_live) {
		char keys[128];
		(void)snprintf(keys, sizeof(keys), "q quit   s sort (%s)   r rings (%s)   space now",
		               view_sorts[top->sort], top->each_ring ? "on" : "off");
		(void)fputs(form.colour ? BOLD : "", file);
		view_print_cell(file, keys, form.columns ? form.columns - 1 : sizeof(keys), false);
		(void)fprintf(file, "%s\033[K", form.colour ? PLAIN : "");
	}
	return fflush(file);
}

static void show(struct top *top) {
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	if (!file)
		return;
	(void)print_frame(file, top, true);
	if (fclose(file) == 0 && !screen_show(&top->screen, text, bytes))
		top->is_over = top->is_lost = true;
}

static void take_key(struct top *top) {
	char key;
	ssize_t got = read(top->screen.in_fd, &key, 1);
	if (got == 0 || (got < 0 && errno != EINTR && errno != EAGAIN))
		top->is_over = true; /* nobody can say any more that it should end */
	if (got != 1)
		return;
	if (key == 'q' || key == 'Q')
		top->is_over = true;
	else if (key == 's')
		top->sort = view_sorts[top->sort + 1] ? top->sort + 1 : VIEW_SORT_RATE;
	else if (key == 'r')
		top->each_ring = !top->each_ring;
	else if (key == ' ')
		top->look_at_ns = 0;
}

static void take_signal(struct top *top) {
	struct signalfd_siginfo info;
	if (read(top->signal_fd, &info, sizeof(info)) != (ssize_t)sizeof(info) || info.ssi_signo == SIGWINCH)
		return;
	if (info.ssi_signo != SIGTSTP) {
		top->is_over = true;
		return;
	}
	screen_give_back(&top->screen);
	(void)raise(SIGSTOP);
	screen_take(STDIN_FILENO, STDOUT_FILENO, &top->screen);
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

static void run(struct top *top) {
	while (!top->is_over) {
		uint64_t now_ns = clock_monotonic_ns();
		if (now_ns >= top->look_at_ns)
			ask(top);
		show(top);
		struct pollfd waits[] = {{.fd = top->signal_fd, .events = POLLIN},
		                         {.fd = top->screen.has_keys ? top->screen.in_fd : -1, .events = POLLIN}};
		now_ns = clock_monotonic_ns();
		uint64_t rest_ns = top->look_at_ns > now_ns ? top->look_at_ns - now_ns : 0;
		if (poll(waits, 2, (int)(rest_ns / NS_PER_MS) + 1) < 0 && errno != EINTR)
			return;
		if (waits[0].revents)
			take_signal(top);
		if (waits[1].revents && !top->is_over)
			take_key(top);
	}
}

static int run_once(struct top *top) {
	ask(top);
	if (top->error < 0)
		return status_refusal(top->config, top->log, top->error);
	if (print_frame(stdout, top, false) == 0)
		return EXIT_CODE_OK;
	log_error(top->log, "standard output: %s", strerror(errno));
	return EXIT_CODE_OUTPUT;
}

static int run_live(struct top *top) {
	CLEANUP_FD int signal_fd = FD_NONE;
	int rc = open_signals(&signal_fd);
	if (rc < 0) {
		log_error(top->log, "signals cannot be set up: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	top->signal_fd = signal_fd;
	screen_take(STDIN_FILENO, STDOUT_FILENO, &top->screen);
	run(top);
	screen_give_back(&top->screen);
	return top->is_lost ? EXIT_CODE_OUTPUT : EXIT_CODE_OK;
}

int top_command(const struct config *config, const struct log *log) {
	struct top top = {.config = config,
	                  .log = log,
	                  .signal_fd = FD_NONE,
	                  .sort = config->top_sort,
	                  .each_ring = config->each_ring};
	int code = config->top_once || !isatty(STDOUT_FILENO) ? run_once(&top) : run_live(&top);
	view_done(&top.views[0]);
	view_done(&top.views[1]);
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The agent is asked through its status socket like by anybody else; one that does not answer within ASK_NS is said to be busy, one that is gone is waited for. */
#include "top.h"

#include "agent/report/status.h"
#include "agent/report/status_ask.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/live.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define ASK_NS NS_PER_S
#define HEAD_LINES 8u /* above the rows, and one below */
#define RED "\033[31m"
#define BOLD "\033[1m"
#define PLAIN "\033[0m"

struct top {
	const struct config *config;
	const struct log *log;
	struct live live;
	struct view views[2];
	uint32_t newest;  /* of the two views */
	int error;        /* of the last question */
	uint64_t away_ns; /* since when there is none */
	enum view_sort sort;
	bool each_ring;
};

static void ask(void *context) {
	struct top *top = context;
	uint32_t other = 1 - top->newest;
	uint64_t now_ns = clock_monotonic_ns();
	top->live.look_at_ns = now_ns + top->config->top_interval_ns;
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

static void print_frame(void *context, FILE *file) {
	struct top *top = context;
	bool is_live = top->live.is_screen;
	struct view *view = &top->views[top->newest];
	uint32_t rows = is_live ? screen_rows(top->live.screen.out_fd) : 0;
	struct view_form form = {.columns = screen_columns(STDOUT_FILENO),
	                         .rows_max = (uint32_t)top->config->top_limit,
	                         .each_ring = top->each_ring,
	                         .colour = is_live && screen_has_colour(STDOUT_FILENO),
	                         .line_end = live_line_end(&top->live)};
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
}

static bool take_key(void *context, char key) {
	struct top *top = context;
	if (key == 's')
		top->sort = view_sorts[top->sort + 1] ? top->sort + 1 : VIEW_SORT_RATE;
	else if (key == 'r')
		top->each_ring = !top->each_ring;
	else if (key == ' ')
		top->live.look_at_ns = 0;
	return key != 'q' && key != 'Q';
}

static int run_once(struct top *top) {
	ask(top);
	if (top->error < 0)
		return status_refusal(top->config, top->log, top->error);
	print_frame(top, stdout);
	if (fflush(stdout) == 0)
		return EXIT_CODE_OK;
	log_error(top->log, "standard output: %s", strerror(errno));
	return EXIT_CODE_OUTPUT;
}

static int run_live(struct top *top) {
	top->live.is_screen = true;
	int rc = live_run(&top->live);
	if (rc < 0 && rc != -EPIPE) {
		log_error(top->log, "signals cannot be set up: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	return rc < 0 ? EXIT_CODE_OUTPUT : EXIT_CODE_OK;
}

int top_command(const struct config *config, const struct log *log) {
	struct top top = {.config = config, .log = log, .sort = config->top_sort, .each_ring = config->each_ring};
	top.live = (struct live){.context = &top, .look = ask, .draw = print_frame, .key = take_key};
	int code = config->top_once || !isatty(STDOUT_FILENO) ? run_once(&top) : run_live(&top);
	view_done(&top.views[0]);
	view_done(&top.views[1]);
	return code;
}

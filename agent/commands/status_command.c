/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/report/status.h"

#include "agent/report/status_ask.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/screen.h"
#include "base/units.h"
#include "libshm/system_directory.h"
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define VALUE_BYTES 256u

static uint64_t number(const struct view *view, const char *key) {
	return document_u64(&view->document, DOCUMENT_ROOT, key);
}

static void print_line(const char *label, const char *text) {
	(void)printf("%-12s %s\n", label, text);
}

static void print_value(const struct view *view, const char *label, const char *key) {
	char value[VALUE_BYTES];
	print_line(label, document_text(&view->document, DOCUMENT_ROOT, key, value, sizeof(value)));
}

/* What needs somebody comes first. */
static void print_health(const struct view *view) {
	if (view->advice_count == 0) {
		print_line("health", "all is well");
		return;
	}
	for (uint32_t i = 0; i < view->advice_count; i++)
		print_line(i == 0 ? "attention" : "", view->advice[i]);
}

/* Nothing while the store works. */
static void print_store_trouble(const struct view *view) {
	char value[VALUE_BYTES];
	char units[UNITS_TEXT_BYTES];
	const struct document *document = &view->document;
	if (strcmp(document_text(document, DOCUMENT_ROOT, "store_state", value, sizeof(value)), "ok") == 0)
		return;
	(void)printf("%-12s %s ago\n", "  since", units_format_duration((double)number(view, "store_since_ns"), units));
	print_value(view, "  why", "store_error");
	print_value(view, "  remedy", "store_remedy");
	uint64_t next_ns = number(view, "store_next_try_ns");
	print_line("  next try", next_ns ? units_format_duration((double)next_ns, units) : "under way");
}

/* Nothing before the agent has looked, and without any limit. */
static void print_kept(const struct view *view) {
	char units[UNITS_TEXT_BYTES];
	uint64_t evicted = number(view, "evicted_segments");
	if (number(view, "store_segments") == 0)
		return;
	(void)printf("%-12s %s in %" PRIu64 " segments", "kept",
	             units_format_bytes((double)number(view, "store_bytes"), units), number(view, "store_segments"));
	if (evicted > 0)
		(void)printf("; evicted %" PRIu64, evicted);
	(void)printf("\n");
}

static void print_head(const struct view *view) {
	char value[VALUE_BYTES];
	char reason[VALUE_BYTES];
	char line[VIEW_LINE_BYTES];
	char units[UNITS_TEXT_BYTES];
	const struct document *document = &view->document;
	print_health(view);
	(void)printf("%-12s %" PRIu64 ", version %s, up %s\n", "agent", number(view, "agent_pid"),
	             document_text(document, DOCUMENT_ROOT, "version", value, sizeof(value)),
	             units_format_duration((double)number(view, "uptime_ns"), units));
	print_value(view, "rings", "ring_directory");
	print_value(view, "store", "store");
	print_value(view, "store state", "store_state");
	print_store_trouble(view);
	(void)printf("%-12s %s (%s)\n", "io", document_text(document, DOCUMENT_ROOT, "io", value, sizeof(value)),
	             document_text(document, DOCUMENT_ROOT, "io_reason", reason, sizeof(reason)));
	print_value(view, "metrics", "metrics");
	print_kept(view);
	print_line("programs", view_programs_text(view, line));
	print_line("spans", view_spans_text(view, line));
	print_line("waiting", view_waiting_text(view, line));
	print_line("committed", view_commits_text(view, line));
	print_line("memory", view_use_text(view, line));
}

/* Of an agent for all users. */
static void print_users(const struct view *view) {
	static const char *const columns[][2] = {{"PROGRAMS", "programs"},    {"WAITING", "programs_waiting"},
	                                         {"RINGS", "user_rings"},     {"WAITING", "rings_waiting"},
	                                         {"LOST", "rings_lost"},      {"RECORDS", "records_taken"},
	                                         {"HELD", "turns_held_back"}, {"NAMELESS", "names_lost"}};
	const size_t count = sizeof(columns) / sizeof(columns[0]);
	const struct document *document = &view->document;
	char value[VALUE_BYTES];
	if (strcmp(document_text(document, DOCUMENT_ROOT, "served", value, sizeof(value)), "all users") != 0)
		return;
	(void)printf("\n%-10s", "UID");
	for (size_t i = 0; i < count; i++)
		(void)printf(" %11s", columns[i][0]);
	(void)printf("\n");
	uint32_t user = document_first(document, document_find(document, DOCUMENT_ROOT, "user_list"));
	for (; user != DOCUMENT_NONE; user = document_next(document, user)) {
		(void)printf("%-10" PRIu64, document_u64(document, user, "user"));
		for (size_t i = 0; i < count; i++) {
			char units[UNITS_TEXT_BYTES];
			(void)printf(" %11s", units_format_count(document_u64(document, user, columns[i][1]), units));
		}
		(void)printf("\n");
	}
}

static void print_table(const struct view *view, const struct config *config) {
	struct view_form form = {
	    .columns = screen_columns(STDOUT_FILENO), .each_ring = config->each_ring, .line_end = "\n"};
	uint64_t processes = number(view, "processes");
	form.colour = screen_has_colour(STDOUT_FILENO);
	print_head(view);
	print_users(view);
	if (processes == 0)
		return;
	(void)printf("\n");
	(void)view_print_rows(stdout, view, &form);
	if (processes > STATUS_PROCESSES_MAX)
		(void)printf("(%" PRIu64 " programs in all, the busiest %u listed)\n", processes, STATUS_PROCESSES_MAX);
}

int status_refusal(const struct config *config, const struct log *log, int rc) {
	if (rc == -ENOENT && !config->rings_are_default && access(config->rings, F_OK) < 0)
		log_error(log, "ring directory %s: %s; name that of the agent with --rings DIR", config->rings,
		          strerror(errno));
	else if (rc == -ENOENT || rc == -ECONNREFUSED)
		log_error(log, "no agent runs on %s; start one with: spanring-agent run %s--rings %s", config->rings,
		          config->system ? "--system " : "", config->rings);
	else if (rc == -EACCES)
		log_error(log, "agent of %s: answers only root, its own user and its group", config->rings);
	else
		log_error(log, "agent of %s: %s", config->rings, strerror(-rc));
	return EXIT_CODE_FAILED;
}

int status_command(const struct config *config, const struct log *log) {
	CLEANUP(view_done) struct view view = {.text = NULL};
	int rc = view_ask(config->rings, STATUS_ASK_NS, &view);
	/* Nobody at this user's own: the one for all may answer. */
	if ((rc == -ENOENT || rc == -ECONNREFUSED) && config->rings_are_default && !config->system &&
	    view_ask(SYSTEM_DIRECTORY_PATH, STATUS_ASK_NS, &view) == 0)
		rc = 0;
	if (rc < 0)
		return status_refusal(config, log, rc);
	if (config->json)
		(void)fputs(view.text, stdout);
	else
		print_table(&view, config);
	if (fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return EXIT_CODE_OK;
}

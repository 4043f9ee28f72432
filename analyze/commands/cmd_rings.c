/* SPDX-License-Identifier: Apache-2.0 */
/* rings: what programs did last and what they are doing, out of the ring files themselves. */
#include "analyze/command.h"
#include "analyze/kernels/fit.h"
#include "analyze/kernels/trace_id.h"
#include "ring_place.h"
#include "ring_view.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "libshm/fault_guard.h"

#include <spanring/async_abi.h>
#include <spanring/spanring.h>

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LAST_DEFAULT 5u
#define INDENT_LEVELS_MAX 12u
#define INSTANCES_MAX 8192u
#define INSTANCE_NAME_BYTES (2 * SPANRING_INSTANCE_BYTES + 1)

static const char help[] = "  spanring-analyze rings\n"
                           "  spanring-analyze rings /dev/shm/spanring-1000 --last 20\n"
                           "  spanring-analyze rings DIR --json | jq '.processes[].threads[].open_spans'\n"
                           "\n"
                           "What the programs of a ring directory are doing and what they did last, read\n"
                           "from their ring files: no agent is needed, none is disturbed, nothing is\n"
                           "written. Works on living processes and on dead ones whose files are still\n"
                           "there, that is until an agent has stored and removed them.\n"
                           "\n"
                           "For each thread: the spans that are open, outermost first, with their age up\n"
                           "to now, then the last finished ones, newest first. Then the open spans that\n"
                           "belong to no thread (async ones), oldest first. Attributes are not shown.\n"
                           "\n"
                           "DIR is the ring directory; without it SPANRING_DIR, else /run/spanring/<uid>\n"
                           "where an agent serves all users, else /dev/shm/spanring-<uid>.\n"
                           "\n"
                           "Options\n"
                           "  --last N         at most N finished spans of each ring (default 5, at most\n"
                           "                   10000)\n";

struct names {
	char (*items)[INSTANCE_NAME_BYTES];
	size_t count;
	bool foreign; /* there are entries, and none that a ring directory has */
};

struct rings {
	const struct context *context;
	struct json json;
	bool damaged;
	uint64_t processes;
};

static const char *state_text(enum ring_view_state state) {
	static const char *const texts[] = {[RING_VIEW_RUNNING] = "running",
	                                    [RING_VIEW_EXITED] = "exited",
	                                    [RING_VIEW_DIED] = "died",
	                                    [RING_VIEW_UNKNOWN] = "unknown"};
	return texts[state];
}

/* A thread without its lock is as alive as its process. */
static const char *life_text(const struct ring_view *view, const struct ring_view_ring *ring) {
	switch (ring->life) {
	case RING_READER_LIVE:
		return "running";
	case RING_READER_RETIRED:
		return "exited";
	case RING_READER_DIED:
		return "died";
	default:
		return state_text(view->state);
	}
}

static const char *error_text(int error) {
	switch (error) {
	case ERR_NEWER:
		return "written by a newer version: update this program";
	case ERR_FOREIGN:
		return "not a file of its place: left out";
	case ERR_DAMAGED:
		return "breaks the ring format: left out";
	case ERR_GONE:
		return "cut short while it was read: left out";
	case -ESTALE:
		return "of an earlier boot, its times mean nothing: left out";
	default:
		return strerror(-error);
	}
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void print_span_json(struct json *json, const struct ring_view_span *span, bool open) {
	char id[TRACE_ID_TEXT_BYTES];
	json_open(json, NULL, '{');
	json_text(json, "name", span->name);
	json_text(json, "trace_id", trace_id_text(span->trace_hi, span->trace_lo, id));
	json_text(json, "span_id", span_id_text(span->span_id, id));
	if (span->parent_id)
		json_text(json, "parent_id", span_id_text(span->parent_id, id));
	else
		json_null(json, "parent_id");
	json_text(json, "kind", trace_kind_text(span->kind));
	json_text(json, "status", trace_status_text(span->status));
	json_u64(json, "start_wall_ns", span->start_wall_ns);
	json_u64(json, open ? "age_ns" : "duration_ns", span->duration_ns);
	if (!open) {
		json_bool(json, "unfinished", span->unfinished);
		json_u64(json, "tid", span->tid);
	}
	json_close(json);
}

static void print_ring_json(struct json *json, const struct ring_view *view, const struct ring_view_ring *ring) {
	json_open(json, NULL, '{');
	json_u64(json, "ring", ring->index);
	json_u64(json, "tid", ring->tid);
	json_text(json, "thread", ring->thread);
	json_text(json, "state", life_text(view, ring));
	json_u64(json, "begun", ring->begun);
	json_u64(json, "open", ring->open);
	json_u64(json, "dropped", ring->dropped);
	json_u64(json, "sampled_out", ring->sampled_out);
	json_u64(json, "open_unsampled", ring->unsampled);
	json_bool(json, "open_spans_known", !ring->open_moving);
	json_open(json, "open_spans", '[');
	for (uint32_t i = 0; i < ring->open_count; i++)
		print_span_json(json, &ring->open_spans[i], true);
	json_close(json);
	json_open(json, "finished_spans", '[');
	for (uint32_t i = 0; i < ring->finished_count; i++)
		print_span_json(json, &ring->finished[i], false);
	json_close(json);
	if (ring->error)
		json_text(json, "error", error_text(ring->error));
	else
		json_null(json, "error");
	json_close(json);
}

static void print_process_json(struct rings *rings, const struct ring_view *view) {
	struct json *json = &rings->json;
	char instance[INSTANCE_NAME_BYTES];
	text_hex_encode(view->instance, SPANRING_INSTANCE_BYTES, instance);
	json_open(json, NULL, '{');
	json_text(json, "instance", instance);
	json_text(json, "service", view->identity->service);
	json_u64(json, "pid", view->identity->pid);
	json_u64(json, "ppid", view->identity->ppid);
	json_u64(json, "uid", view->uid);
	json_text(json, "state", state_text(view->state));
	json_text(json, "executable", view->identity->executable);
	json_text(json, "command", view->identity->command);
	json_u64(json, "attached_wall_ns", view->identity->anchor_wall_ns);
	json_open(json, "threads", '[');
	for (uint32_t i = 0; i < view->ring_count; i++)
		print_ring_json(json, view, &view->rings[i]);
	json_close(json);
	json_u64(json, "open_async", view->async_open);
	json_open(json, "async_spans", '[');
	for (uint32_t i = 0; i < view->async_count; i++)
		print_span_json(json, &view->async_spans[i], true);
	json_close(json);
	json_close(json);
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void print_printable(const char *text) {
	CLEANUP_FREE char *printable = fit_printable(text, strlen(text));
	(void)fputs(printable ? printable : "?", stdout);
}

static void print_span(const struct rings *rings, const struct ring_view_span *span, unsigned levels) {
	const struct terminal *terminal = &rings->context->terminal;
	char text[UNITS_TEXT_BYTES];
	char id[TRACE_ID_TEXT_BYTES];
	unsigned indent = levels < INDENT_LEVELS_MAX ? levels : INDENT_LEVELS_MAX;
	printf("    %9s  %*s", units_format_duration((double)span->duration_ns, text), (int)(2 * indent), "");
	print_printable(span->name[0] ? span->name : "(no name)");
	if (span->status == SPANRING_STATUS_ERROR)
		printf("  %serror%s", terminal_style(terminal, STYLE_RED), terminal_style(terminal, STYLE_PLAIN));
	else if (span->status == SPANRING_STATUS_OK)
		printf("  ok");
	printf("  %s%s%s\n", terminal_style(terminal, STYLE_DIM), trace_id_text(span->trace_hi, span->trace_lo, id),
	       terminal_style(terminal, STYLE_PLAIN));
}

static void print_ring(const struct rings *rings, const struct ring_view *view, const struct ring_view_ring *ring) {
	char text[4][UNITS_TEXT_BYTES];
	printf("  thread %" PRIu32 " ", ring->tid);
	print_printable(ring->thread);
	printf(" (%s, ring %" PRIu32 "): %s begun, %s open, %s dropped", life_text(view, ring), ring->index,
	       units_format_count(ring->begun, text[0]), units_format_count(ring->open, text[1]),
	       units_format_count(ring->dropped, text[2]));
	if (ring->sampled_out > 0)
		printf(", %s sampled out", units_format_count(ring->sampled_out, text[3]));
	(void)putchar('\n');
	if (ring->open_moving)
		printf("    the open spans change too fast to be read\n");
	if (ring->open_count > 0)
		printf("    open, outermost first\n");
	for (uint32_t i = 0; i < ring->open_count; i++)
		print_span(rings, &ring->open_spans[i], i);
	if (ring->unsampled > 0)
		printf("    and %" PRIu32 " open of traces that are not kept\n", ring->unsampled);
	if (ring->finished_count > 0)
		printf("    finished, newest first\n");
	for (uint32_t i = 0; i < ring->finished_count; i++)
		print_span(rings, &ring->finished[i], 0);
}

static void print_async(const struct rings *rings, const struct ring_view *view) {
	char text[UNITS_TEXT_BYTES];
	if (view->async_open == 0)
		return;
	printf("  async spans: %s open, oldest first\n", units_format_count(view->async_open, text));
	for (uint32_t i = 0; i < view->async_count; i++)
		print_span(rings, &view->async_spans[i], 0);
	if (view->async_count < view->async_open)
		printf("    and %s more\n", units_format_count(view->async_open - view->async_count, text));
}

static void print_process(struct rings *rings, const struct ring_view *view) {
	const struct terminal *terminal = &rings->context->terminal;
	if (rings->processes > 1)
		(void)putchar('\n');
	(void)fputs(terminal_style(terminal, STYLE_BOLD), stdout);
	print_printable(view->identity->service);
	printf("%s, process %" PRIu32 ", %s%s%s\n  ", terminal_style(terminal, STYLE_PLAIN), view->identity->pid,
	       terminal_style(terminal, view->state == RING_VIEW_DIED ? STYLE_YELLOW : STYLE_PLAIN),
	       state_text(view->state), terminal_style(terminal, STYLE_PLAIN));
	print_printable(view->identity->command);
	(void)putchar('\n');
	for (uint32_t i = 0; i < view->ring_count; i++)
		if (view->rings[i].error == 0)
			print_ring(rings, view, &view->rings[i]);
	print_async(rings, view);
}

/* --- command ----------------------------------------------------------------------------------------------------- */

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

static int by_name(const void *a, const void *b) {
	return strcmp(a, b);
}

/* Of the agent (socket, lock, control page), or of a user where one serves all. */
static bool is_of_agent(const char *name) {
	return strcmp(name, "agent.sock") == 0 || strcmp(name, "agent.lock") == 0 ||
	       strcmp(name, SPANRING_CONTROL_NAME) == 0 || strspn(name, "0123456789") == strlen(name);
}

/* Names of 32 hexadecimal digits, in order, so that the answer is the same every time. */
static int list_instances(int rings_fd, struct names *ret_names) {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	int fd = openat(rings_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		int rc = -errno;
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	struct names names = {.items = calloc(INSTANCES_MAX, INSTANCE_NAME_BYTES)};
	if (!names.items)
		return -ENOMEM;
	const struct dirent *entry;
	bool is_known = false;
	while (names.count < INSTANCES_MAX && (entry = readdir(directory))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		names.foreign = true;
		is_known = is_known || is_of_agent(entry->d_name);
		if (strlen(entry->d_name) == INSTANCE_NAME_BYTES - 1 &&
		    strspn(entry->d_name, "0123456789abcdef") == INSTANCE_NAME_BYTES - 1 &&
		    text_hex_decode(entry->d_name, instance, sizeof(instance)))
			memcpy(names.items[names.count++], entry->d_name, INSTANCE_NAME_BYTES);
	}
	names.foreign = names.foreign && !is_known && names.count == 0;
	qsort(names.items, names.count, INSTANCE_NAME_BYTES, by_name);
	*ret_names = names;
	return 0;
}

static void say_damage(struct rings *rings, const char *name, const struct ring_view *view) {
	if (view->async_error) {
		rings->damaged = true;
		log_error(&rings->context->log, "%s/" SPANRING_ASYNC_NAME ": %s", name, error_text(view->async_error));
	}
	for (uint32_t i = 0; i < view->ring_count; i++) {
		if (view->rings[i].error == 0 || view->rings[i].error == -ENOENT)
			continue;
		rings->damaged = true;
		log_error(&rings->context->log, "%s/" SPANRING_RING_PREFIX "%04" PRIu32 ": %s", name,
		          view->rings[i].index, error_text(view->rings[i].error));
	}
}

static int show_instance(struct rings *rings, int rings_fd, const char *name) {
	const struct options *options = rings->context->options;
	struct ring_view view;
	uint32_t last = options->has_last ? (uint32_t)options->last : LAST_DEFAULT;
	int rc = ring_view_load(rings_fd, name, last, &view);
	if (rc == -ENOMEM || rc == -ENOENT) /* gone while we looked: an agent cleared it away */
		return rc == -ENOENT ? 0 : rc;
	if (rc < 0) {
		rings->damaged = true;
		log_error(&rings->context->log, "%s: %s", name, error_text(rc));
		return 0;
	}
	rings->processes++;
	if (options->json)
		print_process_json(rings, &view);
	else
		print_process(rings, &view);
	say_damage(rings, name, &view);
	ring_view_done(&view);
	return 0;
}

static int show_all(struct rings *rings, int rings_fd, const char *path) {
	const struct context *context = rings->context;
	struct names names = {.count = 0};
	int rc = list_instances(rings_fd, &names);
	if (rc == 0 && names.foreign) {
		free(names.items);
		log_error(&context->log,
		          "%s: not a ring directory, nothing in it is of Spanring: give that of the programs "
		          "(SPANRING_DIR)",
		          path);
		return EXIT_CODE_INPUT;
	}
	if (context->options->json) {
		rings->json = json_begin(stdout);
		json_open(&rings->json, NULL, '{');
		json_text(&rings->json, "schema", "rings/1");
		json_text(&rings->json, "directory", path);
		json_open(&rings->json, "processes", '[');
	}
	for (size_t i = 0; i < names.count && rc == 0; i++)
		rc = show_instance(rings, rings_fd, names.items[i]);
	free(names.items);
	if (context->options->json) {
		json_close(&rings->json);
		json_close(&rings->json);
	}
	if (rc < 0)
		return command_failed(context, rc, "reading the rings");
	if (rings->processes == 0 && !rings->damaged)
		log_info(&context->log, "%s: no process has rings there", path);
	return rings->damaged ? EXIT_CODE_INPUT : EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct rings rings = {.context = context};
	char path[PATH_MAX];
	(void)ring_place_find(context->options->store, path);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0) {
		log_error(&context->log, "%s: %s: give the ring directory of the programs (SPANRING_DIR)", path,
		          strerror(errno));
		return EXIT_CODE_INPUT;
	}
	(void)signal(SIGIO, SIG_IGN); /* raised by the look for who has a process file mapped */
	if (fault_guard_install() < 0)
		return command_failed(context, -errno, "guarding against files that are cut short");
	return show_all(&rings, fd, path);
}

const struct command command_rings = {
    .name = "rings",
    .summary = "open and last spans of programs, from their rings",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_LAST | OPTION_RINGS,
    .run = run,
};

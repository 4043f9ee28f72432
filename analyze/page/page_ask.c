/* SPDX-License-Identifier: Apache-2.0 */
/* Each document is asked for in a process of its own: memory is bounded by the largest, and a command that fails costs its part of the page only. */
#include "page.h"

#include "analyze/help.h"
#include "analyze/query.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ANSWER_BYTES_MAX ((off_t)64 << 20)
#define WORDS_MAX 32u
#define SPARK_STEPS 48u

static const struct part {
	const char *id;
	const char *words[6]; /* the command first; NULL at the end */
	bool has_steps;       /* --interval, a 48th of the time */
} parts[] = {
    {"info", {"info"}, false},
    {"latency", {"latency"}, false},
    {"steps", {"latency", "--group-by", "name", "--top", "3000"}, true},
    {"histogram", {"histogram", "*"}, false},
    {"heatmap", {"histogram", "*", "--heatmap"}, false},
    {"tree", {"tree", "--min-share", "0.05%"}, false},
    {"memory", {"memory"}, false},
    {"chart", {"memory", "chart"}, false},
    {"slowest", {"slowest", "-n", "20"}, false},
    {"errors", {"errors"}, false},
    {"unfinished", {"unfinished", "-n", "200"}, false},
    {"audit", {"audit"}, false},
    {"overhead", {"overhead"}, false},
};
#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))
_Static_assert(PART_COUNT <= PAGE_ANSWERS_MAX, "each part has a place");

struct line {
	const char *words[WORDS_MAX];
	size_t count;
	char times[3][UNITS_TEXT_BYTES];
};

static void add(struct line *line, const char *word) {
	line->words[line->count++] = word;
}

static void add_filter(struct line *line, bool allowed, const char *word, const char *value) {
	if (!allowed || !value)
		return;
	add(line, word);
	add(line, value);
}

static void make_line(const struct context *context, const struct part *part, uint64_t step_ns, struct line *line) {
	const struct options *options = context->options;
	const struct command *command = help_find_command(part->words[0]);
	uint32_t allowed = command ? command->takes.allowed : 0;
	*line = (struct line){.count = 0};
	add(line, PROGRAM_NAME);
	for (size_t i = 0; part->words[i]; i++)
		add(line, part->words[i]);
	if (options->since_wall_ns)
		(void)units_format_wall(options->since_wall_ns, line->times[0]);
	if (options->until_wall_ns)
		(void)units_format_wall(options->until_wall_ns, line->times[1]);
	add_filter(line, allowed & OPTION_TIME, "--since", *line->times[0] ? line->times[0] : NULL);
	add_filter(line, allowed & OPTION_TIME, "--until", *line->times[1] ? line->times[1] : NULL);
	add_filter(line, allowed & OPTION_SERVICE, "--service", options->service);
	add_filter(line, (allowed & OPTION_NAME) && !(allowed & OPTION_NAME_WORD), "--name", options->name);
	add_filter(line, allowed & OPTION_WHERE, "--where", options->where);
	if (part->has_steps) {
		(void)snprintf(line->times[2], UNITS_TEXT_BYTES, "%" PRIu64 "ns", step_ns);
		add_filter(line, true, "--interval", line->times[2]);
	}
	add(line, "--json");
	add(line, "--quiet");
	add(line, "--");
	add(line, options->store);
	add(line, NULL);
}

/* Into memory; its exit code. Negative errno. */
static int run(const struct line *line, int out) {
	posix_spawn_file_actions_t actions;
	pid_t pid = 0;
	int status = 0;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0)
		rc = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (rc == 0)
		rc =
		    posix_spawn(&pid, "/proc/self/exe", &actions, NULL, (char *const *)(uintptr_t)line->words, environ);
	(void)posix_spawn_file_actions_destroy(&actions);
	if (rc != 0)
		return -rc;
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

static int ask_one(const struct line *line, struct page_answer *answer) {
	struct stat status;
	CLEANUP_FD int fd = memfd_create("spanring-report", MFD_CLOEXEC);
	if (fd < 0)
		return -errno;
	answer->exit_code = run(line, fd);
	if (answer->exit_code < 0)
		return answer->exit_code;
	if (fstat(fd, &status) < 0 || status.st_size == 0 || status.st_size > ANSWER_BYTES_MAX)
		return 0; /* the page says that it is left out */
	answer->bytes = (size_t)status.st_size;
	answer->json = malloc(answer->bytes);
	if (!answer->json)
		return -ENOMEM;
	return pread(fd, answer->json, answer->bytes, 0) == status.st_size ? 0 : -EIO;
}

/* So that the whole time has as many steps as a sparkline has places; at least a millisecond. */
static int find_step(const struct context *context, uint64_t *ret_step_ns) {
	struct query query;
	int code = query_open(&query, context);
	if (code != 0)
		return code;
	uint64_t first = UINT64_MAX;
	uint64_t last = 0;
	for (size_t i = 0; i < query.overview->segment_count; i++) {
		const struct store_segment_view *segment = &query.overview->segments[i];
		if (segment->spans == 0)
			continue;
		if (segment->start_ns_min < first)
			first = segment->start_ns_min;
		if (segment->end_ns_max > last)
			last = segment->end_ns_max;
	}
	*ret_step_ns = last > first ? (last - first) / SPARK_STEPS : 0;
	if (*ret_step_ns < NS_PER_MS)
		*ret_step_ns = NS_PER_MS;
	query_close(&query);
	return 0;
}

static void say_progress(const struct context *context, size_t part) {
	if (!context->options->quiet && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\rreport: %zu of %zu, %-12s", part + 1, PART_COUNT, parts[part].id);
}

int page_ask(const struct context *context, struct page *ret_page) {
	uint64_t step_ns = 0;
	struct line line;
	int code = find_step(context, &step_ns);
	*ret_page = (struct page){.count = 0};
	for (size_t i = 0; code == 0 && i < PART_COUNT; i++) {
		struct page_answer *answer = &ret_page->answers[ret_page->count++];
		*answer = (struct page_answer){.id = parts[i].id};
		say_progress(context, i);
		make_line(context, &parts[i], step_ns, &line);
		int rc = ask_one(&line, answer);
		if (rc < 0)
			code = command_failed(context, rc, "asking for the parts of the page");
	}
	if (!context->options->quiet && isatty(STDERR_FILENO))
		(void)fprintf(stderr, "\r\033[K");
	return code;
}

void page_free(struct page *page) {
	for (size_t i = 0; i < page->count; i++)
		free(page->answers[i].json);
	page->count = 0;
}

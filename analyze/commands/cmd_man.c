/* SPDX-License-Identifier: Apache-2.0 */
/* man: the manual pages of this program, out of the texts that it prints as help. For those who package it. */
#include "analyze/command.h"
#include "analyze/help.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/man_page.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define OTHERS "spanring-agent(1), spanring-analyze(1), spanring-bench(1), spanring(3)"

static const char help[] = "  spanring-analyze man build/man\n"
                           "\n"
                           "Writes a page for the program, one for each command and one for each topic of\n"
                           "help into the folder DIR, which is there: spanring-analyze.1,\n"
                           "spanring-analyze-latency.1, ...  An installed Spanring has them; see man\n"
                           "spanring-analyze.\n";

static int write_page(const struct context *context, const struct man_page *page) {
	int rc = man_page_write(context->options->leading[0], page);
	if (rc == 0)
		return EXIT_CODE_OK;
	log_error(&context->log, "man: %s/%s.1: %s: name a folder that can be written to", context->options->leading[0],
	          page->name, strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

/* What a function of help.c prints, as text. NULL without memory. */
static char *printed(void (*print)(FILE *file, const void *what), const void *what) {
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	if (!file)
		return NULL;
	print(file, what);
	return fclose(file) == 0 ? text : NULL;
}

static void print_overview(FILE *file, const void *what) {
	(void)what;
	help_overview(file);
}

static void print_command(FILE *file, const void *what) {
	help_command_text(file, what);
}

static int write_command(const struct context *context, const struct command *command) {
	char name[128];
	char *text CLEANUP_FREE = printed(print_command, command);
	(void)snprintf(name, sizeof(name), PROGRAM_NAME "-%s", command->name);
	if (!text)
		return command_failed(context, -ENOMEM, "writing manual pages");
	return write_page(context, &(struct man_page){name, command->summary, text, OTHERS});
}

static int write_topic(const struct context *context, const struct topic *topic) {
	char name[128];
	(void)snprintf(name, sizeof(name), PROGRAM_NAME "-%s", topic->name);
	return write_page(context, &(struct man_page){name, topic->summary, topic->text, OTHERS});
}

static int run(const struct context *context) {
	const struct command *command;
	const struct topic *topic;
	char *text CLEANUP_FREE = printed(print_overview, NULL);
	if (!text)
		return command_failed(context, -ENOMEM, "writing manual pages");
	int code = write_page(context, &(struct man_page){PROGRAM_NAME, "ask a store of spans", text, OTHERS});
	for (size_t i = 0; code == EXIT_CODE_OK && (command = help_command_at(i)); i++)
		code = write_command(context, command);
	for (size_t i = 0; code == EXIT_CODE_OK && (topic = help_topic_at(i)); i++)
		code = write_topic(context, topic);
	return code;
}

static const char *const leading[] = {"folder", NULL};

const struct command command_man = {
    .name = "man",
    .summary = "the manual pages of this program, for packages",
    .help = help,
    .takes = {.allowed = OPTION_COLOR | OPTION_QUIET | OPTION_NO_STORE, .leading = leading},
    .run = run,
};

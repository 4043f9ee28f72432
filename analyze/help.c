/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include "base/errs.h"
#include "base/suggest.h"

#include <spanring/version.h>

#include <stdio.h>
#include <string.h>

#define GROUP_COMMANDS_MAX 16u

/* The overview, as people ask. */
static const struct group {
	const char *title;
	const struct command *commands[GROUP_COMMANDS_MAX];
} groups[] = {
    {"Where time goes",
     {&command_latency, &command_top, &command_tree, &command_flame, &command_histogram, &command_slowest,
      &command_trace, &command_timeline, &command_errors, &command_unfinished, &command_noisy}},
    {"Where memory goes", {&command_memory}},
    {"What changed", {&command_compare, &command_why, &command_baseline, &command_check}},
    {"What tracing costs", {&command_overhead}},
    {"All of it", {&command_report}},
    {"While it runs", {&command_watch}},
    {"What is stored, and is it whole", {&command_info, &command_audit, &command_verify, &command_rings}},
    {"In and out", {&command_sql, &command_export, &command_import}},
    {"Help", {&command_doctor, &command_completion, &command_man}},
};
#define GROUP_COUNT (sizeof(groups) / sizeof(groups[0]))
#define COMMANDS_MAX (GROUP_COUNT * GROUP_COMMANDS_MAX)

static const struct topic topics[] = {
    {"exit-codes", "what the exit code says",
     "  0  the answer is complete\n"
     "  1  a check failed (audit: not balanced), or the answer is incomplete (trace:\n"
     "     not stored)\n"
     "  2  wrong words on the command line\n"
     "  3  the store, or a part of it, is missing, foreign, damaged or of a newer\n"
     "     version; what could be read has been printed\n"
     "  4  check: no baseline, or one of another machine\n"
     "  5  import: an agent writes the store\n"
     "  6  standard output, or the store of import, cannot be written\n"
     "  130  Ctrl-C during a read; nothing was printed\n"},
    {"where", "filter expressions of --where",
     "  --where 'duration > 5ms and status = error and attr.http.route = \"/x\"'\n"
     "  --where 'name ~ \"db.*\" and not (attr.rows in (0, 1) or kind = client)'\n"
     "\n"
     "  Fields: duration, start, end, status, kind, name, service, scope, trace,\n"
     "  span, parent, thread, thread.name, pid, heap.allocated, heap.net,\n"
     "  event.name, unfinished, attr.KEY (attr.\"odd key\").\n"
     "\n"
     "  Operators: = != < <= > >=, ~ (a glob), in (...), and, or, not, parentheses.\n"
     "  unfinished and attr.KEY may stand alone: it is so, there is one.\n"
     "\n"
     "  Values: 5ms (ns us ms s m h d), 64KiB, 2026-11-20T18:43:30Z or 10m (ago),\n"
     "  words, \"text\" with \\\" \\\\ \\n \\t \\xNN. Of attributes an unquoted number is a\n"
     "  number, true and false are truths, all else is text; types must agree.\n"
     "\n"
     "  A comparison of what the span does not have is false; not makes it true.\n"},
    {"stores", "what STORE may be",
     "  A store directory as the agent writes it, or one segment-*.db file of it.\n"
     "  Without the word STORE the environment variable SPANRING_STORE is used.\n"
     "\n"
     "  Reading never writes to the store and is safe while an agent writes: a\n"
     "  command sees what was committed when it opened the store. Damaged segments\n"
     "  and batches are left out, named on standard error, and the exit code is 3.\n"
     "  Only import writes, and never beside an agent.\n"},
    {"output", "tables, JSON, colour",
     "  Data goes to standard output, messages to standard error.\n"
     "\n"
     "  --json prints one document with a \"schema\" such as \"latency/1\". Keys carry\n"
     "  their unit (_ns, _bytes); times are nanoseconds since 1970 UTC; whole numbers\n"
     "  are 64-bit: read them with a parser that keeps them. What is absent is null.\n"
     "\n"
     "  Tables fit the terminal (COLUMNS overrides its width); into a file or pipe\n"
     "  they are not cut. Colour only on a terminal; NO_COLOR and --color=never switch it\n"
     "  off.\n"},
};
#define TOPIC_COUNT (sizeof(topics) / sizeof(topics[0]))

const struct command *help_command_at(size_t index) {
	for (size_t group = 0; group < GROUP_COUNT; group++) {
		const struct command *const *commands = groups[group].commands;
		for (size_t i = 0; i < GROUP_COMMANDS_MAX && commands[i]; i++)
			if (index-- == 0)
				return commands[i];
	}
	return NULL;
}

const struct topic *help_topic_at(size_t index) {
	return index < TOPIC_COUNT ? &topics[index] : NULL;
}

const struct command *help_find_command(const char *name) {
	const struct command *command;
	for (size_t i = 0; (command = help_command_at(i)); i++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

static void print_groups(FILE *file) {
	for (size_t group = 0; group < GROUP_COUNT; group++) {
		(void)fprintf(file, "\n%s\n", groups[group].title);
		for (size_t i = 0; i < GROUP_COMMANDS_MAX && groups[group].commands[i]; i++)
			(void)fprintf(file, "  %-11s %s\n", groups[group].commands[i]->name,
			              groups[group].commands[i]->summary);
	}
}

void help_overview(FILE *file) {
	(void)fputs("spanring-analyze asks a store of spans.\n"
	            "\n"
	            "  spanring-analyze latency STORE           percentiles per span name\n"
	            "  spanring-analyze slowest STORE -n 3      the longest spans and their traces\n"
	            "  spanring-analyze trace 4bf92f STORE      one of those traces as a tree\n"
	            "  spanring-analyze memory STORE --json     memory of each process, as JSON\n",
	            file);
	print_groups(file);
	(void)fputs("\nTopics of help TOPIC; help COMMAND tells more of a command\n", file);
	for (size_t i = 0; i < TOPIC_COUNT; i++)
		(void)fprintf(file, "  %-11s %s\n", topics[i].name, topics[i].summary);
	(void)fputs("\nOptions of every command\n"
	            "  --json           one JSON document instead of a table\n"
	            "  --color WHEN     auto (default), always, never\n"
	            "  -q, --quiet      no progress, no notes; errors are still shown\n"
	            "  -h, --help       how to use the command\n"
	            "  --version        print the version\n"
	            "\nhelp --search WORD lists the commands and topics that speak of it.\n",
	            file);
}

void help_command_text(FILE *file, const struct command *command) {
	bool without_store = command->takes.allowed & (OPTION_RINGS | OPTION_IMPORT | OPTION_NO_STORE);
	(void)fprintf(file, "%s\n%s%s", command->help,
	              without_store ? "" : "STORE is a store directory or a segment file. ",
	              command->takes.allowed & OPTION_JSON ? "Also: --json, --color WHEN, -q.\n" : "Also: -q.\n");
}

void help_command(const struct command *command) {
	printf("%s: %s\n\n", command->name, command->summary);
	help_command_text(stdout, command);
}

int help_search(const struct log *log, const char *word) {
	const struct command *command;
	bool found = false;
	for (size_t i = 0; (command = help_command_at(i)); i++) {
		if (!strcasestr(command->help, word) && !strcasestr(command->summary, word) &&
		    !strcasestr(command->name, word))
			continue;
		printf("help %-11s %s\n", command->name, command->summary);
		found = true;
	}
	for (size_t i = 0; i < TOPIC_COUNT; i++) {
		if (!strcasestr(topics[i].text, word) && !strcasestr(topics[i].summary, word))
			continue;
		printf("help %-11s %s\n", topics[i].name, topics[i].summary);
		found = true;
	}
	if (found)
		return EXIT_CODE_OK;
	log_error(log, "no command and no topic speaks of '%s': 'spanring-analyze help' lists them", word);
	return EXIT_CODE_FAILED;
}

int help_topic(const struct log *log, const char *topic) {
	const struct command *command = help_find_command(topic);
	if (command) {
		help_command(command);
		return EXIT_CODE_OK;
	}
	for (size_t i = 0; i < TOPIC_COUNT; i++) {
		if (strcmp(topics[i].name, topic) != 0)
			continue;
		printf("%s: %s\n\n%s", topics[i].name, topics[i].summary, topics[i].text);
		return EXIT_CODE_OK;
	}
	return help_unknown(log, "help topic", topic);
}

int help_unknown(const struct log *log, const char *what, const char *typed) {
	const char *words[COMMANDS_MAX + TOPIC_COUNT + 1];
	const struct command *command;
	size_t count = 0;
	for (size_t i = 0; (command = help_command_at(i)); i++)
		words[count++] = command->name;
	words[count++] = "help";
	for (size_t i = 0; i < TOPIC_COUNT && strcmp(what, "command") != 0; i++)
		words[count++] = topics[i].name;
	const char *nearest = suggest_nearest(typed, words, count);
	if (nearest)
		log_error(log, "unknown %s '%s': did you mean '%s'?", what, typed, nearest);
	else
		log_error(log, "unknown %s '%s': 'spanring-analyze help' lists them", what, typed);
	return EXIT_CODE_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "config_help.h"

#include "options.h"

#include <string.h>

#define MARGIN 25 /* columns before the explanations */

static const char head[] = "Collects spans from programs that link libspanring, into a store.\n"
                           "\n"
                           "  spanring-agent record -- ./app          run one command, collect from it\n"
                           "  spanring-agent record --heap -- ./app   and count what each span allocates\n"
                           "  spanring-agent attach 1234              record a running program for 30 s\n"
                           "  spanring-agent run                      collect from all programs of this user\n"
                           "  spanring-agent config                   show what run would use, and why\n"
                           "  spanring-agent reload                   have it read its configuration again\n"
                           "  spanring-agent status                   ask the running agent how it is\n"
                           "  spanring-agent top                      watch it, and the programs, while they run\n"
                           "  spanring-agent ps                       list the traced programs\n"
                           "  spanring-agent ctl 1234 ratio 0.01      keep one trace in a hundred of one\n"
                           "\n"
                           "Commands\n"
                           "  run                    until SIGINT or SIGTERM\n"
                           "  record -- COMMAND ...  until the command and all it started are done\n"
                           "  attach PROGRAM         record one traced program that runs, for --duration: all\n"
                           "                         its traces, whatever its sampler; then as it was\n"
                           "  config [run|record]    the values in effect, as a configuration file that\n"
                           "                         says where each comes from; starts nothing\n"
                           "  reload                 have the running agent read its configuration again, as\n"
                           "                         SIGHUP does, and say what came of it\n"
                           "  status                 of the agent at the ring directory\n"
                           "  top                    the same, anew each second, until q; keys: s sorts, r shows\n"
                           "                         rings, space looks at once\n"
                           "  ps                     traced programs, and what they record; asks no agent\n"
                           "  ctl PROGRAM ACTION ... change what programs record while they run; see\n"
                           "                         spanring-agent ctl --help\n"
                           "  completion SHELL       a script that completes our words in bash, zsh or fish\n"
                           "  man DIR                write the manual pages into this folder\n"
                           "\n"
                           "Options\n";

static const char tail[] = "  -h, --help             this text\n"
                           "  --version              print the version\n"
                           "\n"
                           "A value is taken from the flag, else from the variable in brackets, else from the\n"
                           "configuration file (the same name as a key), else from the preset, else it is the\n"
                           "default.\n"
                           "\n"
                           "Exit codes\n"
                           "  0  done\n"
                           "  1  no agent runs (status, top --once, reload), the agent failed, or some program\n"
                           "     could not be changed (ctl) or read (ps)\n"
                           "  2  wrong words on the command line, in the environment or in the\n"
                           "     configuration file; nothing was touched\n"
                           "  3  what was asked for is not there: a traced process (ctl), the ring directory\n"
                           "     (ps, ctl), the library of --heap\n"
                           "  5  another agent holds the ring directory or the store\n"
                           "  6  ring directory, store or standard output cannot be written\n"
                           "  record exits as its command does: 128 + n when killed by signal n, 126 when it\n"
                           "  cannot be run, 127 when it is not found.\n";

static void print_line(FILE *file, const char *text, size_t bytes) {
	(void)fprintf(file, "%*s%.*s\n", MARGIN, "", (int)bytes, text);
}

static void print_entry(FILE *file, enum options_id id) {
	const struct options_entry *entry = &options_table[id];
	char bounds[OPTIONS_WHY_BYTES];
	char flag[64];
	char letter[8] = "";
	if (entry->letter)
		(void)snprintf(letter, sizeof(letter), "-%c, ", entry->letter);
	int width = snprintf(flag, sizeof(flag), "  %s--%s %s", letter, entry->name, entry->value ? entry->value : "");
	const char *line = entry->about;
	size_t bytes = strcspn(line, "\n");
	if (width < MARGIN) {
		(void)fprintf(file, "%-*s%.*s\n", MARGIN, flag, (int)bytes, line);
		line += bytes + (line[bytes] != '\0');
	} else {
		(void)fprintf(file, "%s\n", flag);
	}
	for (; *line; line += bytes + (line[bytes] != '\0')) {
		bytes = strcspn(line, "\n");
		print_line(file, line, bytes);
	}
	char text[128] = "";
	size_t at = 0;
	(void)options_bounds(id, bounds);
	if (*bounds)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s", bounds);
	if (entry->usual && entry->value)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%sdefault %s", at ? ", " : "", entry->usual);
	if (entry->usual_record)
		at +=
		    (size_t)snprintf(text + at, sizeof(text) - at, "%srecord: %s", at ? ", " : "", entry->usual_record);
	if (entry->usual_system)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%swith --system: %s", at ? ", " : "",
		                       entry->usual_system);
	if (at > 0)
		print_line(file, text, strlen(text));
	if (entry->variable) {
		(void)snprintf(text, sizeof(text), "[%s]", entry->variable);
		print_line(file, text, strlen(text));
	}
}

void config_help_print(FILE *file) {
	(void)fputs(head, file);
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		print_entry(file, id);
	(void)fputs(tail, file);
}

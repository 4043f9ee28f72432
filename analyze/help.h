/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says of itself. */
#ifndef SPANRING_ANALYZE_HELP_H
#define SPANRING_ANALYZE_HELP_H

#include "command.h"

#include <stdio.h>

#define PROGRAM_NAME "spanring-analyze"

struct topic {
	const char *name;
	const char *summary;
	const char *text;
};

/* In the order of the overview; NULL behind the last. */
const struct command *help_command_at(size_t index);
const struct topic *help_topic_at(size_t index);

/* NULL if there is none of that name. */
const struct command *help_find_command(const char *name);

void help_overview(FILE *file);
/* What a command says of itself, and before it, for those who did not name it, its summary. */
void help_command_text(FILE *file, const struct command *command);
void help_command(const struct command *command);
/* `help --search WORD`: commands and topics whose text has it; an exit code. */
int help_search(const struct log *log, const char *word);
/* `help TOPIC`: a command or a topic; an exit code. */
int help_topic(const struct log *log, const char *topic);

/* Did you mean? Writes one line; returns EXIT_CODE_USAGE. */
int help_unknown(const struct log *log, const char *what, const char *typed);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What the program says of itself. */
#ifndef SPANRING_ANALYZE_HELP_H
#define SPANRING_ANALYZE_HELP_H

#include "command.h"

#define PROGRAM_NAME "spanring-analyze"

/* NULL if there is none of that name. */
const struct command *help_find_command(const char *name);

void help_overview(void);
void help_command(const struct command *command);
/* `help TOPIC`: a command or a topic; an exit code. */
int help_topic(const struct log *log, const char *topic);

/* Did you mean? Writes one line; returns EXIT_CODE_USAGE. */
int help_unknown(const struct log *log, const char *what, const char *typed);

#endif

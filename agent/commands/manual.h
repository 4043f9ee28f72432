/* SPDX-License-Identifier: Apache-2.0 */
/* What packages bring along: manual pages and completion of words, out of the table of settings and the help texts. */
#ifndef SPANRING_AGENT_MANUAL_H
#define SPANRING_AGENT_MANUAL_H

#include "base/log.h"

#include <stddef.h>

/* `spanring-agent man DIR`: write the pages into this folder. An exit code. */
int manual_write_pages(const char *folder, const struct log *log);

/* `spanring-agent completion SHELL`: print the script. An exit code. */
int manual_print_completion(const char *shell, const char *const *commands, size_t command_count,
                            const struct log *log);

#endif

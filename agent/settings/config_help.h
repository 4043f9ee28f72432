/* SPDX-License-Identifier: Apache-2.0 */
/* What the agent says of itself; the options from options.c. */
#ifndef SPANRING_AGENT_CONFIG_HELP_H
#define SPANRING_AGENT_CONFIG_HELP_H

#include <stdio.h>

void config_help_print(FILE *file);

#endif

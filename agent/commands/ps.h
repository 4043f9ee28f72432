/* SPDX-License-Identifier: Apache-2.0 */
/* The command `ps`: which processes are traced here, and how. */
#ifndef SPANRING_AGENT_PS_H
#define SPANRING_AGENT_PS_H

#include "agent/settings/config.h"

/* Returns the exit code. */
int ps_command(const struct config *config, const struct log *log);

#endif

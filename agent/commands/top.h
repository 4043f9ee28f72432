/* SPDX-License-Identifier: Apache-2.0 */
/* The live view in the terminal: the agent, and the programs by rate, lag, drops or open spans. */
#ifndef SPANRING_AGENT_TOP_H
#define SPANRING_AGENT_TOP_H

#include "agent/settings/config.h"
#include "base/log.h"

/* An exit code. Without a terminal, or with --once, one plain frame. */
int top_command(const struct config *config, const struct log *log);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The command `ctl`: change what traced programs record while they run, or show it. */
#ifndef SPANRING_AGENT_CTL_H
#define SPANRING_AGENT_CTL_H

#include "agent/settings/config.h"
#include "base/json.h"
#include "ctl_file.h"

#define CTL_SAMPLER_TEXT_BYTES 64u

/* Returns the exit code. */
int ctl_command(const struct config *config, const struct log *log);

const char *ctl_help(void);

/* "parentbased_traceidratio 0.01"; returns ret_text. */
const char *ctl_sampler_text(const struct ctl_state *state, char ret_text[CTL_SAMPLER_TEXT_BYTES]);

/* The words of a state, into an open object. */
void ctl_write_state(struct json *json, const struct ctl_state *state);

#endif

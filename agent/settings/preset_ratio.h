/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The option `ratio`: programs that chose no sampler get parentbased_traceidratio with this share, when the agent first sees them, through
 * the control words that `ctl` writes. Chosen has whoever is not at the library's start, parentbased_always_on, and whoever was changed since it
 * started, by ctl or by an agent; they are left alone. Nothing waits for a program here: one whose file is locked is tried again later.
 */
#ifndef SPANRING_AGENT_PRESET_RATIO_H
#define SPANRING_AGENT_PRESET_RATIO_H

#include "agent/intake/roster.h"
#include "base/log.h"

#define PRESET_RATIO_SAMPLER "parentbased_traceidratio"

struct preset_ratio_figures {
	uint64_t given;
	uint64_t refused; /* files that could not be changed */
};

/* All living programs of the roster that were not settled before. */
void preset_ratio_apply(const char *ratio, struct roster *roster, const struct log *log,
                        struct preset_ratio_figures *figures);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Which process a command means: a pid, the first digits of an instance, or "all". */
#ifndef SPANRING_AGENT_CTL_TARGET_H
#define SPANRING_AGENT_CTL_TARGET_H

#include "base/log.h"
#include "ps_list.h"

#include <stdbool.h>

/*
 * The rows of the list that are meant: those of one process, unless all are; only living ones. chosen has a place for each row. 0, or
 * an exit code after one line was logged.
 */
int ctl_target_choose(const struct ps_list *list, const char *target, const char *rings, const struct log *log,
                      bool *chosen);

#endif

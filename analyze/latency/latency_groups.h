/* SPDX-License-Identifier: Apache-2.0 */
/* latency with --group-by or --interval: the same figures by group (group.h) instead of by name, always from the records. */
#ifndef SPANRING_ANALYZE_LATENCY_GROUPS_H
#define SPANRING_ANALYZE_LATENCY_GROUPS_H

#include "analyze/command.h"

/* An exit code. */
int latency_groups_run(const struct context *context);

#endif

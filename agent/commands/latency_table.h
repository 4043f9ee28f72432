/* SPDX-License-Identifier: Apache-2.0 */
/* After a recording: the table of `spanring-analyze latency`, on standard error. */
#ifndef SPANRING_AGENT_LATENCY_TABLE_H
#define SPANRING_AGENT_LATENCY_TABLE_H

#include "base/log.h"

/* since: only spans that began from then on, as --since takes it; NULL: all. A warning where the analyzer is not found. */
void latency_table_show(const char *store, const char *since, const struct log *log);

#endif

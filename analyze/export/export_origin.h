/* SPDX-License-Identifier: Apache-2.0 */
/* What is the same for all spans of a process, written once and kept: as JSON Lines and OTLP have it. */
#ifndef SPANRING_ANALYZE_EXPORT_ORIGIN_H
#define SPANRING_ANALYZE_EXPORT_ORIGIN_H

#include "export.h"

struct export_origins;

int export_origins_new(const struct store_overview *overview, struct export_origins **ret_origins);
void export_origins_free(struct export_origins *origins);

/* process: index + 1. The text of a process, written by `write` the first time. NULL without memory. */
const char *export_origin(struct export_origins *origins, uint32_t process,
                          void (*write)(struct export_text *text, const struct store_process_view *process));

/* Each resource attribute of a process beside service and pid: parent, executable, command line, then those that it gave itself. */
void export_resource(struct export_text *text, const struct store_process_view *process,
                     void (*pair)(struct export_text *text, const char *key, const char *value, size_t bytes));

#endif

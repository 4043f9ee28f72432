/* SPDX-License-Identifier: Apache-2.0 */
/* The attributes of a span (event_index 0) or of one of its events, out of a loaded trace. */
#ifndef SPANRING_ANALYZE_ATTRIBUTE_PRINT_H
#define SPANRING_ANALYZE_ATTRIBUTE_PRINT_H

#include "trace_load.h"

#include "base/json.h"

#include <stdio.h>

/* As the object "attributes". */
void attribute_print_json(struct json *json, const struct query *query, const struct trace *trace, uint64_t span_id,
                          uint32_t event_index);

/* As lines "key = value", each behind `indent` blanks; the number of lines, or -ENOMEM. */
int attribute_print_lines(FILE *out, const struct query *query, const struct trace *trace, uint64_t span_id,
                          unsigned indent);

#endif

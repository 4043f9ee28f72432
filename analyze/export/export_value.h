/* SPDX-License-Identifier: Apache-2.0 */
/* Attributes as members of a JSON object. */
#ifndef SPANRING_ANALYZE_EXPORT_VALUE_H
#define SPANRING_ANALYZE_EXPORT_VALUE_H

#include "export.h"

/* The value alone: a string, a number, true or false. */
void export_put_value(struct export_text *text, const struct export_value *value);
/* Those of the span (0) or one of its events: `open`, "key":value with commas between, "}"; nothing if there are none. */
void export_put_values(struct export_text *text, const struct export_span *span, uint32_t event_index,
                       const char *open);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The fields of a span that are one value each, by the names that JSON Lines and CSV share (docs/import.md). */
#ifndef SPANRING_ANALYZE_IMPORT_FIELD_H
#define SPANRING_ANALYZE_IMPORT_FIELD_H

#include "import_span.h"

struct import_field;

/* NULL: there is none of this name. */
const struct import_field *import_field_find(const char *name);
/* The nearest name to a mistyped one, or NULL. */
const char *import_field_nearest(const char *name);
bool import_field_is(const struct import_field *field, const char *name);

/* Text as it stands in the file, without quotes; zero-terminated. NULL, or what was expected. An empty text is as good as absent. */
const char *import_field_set(const struct import_field *field, const char *text, size_t bytes, struct import_span *span,
                             struct import_origin *origin);

/* Parts that OTLP has, too. NULL, or what was expected. */
const char *import_trace_id(const char *text, size_t bytes, uint64_t *ret_hi, uint64_t *ret_lo);
const char *import_span_id(const char *text, size_t bytes, uint64_t *ret_id);
const char *import_u64(const char *text, size_t bytes, uint64_t *ret_value);
const char *import_time_ns(const char *text, size_t bytes, uint64_t *ret_wall_ns);
/* RFC 3339. */
const char *import_time(const char *text, size_t bytes, uint64_t *ret_wall_ns);

#endif

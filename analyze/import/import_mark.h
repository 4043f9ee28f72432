/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The apostrophe before a text in CSV: a spreadsheet takes what follows as text, not as a formula or number. export writes one before every text that
 * needs it, also before one that begins with apostrophes and would need it without them; import takes one away from such a text. So all texts come back, the empty one, too,
 * which is an apostrophe alone.
 */
#ifndef SPANRING_ANALYZE_IMPORT_MARK_H
#define SPANRING_ANALYZE_IMPORT_MARK_H

#include <stdbool.h>
#include <stddef.h>

/* A number as JSON has it: no plus sign, no zero in front, digits on both sides of the point. */
bool import_is_number(const char *text, size_t bytes);
/* NaN, Infinity, -Infinity: doubles that JSON has no number for. */
bool import_is_not_finite(const char *text, size_t bytes);
/* The text is zero-terminated behind its bytes. */
bool import_needs_mark(const char *text, size_t bytes);

#endif

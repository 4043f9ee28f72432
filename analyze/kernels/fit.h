/* SPDX-License-Identifier: Apache-2.0 */
/* Make text fit a number of terminal columns. Texts are printable UTF-8 (base/text.h makes them so). */
#ifndef SPANRING_ANALYZE_FIT_H
#define SPANRING_ANALYZE_FIT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Cut in the middle, where an ellipsis then stands, to at most `columns` (> 0) columns: beginnings and ends of names tell more than their
 * middles. Returns a new text, NULL without memory.
 */
char *fit_middle(const char *text, size_t columns, bool utf8);
/* Cut at the end. */
char *fit_end(const char *text, size_t columns, bool utf8);

/* Printable copy of any text, NULL without memory. */
char *fit_printable(const char *text, size_t bytes);

#endif

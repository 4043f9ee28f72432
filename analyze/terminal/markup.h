/* SPDX-License-Identifier: Apache-2.0 */
/* Text of any origin inside of XML or HTML: in a text node or in an attribute value between double quotes. */
#ifndef SPANRING_ANALYZE_MARKUP_H
#define SPANRING_ANALYZE_MARKUP_H

#include <stdio.h>

/* Escaped; controls and what reorders text are made visible, what no XML may hold becomes U+FFFD. Cut at MARKUP_TEXT_BYTES_MAX. */
#define MARKUP_TEXT_BYTES_MAX 8192u
void markup_put_text(FILE *out, const char *text);

#endif

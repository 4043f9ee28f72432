/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of a baseline file that its reader and its writer share. */
#ifndef SPANRING_ANALYZE_BASELINE_WORDS_H
#define SPANRING_ANALYZE_BASELINE_WORDS_H

#include "baseline.h"

extern const char *const baseline_text_keys[BASELINE_TEXTS];
extern const char *const baseline_kind_words[]; /* by enum measured_kind */

#endif

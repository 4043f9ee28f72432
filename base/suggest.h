/* SPDX-License-Identifier: Apache-2.0 */
/* "Did you mean ...?" */
#ifndef SPANRING_BASE_SUGGEST_H
#define SPANRING_BASE_SUGGEST_H

#include <stddef.h>

/* The word nearest to what was typed, NULL if none is near (a third of its letters, at most). */
const char *suggest_nearest(const char *typed, const char *const *words, size_t count);

#endif

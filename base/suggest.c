/* SPDX-License-Identifier: Apache-2.0 */
#include "suggest.h"

#include <string.h>

#define WORD_BYTES_MAX 32u

static size_t smaller(size_t a, size_t b) {
	return a < b ? a : b;
}

/* Letters to add, drop, replace or swap with the next (optimal string alignment). */
static size_t distance(const char *a, const char *b) {
	size_t rows[WORD_BYTES_MAX + 1][WORD_BYTES_MAX + 1];
	size_t a_bytes = strlen(a);
	size_t b_bytes = strlen(b);
	if (a_bytes > WORD_BYTES_MAX || b_bytes > WORD_BYTES_MAX)
		return WORD_BYTES_MAX;
	for (size_t i = 0; i <= a_bytes; i++) {
		for (size_t j = 0; j <= b_bytes; j++) {
			if (i == 0 || j == 0) {
				rows[i][j] = i + j;
				continue;
			}
			size_t cost = a[i - 1] == b[j - 1] ? 0 : 1;
			size_t best = smaller(smaller(rows[i - 1][j], rows[i][j - 1]) + 1, rows[i - 1][j - 1] + cost);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				best = smaller(best, rows[i - 2][j - 2] + 1);
			rows[i][j] = best;
		}
	}
	return rows[a_bytes][b_bytes];
}

const char *suggest_nearest(const char *typed, const char *const *words, size_t count) {
	const char *nearest = NULL;
	size_t least = strlen(typed) / 3 + 1;
	for (size_t i = 0; i < count; i++) {
		size_t steps = distance(typed, words[i]);
		if (steps > least || (nearest && steps == least))
			continue;
		nearest = words[i];
		least = steps;
	}
	return nearest;
}

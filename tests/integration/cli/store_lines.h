/* SPDX-License-Identifier: Apache-2.0 */
/* All rows of a store as lines of text, sorted: two stores hold the same if their lines are equal, wherever their rows lie and whatever their ids are. */
#ifndef SPANRING_TESTS_STORE_LINES_H
#define SPANRING_TESTS_STORE_LINES_H

#include <stddef.h>

#define STORE_LINES_MAX 60000u

struct store_lines {
	char *lines[STORE_LINES_MAX];
	size_t count;
};

/* Fails the test if the store cannot be read, or is damaged. */
void store_lines_read(const char *store, struct store_lines *ret_lines);
void store_lines_check_equal(const struct store_lines *found, const struct store_lines *expected);
void store_lines_free(struct store_lines *lines);

#endif

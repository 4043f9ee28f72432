/* SPDX-License-Identifier: Apache-2.0 */
/* Resource attributes of a process, as the store has them: key=value,key=value with percent-encoded values. */
#ifndef SPANRING_ANALYZE_RESOURCE_H
#define SPANRING_ANALYZE_RESOURCE_H

#include <stdbool.h>
#include <stddef.h>

struct resource_pair {
	const char *key;
	const char *value; /* decoded, may hold any byte */
	size_t value_bytes;
};

/* The next pair of *rest, which is changed: give a copy. False at the end. What has no '=' or no key is passed over. */
bool resource_next(char **rest, struct resource_pair *ret_pair);

#endif

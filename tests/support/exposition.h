/* SPDX-License-Identifier: Apache-2.0 */
/* A page of metrics, read as strictly as the two text formats are written down; anything else fails the test. */
#ifndef SPANRING_TESTS_SUPPORT_EXPOSITION_H
#define SPANRING_TESTS_SUPPORT_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EXPOSITION_NAME_BYTES 96u
#define EXPOSITION_LABELS_BYTES 700u

struct exposition_family {
	char name[EXPOSITION_NAME_BYTES];
	char type[16];
	char help[256];
	size_t sample_count;
};

struct exposition_sample {
	char name[EXPOSITION_NAME_BYTES];
	char labels[EXPOSITION_LABELS_BYTES]; /* what stands between the braces */
	size_t family;
	double value;
};

struct exposition {
	struct exposition_family *families;
	size_t family_count;
	struct exposition_sample *samples;
	size_t sample_count;
};

void exposition_read(const char *page, bool is_openmetrics, struct exposition *ret_exposition);
void exposition_free(struct exposition *exposition);

/* labels as they stand, "" for none. Fails the test when there is no such sample. */
double exposition_value(const struct exposition *exposition, const char *name, const char *labels);
/* NaN when there is none. */
double exposition_find(const struct exposition *exposition, const char *name, const char *labels);

#endif

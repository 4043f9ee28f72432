/* SPDX-License-Identifier: Apache-2.0 */
#include "cli_answer.h"

#include "support/cmocka.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARGUMENTS_MAX 16
#define GOLDEN_BYTES 32768
#define PATH_BYTES 1024

struct child_result cli_ask(const char *store, const char *words, const char *columns, const char *locale) {
	const char *const environment[] = {locale, columns, "NO_COLOR", "SPANRING_STORE", "TERM=xterm", NULL};
	const char *argv[ARGUMENTS_MAX] = {child_program("spanring-analyze")};
	char *copy = strdup(words);
	size_t count = 1;
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		assert_true(count + 1 < ARGUMENTS_MAX);
		argv[count++] = strcmp(word, "STORE") == 0 ? store : word;
	}
	struct child_result result = child_run(argv, environment);
	free(copy);
	return result;
}

static const char *value_of(const char *json, const char *anchor, const char *key) {
	char quoted[64];
	(void)snprintf(quoted, sizeof(quoted), "\"%s\": ", key);
	const char *at = strstr(json, anchor);
	if (!at)
		fail_msg("no %s in %s", anchor, json);
	at = strstr(at, quoted);
	if (!at)
		fail_msg("no %s after %s", key, anchor);
	return at + strlen(quoted);
}

double cli_number(const char *json, const char *anchor, const char *key) {
	return strtod(value_of(json, anchor, key), NULL);
}

void cli_expect_number(const char *json, const char *anchor, const char *key, double wanted) {
	double got = cli_number(json, anchor, key);
	if (fabs(got - wanted) > 1e-9 * fabs(wanted))
		fail_msg("%s of %s is %.17g, not %.17g", key, anchor, got, wanted);
}

void cli_expect_text(const char *json, const char *anchor, const char *key, const char *wanted) {
	const char *got = value_of(json, anchor, key);
	if (strncmp(got, wanted, strlen(wanted)) != 0)
		fail_msg("%s of %s is %.60s, not %s", key, anchor, got, wanted);
}

static void write_golden(const char *path, const char *text) {
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

void cli_expect_golden(const char *file, const char *text) {
	char path[PATH_BYTES];
	static char wanted[GOLDEN_BYTES];
	(void)snprintf(path, sizeof(path), "%s/%s", getenv("SPANRING_TEST_GOLDEN"), file);
	if (getenv("SPANRING_TEST_GOLDEN_WRITE"))
		write_golden(path, text);
	FILE *golden = fopen(path, "r");
	if (!golden)
		fail_msg("%s is missing", path);
	size_t got = fread(wanted, 1, sizeof(wanted) - 1, golden);
	assert_true(got < sizeof(wanted) - 1);
	wanted[got] = 0;
	assert_int_equal(fclose(golden), 0);
	assert_string_equal(text, wanted);
}

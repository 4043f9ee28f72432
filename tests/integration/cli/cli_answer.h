/* SPDX-License-Identifier: Apache-2.0 */
/* spanring-analyze asked in one line of words, and numbers found in its JSON. */
#ifndef SPANRING_TESTS_CLI_ANSWER_H
#define SPANRING_TESTS_CLI_ANSWER_H

#include "support/child.h"

/* Words are separated by one blank; "STORE" stands for the store. columns: "COLUMNS=80", or "COLUMNS" for no limit. */
struct child_result cli_ask(const char *store, const char *words, const char *columns, const char *locale);

/* The number after "key": behind `anchor`. */
double cli_number(const char *json, const char *anchor, const char *key);
void cli_expect_number(const char *json, const char *anchor, const char *key, double wanted);
/* The text after "key": behind `anchor` begins with `wanted`. */
void cli_expect_text(const char *json, const char *anchor, const char *key, const char *wanted);

/* Against tests/integration/cli/golden/file; SPANRING_TEST_GOLDEN_WRITE=1 writes it anew. */
void cli_expect_golden(const char *file, const char *text);

#endif

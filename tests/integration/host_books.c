/* SPDX-License-Identifier: Apache-2.0 */
#include "host_books.h"

#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char *audit(const struct session *session) {
	const char *argv[] = {child_program("spanring-analyze"), "audit", session->scratch.store, "--json", NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("audit exits %d: %s%s", result.exit_code, result.out, result.err);
	free(result.err);
	return result.out;
}

static uint64_t number_after(const char *text, const char *key) {
	char word[64];
	(void)snprintf(word, sizeof(word), "\"%s\": ", key);
	const char *at = strstr(text, word);
	if (!at)
		fail_msg("audit says no %s", key);
	return strtoull(at + strlen(word), NULL, 10);
}

static struct host_books read_books(const char *text) {
	struct host_books books = {
	    .begun = number_after(text, "begun"),
	    .ended = number_after(text, "ended"),
	    .open = number_after(text, "open"),
	    .unfinished = number_after(text, "unfinished"),
	    .stored = number_after(text, "stored"),
	    .dropped_full = number_after(text, "full"),
	    .dropped_no_ring = number_after(text, "no_ring"),
	};
	return books;
}

struct host_books host_books_total(const struct session *session) {
	char *text = audit(session);
	struct host_books books = read_books(text);
	free(text);
	return books;
}

unsigned host_books_load(const struct session *session, struct host_books ret_books[HOST_BOOKS_MAX]) {
	static const char instance_key[] = "\"instance\": \"";
	char *text = audit(session);
	unsigned count = 0;
	const char *at = strstr(text, "\"processes\"");
	assert_non_null(at);
	while ((at = strstr(at, "\"pid\": "))) {
		assert_true(count < HOST_BOOKS_MAX);
		const char *instance = strstr(at, instance_key);
		assert_non_null(instance);
		ret_books[count] = read_books(at);
		ret_books[count].pid = number_after(at, "pid");
		(void)snprintf(ret_books[count].instance, sizeof(ret_books[count].instance), "%.32s",
		               instance + strlen(instance_key));
		count++;
		at = instance;
	}
	free(text);
	return count;
}

const struct host_books *host_books_of(const struct host_books *books, unsigned count, pid_t pid, unsigned n) {
	for (unsigned i = 0; i < count; i++)
		if (books[i].pid == (uint64_t)pid && n-- == 0)
			return &books[i];
	fail_msg("process %d is not in the books as often as it should be", (int)pid);
	return NULL;
}

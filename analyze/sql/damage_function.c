/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a client of the extension says about damage: spanring_damage('leave out') keeps statements going and the words for spanring_damage(), which
 * gives and forgets them; spanring_damage('error') is how it begins.
 */
#include "damage_function.h"

#include <stdlib.h>
#include <string.h>

#define NOTES_BYTES_MAX 65536u

struct notes {
	struct source_host *host;
	size_t bytes;
	char text[NOTES_BYTES_MAX];
};

/* One line each, said once: a statement meets the same damage with every pass. */
static void note(void *context, const char *text) {
	struct notes *notes = context;
	size_t bytes = strlen(text);
	if (strstr(notes->text, text) || notes->bytes + bytes + 2 > sizeof(notes->text))
		return;
	if (notes->bytes)
		notes->text[notes->bytes++] = '\n';
	memcpy(notes->text + notes->bytes, text, bytes + 1);
	notes->bytes += bytes;
}

static void choose(sqlite3_context *context, int argc, sqlite3_value **arguments) {
	struct notes *notes = sqlite3_user_data(context);
	const char *word = (const char *)sqlite3_value_text(arguments[0]);
	(void)argc;
	bool leave_out = word && strcmp(word, "leave out") == 0;
	if (!leave_out && (!word || strcmp(word, "error") != 0)) {
		sqlite3_result_error(context, "spanring_damage: give 'error' or 'leave out'", -1);
		return;
	}
	notes->host->on_damage = leave_out ? note : NULL;
	sqlite3_result_text(context, leave_out ? "leave out" : "error", -1, SQLITE_STATIC);
}

static void tell(sqlite3_context *context, int argc, sqlite3_value **arguments) {
	struct notes *notes = sqlite3_user_data(context);
	(void)argc;
	(void)arguments;
	if (notes->bytes)
		sqlite3_result_text(context, notes->text, (int)notes->bytes, SQLITE_TRANSIENT);
	notes->bytes = 0;
	notes->text[0] = 0;
}

/* The client may put a function of its own in place of ours, or load us once more. */
static void free_notes(void *aux) {
	struct notes *notes = aux;
	struct source_host *host = notes->host;
	host->on_damage = NULL;
	host->context = NULL;
	if (--host->users == 0)
		free(host);
	free(notes);
}

int damage_function_register(sqlite3 *db, struct source_host *host) {
	struct notes *notes = calloc(1, sizeof(*notes));
	if (!notes)
		return SQLITE_NOMEM;
	notes->host = host;
	host->context = notes;
	host->users++;
	int code = sqlite3_create_function_v2(db, "spanring_damage", 0, SQLITE_UTF8 | SQLITE_DIRECTONLY, notes, tell,
	                                      NULL, NULL, free_notes);
	if (code == SQLITE_OK)
		code = sqlite3_create_function_v2(db, "spanring_damage", 1, SQLITE_UTF8 | SQLITE_DIRECTONLY, notes,
		                                  choose, NULL, NULL, NULL);
	return code;
}

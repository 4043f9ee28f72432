/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A configuration file against any bytes. What is accepted lies within the text, is what the form allows, and means the same when it is written
 * plainly and read again; a value that an option takes is taken again as the option writes it.
 */
#include "agent/settings/config.h"
#include "agent/settings/config_file.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct notes {
	const char *from; /* of the text, where it ends */
	const char *to;
	char *plain; /* written anew */
	size_t bytes;
};

static void require(bool condition) {
	if (!condition)
		abort();
}

static void require_name(const char *text) {
	require(*text && text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0');
}

static void check_value(const char *key, const char *value) {
	static struct config config;
	static struct config again;
	char why[OPTIONS_WHY_BYTES];
	char text[PATH_MAX];
	enum options_id id = options_find(key);
	if (id == OPTIONS_COUNT || options_set(id, value, &config, why) < 0)
		return;
	(void)options_text(id, &config, text, sizeof(text));
	require(options_set(id, text, &again, why) == 0);
	const struct options_entry *entry = &options_table[id];
	size_t bytes = entry->type == OPTIONS_PATH || entry->type == OPTIONS_SHARE || entry->type == OPTIONS_ADDRESS
	                   ? strlen((const char *)&config + entry->place) + 1
	               : entry->type == OPTIONS_SWITCH ? sizeof(bool)
	               : entry->type == OPTIONS_CHOICE ? sizeof(uint32_t)
	                                               : sizeof(uint64_t);
	require(memcmp((const char *)&config + entry->place, (const char *)&again + entry->place, bytes) == 0);
}

static int note(void *context, const struct config_file_item *item) {
	struct notes *notes = context;
	require(item->line > 0 && item->section >= notes->from && item->section < notes->to);
	require_name(item->section);
	size_t room = (size_t)(notes->to - notes->from) * 2 + 64;
	if (!item->key) {
		notes->bytes +=
		    (size_t)snprintf(notes->plain + notes->bytes, room - notes->bytes, "[%s]\n", item->section);
		return 0;
	}
	require_name(item->key);
	require(item->key > item->section && item->value > item->key);
	require(*item->value && item->value + strlen(item->value) <= notes->to);
	check_value(item->key, item->value);
	notes->bytes +=
	    (size_t)snprintf(notes->plain + notes->bytes, room - notes->bytes, "%s=%s\n", item->key, item->value);
	require(notes->bytes < room);
	return 0;
}

/* Allocated to the byte, so that a sanitizer sees one too many. */
static char *parse_copy(const char *data, size_t size, size_t *ret_bytes, int *ret_rc) {
	char why[CONFIG_FILE_WHY_BYTES];
	uint32_t line;
	char *text = malloc(size + 1);
	struct notes notes = {.from = text, .to = text + size + 1, .plain = calloc(1, 2 * size + 128)};
	require(text && notes.plain);
	if (size)
		memcpy(text, data, size);
	*ret_rc = config_file_parse(text, size, note, &notes, &line, why);
	*ret_bytes = notes.bytes;
	free(text);
	return notes.plain;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	int rc;
	size_t bytes;
	size_t again_bytes;
	char *plain = parse_copy((const char *)data, size, &bytes, &rc);
	if (rc == 0) {
		char *again = parse_copy(plain, bytes, &again_bytes, &rc);
		require(rc == 0 && again_bytes == bytes && memcmp(plain, again, bytes) == 0);
		free(again);
	}
	free(plain);
	return 0;
}

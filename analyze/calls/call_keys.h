/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a span is called in a call path: by its name, by its site (name, file and line) or by the file. Keys are numbers from 0, across all segments;
 * key 0 is what the store does not say.
 */
#ifndef SPANRING_ANALYZE_CALL_KEYS_H
#define SPANRING_ANALYZE_CALL_KEYS_H

#include "analyze/query.h"

#include <stdbool.h>
#include <stdint.h>

enum call_by { CALL_BY_NAME, CALL_BY_SITE, CALL_BY_FILE };

struct call_key {
	uint32_t name; /* ids of overview.names; 0: not said */
	uint32_t file;
	uint32_t line;
};

struct call_keys {
	const struct store_overview *overview;
	enum call_by by;
	struct call_key *keys;
	uint32_t key_count;
	uint32_t **of_site; /* by segment and site */
};

/* 0 or -ENOMEM. */
int call_keys_new(const struct query *query, enum call_by by, struct call_keys *keys);
void call_keys_free(struct call_keys *keys);

/* The keys of the sites of a batch's segment; those of the rows may be beyond site_count. */
static inline const uint32_t *call_keys_of(const struct call_keys *keys, const struct store_columns *columns) {
	return keys->of_site[columns->segment - keys->overview->segments];
}

#define CALL_KEY_TEXT_BYTES 4096u
/*
 * For people and for files: "name", "name (file:12)", "file", "(no name)", "(other)", "(parent not stored)"; the bytes of names are as stored. The file
 * without its directories where `strip`.
 */
const char *call_key_text(const struct call_keys *keys, uint32_t key, bool strip, char ret_text[CALL_KEY_TEXT_BYTES]);
/* As stored, "" where nothing is; the file without its directories where `strip`. */
const char *call_key_name(const struct call_keys *keys, uint32_t key);
const char *call_key_file(const struct call_keys *keys, uint32_t key, bool strip);
uint32_t call_key_line(const struct call_keys *keys, uint32_t key);

/* "name", "site", "file"; false for other words. */
bool call_by_parse(const char *word, enum call_by *ret_by);

#endif

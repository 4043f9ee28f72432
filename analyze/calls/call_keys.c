/* SPDX-License-Identifier: Apache-2.0 */
#include "call_keys.h"

#include "call_tree.h"

#include "base/cleanup.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A site of any segment, while keys are given out: equal ones of all segments get one key. */
struct place {
	struct call_key key;
	uint32_t segment;
	uint32_t site;
};

static int by_key(const void *a, const void *b) {
	const struct call_key *first = &((const struct place *)a)->key;
	const struct call_key *second = &((const struct place *)b)->key;
	if (first->name != second->name)
		return first->name < second->name ? -1 : 1;
	if (first->file != second->file)
		return first->file < second->file ? -1 : 1;
	return first->line < second->line ? -1 : first->line > second->line;
}

static struct call_key key_of(const struct call_keys *keys, const struct store_site *site) {
	uint32_t names = keys->overview->name_count;
	struct call_key key = {.name = site->name <= names ? site->name : 0,
	                       .file = site->file <= names ? site->file : 0,
	                       .line = site->line};
	if (keys->by != CALL_BY_SITE)
		key.line = 0;
	if (keys->by == CALL_BY_NAME)
		key.file = 0;
	if (keys->by == CALL_BY_FILE)
		key.name = 0;
	return key;
}

/* In the order of keys, so that equal stores have equal keys. */
static int give_keys(struct call_keys *keys, size_t sites) {
	const struct store_overview *overview = keys->overview;
	struct place *places CLEANUP_FREE = malloc((sites + 1) * sizeof(*places));
	size_t count = 0;
	keys->keys = calloc(sites + 1, sizeof(*keys->keys));
	if (!places || !keys->keys)
		return -ENOMEM;
	for (uint32_t segment = 0; segment < overview->segment_count; segment++)
		for (uint32_t site = 1; site <= overview->segments[segment].site_count; site++)
			places[count++] =
			    (struct place){key_of(keys, &overview->segments[segment].sites[site]), segment, site};
	qsort(places, count, sizeof(*places), by_key);
	keys->key_count = 1; /* nothing is known */
	for (size_t i = 0; i < count; i++) {
		const struct place *place = &places[i];
		bool known = place->key.name || place->key.file || place->key.line;
		if (known && (i == 0 || by_key(place, place - 1) != 0))
			keys->keys[keys->key_count++] = place->key;
		keys->of_site[place->segment][place->site] = known ? keys->key_count - 1 : 0;
	}
	return 0;
}

int call_keys_new(const struct query *query, enum call_by by, struct call_keys *keys) {
	const struct store_overview *overview = query->overview;
	size_t sites = 0;
	int error = 0;
	*keys = (struct call_keys){.overview = overview, .by = by};
	keys->of_site = calloc(overview->segment_count + 1, sizeof(*keys->of_site));
	if (!keys->of_site)
		return -ENOMEM;
	for (size_t segment = 0; segment < overview->segment_count && !error; segment++) {
		uint32_t count = overview->segments[segment].site_count;
		keys->of_site[segment] = calloc((size_t)count + 1, sizeof(*keys->of_site[segment]));
		error = keys->of_site[segment] ? 0 : -ENOMEM;
		sites += count;
	}
	if (!error && sites > CALL_KEYS_MAX - 1)
		error = -ENOMEM;
	if (!error)
		error = give_keys(keys, sites);
	if (error)
		call_keys_free(keys);
	return error;
}

void call_keys_free(struct call_keys *keys) {
	for (size_t segment = 0; keys->of_site && segment < keys->overview->segment_count; segment++)
		free(keys->of_site[segment]);
	free(keys->of_site);
	free(keys->keys);
	memset(keys, 0, sizeof(*keys));
}

const char *call_key_name(const struct call_keys *keys, uint32_t key) {
	return key < keys->key_count ? keys->overview->names[keys->keys[key].name] : "";
}

const char *call_key_file(const struct call_keys *keys, uint32_t key, bool strip) {
	const char *file = key < keys->key_count ? keys->overview->names[keys->keys[key].file] : "";
	const char *slash = strip ? strrchr(file, '/') : NULL;
	return slash ? slash + 1 : file;
}

uint32_t call_key_line(const struct call_keys *keys, uint32_t key) {
	return key < keys->key_count ? keys->keys[key].line : 0;
}

const char *call_key_text(const struct call_keys *keys, uint32_t key, bool strip, char ret_text[CALL_KEY_TEXT_BYTES]) {
	const char *name = call_key_name(keys, key);
	const char *file = call_key_file(keys, key, strip);
	if (key == CALL_KEY_ROOT)
		return "all";
	if (key == CALL_KEY_OTHER)
		return "(other)";
	if (key == CALL_KEY_ABSENT)
		return "(parent not stored)";
	if (keys->by == CALL_BY_FILE)
		return file[0] ? file : "(no file)";
	if (keys->by == CALL_BY_NAME || !file[0])
		return name[0] ? name : "(no name)";
	(void)snprintf(ret_text, CALL_KEY_TEXT_BYTES, "%s (%s:%u)", name[0] ? name : "(no name)", file,
	               call_key_line(keys, key));
	return ret_text;
}

bool call_by_parse(const char *word, enum call_by *ret_by) {
	static const char *const words[] = {[CALL_BY_NAME] = "name", [CALL_BY_SITE] = "site", [CALL_BY_FILE] = "file"};
	for (unsigned by = 0; by < sizeof(words) / sizeof(words[0]); by++) {
		if (strcmp(words[by], word) != 0)
			continue;
		*ret_by = (enum call_by)by;
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "catalog_rows.h"

#include "base/errs.h"
#include "checksum.h"
#include "id_table.h"
#include "rows.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define TEXT_BLOCK_BYTES (64u << 10)

/* Strings live in blocks that never move, newest first. */
struct text_block {
	struct text_block *older;
	uint32_t used;
	char bytes[TEXT_BLOCK_BYTES];
};

struct table {
	struct rows rows;
	struct id_table ids;
};

struct catalog {
	pthread_mutex_t lock;
	uint64_t seed; /* random: keys come from the traced programs */
	struct table strings;
	struct table sites;
	struct table processes;
	struct table threads;
	struct text_block *text;
	uint32_t text_bytes;
};

static int make_tables(struct catalog *catalog) {
	int error = rows_init(&catalog->strings.rows, sizeof(struct catalog_text), CATALOG_STRINGS_MAX);
	if (!error)
		error = rows_init(&catalog->sites.rows, sizeof(struct store_site), CATALOG_SITES_MAX);
	if (!error)
		error = rows_init(&catalog->processes.rows, sizeof(struct store_process), CATALOG_PROCESSES_MAX);
	if (!error)
		error = rows_init(&catalog->threads.rows, sizeof(struct store_thread), CATALOG_THREADS_MAX);
	return error;
}

/* String 1 and site 1 stand for all that did not fit. */
static int add_overflow(struct catalog *catalog) {
	uint32_t name = 0;
	int error = catalog_string(catalog, STORE_OVERFLOW_NAME, strlen(STORE_OVERFLOW_NAME), &name);
	if (error)
		return error;
	struct store_site site = {.name = name, .file = name};
	uint32_t id = 0;
	return catalog_site(catalog, &site, &id);
}

int catalog_new(struct catalog **ret_catalog) {
	struct catalog *catalog = calloc(1, sizeof(*catalog));
	if (!catalog)
		return -ENOMEM;
	(void)pthread_mutex_init(&catalog->lock, NULL);
	if (getrandom(&catalog->seed, sizeof(catalog->seed), 0) != (ssize_t)sizeof(catalog->seed))
		catalog->seed = (uint64_t)(uintptr_t)catalog;
	int error = make_tables(catalog);
	if (!error)
		error = add_overflow(catalog);
	if (error) {
		catalog_free(catalog);
		return error;
	}
	*ret_catalog = catalog;
	return 0;
}

static void table_done(struct table *table) {
	rows_done(&table->rows);
	id_table_done(&table->ids);
}

void catalog_free(struct catalog *catalog) {
	if (!catalog)
		return;
	table_done(&catalog->strings);
	table_done(&catalog->sites);
	table_done(&catalog->processes);
	table_done(&catalog->threads);
	while (catalog->text) {
		struct text_block *older = catalog->text->older;
		free(catalog->text);
		catalog->text = older;
	}
	(void)pthread_mutex_destroy(&catalog->lock);
	free(catalog);
}

static int add_row(struct table *table, uint64_t hash, const void *row, uint32_t *ret_id) {
	int error = id_table_reserve(&table->ids);
	if (error)
		return error;
	if (!rows_append(&table->rows, row))
		return -ENOMEM;
	id_table_add(&table->ids, hash, table->rows.count);
	*ret_id = table->rows.count;
	return 0;
}

/* Rows whose first key_bytes are the key. */
struct key {
	const void *bytes;
	size_t key_bytes;
};

static bool row_equals(const void *context, uint32_t id, const void *key) {
	const struct key *sought = key;
	return memcmp(rows_at(context, id - 1), sought->bytes, sought->key_bytes) == 0;
}

static int intern_row(struct catalog *catalog, struct table *table, const void *row, size_t key_bytes,
                      uint32_t *ret_id) {
	struct key key = {row, key_bytes};
	uint64_t hash = checksum64(row, key_bytes, catalog->seed);
	(void)pthread_mutex_lock(&catalog->lock);
	uint32_t id = id_table_find(&table->ids, hash, row_equals, &table->rows, &key);
	int error = 0;
	if (!id)
		error = table->rows.count < table->rows.max ? add_row(table, hash, row, &id) : ERR_FULL;
	(void)pthread_mutex_unlock(&catalog->lock);
	if (!error)
		*ret_id = id;
	return error;
}

static bool string_equals(const void *context, uint32_t id, const void *key) {
	const struct catalog_text *row = rows_at(context, id - 1);
	const struct catalog_text *sought = key;
	return row->bytes == sought->bytes && memcmp(row->text, sought->text, row->bytes) == 0;
}

static const char *keep_text(struct catalog *catalog, const struct catalog_text *from) {
	struct text_block *block = catalog->text;
	if (!block || from->bytes > TEXT_BLOCK_BYTES - block->used) {
		block = malloc(sizeof(*block));
		if (!block)
			return NULL;
		block->older = catalog->text;
		block->used = 0;
		catalog->text = block;
	}
	char *place = block->bytes + block->used;
	memcpy(place, from->text, from->bytes);
	block->used += from->bytes;
	catalog->text_bytes += from->bytes;
	return place;
}

static int add_string(struct catalog *catalog, uint64_t hash, const struct catalog_text *from, uint32_t *ret_id) {
	struct table *table = &catalog->strings;
	if (table->rows.count == table->rows.max || from->bytes > CATALOG_TEXT_BYTES_MAX - catalog->text_bytes) {
		*ret_id = 1;
		return ERR_FULL;
	}
	struct catalog_text row = {keep_text(catalog, from), from->bytes};
	if (!row.text)
		return -ENOMEM;
	return add_row(table, hash, &row, ret_id);
}

static int find_string(struct catalog *catalog, const char *text, size_t bytes, bool add, uint32_t *ret_id) {
	size_t cut = strnlen(text, bytes < CATALOG_STRING_BYTES_MAX ? bytes : CATALOG_STRING_BYTES_MAX);
	struct catalog_text sought = {text, (uint32_t)cut};
	uint64_t hash = checksum64(text, cut, catalog->seed);
	(void)pthread_mutex_lock(&catalog->lock);
	uint32_t id = id_table_find(&catalog->strings.ids, hash, string_equals, &catalog->strings.rows, &sought);
	int error = id || !add ? 0 : add_string(catalog, hash, &sought, &id);
	(void)pthread_mutex_unlock(&catalog->lock);
	if (id)
		*ret_id = id;
	return id ? 0 : error;
}

int catalog_string(struct catalog *catalog, const char *text, size_t bytes, uint32_t *ret_id) {
	return find_string(catalog, text, bytes, true, ret_id);
}

uint32_t catalog_string_known(struct catalog *catalog, const char *text, size_t bytes) {
	uint32_t id = 0;
	(void)find_string(catalog, text, bytes, false, &id);
	return id;
}

uint32_t catalog_site_known(struct catalog *catalog, const struct store_site *site) {
	struct table *table = &catalog->sites;
	struct key key = {site, sizeof(*site)};
	(void)pthread_mutex_lock(&catalog->lock);
	uint32_t id =
	    id_table_find(&table->ids, checksum64(site, sizeof(*site), catalog->seed), row_equals, &table->rows, &key);
	(void)pthread_mutex_unlock(&catalog->lock);
	return id;
}

uint32_t catalog_names(struct catalog *catalog) {
	(void)pthread_mutex_lock(&catalog->lock);
	uint32_t names = catalog->strings.rows.count + catalog->sites.rows.count;
	(void)pthread_mutex_unlock(&catalog->lock);
	return names;
}

int catalog_site(struct catalog *catalog, const struct store_site *site, uint32_t *ret_id) {
	int error = intern_row(catalog, &catalog->sites, site, sizeof(*site), ret_id);
	if (error != ERR_FULL)
		return error;
	*ret_id = 1;
	return 0;
}

int catalog_process(struct catalog *catalog, const struct store_process *process, uint32_t *ret_id) {
	return intern_row(catalog, &catalog->processes, process, STORE_INSTANCE_BYTES, ret_id);
}

int catalog_thread(struct catalog *catalog, const struct store_thread *thread, uint32_t *ret_id) {
	return intern_row(catalog, &catalog->threads, thread, sizeof(*thread), ret_id);
}

struct catalog_counts catalog_counts(struct catalog *catalog) {
	(void)pthread_mutex_lock(&catalog->lock);
	struct catalog_counts counts = {catalog->strings.rows.count, catalog->sites.rows.count,
	                                catalog->processes.rows.count, catalog->threads.rows.count};
	(void)pthread_mutex_unlock(&catalog->lock);
	return counts;
}

uint64_t catalog_serial(const struct catalog *catalog) {
	return catalog->seed;
}

const struct catalog_text *catalog_string_at(const struct catalog *catalog, uint32_t id) {
	return rows_at(&catalog->strings.rows, id - 1);
}

const struct store_site *catalog_site_at(const struct catalog *catalog, uint32_t id) {
	return rows_at(&catalog->sites.rows, id - 1);
}

const struct store_process *catalog_process_at(const struct catalog *catalog, uint32_t id) {
	return rows_at(&catalog->processes.rows, id - 1);
}

const struct store_thread *catalog_thread_at(const struct catalog *catalog, uint32_t id) {
	return rows_at(&catalog->threads.rows, id - 1);
}

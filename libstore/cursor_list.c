/* SPDX-License-Identifier: Apache-2.0 */
#include "cursor_list.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"

#include <stdlib.h>
#include <string.h>

struct ring_key {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t ring_index;
};

static bool cursor_equals(const void *context, uint32_t id, const void *key) {
	const struct store_cursor *cursor = &((const struct cursor_list *)context)->cursors[id - 1];
	const struct ring_key *sought = key;
	return cursor->ring_index == sought->ring_index &&
	       memcmp(cursor->instance, sought->instance, STORE_INSTANCE_BYTES) == 0;
}

/* Its number in the list, 0 if it is not there. */
static uint32_t find_cursor(const struct cursor_list *list, const struct store_cursor *cursor, uint64_t *ret_hash) {
	struct ring_key key = {.ring_index = cursor->ring_index};
	memcpy(key.instance, cursor->instance, STORE_INSTANCE_BYTES);
	*ret_hash = checksum64(&key, sizeof(key), 0);
	return id_table_find(&list->by_ring, *ret_hash, cursor_equals, list, &key);
}

static int keep_cursor(struct cursor_list *list, const struct store_cursor *cursor) {
	uint64_t hash;
	uint32_t id = find_cursor(list, cursor, &hash);
	if (id) {
		struct store_cursor before = list->cursors[id - 1];
		if (cursor->position < before.position)
			return 0;
		list->cursors[id - 1] = *cursor;
		segment_merge_sampling(&list->cursors[id - 1], &before); /* has a table of its own */
		return 0;
	}
	if (list->count == SEGMENT_CURSORS_MAX)
		return ERR_LIMIT;
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 64;
		struct store_cursor *grown = reallocarray(list->cursors, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->cursors = grown;
		list->room = room;
	}
	int error = id_table_reserve(&list->by_ring);
	if (error)
		return error;
	list->cursors[list->count++] = *cursor;
	id_table_add(&list->by_ring, hash, (uint32_t)list->count);
	return 0;
}

int cursor_list_read(struct db *db, struct cursor_list *list) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_CURSOR].select, &select);
	for (uint32_t row = 0; !error && row < SEGMENT_CURSORS_MAX; row++) {
		struct store_cursor cursor;
		int more = db_next(select);
		if (more <= 0)
			return more;
		error = segment_get_cursor(select, &cursor);
		if (!error)
			error = keep_cursor(list, &cursor);
	}
	return error;
}

int cursor_list_read_beside(struct db *db, struct cursor_list *list, enum schema_table table,
                            int (*get)(struct db_statement *select, struct store_cursor *ret_cursor)) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int there = segment_has_table(db, table);
	if (there != 1)
		return there;
	int error = db_prepare(db, schema_tables[table].select, &select);
	for (uint32_t row = 0; !error && row < SEGMENT_CURSORS_MAX; row++) {
		struct store_cursor sampling;
		uint64_t hash;
		int more = db_next(select);
		if (more <= 0)
			return more;
		error = get(select, &sampling);
		uint32_t id = error ? 0 : find_cursor(list, &sampling, &hash);
		if (id)
			segment_merge_sampling(&list->cursors[id - 1], &sampling);
	}
	return error;
}

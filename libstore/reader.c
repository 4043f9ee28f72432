/* SPDX-License-Identifier: Apache-2.0 */
#include "reader_state.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "decode.h"
#include "evict_count.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#define NAMES_MAX (1u << 24)
#define PROCESSES_MAX (1u << 22)
#define RINGS_MAX (1u << 22)
#define DAMAGE_MAX 1000u /* more than anyone reads */
#define OPEN_TRIES 8u    /* of a store from which segments are evicted meanwhile */

void *reader_append(struct reader_list *list, size_t item_bytes) {
	if (list->count == list->room) {
		size_t room = list->room ? list->room * 2 : 16;
		void *grown = reallocarray(list->items, room, item_bytes);
		if (!grown)
			return NULL;
		list->items = grown;
		list->room = room;
	}
	void *item = (char *)list->items + list->count++ * item_bytes;
	memset(item, 0, item_bytes);
	return item;
}

struct name_key {
	const char *text;
	size_t bytes;
};

static bool name_equals(const void *context, uint32_t id, const void *key) {
	const struct store_reader *reader = context;
	const struct name_key *sought = key;
	const char *name = ((char *const *)reader->names.items)[id];
	return strlen(name) == sought->bytes && memcmp(name, sought->text, sought->bytes) == 0;
}

/* The text need not end in a zero where it lies; the copy does. */
static char *copy_name(const char *text, size_t bytes) {
	char *name = malloc(bytes + 1);
	if (!name)
		return NULL;
	memcpy(name, text, bytes);
	name[bytes] = 0;
	return name;
}

int reader_name(struct store_reader *reader, const char *text, size_t bytes, uint32_t *ret_id) {
	if (memchr(text, 0, bytes))
		return ERR_DAMAGED;
	struct name_key key = {text, bytes};
	uint64_t hash = checksum64(text, bytes, reader->seed);
	uint32_t id = id_table_find(&reader->name_ids, hash, name_equals, reader, &key);
	if (!id) {
		if (reader->names.count == NAMES_MAX)
			return ERR_LIMIT;
		if (id_table_reserve(&reader->name_ids))
			return -ENOMEM;
		char *name CLEANUP_FREE = copy_name(text, bytes);
		char **place = name ? reader_append(&reader->names, sizeof(*place)) : NULL;
		if (!place)
			return -ENOMEM;
		*place = TAKE_PTR(name);
		id = (uint32_t)reader->names.count - 1;
		id_table_add(&reader->name_ids, hash, id);
	}
	*ret_id = id;
	return 0;
}

static bool process_equals(const void *context, uint32_t id, const void *key) {
	const struct store_process_view *views = ((const struct store_reader *)context)->processes.items;
	return memcmp(views[id - 1].instance, key, STORE_INSTANCE_BYTES) == 0;
}

int reader_process(struct store_reader *reader, const uint8_t *instance, uint32_t *ret_process) {
	uint64_t hash = checksum64(instance, STORE_INSTANCE_BYTES, reader->seed);
	uint32_t id = id_table_find(&reader->process_ids, hash, process_equals, reader, instance);
	if (!id) {
		if (reader->processes.count == PROCESSES_MAX)
			return ERR_LIMIT;
		if (id_table_reserve(&reader->process_ids))
			return -ENOMEM;
		struct store_process_view *view = reader_append(&reader->processes, sizeof(*view));
		if (!view)
			return -ENOMEM;
		memcpy(view->instance, instance, STORE_INSTANCE_BYTES);
		view->executable = view->command = view->service = view->resource = "";
		id = (uint32_t)reader->processes.count;
		id_table_add(&reader->process_ids, hash, id);
	}
	*ret_process = id;
	return 0;
}

static bool ring_equals(const void *context, uint32_t id, const void *key) {
	const struct store_ring_view *views = ((const struct store_reader *)context)->rings.items;
	const struct store_ring_view *sought = key;
	return views[id - 1].process == sought->process && views[id - 1].cursor.ring_index == sought->cursor.ring_index;
}

/* NULL: nothing is known of that ring yet. */
static struct store_ring_view *find_ring(const struct store_reader *reader, struct store_ring_view *sought,
                                         uint64_t *ret_hash) {
	uint32_t key[2] = {sought->process, sought->cursor.ring_index};
	*ret_hash = checksum64(key, sizeof(key), reader->seed);
	uint32_t id = id_table_find(&reader->ring_ids, *ret_hash, ring_equals, reader, sought);
	return id ? (struct store_ring_view *)reader->rings.items + (id - 1) : NULL;
}

int reader_sampling(struct store_reader *reader, const struct store_cursor *sampling) {
	struct store_ring_view sought = {.cursor = *sampling};
	uint64_t hash;
	int error = reader_process(reader, sampling->instance, &sought.process);
	if (error)
		return error;
	sought.process--;
	struct store_ring_view *view = find_ring(reader, &sought, &hash);
	if (!view)
		return ERR_DAMAGED;
	segment_merge_sampling(&view->cursor, sampling);
	return 0;
}

int reader_evicted_ring(struct store_reader *reader, const uint8_t *instance, uint32_t ring_index, uint64_t spans) {
	struct store_ring_view sought = {.cursor.ring_index = ring_index};
	uint64_t hash;
	int error = reader_process(reader, instance, &sought.process);
	if (error)
		return error;
	sought.process--;
	struct store_ring_view *view = find_ring(reader, &sought, &hash);
	if (view)
		view->evicted_spans = spans;
	return 0;
}

int reader_ring(struct store_reader *reader, const struct store_cursor *cursor) {
	struct store_ring_view sought = {.cursor = *cursor};
	uint64_t hash;
	int error = reader_process(reader, cursor->instance, &sought.process);
	if (error)
		return error;
	sought.process--;
	struct store_ring_view *found = find_ring(reader, &sought, &hash);
	if (found) {
		struct store_cursor before = found->cursor;
		if (cursor->position < before.position)
			return 0;
		found->cursor = *cursor;
		segment_merge_sampling(&found->cursor, &before); /* has a table of its own */
		return 0;
	}
	if (reader->rings.count == RINGS_MAX)
		return ERR_LIMIT;
	if (id_table_reserve(&reader->ring_ids))
		return -ENOMEM;
	struct store_ring_view *view = reader_append(&reader->rings, sizeof(*view));
	if (!view)
		return -ENOMEM;
	*view = sought;
	id_table_add(&reader->ring_ids, hash, (uint32_t)reader->rings.count);
	return 0;
}

static void add_damage(struct store_reader *reader, const char *file, int error, const char *text) {
	char *file_copy CLEANUP_FREE = strdup(file);
	char *text_copy CLEANUP_FREE = strdup(text);
	struct store_damage *damage = file_copy && text_copy ? reader_append(&reader->damage, sizeof(*damage)) : NULL;
	if (!damage)
		return;
	damage->file = TAKE_PTR(file_copy);
	damage->text = TAKE_PTR(text_copy);
	damage->error = error;
}

void reader_add_damage(struct store_reader *reader, const char *file, int error, const char *text) {
	(void)pthread_mutex_lock(&reader->damage_lock);
	if (reader->damage.count < DAMAGE_MAX)
		add_damage(reader, file, error, text);
	(void)pthread_mutex_unlock(&reader->damage_lock);
}

static const char *same_segment_as(const struct store_reader *reader, const struct segment_identity *identity) {
	const struct reader_segment *segments = reader->segments.items;
	for (size_t i = 0; i < reader->segments.count; i++)
		if (memcmp(segments[i].identity.segment_id, identity->segment_id, sizeof(identity->segment_id)) == 0)
			return segments[i].path;
	return NULL;
}

/* 0: in; ERR_...: left out and named in the damage; -ENOMEM and the like: stop. */
static int add_segment(struct store_reader *reader, const char *path) {
	char text[SEGMENT_TEXT_BYTES] = "";
	struct reader_segment segment = {0};
	struct store_segment_view view = {0};
	int error = reader_load(reader, path, &segment, &view, text);
	if (error && access(path, F_OK) < 0 && errno == ENOENT) {
		reader->moved = true; /* evicted while it was read */
		return 0;
	}
	const char *twin = error ? NULL : same_segment_as(reader, &segment.identity);
	if (twin) {
		(void)snprintf(text, sizeof(text), "%.200s: the same segment as %.200s: remove one of them", path,
		               twin);
		reader_segment_done(&segment);
		error = -EEXIST;
	}
	if (error) {
		reader_add_damage(reader, path, error, text);
		return error == -ENOMEM ? error : 0;
	}
	struct reader_segment *segment_place = reader_append(&reader->segments, sizeof(segment));
	struct store_segment_view *view_place = segment_place ? reader_append(&reader->views, sizeof(view)) : NULL;
	if (!view_place) {
		reader->segments.count -= segment_place != NULL;
		reader_segment_done(&segment);
		return -ENOMEM;
	}
	*segment_place = segment;
	*view_place = view;
	return 0;
}

static uint64_t sequence_of(const char *name) {
	const char *dash = strrchr(name, '-');
	return dash ? strtoull(dash + 1, NULL, 10) : 0;
}

static int by_sequence(const struct dirent **a, const struct dirent **b) {
	uint64_t first = sequence_of((*a)->d_name);
	uint64_t second = sequence_of((*b)->d_name);
	return first != second ? (first < second ? -1 : 1) : strcmp((*a)->d_name, (*b)->d_name);
}

static int only_segments(const struct dirent *entry) {
	return segment_is_name(entry->d_name);
}

static int add_entry(struct store_reader *reader, const char *directory, const char *name) {
	char *path CLEANUP_FREE = NULL;
	struct stat status;
	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (lstat(path, &status) < 0 && errno == ENOENT) {
		reader->moved = true; /* removed since the directory was listed */
		return 0;
	}
	if (S_ISREG(status.st_mode))
		return add_segment(reader, path);
	char text[SEGMENT_TEXT_BYTES];
	(void)snprintf(text, sizeof(text), "%.300s: not a regular file: remove it from the store", path);
	reader_add_damage(reader, path, ERR_FOREIGN, text);
	return 0;
}

static bool has_lock(const char *directory) {
	char *path CLEANUP_FREE = NULL;
	if (asprintf(&path, "%s/lock", directory) < 0) {
		path = NULL;
		return false;
	}
	return access(path, F_OK) == 0;
}

static int add_directory(struct store_reader *reader, const char *directory, char *text, size_t text_bytes) {
	struct dirent **entries = NULL;
	int count = scandir(directory, &entries, only_segments, by_sequence);
	if (count < 0) {
		int error = -errno;
		(void)snprintf(text, text_bytes, "%.300s: %s: check the path and its permissions", directory,
		               strerror(-error));
		return error;
	}
	struct store_evict_segment *segments = NULL;
	size_t segment_count = 0;
	int error = store_evict_list(directory, &segments, &segment_count);
	if (!error)
		(void)evict_through_list(segments, segment_count, &reader->evicted, &reader->newest_path);
	for (int i = 0; i < count; i++) {
		uint64_t sequence = sequence_of(entries[i]->d_name);
		if (!error && (sequence == 0 || sequence > reader->evicted))
			error = add_entry(reader, directory, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	reader->newest_path = NULL;
	store_evict_list_free(segments, segment_count);
	if (count == 0 && !has_lock(directory)) {
		(void)snprintf(text, text_bytes,
		               "%.300s: no Spanring segment in this directory: give a store directory or a "
		               "segment-*.db file",
		               directory);
		error = ERR_FOREIGN;
	}
	return error;
}

static int add_path(struct store_reader *reader, const char *path, char *text, size_t text_bytes) {
	struct stat status;
	if (stat(path, &status) < 0) {
		int error = -errno;
		(void)snprintf(text, text_bytes, "%.300s: %s: give a store directory or a segment-*.db file", path,
		               strerror(-error));
		return error;
	}
	int error = S_ISDIR(status.st_mode) ? add_directory(reader, path, text, text_bytes) : add_segment(reader, path);
	if (!error && reader->segments.count == 0 && reader->damage.count > 0) {
		const struct store_damage *damage = reader->damage.items;
		(void)snprintf(text, text_bytes, "%s", damage->text);
		error = damage->error;
	}
	return error;
}

static void fill_overview(struct store_reader *reader) {
	struct store_overview *overview = &reader->overview;
	overview->segments = reader->views.items;
	overview->segment_count = reader->views.count;
	overview->processes = reader->processes.items;
	overview->process_count = reader->processes.count;
	overview->rings = reader->rings.items;
	overview->ring_count = reader->rings.count;
	overview->names = reader->names.items;
	overview->name_count = (uint32_t)reader->names.count - 1;
}

static int open_once(const char *path, struct store_reader **ret_reader, char *ret_text, size_t text_bytes) {
	if (text_bytes)
		*ret_text = 0;
	struct store_reader *reader = calloc(1, sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	int error = -pthread_mutex_init(&reader->damage_lock, NULL);
	if (error) {
		free(reader);
		return error;
	}
	if (getrandom(&reader->seed, sizeof(reader->seed), 0) != (ssize_t)sizeof(reader->seed))
		reader->seed = (uint64_t)(uintptr_t)reader;
	char **no_name = reader_append(&reader->names, sizeof(*no_name));
	if (no_name)
		*no_name = strdup("");
	error = no_name && *no_name ? decoder_new(&reader->decoder) : -ENOMEM;
	if (!error)
		error = add_path(reader, path, ret_text, text_bytes);
	if (error) {
		if (text_bytes && !*ret_text)
			(void)snprintf(ret_text, text_bytes, "%.300s: %s", path, strerror(-error));
		store_reader_close(reader);
		return error;
	}
	fill_overview(reader);
	*ret_reader = reader;
	return 0;
}

int store_reader_open(const char *path, struct store_reader **ret_reader, char *ret_text, size_t text_bytes) {
	for (unsigned tries = 1;; tries++) {
		struct store_reader *reader = NULL;
		int error = open_once(path, &reader, ret_text, text_bytes);
		if (error || !reader->moved || tries == OPEN_TRIES) {
			*ret_reader = reader;
			return error;
		}
		store_reader_close(reader);
	}
}

void store_reader_close(struct store_reader *reader) {
	if (!reader)
		return;
	struct reader_segment *segments = reader->segments.items;
	for (size_t i = 0; i < reader->segments.count; i++)
		reader_segment_done(&segments[i]);
	char **names = reader->names.items;
	for (size_t i = 0; i < reader->names.count; i++)
		free(names[i]);
	struct store_damage *damage = reader->damage.items;
	for (size_t i = 0; i < reader->damage.count; i++) {
		free(damage[i].file);
		free(damage[i].text);
	}
	free(segments);
	free(names);
	free(damage);
	free(reader->views.items);
	free(reader->processes.items);
	free(reader->rings.items);
	id_table_done(&reader->name_ids);
	id_table_done(&reader->process_ids);
	id_table_done(&reader->ring_ids);
	decoder_free(reader->decoder);
	(void)pthread_mutex_destroy(&reader->damage_lock);
	free(reader);
}

const struct store_overview *store_reader_overview(const struct store_reader *reader) {
	return &reader->overview;
}

const struct store_damage *store_reader_damage(const struct store_reader *reader, size_t *ret_count) {
	*ret_count = reader->damage.count;
	return reader->damage.items;
}

const char *store_sqlite_version(void) {
	return db_version();
}

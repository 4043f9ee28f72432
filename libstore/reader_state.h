/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the parts of the reader share: reader.c (open, overview), reader_load.c (one segment's catalog),
 * reader_scan.c (rows), reader_rollup.c (rollups).
 */
#ifndef SPANRING_LIBSTORE_READER_STATE_H
#define SPANRING_LIBSTORE_READER_STATE_H

#include "id_table.h"
#include "reader.h"
#include "segment.h"

#include <pthread.h>

/* Beside its view. Index 0 of each map is unused. */
struct reader_segment {
	char *path;
	struct db *db; /* open segments stay in their read transaction; NULL: sealed, opened when needed */
	struct segment_identity identity;
	struct segment_totals totals;
	uint64_t links;
	bool sealed;
	uint32_t string_count;
	uint32_t *names; /* string id -> id of overview.names */
	uint32_t process_count;
	uint32_t *processes; /* process id -> index into overview.processes + 1 */
	struct store_site *sites;
	struct store_thread *threads;
};

struct reader_list {
	void *items;
	size_t count;
	size_t room;
};

struct store_reader {
	struct reader_list segments; /* struct reader_segment, in order of views */
	struct reader_list views;    /* struct store_segment_view */
	struct reader_list processes;
	struct reader_list rings;
	struct reader_list names; /* char * */
	struct reader_list damage;
	pthread_mutex_t damage_lock; /* scans of several threads find it */
	struct id_table name_ids;    /* ids are index into names */
	struct id_table process_ids;
	struct id_table ring_ids;
	uint64_t seed;
	const char *newest_path; /* while loading: the segment that says what was evicted, or NULL */
	uint64_t evicted;        /* the sequence through which it says so */
	bool moved;              /* the store was changed under the loading: begin again */
	unsigned kept_open;      /* sealed segments whose file is held */
	struct store_overview overview;
	struct decoder *decoder;
};

/* One more item, zeroed; NULL if memory is short. */
void *reader_append(struct reader_list *list, size_t item_bytes);

/* Global numbers: a name's id, a process's index + 1. 0 or negative errno. */
int reader_name(struct store_reader *reader, const char *text, size_t bytes, uint32_t *ret_id);
int reader_process(struct store_reader *reader, const uint8_t *instance, uint32_t *ret_process);
int reader_ring(struct store_reader *reader, const struct store_cursor *cursor);
/* What its ring had sampled out; ERR_DAMAGED if there is no such ring. */
int reader_sampling(struct store_reader *reader, const struct store_cursor *sampling);

/* What is left of its evicted spans; a ring that no segment tells of any more is passed over. */
int reader_evicted_ring(struct store_reader *reader, const uint8_t *instance, uint32_t ring_index, uint64_t spans);

/* Remember what is wrong; text is one line, copied. */
void reader_add_damage(struct store_reader *reader, const char *file, int error, const char *text);

/*
 * Load all but the spans of one segment. On failure nothing of segment and view is left to free, and text says why
 * (SEGMENT_TEXT_BYTES).
 */
int reader_load(struct store_reader *reader, const char *path, struct reader_segment *segment,
                struct store_segment_view *view, char *text);
void reader_segment_done(struct reader_segment *segment);
/*
 * A sealed segment again, in a read transaction; it must still be the one whose catalog was loaded, or that is named as damage. Its totals are renewed:
 * it may have been merged.
 */
int reader_reopen(struct store_reader *reader, struct reader_segment *segment, struct db **ret_db);

/* Every row of rollups, and their sums where the segment is sealed; damage is named. */
void reader_verify_rollups(struct store_reader *reader, const struct reader_segment *segment, struct db *db);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "evict.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "evict_count.h"
#include "segment.h"
#include "segment_new.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define NEWEST_TRIED_MAX 8u /* damaged segments in a row at the end of a store */

void store_evict_list_free(struct store_evict_segment *segments, size_t count) {
	for (size_t i = 0; segments && i < count; i++)
		free(segments[i].path);
	free(segments);
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

/* 1: taken; 0: no regular file; or -ENOMEM. */
static int look(const char *directory, const char *name, struct store_evict_segment *ret_segment) {
	struct stat status;
	char *path CLEANUP_FREE = NULL;
	if (asprintf(&path, "%s/%s", directory, name) < 0) {
		path = NULL;
		return -ENOMEM;
	}
	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return 0;
	*ret_segment = (struct store_evict_segment){
	    .sequence = sequence_of(name),
	    .bytes = (uint64_t)status.st_blocks * 512,
	    .written_wall_ns = (uint64_t)status.st_mtim.tv_sec * NS_PER_S + (uint64_t)status.st_mtim.tv_nsec,
	};
	ret_segment->path = TAKE_PTR(path);
	return 1;
}

int store_evict_list(const char *directory, struct store_evict_segment **ret_segments, size_t *ret_count) {
	struct dirent **entries = NULL;
	size_t taken = 0;
	int count = scandir(directory, &entries, only_segments, by_sequence);
	if (count < 0)
		return -errno;
	struct store_evict_segment *segments = calloc((size_t)count + 1, sizeof(*segments));
	int error = segments ? 0 : -ENOMEM;
	for (int i = 0; i < count; i++) {
		int got = error ? 0 : look(directory, entries[i]->d_name, &segments[taken]);
		taken += got > 0;
		error = got < 0 ? got : error;
		free(entries[i]);
	}
	free(entries);
	if (error) {
		store_evict_list_free(segments, taken);
		return error;
	}
	*ret_segments = segments;
	*ret_count = taken;
	return 0;
}

int evict_through(struct db *db, uint64_t *ret_through) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	*ret_through = 0;
	int there = segment_has_table(db, SCHEMA_EVICTION);
	if (there != 1)
		return there;
	int error = db_prepare(db, schema_tables[SCHEMA_EVICTION].select, &select);
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		(void)db_get_u64(select); /* reason */
		uint64_t through = db_get_u64(select);
		if (through > *ret_through)
			*ret_through = through;
	}
	return error ? error : row;
}

int evict_through_list(const struct store_evict_segment *segments, size_t count, uint64_t *ret_through,
                       const char **ret_newest_path) {
	int error = 0;
	*ret_through = 0;
	*ret_newest_path = NULL;
	for (size_t tried = 0; tried < count && tried < NEWEST_TRIED_MAX; tried++) {
		const struct store_evict_segment *segment = &segments[count - 1 - tried];
		char text[SEGMENT_TEXT_BYTES];
		struct db *db = NULL;
		error = segment_open(segment->path, DB_READ_ONLY, &db, text);
		if (!error)
			error = evict_through(db, ret_through);
		db_close(db);
		if (!error && *ret_through >= segment->sequence)
			error = ERR_DAMAGED; /* it would call itself evicted */
		if (!error) {
			*ret_newest_path = segment->path;
			return 0;
		}
		*ret_through = 0;
		if (error != ERR_DAMAGED && error != ERR_FOREIGN && error != ERR_NEWER)
			return error;
	}
	return 0;
}

static int load_reasons(struct db *db, struct store_evictions *evictions) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_EVICTION].select, &select);
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t reason = db_get_u64(select);
		uint64_t through = db_get_u64(select);
		struct store_evict_sum sum = {.segments = db_get_u64(select)};
		sum.spans = db_get_u64(select);
		sum.bytes = db_get_u64(select);
		if (db_row_end(select) || reason >= STORE_EVICT_REASONS)
			return ERR_DAMAGED;
		evictions->reasons[reason] = sum;
		if (through > evictions->through)
			evictions->through = through;
	}
	return error ? error : row;
}

static int load_departed(struct db *db, struct store_evictions *evictions) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_DEPARTED].select, &select);
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint32_t state = db_get_u32(select);
		uint64_t rings = db_get_u64(select);
		struct store_cursor sum = {.state = state};
		sum.begun = db_get_u64(select);
		sum.open = db_get_u64(select);
		sum.dropped_full = db_get_u64(select);
		sum.dropped_depth = db_get_u64(select);
		sum.dropped_attributes = db_get_u64(select);
		sum.dropped_events = db_get_u64(select);
		sum.stored_spans = db_get_u64(select);
		sum.stored_attributes = db_get_u64(select);
		sum.stored_events = db_get_u64(select);
		sum.rejected_spans = db_get_u64(select);
		sum.rejected_other = db_get_u64(select);
		sum.lost_records = db_get_u64(select);
		sum.sampled_out = db_get_u64(select);
		sum.sampled_out_short = db_get_u64(select);
		if (db_row_end(select) || state >= STORE_EVICT_STATES)
			return ERR_DAMAGED;
		evictions->departed[state] = sum;
		evictions->departed_rings[state] = rings;
	}
	return error ? error : row;
}

/* In the row of evicted processes whose instance is none: sums of those that are in no segment any more. */
static int load_departed_processes(struct db *db, struct store_evictions *evictions) {
	static const uint8_t none[STORE_INSTANCE_BYTES];
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(db, schema_tables[SCHEMA_EVICTED_PROCESS].select, &select);
	int row = error ? error : db_next(select);
	if (row != 1)
		return row;
	size_t bytes = 0;
	const uint8_t *instance = db_get_blob(select, &bytes);
	if (bytes != sizeof(none) || memcmp(instance, none, sizeof(none)) != 0)
		return 0; /* in order: it would be the first */
	evictions->departed_processes = db_get_u64(select);
	evictions->departed_statistics_spans = db_get_u64(select);
	evictions->departed_account.dropped_no_ring = db_get_u64(select);
	evictions->departed_account.dropped_reentry = db_get_u64(select);
	evictions->departed_account.dropped_async = db_get_u64(select);
	return db_row_end(select);
}

int evict_load(struct db *db, struct store_evictions *ret_evictions) {
	struct store_evictions evictions = {.through = 0};
	static const enum schema_table tables[] = {SCHEMA_EVICTION, SCHEMA_DEPARTED, SCHEMA_EVICTED_PROCESS};
	int (*const loads[])(struct db *, struct store_evictions *) = {load_reasons, load_departed,
	                                                               load_departed_processes};
	int error = 0;
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !error; i++) {
		int there = segment_has_table(db, tables[i]);
		error = there == 1 ? loads[i](db, &evictions) : there;
	}
	if (!error)
		*ret_evictions = evictions;
	return error;
}

int evict_carry(struct db *db, const char *directory) {
	static const enum schema_table tables[] = {SCHEMA_EVICTION, SCHEMA_EVICTED_RING, SCHEMA_EVICTED_PROCESS,
	                                           SCHEMA_DEPARTED};
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	uint64_t through = 0;
	const char *newest = NULL;
	char text[SEGMENT_TEXT_BYTES];
	struct db *from = NULL;
	int error = store_evict_list(directory, &segments, &count);
	if (!error)
		error = evict_through_list(segments, count, &through, &newest);
	if (!error && through > 0)
		error = segment_open(newest, DB_READ_ONLY, &from, text);
	for (size_t i = 0; from && i < sizeof(tables) / sizeof(tables[0]) && !error; i++)
		error = segment_new_copy(from, db, tables[i]);
	if (error == ERR_DAMAGED) /* audit will find what is missing; to write nothing any more would cost all */
		error = db_execute(db, "DELETE FROM eviction;DELETE FROM evicted_ring;DELETE FROM evicted_process;"
		                       "DELETE FROM departed");
	db_close(from);
	store_evict_list_free(segments, count);
	return error;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One segment's catalog, copied with bounds: ids must be 1, 2, 3, ... and every reference must lie inside its
 * table, so that nobody after this has to look again. The rows of a sealed segment are first checked against the
 * seal.
 */
#include "reader_state.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "catalog.h"
#include "evict_count.h"
#include "writer.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The oldest ones, which may be unlinked while they are read: an open file stays whole. */
#define KEPT_OPEN_MAX 16u

void reader_segment_done(struct reader_segment *segment) {
	db_close(segment->db);
	free(segment->path);
	free(segment->names);
	free(segment->processes);
	free(segment->sites);
	free(segment->threads);
	memset(segment, 0, sizeof(*segment));
}

/*
 * Room for index count + 1 in an array of at least 64; index 0 is zero. The pointer itself goes through memcpy: it
 * has any type.
 */
static int make_room(void *array_place, uint32_t count, uint32_t max, size_t item_bytes) {
	void *array = NULL;
	memcpy(&array, array_place, sizeof(array));
	if (count >= max)
		return ERR_DAMAGED;
	if (array && (count + 1 < 64 || (count & (count + 1)) != 0))
		return 0;
	void *grown = reallocarray(array, array ? ((size_t)count + 1) * 2 : 64, item_bytes);
	if (!grown)
		return -ENOMEM;
	if (!array)
		memset(grown, 0, item_bytes);
	memcpy(array_place, &grown, sizeof(grown));
	return 0;
}

static int load_strings(struct store_reader *reader, struct reader_segment *segment, struct db_statement *select) {
	int error = make_room(&segment->names, 0, CATALOG_STRINGS_MAX, sizeof(*segment->names));
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		size_t bytes = 0;
		uint64_t id = db_get_u64(select);
		const char *text = db_get_text(select, &bytes);
		error = db_row_end(select);
		if (!error && (id != (uint64_t)segment->string_count + 1 || bytes > CATALOG_STRING_BYTES_MAX))
			error = ERR_DAMAGED;
		if (!error)
			error = make_room(&segment->names, segment->string_count, CATALOG_STRINGS_MAX,
			                  sizeof(*segment->names));
		if (!error)
			error = reader_name(reader, text, bytes, &segment->names[id]);
		segment->string_count += !error;
	}
	return error ? error : row;
}

/* A string id of the segment as an id of the overview. */
static bool map_name(const struct reader_segment *segment, uint32_t *id) {
	if (*id > segment->string_count)
		return false;
	*id = *id ? segment->names[*id] : 0;
	return true;
}

static int load_sites(struct reader_segment *segment, struct store_segment_view *view, struct db_statement *select) {
	int error = make_room(&segment->sites, 0, CATALOG_SITES_MAX, sizeof(*segment->sites));
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t id = db_get_u64(select);
		struct store_site site = {.name = db_get_u32(select)};
		site.file = db_get_u32(select);
		site.line = db_get_u32(select);
		site.kind = db_get_u32(select);
		error = db_row_end(select);
		if (!error && (id != (uint64_t)view->site_count + 1 || !map_name(segment, &site.name) ||
		               !map_name(segment, &site.file)))
			error = ERR_DAMAGED;
		if (!error)
			error =
			    make_room(&segment->sites, view->site_count, CATALOG_SITES_MAX, sizeof(*segment->sites));
		if (!error)
			segment->sites[++view->site_count] = site;
	}
	return error ? error : row;
}

static int keep_process(struct store_reader *reader, struct reader_segment *segment,
                        const struct store_process *process) {
	uint32_t names[3] = {process->executable, process->command, process->service};
	uint32_t index = 0;
	for (int i = 0; i < 3; i++)
		if (!map_name(segment, &names[i]))
			return ERR_DAMAGED;
	int error =
	    make_room(&segment->processes, segment->process_count, CATALOG_PROCESSES_MAX, sizeof(*segment->processes));
	if (!error)
		error = reader_process(reader, process->instance, &index);
	if (error)
		return error;
	char *const *texts = reader->names.items;
	struct store_process_view *view = (struct store_process_view *)reader->processes.items + (index - 1);
	view->pid = process->pid;
	view->ppid = process->ppid;
	view->uid = process->uid;
	view->is_imported = process->clock_kind == STORE_CLOCK_IMPORTED;
	view->attach_wall_ns = process->attach_wall_ns;
	view->executable = texts[names[0]];
	view->command = texts[names[1]];
	view->service = texts[names[2]];
	segment->processes[++segment->process_count] = index;
	return 0;
}

static int load_processes(struct store_reader *reader, struct reader_segment *segment, struct db_statement *select) {
	int error = make_room(&segment->processes, 0, CATALOG_PROCESSES_MAX, sizeof(*segment->processes));
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		size_t bytes = 0;
		uint64_t id = db_get_u64(select);
		const uint8_t *instance = db_get_blob(select, &bytes);
		struct store_process process = {.pid = db_get_u32(select)};
		process.ppid = db_get_u32(select);
		process.uid = db_get_u32(select);
		process.clock_kind = db_get_u32(select);
		process.attach_ns = db_get_u64(select);
		process.attach_wall_ns = db_get_u64(select);
		process.executable = db_get_u32(select);
		process.command = db_get_u32(select);
		process.service = db_get_u32(select);
		error = db_row_end(select);
		if (!error && (bytes != STORE_INSTANCE_BYTES || id != (uint64_t)segment->process_count + 1))
			error = ERR_DAMAGED;
		if (error)
			break;
		memcpy(process.instance, instance, STORE_INSTANCE_BYTES);
		error = keep_process(reader, segment, &process);
	}
	return error ? error : row;
}

static int load_threads(struct reader_segment *segment, struct store_segment_view *view, struct db_statement *select) {
	int error = make_room(&segment->threads, 0, CATALOG_THREADS_MAX, sizeof(*segment->threads));
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t id = db_get_u64(select);
		struct store_thread thread = {.process = db_get_u32(select)};
		thread.ring_index = db_get_u32(select);
		thread.tid = db_get_u32(select);
		thread.name = db_get_u32(select);
		thread.start_ns = db_get_u64(select);
		error = db_row_end(select);
		if (!error && (id != (uint64_t)view->thread_count + 1 || thread.process > segment->process_count ||
		               !map_name(segment, &thread.name)))
			error = ERR_DAMAGED;
		if (!error)
			error = make_room(&segment->threads, view->thread_count, CATALOG_THREADS_MAX,
			                  sizeof(*segment->threads));
		if (error)
			break;
		thread.process = thread.process ? segment->processes[thread.process] : 0;
		segment->threads[++view->thread_count] = thread;
	}
	return error ? error : row;
}

static int load_scopes(struct reader_segment *segment, const struct store_segment_view *view,
                       struct db_statement *select) {
	int error = 0;
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t site = db_get_u64(select);
		uint32_t name = db_get_u32(select);
		uint32_t version = db_get_u32(select);
		error = db_row_end(select);
		if (!error &&
		    (!site || site > view->site_count || !map_name(segment, &name) || !map_name(segment, &version)))
			error = ERR_DAMAGED;
		if (error)
			break;
		segment->sites[site].scope_name = name;
		segment->sites[site].scope_version = version;
	}
	return error ? error : row;
}

static int load_resources(struct store_reader *reader, const struct reader_segment *segment,
                          struct db_statement *select) {
	char *const *texts = reader->names.items;
	struct store_process_view *views = reader->processes.items;
	int error = 0;
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		uint64_t process = db_get_u64(select);
		uint32_t attributes = db_get_u32(select);
		uint32_t left_out = db_get_u32(select);
		error = db_row_end(select);
		if (!error && (!process || process > segment->process_count || !map_name(segment, &attributes)))
			error = ERR_DAMAGED;
		if (error)
			break;
		struct store_process_view *view = &views[segment->processes[process] - 1];
		view->resource = texts[attributes];
		view->resource_left_out = left_out;
	}
	return error ? error : row;
}

static int load_cursors(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		struct store_cursor cursor;
		error = count < SEGMENT_CURSORS_MAX ? segment_get_cursor(select, &cursor) : ERR_DAMAGED;
		if (!error)
			error = reader_ring(reader, &cursor);
	}
	return error ? error : row;
}

static int load_accounts(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		struct store_process_account account = {.state = db_get_u32(select)};
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		memcpy(account.instance, instance, STORE_INSTANCE_BYTES);
		account.rings_made = db_get_u32(select);
		account.time_ns = db_get_u64(select);
		account.threads_untraced = db_get_u64(select);
		account.dropped_no_ring = db_get_u64(select);
		account.names_cut = db_get_u64(select);
		account.sites_overflowed = db_get_u64(select);
		account.strings_overflowed = db_get_u64(select);
		account.misuse = db_get_u64(select);
		error = db_row_end(select);
		if (!error)
			error = reader_process(reader, account.instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		/* These have tables of their own. */
		account.limits = views[index - 1].account.limits;
		account.statistics = views[index - 1].account.statistics;
		account.statistics_overflowed = views[index - 1].account.statistics_overflowed;
		account.dropped_async = views[index - 1].account.dropped_async;
		account.dropped_contexts = views[index - 1].account.dropped_contexts;
		account.dropped_reentry = views[index - 1].account.dropped_reentry;
		account.ending = views[index - 1].account.ending;
		account.ending_value = views[index - 1].account.ending_value;
		account.claim = views[index - 1].account.claim;
		account.claimed_uid = views[index - 1].account.claimed_uid;
		if (account.time_ns >= views[index - 1].account.time_ns)
			views[index - 1].account = account;
	}
	return error ? error : row;
}

static uint64_t higher(uint64_t a, uint64_t b) {
	return a > b ? a : b;
}

/* Counters only grow: the highest of all segments is the newest. */
static int load_limits(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		error = reader_process(reader, instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		struct store_limits *limits = &views[index - 1].account.limits;
		limits->attributes_over_limit = higher(limits->attributes_over_limit, db_get_u64(select));
		limits->events_over_limit = higher(limits->events_over_limit, db_get_u64(select));
		limits->links_over_limit = higher(limits->links_over_limit, db_get_u64(select));
		limits->values_cut = higher(limits->values_cut, db_get_u64(select));
		limits->dropped_links = higher(limits->dropped_links, db_get_u64(select));
		limits->contexts_malformed = higher(limits->contexts_malformed, db_get_u64(select));
		error = db_row_end(select);
	}
	return error ? error : row;
}

/* What belongs to cursors and has a table of its own. */
static int load_beside(struct store_reader *reader, struct db_statement *select,
                       int (*get)(struct db_statement *select, struct store_cursor *ret_cursor)) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		struct store_cursor sampling;
		error = count < SEGMENT_CURSORS_MAX ? get(select, &sampling) : ERR_DAMAGED;
		if (!error)
			error = reader_sampling(reader, &sampling);
	}
	return error ? error : row;
}

/* The worse of two says more: a part that was given up stays given up. */
static int load_statistics(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		error = reader_process(reader, instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		struct store_process_account *account = &views[index - 1].account;
		account->statistics = (uint32_t)higher(account->statistics, db_get_u32(select));
		account->statistics_overflowed = higher(account->statistics_overflowed, db_get_u64(select));
		error = db_row_end(select);
		if (!error && account->statistics > STORE_STATISTICS_BROKEN)
			error = ERR_DAMAGED;
	}
	return error ? error : row;
}

static int load_drops(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		error = reader_process(reader, instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		struct store_process_account *account = &views[index - 1].account;
		account->dropped_async = higher(account->dropped_async, db_get_u64(select));
		account->dropped_contexts = higher(account->dropped_contexts, db_get_u64(select));
		account->dropped_reentry = higher(account->dropped_reentry, db_get_u64(select));
		error = db_row_end(select);
	}
	return error ? error : row;
}

/* A process ends once: there is one row in all segments. */
static int load_endings(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		error = reader_process(reader, instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		struct store_process_account *account = &views[index - 1].account;
		account->ending = db_get_u32(select);
		account->ending_value = db_get_u32(select);
		error = db_row_end(select);
		if (!error && (account->ending == STORE_ENDING_UNKNOWN || account->ending > STORE_ENDING_SIGNAL))
			error = ERR_DAMAGED;
	}
	return error ? error : row;
}

/* What was found once stays said. */
static int load_claims(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	for (uint32_t count = 0; !error && (row = db_next(select)) == 1; count++) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		if (bytes != STORE_INSTANCE_BYTES || count == CATALOG_PROCESSES_MAX)
			return ERR_DAMAGED;
		error = reader_process(reader, instance, &index);
		if (error)
			break;
		struct store_process_view *views = reader->processes.items;
		struct store_process_account *account = &views[index - 1].account;
		account->claimed_uid = db_get_u32(select);
		uint32_t claim = db_get_u32(select);
		account->claim |= claim;
		error = db_row_end(select);
		if (!error && (claim == 0 || claim > STORE_CLAIM_FLAGS))
			error = ERR_DAMAGED;
	}
	return error ? error : row;
}

static int load_evicted_rings(struct store_reader *reader, struct db_statement *select) {
	int error = 0;
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		size_t bytes = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		uint32_t ring = db_get_u32(select);
		uint64_t spans = db_get_u64(select);
		error = db_row_end(select);
		if (!error)
			error = bytes == STORE_INSTANCE_BYTES ? reader_evicted_ring(reader, instance, ring, spans)
			                                      : ERR_DAMAGED;
	}
	return error ? error : row;
}

static int load_evicted_processes(struct store_reader *reader, struct db_statement *select) {
	static const uint8_t none[STORE_INSTANCE_BYTES]; /* whose row is of those that are in no segment (evict.c) */
	int error = 0;
	int row = 0;
	while (!error && (row = db_next(select)) == 1) {
		size_t bytes = 0;
		uint32_t index = 0;
		const uint8_t *instance = db_get_blob(select, &bytes);
		(void)db_get_u64(select); /* processes: one */
		uint64_t spans = db_get_u64(select);
		if (bytes != STORE_INSTANCE_BYTES)
			return ERR_DAMAGED;
		if (memcmp(instance, none, sizeof(none)) == 0)
			continue;
		error = reader_process(reader, instance, &index);
		if (!error)
			((struct store_process_view *)reader->processes.items)[index - 1].evicted_statistics_spans =
			    spans;
	}
	return error ? error : row;
}

/* After the cursors of all segments: this is the last one. */
static int load_evictions(struct store_reader *reader, const struct reader_segment *segment) {
	struct db_statement *rings CLEANUP(db_finalize_cleanup) = NULL;
	struct db_statement *processes CLEANUP(db_finalize_cleanup) = NULL;
	int there = segment_has_table(segment->db, SCHEMA_EVICTION);
	if (there != 1)
		return there;
	int error = evict_load(segment->db, &reader->overview.evictions);
	reader->moved = reader->moved || reader->overview.evictions.through != reader->evicted;
	if (!error)
		error = db_prepare(segment->db, schema_tables[SCHEMA_EVICTED_RING].select, &rings);
	if (!error)
		error = load_evicted_rings(reader, rings);
	if (!error)
		error = db_prepare(segment->db, schema_tables[SCHEMA_EVICTED_PROCESS].select, &processes);
	return error ? error : load_evicted_processes(reader, processes);
}

static int load_table(struct store_reader *reader, struct reader_segment *segment, struct store_segment_view *view,
                      enum schema_table table, struct db_statement *select) {
	switch (table) {
	case SCHEMA_STRING:
		return load_strings(reader, segment, select);
	case SCHEMA_SITE:
		return load_sites(segment, view, select);
	case SCHEMA_PROCESS:
		return load_processes(reader, segment, select);
	case SCHEMA_THREAD:
		return load_threads(segment, view, select);
	case SCHEMA_CURSOR:
		return load_cursors(reader, select);
	case SCHEMA_ACCOUNT:
		return load_accounts(reader, select);
	case SCHEMA_SCOPE:
		return load_scopes(segment, view, select);
	case SCHEMA_RESOURCE:
		return load_resources(reader, segment, select);
	case SCHEMA_LIMITS:
		return load_limits(reader, select);
	case SCHEMA_SAMPLING:
		return load_beside(reader, select, segment_get_sampling);
	case SCHEMA_THINNED:
		return load_beside(reader, select, segment_get_thinned);
	case SCHEMA_STATISTICS:
		return load_statistics(reader, select);
	case SCHEMA_DROPS:
		return load_drops(reader, select);
	case SCHEMA_ENDING:
		return load_endings(reader, select);
	case SCHEMA_CLAIM:
		return load_claims(reader, select);
	case SCHEMA_META:
	case SCHEMA_EVICTION:
	case SCHEMA_EVICTED_RING:
	case SCHEMA_EVICTED_PROCESS:
	case SCHEMA_DEPARTED:
	case SCHEMA_SAMPLE:
	case SCHEMA_SAMPLE_DETAIL:
	case SCHEMA_AGENT_SAMPLE:
	case SCHEMA_ROLLUP:
	case SCHEMA_ROLLUP_SEGMENT:
	case SCHEMA_ROLLUP_SITE:
	case SCHEMA_ROLLUP_TOTAL:
	case SCHEMA_BATCH:
	case SCHEMA_COLUMN_BLOB:
	case SCHEMA_SEAL:
	case SCHEMA_TABLES:
		break;
	}
	return 0;
}

/* Batches that cannot be believed are left out of the totals here and named by the scan. */
static int sum_open_batches(struct reader_segment *segment) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int error = db_prepare(segment->db, schema_tables[SCHEMA_BATCH].select, &select);
	int row = 0;
	for (uint64_t before = 0; !error && (row = db_next(select)) == 1;) {
		struct segment_batch batch;
		int bad = segment_get_batch(select, &batch);
		if (batch.id <= before || batch.id > SEGMENT_BATCHES_MAX)
			return ERR_DAMAGED;
		before = batch.id;
		if (!bad)
			segment_add_batch(&segment->totals, &batch);
	}
	return error ? error : row;
}

/* The tables of the catalog, each read by one statement: it is summed up, then loaded, and its pages are at hand the second time. */
struct catalog_tables {
	struct db_statement *selects[SCHEMA_CATALOG_TABLES]; /* NULL: the segment has no such table */
};

static void catalog_tables_done(struct catalog_tables *tables) {
	for (int table = 0; table < SCHEMA_CATALOG_TABLES; table++)
		db_finalize(tables->selects[table]);
}

static int select_catalog(struct db *db, struct catalog_tables *tables) {
	int error = 0;
	for (int table = 0; table < SCHEMA_CATALOG_TABLES && !error; table++) {
		int there = segment_has_table(db, (enum schema_table)table);
		error = there == 1 ? db_prepare(db, schema_tables[table].select, &tables->selects[table]) : there;
	}
	return error;
}

/* In the order of segment_sum_catalog. */
static int check_catalog(const struct reader_segment *segment, const struct catalog_tables *tables) {
	uint64_t checksum = 0;
	uint64_t rows = 0;
	int error = 0;
	for (int table = 0; table < SCHEMA_CATALOG_TABLES && !error; table++)
		if (tables->selects[table])
			error = segment_sum_rows(tables->selects[table], SEGMENT_CURSORS_MAX, &checksum, &rows);
	return !error && checksum != segment->totals.catalog_checksum ? ERR_DAMAGED : error;
}

static int load_totals(struct reader_segment *segment, const struct catalog_tables *tables, const char **ret_what) {
	*ret_what = "its seal is damaged";
	int sealed = segment_read_seal(segment->db, &segment->totals);
	if (sealed < 0)
		return sealed;
	segment->sealed = sealed == 1;
	*ret_what = "its batches cannot be listed";
	if (!sealed)
		return sum_open_batches(segment);
	*ret_what = "its names, processes or cursors are not those that were sealed";
	return check_catalog(segment, tables);
}

static int load_all(struct store_reader *reader, struct reader_segment *segment, struct store_segment_view *view,
                    const char **ret_what) {
	static const enum schema_table tables[] = {SCHEMA_STRING, SCHEMA_SITE,     SCHEMA_PROCESS,    SCHEMA_THREAD,
	                                           SCHEMA_CURSOR, SCHEMA_ACCOUNT,  SCHEMA_SCOPE,      SCHEMA_RESOURCE,
	                                           SCHEMA_LIMITS, SCHEMA_SAMPLING, SCHEMA_STATISTICS, SCHEMA_DROPS,
	                                           SCHEMA_ENDING, SCHEMA_CLAIM,    SCHEMA_THINNED};
	struct catalog_tables catalog CLEANUP(catalog_tables_done) = {{NULL}};
	*ret_what = "it cannot be read";
	int error = segment_read_identity(segment->db, &segment->identity);
	if (!error)
		error = segment_read_number(segment->db, SEGMENT_META_LINKS, &segment->links);
	if (!error)
		error = segment_read_writer_cost(segment->db, &view->writer_cost);
	if (!error)
		error = select_catalog(segment->db, &catalog);
	if (!error)
		error = load_totals(segment, &catalog, ret_what);
	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !error; i++) {
		*ret_what = schema_tables[tables[i]].name;
		if (catalog.selects[tables[i]])
			error = load_table(reader, segment, view, tables[i], catalog.selects[tables[i]]);
	}
	if (!error && reader->newest_path && strcmp(reader->newest_path, segment->path) == 0) {
		*ret_what = "its account of what was evicted";
		error = load_evictions(reader, segment);
	}
	return error;
}

static uint64_t size_of(const char *path) {
	char *wal CLEANUP_FREE = NULL;
	struct stat status;
	uint64_t bytes = stat(path, &status) == 0 ? (uint64_t)status.st_size : 0;
	if (asprintf(&wal, "%s-wal", path) < 0)
		wal = NULL;
	else if (stat(wal, &status) == 0)
		bytes += (uint64_t)status.st_size;
	return bytes;
}

static void fill_view(const struct reader_segment *segment, struct store_segment_view *view) {
	view->file = segment->path;
	view->sequence = segment->identity.sequence;
	view->sealed = segment->sealed;
	memcpy(view->boot_id, segment->identity.boot_id, sizeof(view->boot_id));
	view->wall_offset_ns = segment->identity.wall_offset_ns;
	view->created_wall_ns = segment->identity.created_wall_ns;
	view->file_bytes = size_of(segment->path);
	view->batches = segment->totals.batches;
	view->spans = segment->totals.spans;
	view->attributes = segment->totals.attributes;
	view->events = segment->totals.events;
	view->links = segment->links;
	view->start_ns_min = segment->totals.start_ns_min;
	view->end_ns_max = segment->totals.end_ns_max;
	view->sites = segment->sites;
	view->threads = segment->threads;
}

int reader_load(struct store_reader *reader, const char *path, struct reader_segment *segment,
                struct store_segment_view *view, char *text) {
	const char *what = "";
	segment->path = strdup(path);
	int error = segment->path ? segment_open(path, DB_READ_ONLY, &segment->db, text) : -ENOMEM;
	if (!error) {
		error = load_all(reader, segment, view, &what);
		if (error)
			(void)snprintf(text, SEGMENT_TEXT_BYTES,
			               "%.300s: damaged: %s (%s): restore it from a copy, or leave it out", path, what,
			               error == ERR_DAMAGED ? "bad data" : db_words(segment->db));
	}
	if (error) {
		reader_segment_done(segment);
		return error;
	}
	fill_view(segment, view);
	if (segment->sealed && ++reader->kept_open > KEPT_OPEN_MAX) {
		db_close(segment->db);
		segment->db = NULL;
	}
	return 0;
}

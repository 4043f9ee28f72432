/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rollups, row by row. Each is checked against its own checksum; those of a sealed segment also, once all are read, against what was sealed: then
 * none is missing either.
 */
#include "reader_state.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "checksum.h"
#include "rollup_rows.h"
#include "rollup_sites.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct rollup_walk {
	struct store_reader *reader;
	const struct reader_segment *segment;
	const struct store_segment_view *view;
	struct db *db;
	struct rollup_coder *coder;
	int (*on_rollup)(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup);
	int (*on_process)(void *context, uint32_t process); /* NULL: processes are wanted apart */
	void *context;
	struct rollup_sites *sites; /* with on_process */
	bool steps;                 /* not the rows of whole segments */
	int result;                 /* of on_rollup and on_process */
};

static void name_damage(struct store_reader *reader, const struct reader_segment *segment, int error) {
	char text[SEGMENT_TEXT_BYTES];
	(void)snprintf(text, sizeof(text), "%.300s: its rollups are damaged (%s): restore it from a copy",
	               segment->path, error == ERR_DAMAGED ? "bad data" : strerror(-error));
	reader_add_damage(reader, segment->path, error, text);
}

/* Ids of the catalog as those of the overview. */
static int resolve(const struct rollup_walk *walk, enum schema_table table, struct store_rollup *rollup) {
	bool of_all = table == SCHEMA_ROLLUP_SITE;
	if (rollup->process > walk->segment->process_count || rollup->site > walk->view->site_count ||
	    (rollup->process == 0) != of_all)
		return ERR_DAMAGED;
	rollup->process = of_all ? 0 : walk->segment->processes[rollup->process];
	return 0;
}

/* All rows of one of the tables; *ret_checksum is chained over them. */
static int walk_table(struct rollup_walk *walk, enum schema_table table, uint64_t *ret_rows, uint64_t *ret_checksum) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	uint64_t before = 0;
	int row = 0;
	int error = db_prepare(walk->db, schema_tables[table].select, &select);
	*ret_rows = 0;
	*ret_checksum = 0;
	while (!error && !walk->result && (row = db_next(select)) == 1) {
		struct store_rollup rollup;
		uint64_t id = 0;
		uint64_t checksum = 0;
		error = rollup_get(select, walk->coder, &id, &rollup, &checksum);
		if (!error && (id != before + 1 || id > ROLLUP_ROWS_MAX))
			error = ERR_DAMAGED;
		if (!error)
			error = resolve(walk, table, &rollup);
		if (error)
			break;
		before = id;
		*ret_rows = id;
		*ret_checksum = checksum64(&checksum, sizeof(checksum), *ret_checksum);
		if (walk->on_rollup)
			walk->result = walk->on_rollup(walk->context, walk->view, &rollup);
	}
	return error ? error : row < 0 ? row : 0;
}

static bool is_steps(const struct rollup_sums *sums, uint64_t rows, uint64_t checksum) {
	return rows == sums->steps && checksum == sums->step_checksum;
}

static bool is_wholes(const struct rollup_sums *sums, uint64_t rows, uint64_t checksum) {
	return rows == sums->wholes && checksum == sums->whole_checksum;
}

static int has_rollups(struct db *db) {
	int there = segment_has_table(db, SCHEMA_ROLLUP);
	if (there == 1)
		there = segment_has_table(db, SCHEMA_ROLLUP_SEGMENT);
	return there;
}

/* 1: there are none. */
static int walk_sites(struct rollup_walk *walk) {
	struct rollup_sites *sites = walk->sites;
	size_t process_count = 0;
	uint64_t rows = 0;
	uint64_t checksum = 0;
	int error = rollup_sites_read(walk->db, walk->segment->process_count, sites, &process_count);
	if (error || sites->rows == 0)
		return error ? error : 1;
	for (size_t i = 0; i < process_count && !walk->result; i++)
		walk->result = walk->on_process(walk->context, walk->segment->processes[sites->processes[i].process]);
	error = walk_table(walk, SCHEMA_ROLLUP_SITE, &rows, &checksum);
	if (error || walk->result)
		return error;
	return rows == sites->rows && checksum == sites->checksum ? 0 : ERR_DAMAGED;
}

static int walk_segment(struct rollup_walk *walk) {
	struct rollup_sums sums = {0};
	uint64_t rows = 0;
	uint64_t checksum = 0;
	int there = has_rollups(walk->db);
	if (there != 1)
		return there;
	int put_together = walk->on_process && walk->segment->sealed ? walk_sites(walk) : 1;
	if (put_together != 1)
		return put_together;
	int error = walk->segment->sealed ? rollup_read_sums(walk->db, &sums) : 0;
	bool whole = sums.wholes > 0 && !walk->steps;
	if (!error)
		error = walk_table(walk, whole ? SCHEMA_ROLLUP_SEGMENT : SCHEMA_ROLLUP, &rows, &checksum);
	if (error || walk->result || !walk->segment->sealed)
		return error;
	return (whole ? is_wholes : is_steps)(&sums, rows, checksum) ? 0 : ERR_DAMAGED;
}

/* Only a lack of memory ends the reading; damage is named. */
static int walk_nth(struct rollup_walk *walk, size_t n) {
	struct reader_segment *segment = (struct reader_segment *)walk->reader->segments.items + n;
	struct db *opened = NULL;
	if (!segment->db && reader_reopen(walk->reader, segment, &opened))
		return 0;
	walk->segment = segment;
	walk->view = (const struct store_segment_view *)walk->reader->views.items + n;
	walk->db = opened ? opened : segment->db;
	int error = walk_segment(walk);
	db_close(opened);
	if (error == -ENOMEM)
		return error;
	if (error)
		name_damage(walk->reader, segment, error);
	return 0;
}

static int walk_some(struct store_reader *reader, size_t begin, size_t end, bool steps,
                     int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                      const struct store_rollup *rollup),
                     void *context) {
	struct rollup_coder *coder CLEANUP_FREE = malloc(sizeof(*coder));
	if (!coder)
		return -ENOMEM;
	struct rollup_walk walk = {
	    .reader = reader, .coder = coder, .on_rollup = on_rollup, .context = context, .steps = steps};
	int error = 0;
	for (size_t i = begin; i < end && !walk.result && !error; i++)
		error = walk_nth(&walk, i);
	return error ? error : walk.result;
}

int store_reader_segment_rollup_steps(struct store_reader *reader, size_t segment,
                                      int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                                       const struct store_rollup *rollup),
                                      void *context) {
	assert(segment < reader->segments.count);
	return walk_some(reader, segment, segment + 1, true, on_rollup, context);
}

int store_reader_segment_rollups(struct store_reader *reader, size_t segment,
                                 int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                                  const struct store_rollup *rollup),
                                 void *context) {
	assert(segment < reader->segments.count);
	return walk_some(reader, segment, segment + 1, false, on_rollup, context);
}

int store_reader_rollups(struct store_reader *reader,
                         int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                          const struct store_rollup *rollup),
                         void *context) {
	return walk_some(reader, 0, reader->segments.count, false, on_rollup, context);
}

int store_reader_rollup_steps(struct store_reader *reader,
                              int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                               const struct store_rollup *rollup),
                              void *context) {
	return walk_some(reader, 0, reader->segments.count, true, on_rollup, context);
}

int store_reader_site_rollups(struct store_reader *reader, int (*on_process)(void *context, uint32_t process),
                              int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                               const struct store_rollup *rollup),
                              void *context) {
	struct rollup_coder *coder CLEANUP_FREE = malloc(sizeof(*coder));
	struct rollup_sites *sites CLEANUP_FREE = malloc(sizeof(*sites));
	if (!coder || !sites)
		return -ENOMEM;
	struct rollup_walk walk = {.reader = reader,
	                           .coder = coder,
	                           .sites = sites,
	                           .on_process = on_process,
	                           .on_rollup = on_rollup,
	                           .context = context};
	int error = 0;
	for (size_t i = 0; i < reader->segments.count && !walk.result && !error; i++)
		error = walk_nth(&walk, i);
	return error ? error : walk.result;
}

static int check_totals(struct db *db, struct rollup_coder *coder, uint64_t *ret_rows, uint64_t *ret_checksum) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	int row = 0;
	int error = db_prepare(db, schema_tables[SCHEMA_ROLLUP_TOTAL].select, &select);
	*ret_rows = 0;
	*ret_checksum = 0;
	while (!error && (row = db_next(select)) == 1) {
		struct store_rollup_total total;
		uint64_t checksum = 0;
		error = *ret_rows < ROLLUP_ROWS_MAX ? rollup_get_total(select, coder, &total, &checksum) : ERR_DAMAGED;
		++*ret_rows;
		*ret_checksum = checksum64(&checksum, sizeof(checksum), *ret_checksum);
	}
	return error ? error : row;
}

/* What the rows are, table by table; 0 of a table that the segment does not have. */
static int sum_rows(struct rollup_walk *walk, struct rollup_sums *found) {
	int there = has_rollups(walk->db);
	if (there == 1) {
		there = walk_table(walk, SCHEMA_ROLLUP, &found->steps, &found->step_checksum);
		if (!there)
			there = walk_table(walk, SCHEMA_ROLLUP_SEGMENT, &found->wholes, &found->whole_checksum);
	}
	if (!there)
		there = segment_has_table(walk->db, SCHEMA_ROLLUP_TOTAL);
	return there == 1 ? check_totals(walk->db, walk->coder, &found->totals, &found->total_checksum) : there;
}

static int verify_sites(struct rollup_walk *walk) {
	uint64_t rows = 0;
	uint64_t checksum = 0;
	int there = segment_has_table(walk->db, SCHEMA_ROLLUP_SITE);
	int error = there == 1 ? walk_table(walk, SCHEMA_ROLLUP_SITE, &rows, &checksum) : there;
	return there == 1 && !error ? rollup_sites_check(walk->db) : error;
}

static int verify(struct rollup_walk *walk) {
	struct rollup_sums sealed = {0};
	struct rollup_sums found = {0};
	int error = sum_rows(walk, &found);
	if (error || !walk->segment->sealed)
		return error;
	error = rollup_read_sums(walk->db, &sealed);
	if (!error && memcmp(&sealed, &found, sizeof(sealed)) != 0)
		error = ERR_DAMAGED;
	return error ? error : verify_sites(walk);
}

void reader_verify_rollups(struct store_reader *reader, const struct reader_segment *segment, struct db *db) {
	const struct reader_segment *segments = reader->segments.items;
	const struct store_segment_view *views = reader->views.items;
	struct rollup_coder *coder CLEANUP_FREE = malloc(sizeof(*coder));
	struct rollup_walk walk = {
	    .reader = reader, .segment = segment, .view = &views[segment - segments], .db = db, .coder = coder};
	int error = coder ? verify(&walk) : -ENOMEM;
	if (error)
		name_damage(reader, segment, error);
}

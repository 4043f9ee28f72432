/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this room share: a store read so that it can be held against another run.
 *
 *     change_store.c    open, choose between rollups and records, let go
 *     change_rollups.c  from rollups, step by step: all spans that ended, in the bins of the programs
 *     change_records.c  from the records: exact quantiles, finer bins
 *     change_compare.c  two stores name by name: differences and verdicts
 *     change_baseline.c one store as a baseline (baseline.h)
 *
 * Two readings: change_read gives the weights of each name; then, once it is known what the other run has, change_slice gives the slices.
 */
#ifndef SPANRING_ANALYZE_CHANGE_H
#define SPANRING_ANALYZE_CHANGE_H

#include "analyze/kernels/sliced.h"
#include "analyze/latency/latency.h"
#include "baseline.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Of rollups: so many slices must have some. */
#define CHANGE_SLICES_MIN 8u
/* So many steps are read; of more the rows of whole segments are, if these are slices enough, else up to the second. */
#define CHANGE_STEPS_MAX (1u << 15)
#define CHANGE_STEPS_MOST (1u << 20)

enum change_method { CHANGE_ROLLUPS, CHANGE_RECORDS };

struct change_store {
	struct context context; /* with the options below */
	struct options options; /* of this store alone */
	struct latency latency; /* its lines, by name id, have the figures that `latency` shows */
	const struct grid *grid;
	struct grid own_grid;               /* of a store that is read alone */
	struct sliced **names;              /* by name id; NULL: no span */
	const struct grid_weights **others; /* by name id; NULL: the other run has none */
	uint64_t start_wall_ns;
	uint64_t end_wall_ns;
	uint64_t spans;
	bool has_self;
	bool by_segment; /* rollups of whole segments: there are very many steps */
	bool coarse;     /* records, too, in the bins of rollups: a baseline is a file */
};

/* An exit code; on failure it was said, and nothing is held. */
int change_open(struct change_store *store, const struct context *context, const char *path);
void change_close(struct change_store *store);

/*
 * First reading of one or two stores, both in the same way. wants_self: self times, too, which only records tell. 0 or a negative errno.
 */
int change_read(struct change_store *const *stores, size_t count, bool wants_self, struct grid *ret_grid,
                enum change_method *ret_method);
/* Second reading, with `others` filled in where there are any. 0 or a negative errno. */
int change_slice(struct change_store *store, enum change_method method);

/* --- of the methods ---------------------------------------------------------------------------------------------- */

/* The slices of a name, made when they are first asked for; NULL: no memory. */
struct sliced *change_name(struct change_store *store, uint32_t name);
/*
 * Of each row of a batch with STORE_COLUMN_PARENT_ROW the union of the times of its children in the batch; rows of a trace come in order of start. ends_ns is
 * room to work in; both have room for all rows.
 */
void change_cover(const struct store_columns *columns, uint64_t *ret_covered_ns, uint64_t *ends_ns);
/* As if nothing had been read. */
void change_drop_names(struct change_store *store);
uint32_t change_slice_at(const struct change_store *store, uint64_t wall_ns);

/* 0; 1: rollups cannot tell, and nothing was kept; or a negative errno. The first store decides the clock of the grid, if *grid has none. */
int change_read_rollups(struct change_store *store, struct grid *grid);
int change_slice_rollups(struct change_store *store);
int change_read_records(struct change_store *store);
int change_slice_records(struct change_store *store);

struct measured change_measure(const struct change_store *store, uint32_t name, enum change_metric metric);

/* Both readings of one store, and what they found. 0 or a negative errno; *ret_baseline is empty then. */
int change_run(struct change_store *store, bool wants_self, struct baseline *ret_baseline);
/* Of a store that was read and sliced; takes the weights out of it. 0 or -ENOMEM. */
int change_baseline(struct change_store *store, enum change_method method, struct baseline *ret_baseline);

#endif

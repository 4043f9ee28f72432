/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The read side of a store: a directory of segments, or one segment file. Never writes, safe against hostile files, correct beside a writing
 * agent (each segment is read in one read transaction: a prefix of what was committed). One thread per reader.
 *
 * Names, services and processes are numbered across the whole store ("name" below), sites and threads per segment; each segment
 * gives the maps. A segment that cannot be read is left out and named in store_reader_damage; a caller that shows results must
 * then say so and exit with EXIT_CODE_INPUT.
 */
#ifndef SPANRING_LIBSTORE_READER_H
#define SPANRING_LIBSTORE_READER_H

#include "evict.h"
#include "rollup.h"
#include "span.h"
#include "writer_cost.h"

#include <stdbool.h>
#include <stddef.h>

struct store_reader;

/* Why an input, or a part of it, is not used. */
struct store_damage {
	char *file;
	char *text; /* one line: what and where, then what to do */
	int error;  /* ERR_DAMAGED, ERR_FOREIGN, ERR_NEWER, or a system error */
};

/* A process across all its segments. */
struct store_process_view {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t pid;
	uint32_t ppid;
	uint32_t uid;
	bool is_imported; /* its spans came from a file */
	const char *executable;
	const char *command;
	const char *service;
	const char *resource; /* key=value,key=value; "" if none */
	uint32_t resource_left_out;
	uint64_t attach_wall_ns;
	struct store_process_account account; /* newest; all zero if none was stored */
	uint64_t evicted_statistics_spans;    /* counted by rollups of evicted segments */
};

struct store_ring_view {
	uint32_t process;           /* index into processes */
	struct store_cursor cursor; /* newest */
	uint64_t evicted_spans;     /* of its stored ones */
};

struct store_segment_view {
	const char *file;
	uint64_t sequence;
	bool sealed;
	uint8_t boot_id[16];
	uint64_t wall_offset_ns;
	uint64_t created_wall_ns;
	uint64_t file_bytes;
	uint64_t batches;
	uint64_t spans;
	uint64_t attributes;
	uint64_t events;
	uint64_t links;
	uint64_t start_ns_min; /* of spans; both 0 if there are none */
	uint64_t end_ns_max;
	struct store_writer_cost writer_cost; /* rounds 0: not measured */
	/* Maps from ids of this segment; index 0 is unused. */
	uint32_t site_count;
	const struct store_site *sites; /* names and file are ids of `names` below */
	uint32_t thread_count;
	const struct store_thread *threads; /* process is an index into processes + 1; name an id of `names` */
};

struct store_overview {
	const struct store_segment_view *segments; /* in order of sequence */
	size_t segment_count;
	const struct store_process_view *processes;
	size_t process_count;
	const struct store_ring_view *rings;
	size_t ring_count;
	const char *const *names; /* id -> text, zero-terminated, may hold any byte but zero; names[0] is "" */
	uint32_t name_count;      /* ids are 1 .. name_count */
	struct store_evictions evictions;
};

/* Of the library that reads and writes segments. */
const char *store_sqlite_version(void);

/*
 * Open; path is a directory or a file. 0, or -ENOENT (nothing there), ERR_FOREIGN (no segment in it, or not a segment), ERR_NEWER,
 * ERR_DAMAGED, ..., with one line in ret_text (what, where, remedy). A directory with at least one readable segment opens.
 * An empty store (a directory made by an agent that stored nothing yet) opens with no segment.
 */
int store_reader_open(const char *path, struct store_reader **ret_reader, char *ret_text, size_t text_bytes);
void store_reader_close(struct store_reader *reader);
const struct store_overview *store_reader_overview(const struct store_reader *reader);
/* What was found bad so far, also by scans. */
const struct store_damage *store_reader_damage(const struct store_reader *reader, size_t *ret_count);

/* Columns of spans; a scan decodes those asked for. */
#define STORE_COLUMN_TRACE (1u << 0)
#define STORE_COLUMN_SPAN_ID (1u << 1)
#define STORE_COLUMN_PARENT_ID (1u << 2)
#define STORE_COLUMN_START (1u << 3)
#define STORE_COLUMN_DURATION (1u << 4)
#define STORE_COLUMN_SITE (1u << 5)
#define STORE_COLUMN_THREAD (1u << 6)
#define STORE_COLUMN_KIND (1u << 7)
#define STORE_COLUMN_STATUS (1u << 8)
#define STORE_COLUMN_FLAGS (1u << 9)
#define STORE_COLUMN_HEAP (1u << 10)
#define STORE_COLUMN_ATTRIBUTES (1u << 11) /* the rows of attributes, with their text */
#define STORE_COLUMN_EVENTS (1u << 12)
#define STORE_COLUMN_LINKS (1u << 13)
#define STORE_COLUMN_WEIGHT (1u << 14)
#define STORE_COLUMNS_ALL ((1u << 15) - 1u)

/* Not among all: */
#define STORE_COLUMN_CHILD_SUMS (1u << 27) /* of a batch that has them */
#define STORE_COLUMN_PARENT_ROW (1u << 29) /* where in the batch the parent is; cheaper than its id */
/* Durations as two halves of 32 bits, since most fit the lower one: only with STORE_IN_SITE_ORDER, in place of STORE_COLUMN_DURATION. */
#define STORE_COLUMN_DURATION_HALVES (1u << 28)
/*
 * Rows site by site instead of trace by trace, and runs of one site in place of their numbers: the order in which the columns below are stored,
 * and therefore the cheapest. Only with these. The rows of parents, starts, and the numbers of sites if they are asked for beside these, stay in order of
 * rows.
 */
#define STORE_IN_SITE_ORDER (1u << 30)
#define STORE_IN_SITE_ORDER_COLUMNS                                                                                    \
	(STORE_IN_SITE_ORDER | STORE_COLUMN_SITE | STORE_COLUMN_DURATION | STORE_COLUMN_DURATION_HALVES |              \
	 STORE_COLUMN_KIND | STORE_COLUMN_STATUS | STORE_COLUMN_FLAGS | STORE_COLUMN_HEAP | STORE_COLUMN_PARENT_ROW |  \
	 STORE_COLUMN_CHILD_SUMS | STORE_COLUMN_START)

/* parent_row of a root, and of a row whose parent is not in the batch. */
#define STORE_PARENT_NONE UINT32_MAX
#define STORE_PARENT_AWAY (UINT32_MAX - 1u)

/* Rows of one site that follow each other: from the end of the run before to `end`. */
struct store_run {
	uint32_t site;
	uint32_t end;
};

/* Of a child whose parent is not in its batch. */
enum store_away {
	STORE_AWAY_WAITS = 0,  /* in no batch before */
	STORE_AWAY_FOUND = 1,  /* in a batch before; counted there */
	STORE_AWAY_UNSURE = 2, /* it may be in a batch where nobody looked */
	STORE_AWAY_STATES
};

/*
 * What the children of a row cover of it, beyond the durations of those in its batch, as far as the writer knew when it stored this batch. `back`: so many
 * batches before this one, at least 1. In order of (back, row).
 */
struct store_child_sums {
	uint64_t from; /* those that waited in this batch of the segment, or a later one, were looked for in this one */
	uint32_t correction_count;
	const uint32_t *correction_row;
	const uint64_t *correction_ns; /* two's complement */
	uint32_t late_count;           /* more of rows of earlier batches, whose children are here */
	const uint32_t *late_back;
	const uint32_t *late_row;
	const uint32_t *late_site;
	const uint64_t *late_ns;
	uint32_t found_count; /* rows of earlier batches that waited, and have their parent here */
	const uint32_t *found_back;
	const uint32_t *found_row;
	uint32_t away_count; /* rows with STORE_PARENT_AWAY */
	const uint8_t *away_state;
};

/* One decoded batch; valid inside the callback. Pointers of columns that were not asked for are NULL. */
struct store_columns {
	const struct store_segment_view *segment;
	uint64_t batch;        /* number in its segment */
	uint32_t worker;       /* which of store_scan.threads has it, from 0 */
	uint64_t start_ns_min; /* of its spans */
	uint64_t end_ns_max;
	uint32_t span_count;
	const uint64_t *trace_hi;
	const uint64_t *trace_lo;
	const uint64_t *span_id;
	const uint64_t *parent_id;
	const uint64_t *start_ns;
	const uint64_t *duration_ns;
	const uint32_t *site;
	const uint32_t *thread;
	const uint8_t *kind;
	const uint8_t *status;
	const uint8_t *flags;
	const uint32_t *heap_alloc_units;
	const int32_t *heap_net_units;
	const uint32_t
	    *weight; /* in units of 1/STORE_WEIGHT_ONE; NULL also where every span of the batch stands for one */
	const uint32_t *duration_low;
	const uint32_t *duration_high; /* NULL also where all are 0 */
	uint32_t run_count;            /* STORE_IN_SITE_ORDER: ascending sites, no empty run */
	const struct store_run *runs;
	const uint32_t *parent_row;
	uint32_t away_count;
	const uint64_t *away_parent_id;            /* of the rows with STORE_PARENT_AWAY, in order of rows */
	const struct store_child_sums *child_sums; /* NULL also where the batch has none */
	uint32_t attribute_count;
	const struct store_attribute *attributes; /* key is an id of overview.names */
	const uint32_t *attribute_row;            /* of its span; span_count: that is not in this batch */
	const char *text;
	uint32_t text_bytes;
	uint32_t event_count;
	const struct store_event *events; /* name is an id of overview.names */
	const uint32_t *event_row;        /* as attribute_row */
	uint32_t link_count;
	const struct store_link *links;
};

#define STORE_SCAN_THREADS_MAX 16u

struct store_scan {
	uint32_t columns;         /* STORE_COLUMN_* */
	uint64_t since_wall_ns;   /* skip batches that end before; 0: from the start. Rows are not filtered. */
	uint64_t until_wall_ns;   /* skip batches that start after; 0: to the end */
	uint64_t duration_ns_min; /* skip batches whose longest span is shorter; 0: none */
	bool
	    has_trace; /* skip batches that hold nothing of this trace: by their bloom filter, then by their trace column */
	uint64_t trace_lo;
	/*
	 * Skip batches of which no span starts in this time, found out by their start column; unless they have attributes, events or links and these
	 * are wanted.
	 */
	uint64_t start_since_wall_ns;
	uint64_t start_until_wall_ns; /* not in it any more; 0: no end */
	uint32_t columns_inside; /* of batches whose spans all start in that time, instead of `columns`; 0: the same */
	bool (*wants_segment)(void *context, const struct store_segment_view *segment); /* NULL: all */
	/* NULL: all. By one thread at a time; the times are those of its spans, monotonic. */
	bool (*wants_batch)(void *context, const struct store_segment_view *segment, uint64_t batch,
	                    uint64_t start_ns_min, uint64_t end_ns_max);
	/*
	 * More than 1: on_batch is called by up to so many threads at the same time, batches in no order; on_progress by one at a time. 0 and 1: by
	 * the caller's thread alone, in order.
	 */
	uint32_t threads;
	int (*on_batch)(void *context, const struct store_columns *columns); /* not 0 stops the scan with that value */
	void (*on_progress)(void *context, uint64_t batches_done, uint64_t batches_total); /* may be NULL */
	void *context;
};

/* 0, what on_batch returned, or a negative errno. Damaged batches are skipped and named in store_reader_damage. */
int store_reader_scan(struct store_reader *reader, const struct store_scan *scan);

/*
 * The same scan for a caller that asks for one batch after the other; on_batch and on_progress are not called. Several walks of one
 * reader may be under way, each with a decoder of its own. The scan is copied. 0 or -ENOMEM.
 */
struct store_walk;
int store_walk_open(struct store_reader *reader, const struct store_scan *scan, struct store_walk **ret_walk);
/* 1: the next batch, valid until the next call; 0: there are no more, or a negative errno. */
int store_walk_next(struct store_walk *walk, struct store_columns *ret_columns);
/* NULL is fine. Before the reader is closed. */
void store_walk_close(struct store_walk *walk);

/* Memory samples of all processes, and of the agent (process 0), in order of time; process is an index into processes + 1; time_ns is wall time. */
int store_reader_samples(struct store_reader *reader, struct store_memory_sample **ret_samples, size_t *ret_count);
/* Those of one segment, by index. */
int store_reader_segment_samples(struct store_reader *reader, size_t segment, struct store_memory_sample **ret_samples,
                                 size_t *ret_count);

/*
 * Rollups of all segments, in no order: of a sealed segment the rows of the whole segment if it has them, else a row per site and step. process
 * is an index into processes + 1, site an id of segment->sites; the row is valid inside the callback. 0, what on_rollup returned, or a
 * negative errno. Rows of a damaged segment may be given before the damage is found and named; whoever shows a sum then says so.
 */
int store_reader_rollups(struct store_reader *reader,
                         int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                          const struct store_rollup *rollup),
                         void *context);
/* The same row by row as they were committed (in a merged segment a minute or longer), also of sealed segments. */
int store_reader_rollup_steps(struct store_reader *reader,
                              int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                               const struct store_rollup *rollup),
                              void *context);
/*
 * The same for a question about all processes: a sealed segment may have their rows put together, and then rollup->process is 0 and on_process
 * was told before which ones there are. Not 0 from it stops likewise.
 */
int store_reader_site_rollups(struct store_reader *reader, int (*on_process)(void *context, uint32_t process),
                              int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                               const struct store_rollup *rollup),
                              void *context);
/* Steps, or rows, of one segment, by index. */
int store_reader_segment_rollup_steps(struct store_reader *reader, size_t segment,
                                      int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                                       const struct store_rollup *rollup),
                                      void *context);
int store_reader_segment_rollups(struct store_reader *reader, size_t segment,
                                 int (*on_rollup)(void *context, const struct store_segment_view *segment,
                                                  const struct store_rollup *rollup),
                                 void *context);

/* Check everything: SQLite integrity, every checksum, every row decoded, seal rows against counts. Damage is named in store_reader_damage. on_progress (may be NULL) ends it with what it returns, if not 0. */
int store_reader_verify(struct store_reader *reader, int (*on_progress)(void *context, uint64_t done, uint64_t total),
                        void *context);

#endif

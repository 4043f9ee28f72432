/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring files of one process, read without an agent and without writing anything: nothing is opened for writing, no
 * tail moves, whoever drains the rings does not notice. The process may be dead or at work.
 *
 * Finished spans are read backwards from the newest record. Of a dead thread everything in the ring is valid; of a
 * living one only what lies so far before its head that it cannot be writing there. Records that were already drained
 * count, too: a slot keeps its record until it is used again.
 *
 * Ticks become times along the line from the process's own pair of clocks, taken at its attach, to a pair taken now.
 */
#ifndef SPANRING_ANALYZE_RING_VIEW_H
#define SPANRING_ANALYZE_RING_VIEW_H

#include "libshm/process_reader.h"
#include "libshm/ring_reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RING_VIEW_RECORDS_MAX 65536u /* looked at per ring */
#define RING_VIEW_ASYNC_MAX 1000u    /* open async spans shown of one process; the others are counted */

struct ring_view_span {
	char name[SPANRING_NAME_BYTES_MAX + 1];
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id;
	uint64_t start_wall_ns;
	uint64_t duration_ns; /* of an open span: its age now */
	uint32_t tid;         /* of finished ones; 0: its thread left no trace in the ring */
	uint8_t kind;
	uint8_t status;
	bool unfinished; /* ended by thread exit or shutdown */
};

enum ring_view_state { RING_VIEW_RUNNING, RING_VIEW_EXITED, RING_VIEW_DIED, RING_VIEW_UNKNOWN };

/* One ring: the thread that holds it, or last did. */
struct ring_view_ring {
	uint32_t index;
	uint32_t tid;
	char thread[17];
	enum ring_reader_life life;
	uint64_t begun;
	uint64_t open; /* by the thread's books */
	uint64_t dropped;
	uint64_t sampled_out;            /* for either reason */
	struct ring_view_span *finished; /* newest first */
	uint32_t finished_count;
	struct ring_view_span *open_spans; /* outermost first */
	uint32_t open_count;
	bool open_moving;   /* a living thread that never stood still: its stack is not known */
	uint32_t unsampled; /* open spans of traces that are not kept: no more is known of them */
	uint32_t contexts;  /* attached; no spans, and in no other number here */
	uint32_t refused;   /* entries of the stack that make no sense */
	int error;          /* why there is no more of it: negative errno; 0 all is there */
};

struct ring_view {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	struct process_reader_identity *identity;
	uint32_t uid;
	enum ring_view_state state;
	struct ring_view_ring *rings; /* by index */
	uint32_t ring_count;
	struct ring_view_span
	    *async_spans; /* open ones that no thread's stack holds, oldest first; tid: of who began it */
	uint32_t async_count;
	uint64_t async_open; /* all of them */
	int async_error;     /* why they are not known: negative errno; 0 they are */
};

/*
 * The instance directory `name` below rings_fd, with at most `last` finished spans of each ring. 0, -ENOENT (gone),
 * -ESTALE (of an earlier boot: its times mean nothing), or what is wrong with the process file. A ring that cannot be
 * read carries its error. fault_guard_install was called, SIGIO is ignored.
 */
int ring_view_load(int rings_fd, const char *name, uint32_t last, struct ring_view *ret_view);
void ring_view_done(struct ring_view *view);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One turn through all rings: see what is ready, copy it, hand the copies to the drain. Every ring is visited at most
 * once a turn and gives at most what it can hold, so a turn is bounded whatever a program does; the next turn begins
 * with another ring.
 *
 * How to copy: a set of READs through the loop costs a hand-off to kernel workers but overlaps with compression; pread
 * costs a system call per ring. Measured, the first wins from a quarter of a megabyte on.
 */
#ifndef SPANRING_AGENT_INTAKE_H
#define SPANRING_AGENT_INTAKE_H

#include "agent/loop/loop.h"
#include "roster.h"

#include <stdbool.h>

#define INTAKE_BUFFER_RECORDS 8192u /* 512 KiB: what was copied is still in the processor's cache when it is judged */
#define INTAKE_BULK_BYTES (256u << 10)

struct intake {
	struct loop *loop;
	struct roster *roster;
	union spanring_record *records;
	uint32_t room_records; /* of the buffer that may be used */
	bool cut;              /* the last turn left published records for want of buffer */
	uint64_t records_read;
	uint64_t bulk_reads;
};

enum intake_end {
	INTAKE_IDLE, /* nothing was ready */
	INTAKE_MORE, /* something was taken; there may be more */
	INTAKE_FULL  /* the batch or catalog has no room: hand over first */
};

int intake_init(struct intake *intake, struct loop *loop, struct roster *roster);
void intake_done(struct intake *intake);

/* Take what is published. */
enum intake_end intake_published(struct intake *intake, struct producer_sink *sink);

/*
 * Take what lies behind the heads, or waits there for the rest of its group. Of processes that are ENDING all there is,
 * and says in `dry` of each whether that was all; with `living`, of the others what their books show to be missing.
 */
enum intake_end intake_behind(struct intake *intake, struct producer_sink *sink, bool living);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The statistics channel: from the counters of the programs to rollups in the store.
 *
 *     statistics file of each thread ─(round: what its blocks gained)─> sum of each site of the process
 *          ─(handover: sum now minus sum stored)─> rollup row and new total, in the transaction of the cursors
 *
 * A ROUND visits all processes once in a step of time, some blocks per turn of the loop, so that rings do not wait for it. A
 * thread that ended no span since it was read last is passed over. The last round of a process begins when it was found
 * gone, and its books are not closed before that round is over.
 *
 * EXACTLY ONCE. Nothing is ever reset in a program; a row is the difference between two readings, and goes with the reading
 * it leads to. After a restart the sum stored comes from the store (store_writer_rollup_totals), the sum now from the files, and no
 * row is made before every thread was read once.
 *
 * DISTRUST. A file that breaks its format, or whose counters go back, is not read again; what it said before stays in the sum.
 * Where a sum is below what is stored, nobody knows which thread lied: then the statistics of that process are given up, as they
 * are when there is no memory for them. Both are counted, and the account of the process says that they are not whole.
 */
#ifndef SPANRING_AGENT_STATISTICS_H
#define SPANRING_AGENT_STATISTICS_H

#include "base/log.h"
#include "libstore/writer.h"
#include "statistics_sum.h"

#include <spanring/statistics_abi.h>
#include <stdbool.h>
#include <stdint.h>

#define STATISTICS_STEP_NS_DEFAULT (UINT64_C(10) * 1000000000)
#define STATISTICS_PAUSE_NS_MIN (UINT64_C(1) * 1000000000) /* between two rounds, whatever asks for one */
#define STATISTICS_BYTES_MAX (16u << 20)                   /* of all processes; what needs more is given up */
#define STATISTICS_TURN_BLOCKS 16u                         /* read in one turn of the loop, and one thread's rest */

struct producer;
struct producer_sink;
struct flush_job;
struct roster;

/* One block of a thread as it was read last. */
struct statistics_block {
	uint32_t site;
	struct statistics_sum last;
};

struct statistics_ring {
	struct statistics_block *blocks;
	uint32_t block_count;
	uint32_t block_room;
	bool read;      /* once at least */
	uint64_t ended; /* spans the ring had ended before it was read last */
	int broken;     /* why it is no longer read; 0: it is */
};

struct statistics_site {
	bool there;
	bool given;        /* in the job that is being made */
	uint64_t since_ns; /* time of the reading that is stored */
	struct statistics_sum now;
	struct statistics_sum stored;
};

/* Of one process. All zero: not met yet. */
struct statistics {
	struct statistics_room *room; /* NULL: not met yet; else what is stored of it was asked for */
	bool due;                     /* its part of the round is not over */
	bool read;                    /* every thread was read once */
	bool final;                   /* read after its end */
	int given_up;                 /* why there are none any more; 0: there are */
	uint32_t ring_next;
	uint32_t ring_room;
	uint32_t site_room;
	uint32_t broken_rings;
	struct statistics_ring *rings; /* by index */
	struct statistics_site *sites; /* by the program's number */
	uint64_t read_ns;
};

/* What the store knew of one site of a process that was there at the start. */
struct statistics_resume {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t site; /* 0: more were stored than could be kept, none of this process */
	uint64_t time_ns;
	struct statistics_sum stored;
};

struct statistics_figures {
	uint64_t rows; /* handed over */
	uint64_t blocks_read;
	uint64_t broken_rings;
	uint64_t given_up; /* processes */
};

/* Shared by all processes. */
struct statistics_room {
	const struct log *log;
	uint64_t bytes;
	uint32_t blocks_left; /* of this turn */
	uint32_t said;
	struct statistics_figures figures;
	struct statistics_resume *resumes; /* in order of instance */
	size_t resume_count;
	size_t resume_room;
	struct statistics_scratch *scratch;
	struct spanring_site_statistics *block;
};

/* 0 or -ENOMEM. */
int statistics_init(struct statistics_room *room, const struct log *log);
void statistics_done(struct statistics_room *room);
/* Not met yet is fine. */
void statistics_free(struct statistics *statistics);

/* Keep what the store knows of the instances whose rings go on. Before the writer is given away. 0 or negative errno. */
int statistics_keep_resumes(struct statistics_room *room, struct store_writer *writer, const struct roster *roster);

/* All processes are due, but those whose last round is over. */
void statistics_round(struct roster *roster);
/* This one is gone: its last round, from the first thread on. */
void statistics_last_round(struct producer *producer);
/* Its last round is over, or there will be none. */
bool statistics_is_final(const struct producer *producer);
/* Some blocks of what is due. True: there is more to do. */
bool statistics_turn(struct statistics_room *room, struct roster *roster, uint64_t now_ns);

/*
 * Rows and totals of a process into the job; with `all` also totals that have not changed. 0, ERR_FULL (the catalog has no room:
 * the rest goes with the next job) or -ENOMEM.
 */
int statistics_hand_over(struct statistics_room *room, struct producer *producer, struct producer_sink *sink,
                         struct flush_job *job, bool all);
/* The job went. */
void statistics_sent(struct statistics_room *room, struct producer *producer);

/* enum store_statistics of a process, with its control words as they are now. */
uint32_t statistics_state(const struct producer *producer);

#endif

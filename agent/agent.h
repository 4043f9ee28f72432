/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent: what it owns, and one step of its life.
 *
 *     wait ─> results of the store ─> new instances ─> timers ─> statistics ─> take records ─> hand over
 *
 * Two threads work: this one, and the store thread behind flush.h. Two jobs go round between them: one is filled here
 * while the other is committed there. Where the loop cannot wait for the bell's futex, a third thread turns it into
 * an event (doorbell.h).
 */
#ifndef SPANRING_AGENT_AGENT_H
#define SPANRING_AGENT_AGENT_H

#include "agent/commit/commit_bins.h"
#include "agent/commit/flush.h"
#include "agent/commit/store_state.h"
#include "agent/footprint/footprint.h"
#include "agent/footprint/memory_cap.h"
#include "agent/intake/discovery.h"
#include "agent/intake/ending.h"
#include "agent/intake/intake.h"
#include "agent/intake/roster.h"
#include "agent/intake/statistics.h"
#include "agent/loop/doorbell.h"
#include "agent/loop/loop.h"
#include "agent/report/metrics_server.h"
#include "agent/settings/config.h"
#include "agent/settings/preset_ratio.h"
#include "agent/settings/reload.h"

#include <stdbool.h>
#include <stdint.h>

#define AGENT_CLOCK_RENEW_NS UINT64_C(1000000000)

/* Why a job was given to the store. */
enum agent_handover {
	AGENT_HANDOVER_FULL,           /* no room in the batch or the catalog */
	AGENT_HANDOVER_BATCH_SIZE,     /* batch-size spans */
	AGENT_HANDOVER_WANTED,         /* a program waits */
	AGENT_HANDOVER_MAX_WAIT,       /* the oldest span has waited long enough */
	AGENT_HANDOVER_FLUSH_INTERVAL, /* time */
	AGENT_HANDOVER_ENDED,          /* a process has ended */
	AGENT_HANDOVER_HALF_RING,      /* a ring is half taken and not stored */
	AGENT_HANDOVER_COUNT
};

/* Since the start of this agent. */
struct agent_figures {
	uint64_t started_ns;
	uint64_t commits;
	uint64_t commits_failed;
	uint64_t spans;
	uint64_t spans_unfinished;
	uint64_t attributes;
	uint64_t events;
	uint64_t samples;
	uint64_t column_bytes;
	uint64_t encode_ns;
	uint64_t commit_ns;
	uint64_t commit_ns_max;
	struct commit_bins bins;
	uint64_t producers_ended;
	struct store_evict_sum evicted;
	uint64_t commits_late; /* later than max-wait after the first of their spans was taken */
	uint64_t handovers[AGENT_HANDOVER_COUNT];
};

struct agent {
	const struct config *config;
	const struct log *log;
	int rings_fd;
	int status_fd;
	struct loop *loop;
	struct metrics_server *metrics; /* NULL: off */
	struct doorbell *bell;
	struct flush *flush;
	struct roster roster;
	struct discovery discovery;
	struct intake intake;
	struct clock_model clock;
	struct producer_sink sink;
	struct statistics_room statistics;
	struct flush_job *open_job;   /* being filled */
	struct flush_job *spare_job;  /* NULL while it is with the store thread or failed */
	struct flush_job *failed_job; /* to be given again when store.breaker says so */
	uint64_t sequence;            /* of the open job */
	bool new_segment;             /* the job after the open one begins a segment */
	bool stopping;                /* nothing is waited for any more */
	bool carry_all;               /* the open job is the first of its segment: it takes all rows along */
	bool full;                    /* the open job has no room; waits for the store */
	struct store_state store;
	uint64_t now_ns; /* of this step */
	uint64_t flush_at_ns;
	uint64_t retention_at_ns;          /* look at old segments with the next job */
	struct retention_result retention; /* of the last look */
	uint64_t handed_ns;                /* when a job was last given to the store */
	uint64_t sent_oldest_ns;           /* oldest_ns of that job */
	uint64_t pace_at_ns;
	uint64_t sample_at_ns; /* of a program */
	struct footprint footprint;
	uint64_t clock_at_ns;
	uint64_t life_at_ns;
	uint64_t rescan_at_ns;
	uint64_t rescanned_ns;
	uint64_t busy_ns;          /* when records were last taken */
	uint64_t statistics_at_ns; /* next round */
	uint64_t round_ns;         /* when the last one began */
	bool reading;              /* of statistics: there is more to do */
	bool rang;                 /* the bell ended the last wait */
	uint32_t idle_rings;       /* rings of the bell in a row that brought nothing */
	struct ending_command command;
	struct memory_cap memory;
	struct preset_ratio_figures ratio;
	uint64_t oldest_ns;    /* when the first span of the open job was taken; 0: there is none */
	uint64_t behind_at_ns; /* look behind quiet heads again, for max-wait */
	struct agent_figures figures;
	struct reload_figures reload;
	struct sandbox sandbox;
};

/* An exit code; other than EXIT_CODE_OK after one line was logged. */
int agent_open(const struct config *config, const struct log *log, const struct store_writer_cost *cost,
               struct agent **ret_agent);

/*
 * One step; waits at most until until_ns (of CLOCK_MONOTONIC). ret_ready has the sources that are the caller's
 * (signals, child). 0 or a fatal error.
 */
int agent_step(struct agent *agent, uint64_t until_ns, uint32_t *ret_ready);

/*
 * Take everything published until now, commit it. EXIT_CODE_OK, or EXIT_CODE_OUTPUT after one line: the store cannot be
 * written.
 */
int agent_drain(struct agent *agent);

/* Seal and close. NULL is fine. An exit code. */
int agent_close(struct agent *agent);

#endif

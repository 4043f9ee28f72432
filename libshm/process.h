/* SPDX-License-Identifier: Apache-2.0 */
/* The state of this life of this process, its attach, and its lock. Private to the writer library. */
#ifndef SPANRING_LIBSHM_PROCESS_H
#define SPANRING_LIBSHM_PROCESS_H

#include "async_table.h"
#include "directory.h"
#include "ring_writer.h"
#include "tables.h"
#include <pthread.h>

enum spanring__stage {
	SPANRING__STAGE_NEW = 0, /* also what a forked child sees */
	SPANRING__STAGE_ATTACHED,
	SPANRING__STAGE_FAILED, /* decided once; no second try in this process */
	SPANRING__STAGE_SHUTDOWN
};

struct spanring__process {
	pthread_mutex_t lock; /* guards all below; zero is an unlocked mutex, so a child finds it free */
	uint32_t stage;
	uint32_t reason;
	struct spanring_process_header *header; /* the process file; mapped for ever once set */
	const struct spanring_control *control;
	struct spanring__tables *tables;
	struct spanring__directory directory;
	struct spanring__testing *testing; /* NULL unless in test mode */
	char instance_name[SPANRING__INSTANCE_NAME_BYTES];
	uint32_t clock_kind;
	uint64_t publish_ticks;
	uint64_t publish_records;
	uint64_t ring_bytes;
	uint64_t unattended_bytes; /* in the directory, as far as known: see directory.h */
	uint64_t misuse_early;     /* counted before there was a process file */
	uint64_t contexts_malformed_early;
	struct spanring__limits limits;
	struct spanring__async_table async;
	struct spanring__thread ringless;
	struct spanring__thread *free_threads;
	uint32_t thread_count;
	struct spanring__thread *threads[SPANRING_RINGS_MAX];
};

/* The state of this process, NULL if there was never a need for one (or no memory). */
struct spanring__process *spanring__process_get(void);

/* Make the state if need be, and lock it. NULL: no memory, or a signal handler that interrupted the holder of the lock. */
struct spanring__process *spanring__process_lock(void);
bool spanring__process_try_lock(struct spanring__process *process);
void spanring__process_unlock(struct spanring__process *process);

/* Does this thread hold the lock? So it is to a signal handler that interrupted it: it must not wait. */
bool spanring__process_is_locked_here(void);

/* Attach if new. Locked. 0, or negative errno with the reason kept. */
int spanring__process_attach(struct spanring__process *process);

/* No span is recorded from here on. */
void spanring__process_switch_off(void);

/* Counters of the process file; safe at any time from any thread. */
void spanring__process_count_misuse(void);
void spanring__process_count_no_ring(void);
/* A span begun by a signal handler that interrupted this library. */
void spanring__process_count_reentry(void);
void spanring__process_count_cut(void);
void spanring__process_count_dropped_async(void);
void spanring__process_count_dropped_context(void);

enum spanring__over_limit { SPANRING__OVER_ATTRIBUTES, SPANRING__OVER_EVENTS, SPANRING__OVER_LINKS };
void spanring__process_count_over_limit(enum spanring__over_limit what);
void spanring__process_count_dropped_link(void);
void spanring__process_count_value_cut(void);
/* Also before the first span; may make the state. */
void spanring__process_count_malformed(void);

uint32_t spanring__process_reason_of(int rc);

#endif

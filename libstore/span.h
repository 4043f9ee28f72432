/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stored span is: the row types that pass between the agent, the store and the analyzer, in memory.
 *
 * Times are nanoseconds of CLOCK_MONOTONIC of the boot that the segment names; wall = time + wall_offset_ns of the segment.
 * Ids of strings, sites, processes and threads are numbers of the segment's catalog, from 1; 0 is none.
 */
#ifndef SPANRING_LIBSTORE_SPAN_H
#define SPANRING_LIBSTORE_SPAN_H

#include <stdint.h>

#define STORE_INSTANCE_BYTES 16u

struct store_span {
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t parent_id; /* 0: root */
	uint64_t start_ns;
	uint64_t duration_ns;
	uint32_t heap_alloc_units; /* of 16 bytes */
	int32_t heap_net_units;
	uint32_t site;
	uint32_t thread;
	uint8_t kind;   /* enum spanring_kind */
	uint8_t status; /* enum spanring_status */
	uint8_t flags;  /* STORE_SPAN_* */
	uint8_t reserved;
	uint32_t weight; /* how many spans it stands for, in units of 1/STORE_WEIGHT_ONE; 0: one */
};

/* The reciprocal of the probability with which a span was kept (agent/tail/tail_choice.h). */
#define STORE_WEIGHT_ONE 4096u

#define STORE_SPAN_UNFINISHED 1u    /* ended by thread exit or shutdown */
#define STORE_SPAN_REMOTE_PARENT 2u /* the parent was given explicitly */
#define STORE_SPAN_HEAP 4u          /* the heap fields were counted */
#define STORE_SPAN_OPEN 8u          /* never ended: the process died while it was open; see store_cursor.open */

struct store_attribute {
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t value;       /* number: its 64 bits (bool 0 or 1, f64 as stored); string: offset in the batch's text */
	uint32_t text_bytes;  /* string: its length */
	uint32_t key;         /* string id */
	uint32_t event_index; /* 0: of the span; n: of its n-th event */
	uint8_t type;         /* SPANRING_VALUE_* */
	uint8_t reserved[3];
};

struct store_event {
	uint64_t trace_lo;
	uint64_t span_id;
	uint64_t time_ns;
	uint32_t name; /* string id */
	uint32_t event_index;
};

struct store_link {
	uint64_t trace_lo; /* of the span that has the link */
	uint64_t span_id;
	uint64_t linked_trace_hi;
	uint64_t linked_trace_lo;
	uint64_t linked_span_id;
};

/* One place in the source that begins spans. */
struct store_site {
	uint32_t name; /* string ids */
	uint32_t file;
	uint32_t line;
	uint32_t kind;
	uint32_t scope_name; /* string ids of the instrumentation scope; 0: none */
	uint32_t scope_version;
};

enum store_process_state {
	STORE_PROCESS_RUNNING = 1, /* at the last commit */
	STORE_PROCESS_EXITED = 2,  /* said goodbye */
	STORE_PROCESS_DIED = 3     /* gone without */
};

/* clock_kind of a process whose spans were imported; else it is SPANRING_CLOCK_* of the ring ABI. */
#define STORE_CLOCK_IMPORTED 256u

/* One life of one process. */
struct store_process {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t pid;
	uint32_t ppid;
	uint32_t uid; /* attested by the kernel: owner of the process file */
	uint32_t clock_kind;
	uint64_t attach_ns; /* monotonic */
	uint64_t attach_wall_ns;
	uint32_t executable; /* string ids */
	uint32_t command;
	uint32_t service;
	uint32_t resource;          /* string id: key=value,key=value as in the process file; 0: none */
	uint32_t resource_left_out; /* pairs that found no room or were none */
	uint32_t reserved;
};

/* One thread of a process, as long as it holds a ring. */
struct store_thread {
	uint32_t process;
	uint32_t ring_index;
	uint32_t tid;
	uint32_t name; /* string id */
	uint64_t start_ns;
};

enum store_ring_state {
	STORE_RING_LIVE = 1,
	STORE_RING_RETIRED = 2,    /* all its threads left in good order */
	STORE_RING_DIED = 3,       /* its process is gone; the books are the last, the spans still open are stored */
	STORE_RING_QUARANTINED = 4 /* broke the contract of the ring ABI; the agent no longer reads it */
};

/* Ring indexes from here on are no rings: they hold the books of async spans that are open, a group of them each. */
#define STORE_RING_ASYNC 1024u

/*
 * How far a ring is stored, and its books at that moment. All counts run since the ring was made. Written in the transaction that
 * holds the records up to `position`; the row with the highest position counts.
 */
struct store_cursor {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t ring_index;
	uint32_t state;    /* enum store_ring_state */
	uint64_t position; /* records taken from the ring */
	uint64_t begun;    /* the program's books */
	uint64_t open;
	uint64_t dropped_full;
	uint64_t dropped_depth;
	uint64_t dropped_attributes;
	uint64_t dropped_events;
	uint64_t stored_spans; /* the agent's books */
	uint64_t stored_attributes;
	uint64_t stored_events;
	uint64_t rejected_spans; /* SPAN records that break the contract (bad lap, unknown site, ...) */
	uint64_t rejected_other; /* other records, and records of unknown type */
	uint64_t lost_records;   /* overwritten or skipped before they could be stored (see `reason`) */
	uint32_t reason;         /* of the quarantine or loss: negative errno as a positive number; 0 none */
	uint32_t reserved;
	uint64_t sampled_out;       /* spans ended in a trace that the sampler does not keep, and those thinned out */
	uint64_t sampled_out_short; /* spans ended before their minimum duration; not among the others */
	uint64_t thinned_spans;     /* of sampled_out: left out by the agent (tail.h), which the program did not know */
	uint64_t thinned_attributes;
	uint64_t thinned_events;
	uint64_t weighted_spans; /* of stored_spans: those that stand for more than one */
	uint64_t traces_in_part; /* kept, but not from the beginning */
};

/* What went over the limits of one span, and what else a process lost of its context. */
struct store_limits {
	uint64_t attributes_over_limit;
	uint64_t events_over_limit;
	uint64_t links_over_limit;
	uint64_t values_cut;
	uint64_t dropped_links;
	uint64_t contexts_malformed;
};

/* How far the statistics of a process cover the spans that it ended. */
enum store_statistics {
	STORE_STATISTICS_NONE = 0,  /* it has none: an older library, or switched off */
	STORE_STATISTICS_WHOLE = 1, /* switched on all its life, and every thread has them */
	STORE_STATISTICS_PART = 2,  /* switched on or off on the way, or a thread found no memory for them */
	STORE_STATISTICS_BROKEN = 3 /* the agent gave up a part of them: damaged, or no memory */
};

/* How a process that did not say goodbye ended, where somebody saw it. */
enum store_ending {
	STORE_ENDING_UNKNOWN = 0,
	STORE_ENDING_EXEC = 1,   /* goes on as another program, without this one's memory */
	STORE_ENDING_STATUS = 2, /* left with an exit status: ending_value */
	STORE_ENDING_SIGNAL = 3  /* killed by a signal: ending_value */
};

/* The books of a process beyond its rings; the newest row counts. */
/* Where a process says something else of itself than the kernel does. */
enum store_claim {
	STORE_CLAIM_UID = 1, /* another user than the owner of its files: claimed_uid */
	STORE_CLAIM_PID = 2, /* a pid that is not its own */
	STORE_CLAIM_FLAGS = 3
};

struct store_process_account {
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t state; /* enum store_process_state */
	uint32_t rings_made;
	uint64_t time_ns; /* of this reading */
	uint64_t threads_untraced;
	uint64_t dropped_no_ring;
	uint64_t names_cut;
	uint64_t sites_overflowed;
	uint64_t strings_overflowed;
	uint64_t misuse;
	struct store_limits limits;
	uint32_t statistics; /* enum store_statistics */
	uint32_t reserved;
	uint64_t statistics_overflowed; /* sites of a thread that share one block, and threads without any */
	uint64_t dropped_async;         /* of the dropped_depth of its rings: async spans that found no place */
	uint64_t dropped_contexts;      /* contexts that could not be attached */
	uint64_t dropped_reentry;       /* spans begun by a signal handler inside the writer library; in no ring */
	uint32_t ending;                /* enum store_ending */
	uint32_t ending_value;
	uint32_t claim; /* STORE_CLAIM_* */
	uint32_t claimed_uid;
};

/* Whether a sample has the proportional set, which the kernel has to work for. */
enum store_pss {
	STORE_PSS_UNKNOWN = 0,  /* an older writer did not say */
	STORE_PSS_READ = 1,     /* in pss_ns */
	STORE_PSS_LEFT_OUT = 2, /* it would have cost too much just then */
	STORE_PSS_REFUSED = 3   /* the kernel does not give it */
};

/* One look at a process, from /proc. A figure that could not be read is UINT64_MAX. */
struct store_memory_sample {
	uint32_t process; /* 0: the agent itself */
	uint32_t threads;
	uint64_t time_ns;
	uint64_t rss_bytes;
	uint64_t pss_bytes;
	uint64_t anonymous_bytes;
	uint64_t swap_bytes;
	uint64_t cpu_user_ns;
	uint64_t cpu_system_ns;
	uint64_t faults_minor;
	uint64_t faults_major;
	uint64_t switches_voluntary; /* context switches of the threads that there were */
	uint64_t switches_involuntary;
	uint64_t descriptors;
	uint64_t heap_allocated_bytes; /* by threads with a ring, where the heap is counted */
	uint64_t heap_freed_bytes;
	uint64_t pss_ns;      /* how long the kernel took for the proportional set */
	uint32_t pss_state;   /* enum store_pss */
	uint32_t agent_pid;   /* process 0: which agent */
	uint64_t agent_start; /* field 22 of its stat */
};

#endif

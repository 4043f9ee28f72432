/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shared-memory contract, version 1: files, layouts, who writes which word, and in which order.
 *
 * RING DIRECTORY (SPANRING_DIR, else /run/spanring/<uid> below an agent for all users, else /dev/shm/spanring-<uid>, mode 0700)
 *
 *     control                         doorbell page; created by whoever comes first, written by the agent
 *     <32 hex digits>/                one life of one process ("instance"), named by its random 128-bit id
 *         process                     identity, clock, site and string tables, counters   (PROCESS FILE)
 *         ring-0000, ring-0001, ...   one per thread: header, open-span stack, records     (RING FILE)
 *         statistics-0000, ...        beside the ring of the same number, if any             (statistics_abi.h)
 *         async                       spans that no thread's stack holds, if any             (async_abi.h)
 *
 * Every name appears by rename, complete: a directory <hex>.tmp becomes <hex>, a file ring-0000.tmp becomes ring-0000.
 * A reader ignores every other name. Files have their final size and all their blocks (posix_fallocate) before they
 * are published, so no store can meet a full file system.
 *
 * RING FILE
 *
 *     0        struct spanring_ring_header      each hot group on its own 128-byte line, named by its writer
 *     4096     struct spanring_open_span[128]   the thread's span stack
 *     12288    union spanring_record[capacity]  capacity: a power of two
 *
 * Positions (head, tail, cursors) count records since the ring was made and never wrap: record p lives in slot
 * p % capacity and carries lap tag spanring_lap_tag(p / capacity).
 *
 *     tail <= cursor(agent) <= position(writer, private);  head <= position;  position - tail <= capacity
 *
 *     writer                                         agent
 *     ------                                         -----
 *     W1 fill slot, bytes 48..63 (lap) last          A1 h = load-acquire head              (pairs with W3)
 *     W2 fence (only if stores were non-temporal)    A2 copy [cursor, h), check each lap, use the copy
 *     W3 store-release head = position               A3 commit records and cursor in one transaction
 *     W4 t = load-acquire tail (only when full)      A4 store-release tail = cursor         (pairs with W4)
 *
 * Head may lag behind the position: the writer publishes every SPANRING_PUBLISH_RECORDS records (or 1/32 of the ring), when
 * SPANRING_PUBLISH_NS have passed since it last did, and at flush, thread exit and shutdown. What lies behind the head is
 * found by lap tag: of a dead thread at once; of a living one after
 *     A1' look at the tags from the cursor on: n records have the right lap
 *     A2' membarrier(GLOBAL_EXPEDITED)   (the writer registered; all that came before the tags it stored is visible)
 *     A3' copy those n, check each lap again, use the copy.
 *
 * ACCOUNTING. One word holds spans begun and spans open, so that it is never torn:
 *     begun_open = begun << 16 | open                 begun - open = ended, by construction
 *     ended = SPAN records written + dropped_full + dropped_depth + sampled_out + sampled_out_short
 * A thread killed between "record written (or drop counted)" and "word stored" shows ended one short; the span on top of its
 * stack is then the one that ended.
 *
 * LIVENESS. The ring header holds a robust process-shared mutex that the thread locks when it takes the ring. The kernel sets
 * FUTEX_OWNER_DIED in its lock word however the thread dies. A reader looks at that word only, at owner_word_offset.
 * state RETIRED and an unlocked word: the thread left in good order, and the ring may be taken by another thread of the process.
 *
 * FORK. The mappings are MADV_DONTFORK and the writer's private state is MADV_WIPEONFORK: a child has neither. It begins
 * a new instance at its first span.
 *
 * TRUST. Each side reads the words of the other as hostile: it loads once, checks the local copy, uses that copy. A header is
 * copied once when the file is opened; geometry is checked against the file size and the constants below.
 */
#ifndef SPANRING_RING_ABI_H
#define SPANRING_RING_ABI_H

#include <spanring/export.h>
#include <spanring/record.h>
#include <spanring/version.h>

#define SPANRING_PROCESS_MAGIC 0x31434f5250525053ull /* "SPRPROC1" */
#define SPANRING_RING_MAGIC 0x31474e4952525053ull    /* "SPRRING1" */
#define SPANRING_CONTROL_MAGIC 0x314c525443525053ull /* "SPRCTRL1" */

#define SPANRING_CONTROL_NAME "control"
#define SPANRING_PROCESS_NAME "process"
#define SPANRING_RING_PREFIX "ring-"
#define SPANRING_TMP_SUFFIX ".tmp"
#define SPANRING_INSTANCE_BYTES 16u

#define SPANRING_LINE_BYTES 128u /* two lines of 64: the prefetcher pairs them */
#define SPANRING_PAGE_BYTES 4096u

#define SPANRING_RING_BYTES_MIN (64u << 10)
#define SPANRING_RING_BYTES_DEFAULT (1u << 20)
#define SPANRING_RING_BYTES_MAX (64u << 20)
#define SPANRING_RINGS_MAX 1024u /* rings of one process; more threads than that run untraced, counted */
#define SPANRING_DEPTH_MAX 128u  /* open spans of one thread; deeper ones are dropped, counted */
#define SPANRING_SITES_MAX 2048u
#define SPANRING_STRINGS_MAX 8192u
#define SPANRING_STRING_ARENA_BYTES (160u << 10)
#define SPANRING_NAME_BYTES_MAX 255u /* names, keys, file names; longer ones are cut, counted */

#define SPANRING_PUBLISH_RECORDS 512u
#define SPANRING_PUBLISH_PARTS 32u /* of the ring: never more of it unpublished than one */
#define SPANRING_PUBLISH_NS 1000000u

/* Clock of the ticks in all records of a process. */
#define SPANRING_CLOCK_MONOTONIC 1u /* nanoseconds of CLOCK_MONOTONIC */
#define SPANRING_CLOCK_TSC 2u       /* invariant time stamp counter (x86) */
#define SPANRING_CLOCK_CNTVCT 3u    /* generic timer (arm64) */

#define SPANRING_PROCESS_RUNNING 1u
#define SPANRING_PROCESS_EXITED 2u /* shut down in good order; all rings retired */

#define SPANRING_PROCESS_HAS_MEMBARRIER 1u /* process.flags: registered for GLOBAL_EXPEDITED */
#define SPANRING_PROCESS_HAS_UID 2u        /* process.flags: uid is there */

#define SPANRING_RING_ACTIVE 1u
#define SPANRING_RING_RETIRED 2u

/* Samplers of a trace's first span; the numbers are part of the ABI. */
#define SPANRING_SAMPLER_ALWAYS_ON 0u
#define SPANRING_SAMPLER_ALWAYS_OFF 1u
#define SPANRING_SAMPLER_TRACEIDRATIO 2u

/* process.control_flags */
#define SPANRING_CONTROL_PARENT_BASED                                                                                  \
	1u /* a span with a remote parent follows the parent's sampled flag, not the sampler */
#define SPANRING_CONTROL_STATISTICS 2u /* update the statistics of each site at every span end (statistics_abi.h) */
#define SPANRING_CONTROL_SITES 4u      /* some site control is not zero: look at the table */
#define SPANRING_CONTROL_SWITCHED 8u   /* STATISTICS was changed after attach: they do not cover the whole life */

/* site_control.flags */
#define SPANRING_SITE_DISABLED 1u /* begin no spans there; their children belong to the parent */

/* First entries of the tables: where everything goes that no longer fits. */
#define SPANRING_STRING_OVERFLOW 1u
#define SPANRING_SITE_OVERFLOW 1u
#define SPANRING_OVERFLOW_NAME "spanring.overflow"

struct spanring_site_entry {
	uint32_t name; /* string ids */
	uint32_t file;
	uint32_t line;
	uint8_t kind;
	uint8_t reserved[3];
	uint32_t scope_name; /* string ids of the instrumentation scope; 0: none */
	uint32_t scope_version;
};

struct spanring_string_entry {
	uint32_t offset; /* in the arena */
	uint32_t bytes;
};

/* What `spanring-agent ctl` asks of one site; entry n - 1 is site n's. Under the same lock as the control words. */
struct spanring_site_control {
	uint32_t flags;
	uint32_t reserved;
	uint64_t duration_min_ns; /* in place of the process's, if not 0 */
};

/* PROCESS FILE. Header, then the tables at the offsets it states. Ids count from 1: id n is entry n - 1. */
struct spanring_process_header {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint32_t features_incompat; /* a bit that a reader does not know: leave the instance alone */
	uint32_t features_compat;   /* a bit that a reader does not know: go on */
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t pid; /* in its own namespace: a hint for people, never an identity */
	uint32_t ppid;
	uint64_t pid_namespace; /* inode of /proc/self/ns/pid; 0 unknown */
	uint64_t start_time;    /* field 22 of /proc/PID/stat; 0 unknown */
	uint8_t boot_id[16];
	uint32_t clock_kind;
	uint32_t flags;
	uint64_t anchor_ticks; /* one moment at attach on three clocks */
	uint64_t anchor_monotonic_ns;
	uint64_t anchor_wall_ns;
	uint32_t sites_max;
	uint32_t strings_max;
	uint64_t site_table_offset;
	uint64_t string_index_offset;
	uint64_t string_arena_offset;
	uint64_t string_arena_bytes;
	uint64_t site_control_offset;
	uint32_t uid; /* effective, as the program sees it: a claim; the file's owner is the fact */
	uint8_t reserved0[92];
	char executable[256]; /* NUL-terminated, cut */
	char command[512];    /* arguments joined by spaces, NUL-terminated, cut */
	char service
	    [128]; /* OTEL_SERVICE_NAME, else service.name of OTEL_RESOURCE_ATTRIBUTES, else the program's name */
	/*
	 * OTEL_RESOURCE_ATTRIBUTES as key=value,key=value: whole pairs, values percent-decoded but for the bytes that would
	 * break the list (comma, percent, control). NUL-terminated.
	 */
	char resource[768];
	uint32_t resource_left_out; /* pairs that found no room or were none */
	uint8_t reserved1[124];

	/* Line of the tables; written by the program under its lock, released after the entry is complete. */
	uint32_t site_count;
	uint32_t string_count;
	uint32_t string_arena_used;
	uint8_t reserved2[116];

	/*
	 * Line of the control words: set at attach from the environment, changed by `spanring-agent ctl`, which holds a write
	 * lock (F_OFD_SETLK) on the process file while it stores the words and then, with release, a new `enabled`. A program reads
	 * `enabled` at every begin and takes a copy of the others when it differs from what that thread saw last (pair CONTROL).
	 */
	uint32_t enabled;       /* 0: record nothing. Else on; every change of a word below gives it another value. */
	uint32_t sampler;       /* SPANRING_SAMPLER_*: for spans that begin a trace */
	uint32_t control_flags; /* SPANRING_CONTROL_* */
	uint32_t control_generation; /* the last `enabled` that was not 0; counts on, past 0 */
	uint64_t sampler_threshold;  /* a trace is kept if (trace_lo >> 1) is below; always_on 2^63, always_off 0 */
	uint64_t duration_min_ns;    /* spans shorter than this get no record, only statistics; 0: none are left out */
	uint8_t reserved6[96];

	/* Line of the counters; written by the program with atomic adds, off the hot path. */
	uint32_t state;
	uint32_t rings_made;
	uint64_t threads_untraced; /* threads for which no ring could be made */
	uint64_t dropped_no_ring;  /* spans begun (and ended) by such threads */
	uint64_t names_cut;        /* names, keys and values longer than their limit */
	uint64_t sites_overflowed; /* sites that share SPANRING_SITE_OVERFLOW */
	uint64_t strings_overflowed;
	uint64_t misuse; /* stale or double end, attribute on an ended span */
	/* Beyond the limits of one span (spanring.h, ENVIRONMENT). */
	uint64_t attributes_over_limit;
	uint64_t events_over_limit;
	uint64_t links_over_limit;
	uint64_t values_cut; /* those of names_cut that were values */
	uint64_t dropped_links;
	uint64_t contexts_malformed; /* traceparent, tracestate or baggage that broke its grammar */
	uint64_t
	    statistics_overflowed; /* sites of a thread that share its SPANRING_SITE_OVERFLOW block, and threads without any */
	uint64_t dropped_async;    /* of dropped_depth: async spans that found no slot (async_abi.h) */
	uint64_t dropped_contexts; /* contexts that could not be attached: no place on the thread's stack */
	uint64_t dropped_reentry;  /* spans begun by a signal handler inside a function of the library */
	uint8_t reserved5[1656];
};

/* One open span of a thread. Written by the thread, in full before begun_open counts it. */
struct spanring_open_span {
	uint64_t span_id;
	uint64_t parent_id;
	uint64_t trace_hi;
	uint64_t trace_lo;
	uint64_t start_ticks;
	struct spanring_record_tail tail; /* as in the SPAN record to come: site, type, bits; lap 0 */
	uint32_t event_count;             /* these three are one word, zeroed together */
	uint16_t attribute_count;
	uint16_t link_count;
	uint64_t reserved2;
};

struct spanring_ring_header {
	/* Written once, before the file is published. */
	uint64_t magic;
	uint32_t abi_version;
	uint32_t header_bytes;
	uint32_t features_incompat;
	uint32_t features_compat;
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	uint32_t ring_index;
	uint32_t stack_entries;
	uint64_t stack_offset;
	uint64_t data_offset;
	uint64_t capacity_records;
	uint64_t reserved6[2];
	uint32_t owner_word_offset; /* where the lock word of the robust mutex lies in this file */
	uint32_t reserved0;
	uint8_t reserved1[160];

	/* Writer line: published head. */
	uint64_t head;
	uint8_t reserved2[120];

	/* Agent line: everything before this position is stored. */
	uint64_t tail;
	uint8_t reserved3[120];

	/* Writer line: accounting; plain stores of the owning thread. */
	uint64_t begun_open;
	uint64_t dropped_full;       /* spans whose record found no room */
	uint64_t dropped_depth;      /* spans begun deeper than SPANRING_DEPTH_MAX */
	uint64_t dropped_attributes; /* attributes and events that found no room */
	uint64_t dropped_events;
	uint64_t first_drop_ticks; /* 0: no drop yet */
	uint64_t last_drop_ticks;
	uint32_t state;
	uint32_t tid;               /* of the thread that holds or last held the ring */
	uint64_t flush_wanted;      /* position that the thread waits to see stored (spanring_flush): commit soon */
	uint64_t sampled_out;       /* spans ended in a trace that the sampler does not keep */
	uint64_t sampled_out_short; /* spans ended before their minimum duration */
	uint64_t muted;             /* spans ended that are in no other word: begun, ended and sampled_out, all three */
	/* Heap bytes (heap.h) of the threads that held the ring, at the last publication of a head; 0: not counted. */
	uint64_t heap_allocated_bytes;
	uint64_t heap_freed_bytes;
	uint8_t reserved4[16];

	/* Owner line: robust mutex. */
	uint8_t owner_mutex[SPANRING_LINE_BYTES];

	uint8_t reserved5[3328];
};

/* CONTROL FILE. */
struct spanring_control {
	uint64_t magic;
	uint32_t abi_version;
	uint32_t reserved0;
	uint32_t agent_pid;   /* of the agent that last held the write lock (F_OFD_SETLK) on this file */
	uint32_t agent_epoch; /* agents so far */
	uint8_t reserved1[104];
	uint32_t
	    asleep;    /* 1: the agent waits for the bell; a writer that comes to another half of its ring then rings */
	uint32_t bell; /* futex word; a writer wakes, only the agent changes it */
	uint8_t reserved2[120];
	uint8_t reserved3[3840];
};

#define SPANRING_RING_STACK_OFFSET 4096u
#define SPANRING_RING_DATA_OFFSET (SPANRING_RING_STACK_OFFSET + SPANRING_DEPTH_MAX * 64u)
#define SPANRING_SITE_TABLE_OFFSET 4096u
#define SPANRING_STRING_INDEX_OFFSET (SPANRING_SITE_TABLE_OFFSET + SPANRING_SITES_MAX * 24u)
#define SPANRING_STRING_ARENA_OFFSET (SPANRING_STRING_INDEX_OFFSET + SPANRING_STRINGS_MAX * 8u)
#define SPANRING_SITE_CONTROL_OFFSET (SPANRING_STRING_ARENA_OFFSET + SPANRING_STRING_ARENA_BYTES)
#define SPANRING_PROCESS_FILE_BYTES (SPANRING_SITE_CONTROL_OFFSET + SPANRING_SITES_MAX * 16u)

#define SPANRING_BEGUN_SHIFT 16u
#define SPANRING_OPEN_MASK 0xffffu

SPANRING_STATIC_ASSERT(sizeof(struct spanring_site_entry) == 24, "site entry");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_string_entry) == 8, "string entry");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_site_control) == 16, "site control");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, sampler_threshold) == 2192, "process: threshold");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, sampled_out) == 584, "ring: sampled out");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, heap_allocated_bytes) == 608, "ring: heap");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_open_span) == 64, "open span is one line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_open_span, event_count) == 48, "open span: counts");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, resource) == 1152, "process: resource");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_process_header) == 4096, "process header is one page");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_ring_header) == 4096, "ring header is one page");
SPANRING_STATIC_ASSERT(sizeof(struct spanring_control) == 4096, "control file is one page");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, instance) == 24, "process: instance");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, boot_id) == 64, "process: boot id");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, anchor_ticks) == 88, "process: anchor");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, executable) == 256, "process: executable");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, site_count) == 2048, "process: table line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, enabled) == 2176, "process: control line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_process_header, state) == 2304, "process: counter line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, head) == 256, "ring: head line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, tail) == 384, "ring: tail line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, begun_open) == 512, "ring: accounting line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_ring_header, owner_mutex) == 640, "ring: owner line");
SPANRING_STATIC_ASSERT(offsetof(struct spanring_control, asleep) == 128, "control: bell line");
SPANRING_STATIC_ASSERT(SPANRING_RING_DATA_OFFSET == 12288, "ring: data");
SPANRING_STATIC_ASSERT(SPANRING_PROCESS_FILE_BYTES % SPANRING_PAGE_BYTES == 0, "process file is whole pages");
SPANRING_STATIC_ASSERT((SPANRING_RING_BYTES_MIN & (SPANRING_RING_BYTES_MIN - 1u)) == 0, "powers of two");

#endif

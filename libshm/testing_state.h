/* SPDX-License-Identifier: Apache-2.0 */
/* What the reader of test mode keeps of the spans it took out of the rings. Guarded by the lock of the process. */
#ifndef SPANRING_LIBSHM_TESTING_STATE_H
#define SPANRING_LIBSHM_TESTING_STATE_H

#include "process.h"
#include <spanring/testing.h>

#define TESTING_BUCKETS 4096u
/* Spans and all they carry; what does not fit is counted as lost. */
#define TESTING_CHUNK_BYTES (UINT64_C(1) << 20)
#define TESTING_CHUNKS_MAX 256u

struct testing_event {
	struct spanring_testing_event event; /* first, so that the one can be told from the other's address */
	struct spanring_testing_attribute *last_attribute;
	uint32_t index;
};

/* A span from its first record on, or from when it was seen open. */
struct testing_item {
	struct spanring_testing_span span; /* first, likewise */
	struct testing_item *bucket_next;
	struct testing_item *next; /* in the order of the ends, once it has ended */
	struct testing_item *previous;
	struct testing_item *open_next;
	uint64_t end_ns;
	const char *description;
	struct spanring_testing_attribute *last_attribute;
	struct testing_event *last_event;
	struct spanring_testing_link *last_link;
	bool has_ended;
};

struct testing_chunk {
	struct testing_chunk *next;
	uint64_t used;
};

struct spanring__testing {
	uint32_t threads_begun; /* since the reset */
	uint32_t chunk_count;
	struct testing_chunk *chunks; /* newest first */
	struct testing_item *first;
	struct testing_item *last;
	struct testing_item *open_first;
	uint64_t count;
	uint64_t lost;                                 /* found no room here, or made no sense */
	uint64_t lost_before;                          /* the writer's own counters at the reset */
	struct testing_item *buckets[TESTING_BUCKETS]; /* by span id */
	uint64_t cursors[SPANRING_RINGS_MAX];          /* everything before is taken */
	const char *strings[SPANRING_STRINGS_MAX];     /* zero-terminated copies, by id - 1 */
};

/* Zeroed memory that stays until the reset; NULL: no room. */
void *spanring__testing_allocate(struct spanring__testing *testing, uint64_t bytes);

/* The span of this id; NULL: not known. With `make`, it is made then; NULL: no room. */
struct testing_item *spanring__testing_item(struct spanring__testing *testing, uint64_t span_id, bool make);

/* Take what is new out of all rings. */
void spanring__testing_collect(struct spanring__process *process);

/* Make the list of open spans anew. */
void spanring__testing_collect_open(struct spanring__process *process);

/* Text of an id in the process's tables; NULL: there is none, or no room. */
const char *spanring__testing_string(struct spanring__process *process, uint32_t id);

#endif

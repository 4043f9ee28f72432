/* SPDX-License-Identifier: Apache-2.0 */
/* Test mode on and off, its ids and its memory, and the public functions but for the text. */
#include "testing.h"
#include "region.h"
#include "testing_clock.h"
#include "testing_state.h"
#include "thread_ring.h"
#include <errno.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>

/* Ids of one thread are below this. */
#define THREAD_IDS_SHIFT 32u
/* Any number will do that is the same in every version; trace ids follow from it. */
#define GENERATOR_START UINT64_C(0x5370616e72696e67)

/* Asked for by the program; a forked child inherits the wish. */
static uint32_t start_wanted;

bool spanring__testing_wanted(void) {
	const char *text = secure_getenv("SPANRING_TEST_MODE");
	return __atomic_load_n(&start_wanted, __ATOMIC_RELAXED) != 0 ||
	       (text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0));
}

struct spanring__testing *spanring__testing_new(void) {
	return spanring__region_private(sizeof(struct spanring__testing), 0);
}

void spanring__testing_seed(struct spanring__testing *testing, struct spanring__ids *ids) {
	uint64_t before = testing->threads_begun++;
	ids->span_id_next = (before << THREAD_IDS_SHIFT) + 1;
	ids->trace_hi = before + 1;
	ids->generator = ids_mix(GENERATOR_START + before);
}

/* --- memory ------------------------------------------------------------------------------------------------------- */

void *spanring__testing_allocate(struct spanring__testing *testing, uint64_t bytes) {
	struct testing_chunk *chunk = testing->chunks;
	bytes = (bytes + 7) & ~UINT64_C(7);
	if (!chunk || TESTING_CHUNK_BYTES - chunk->used < bytes) {
		chunk =
		    testing->chunk_count < TESTING_CHUNKS_MAX ? spanring__region_private(TESTING_CHUNK_BYTES, 0) : NULL;
		if (!chunk)
			return NULL;
		chunk->next = testing->chunks;
		chunk->used = sizeof(*chunk);
		testing->chunks = chunk;
		testing->chunk_count++;
	}
	void *memory = (uint8_t *)chunk + chunk->used;
	chunk->used += bytes;
	return memory;
}

struct testing_item *spanring__testing_item(struct spanring__testing *testing, uint64_t span_id, bool make) {
	struct testing_item **bucket = &testing->buckets[ids_mix(span_id) % TESTING_BUCKETS];
	struct testing_item *item = *bucket;
	while (item && item->span.span_id != span_id)
		item = item->bucket_next;
	if (item || !make)
		return item;
	item = spanring__testing_allocate(testing, sizeof(*item));
	if (!item)
		return NULL;
	item->span.span_id = span_id;
	item->span.thread = (uint32_t)(span_id >> THREAD_IDS_SHIFT) + 1;
	item->bucket_next = *bucket;
	*bucket = item;
	return item;
}

/* All but the cursors: they are the rings'. */
static void forget(struct spanring__testing *testing) {
	for (struct testing_chunk *chunk = testing->chunks; chunk;) {
		struct testing_chunk *next = chunk->next;
		(void)munmap(chunk, TESTING_CHUNK_BYTES);
		chunk = next;
	}
	testing->threads_begun = 0;
	testing->chunk_count = 0;
	testing->chunks = NULL;
	testing->first = NULL;
	testing->last = NULL;
	testing->open_first = NULL;
	testing->count = 0;
	testing->lost = 0;
	memset(testing->buckets, 0, sizeof(testing->buckets));
	memset(testing->strings, 0, sizeof(testing->strings));
}

/* --- the lock ----------------------------------------------------------------------------------------------------- */

/* From here to leave(): locked, attached in test mode, not to be cancelled. */
struct visit {
	struct spanring__process *process; /* NULL: not in test mode */
	int saved_errno;
	int cancel;
};

static struct visit enter_locked(void) {
	struct visit visit = {NULL, errno, 0};
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &visit.cancel);
	visit.process = spanring__process_lock();
	return visit;
}

static void leave(struct visit *visit) {
	if (visit->process)
		spanring__process_unlock(visit->process);
	(void)pthread_setcancelstate(visit->cancel, NULL);
	errno = visit->saved_errno;
}

static bool is_testing(const struct spanring__process *process) {
	return process->testing && process->header;
}

static struct visit enter(void) {
	struct visit visit = enter_locked();
	struct spanring__process *process = visit.process;
	if (!process)
		return visit;
	if (process->stage == SPANRING__STAGE_NEW && spanring__testing_wanted())
		(void)spanring__process_attach(process);
	if (!is_testing(process)) {
		spanring__process_unlock(process);
		visit.process = NULL;
	}
	return visit;
}

static struct visit enter_and_collect(void) {
	struct visit visit = enter();
	if (visit.process)
		spanring__testing_collect(visit.process);
	return visit;
}

/* --- life cycle --------------------------------------------------------------------------------------------------- */

static int start(struct spanring__process *process) {
	uint32_t before = start_wanted;
	__atomic_store_n(&start_wanted, 1, __ATOMIC_RELAXED);
	int rc = spanring__process_attach(process);
	if (rc == 0 && !is_testing(process))
		rc = -EBUSY;
	if (rc < 0)
		__atomic_store_n(&start_wanted, before, __ATOMIC_RELAXED);
	return rc;
}

int spanring_testing_start(void) {
	struct visit visit = enter_locked();
	int rc = visit.process ? start(visit.process) : -ENOMEM;
	leave(&visit);
	return rc;
}

bool spanring_testing_active(void) {
	struct visit visit = enter();
	bool is_active = visit.process != NULL;
	leave(&visit);
	return is_active;
}

static bool is_open_elsewhere(const struct spanring__process *process, const struct spanring__thread *self) {
	for (uint32_t i = 0; i < process->thread_count; i++) {
		const struct spanring__thread *thread = process->threads[i];
		if (thread != self && (ring_order_begun_open_read(thread->header) & SPANRING_OPEN_MASK) != 0)
			return true;
	}
	return false;
}

/* Threads that hold a ring go on with it: this one first, the others in the order of their rings. */
static void seed_all(struct spanring__process *process, struct spanring__thread *self) {
	if (self)
		spanring__testing_seed(process->testing, &self->ids);
	for (uint32_t i = 0; i < process->thread_count; i++) {
		struct spanring__thread *thread = process->threads[i];
		if (thread != self && ring_order_state_read(&thread->header->state) == SPANRING_RING_ACTIVE)
			spanring__testing_seed(process->testing, &thread->ids);
	}
}

static int reset(struct spanring__process *process) {
	struct spanring__thread *self = ring_writer_self();
	if (is_open_elsewhere(process, self) || spanring__async_table_count(&process->async) > 0)
		return -EBUSY;
	if (self)
		spanring__thread_end_all(self, spanring__ticks_quiet(self->clock_kind));
	spanring__testing_collect(process);
	forget(process->testing);
	seed_all(process, self);
	spanring__testing_clock_begin(SPANRING_TESTING_STEP_NS);
	return 0;
}

static uint64_t writer_losses(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters.dropped_full + counters.dropped_depth + counters.dropped_no_ring + counters.dropped_attributes +
	       counters.dropped_events + counters.dropped_links;
}

int spanring_testing_reset(void) {
	struct visit visit = enter();
	int rc = visit.process ? reset(visit.process) : -ENODEV;
	leave(&visit);
	if (rc < 0)
		return rc;
	uint64_t losses = writer_losses();
	visit = enter();
	if (visit.process)
		visit.process->testing->lost_before = losses;
	leave(&visit);
	return 0;
}

uint64_t spanring_testing_lost(void) {
	uint64_t lost = 0;
	uint64_t losses = writer_losses();
	struct visit visit = enter_and_collect();
	if (visit.process)
		lost = visit.process->testing->lost + losses - visit.process->testing->lost_before;
	leave(&visit);
	return lost;
}

/* --- clock -------------------------------------------------------------------------------------------------------- */

int spanring_testing_clock_set(uint64_t ns) {
	if (!spanring_testing_active())
		return -ENODEV;
	return spanring__testing_clock_put(ns) ? 0 : -EINVAL;
}

int spanring_testing_clock_advance(uint64_t ns) {
	if (!spanring_testing_active())
		return -ENODEV;
	return spanring__testing_clock_add(ns) ? 0 : -EINVAL;
}

int spanring_testing_clock_step(uint64_t step_ns) {
	if (!spanring_testing_active())
		return -ENODEV;
	spanring__testing_clock_step_put(step_ns);
	return 0;
}

uint64_t spanring_testing_clock_now(void) {
	return spanring_testing_active() ? spanring__testing_clock_peek() : 0;
}

/* --- what is recorded --------------------------------------------------------------------------------------------- */

/* The public part comes first in an item. */
static const struct testing_item *item_of(const struct spanring_testing_span *span) {
	return (const void *)span;
}

static const struct spanring_testing_span *span_of(const struct testing_item *item) {
	return item ? &item->span : NULL;
}

uint64_t spanring_testing_count(void) {
	struct visit visit = enter_and_collect();
	uint64_t count = visit.process ? visit.process->testing->count : 0;
	leave(&visit);
	return count;
}

const struct spanring_testing_span *spanring_testing_next(const struct spanring_testing_span *after) {
	const struct testing_item *item = NULL;
	struct visit visit = enter_and_collect();
	if (visit.process)
		item = after ? item_of(after)->next : visit.process->testing->first;
	leave(&visit);
	return span_of(item);
}

const struct spanring_testing_span *spanring_testing_next_named(const struct spanring_testing_span *after,
                                                                const char *name) {
	const struct testing_item *item = NULL;
	struct visit visit = enter_and_collect();
	if (visit.process)
		item = after ? item_of(after)->next : visit.process->testing->first;
	while (item && strcmp(item->span.name, name) != 0)
		item = item->next;
	leave(&visit);
	return span_of(item);
}

const struct spanring_testing_span *spanring_testing_next_open(const struct spanring_testing_span *after) {
	const struct testing_item *item = NULL;
	struct visit visit = enter_and_collect();
	if (visit.process && !after)
		spanring__testing_collect_open(visit.process);
	if (visit.process)
		item = after ? item_of(after)->open_next : visit.process->testing->open_first;
	leave(&visit);
	return span_of(item);
}

const struct spanring_testing_span *spanring_testing_span_of(uint64_t span_id) {
	const struct testing_item *item = NULL;
	struct visit visit = enter_and_collect();
	if (visit.process && span_id != 0)
		item = spanring__testing_item(visit.process->testing, span_id, false);
	if (item && !item->has_ended && !item->span.is_open)
		item = NULL;
	leave(&visit);
	return span_of(item);
}

const struct spanring_testing_attribute *
spanring_testing_attribute_of(const struct spanring_testing_attribute *attributes, const char *key) {
	const struct spanring_testing_attribute *found = NULL;
	for (; attributes; attributes = attributes->next)
		if (strcmp(attributes->key, key) == 0)
			found = attributes;
	return found;
}

const struct spanring_testing_event *spanring_testing_event_of(const struct spanring_testing_span *span,
                                                               const char *name) {
	const struct spanring_testing_event *event = span->events;
	while (event && strcmp(event->name, name) != 0)
		event = event->next;
	return event;
}

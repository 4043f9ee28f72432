/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_view.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"
#include "libshm/async_reader.h"
#include "libshm/clock_model.h"
#include "libshm/ring_stack.h"

#include <spanring/spanring.h>

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

#define CHUNK_RECORDS 256u
/* A living writer may be at work that far behind its head: one publication, one group, and what it did meanwhile. */
#define MARGIN_RECORDS 512u
/* The agent moves the tail while we look; then the head seems too far ahead, and a fresh look is needed. */
#define OPEN_TRIES 4u
#define NAMES_MAX 8192u

struct loading {
	struct ring_view *view;
	int directory_fd;
	struct process_reader process;
	struct clock_model clock;
	uint64_t now_ns;
	uint64_t wall_offset_ns;
	uint32_t last;
};

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

/* --- texts and times --------------------------------------------------------------------------------------------- */

static int set_up_clock(struct loading *loading) {
	const struct process_reader_identity *identity = loading->view->identity;
	uint8_t boot_id[16];
	struct clock_model_pair now;
	if (clock_boot_id(boot_id) == 0 && memcmp(boot_id, identity->boot_id, sizeof(boot_id)) != 0)
		return -ESTALE;
	loading->now_ns = clock_monotonic_ns();
	loading->wall_offset_ns = clock_wall_ns() - loading->now_ns;
	if (identity->clock_kind == SPANRING_CLOCK_MONOTONIC)
		return 0;
	if (clock_model_pair_read(identity->clock_kind, &now) < 0)
		return ERR_DAMAGED;
	struct clock_model_pair anchor = {.ticks = identity->anchor_ticks, .ns = identity->anchor_monotonic_ns};
	clock_model_init(&loading->clock, anchor, now);
	return 0;
}

static uint64_t to_ns(const struct loading *loading, uint64_t ticks) {
	if (loading->view->identity->clock_kind == SPANRING_CLOCK_MONOTONIC)
		return ticks > INT64_MAX ? INT64_MAX : ticks;
	return clock_model_ns(&loading->clock, ticks);
}

/* "" when the process's tables do not say. */
static void site_name(struct loading *loading, uint32_t site, char ret_name[SPANRING_NAME_BYTES_MAX + 1]) {
	struct spanring_site_entry entry;
	size_t bytes;
	int rc = process_reader_site(&loading->process, site, &entry);
	if (rc == 0)
		rc = process_reader_string(&loading->process, entry.name, ret_name, &bytes);
	if (rc < 0)
		ret_name[0] = '\0';
}

static void fill_bits(struct ring_view_span *span, uint8_t bits) {
	span->kind = bits & SPANRING_BITS_KIND_MASK;
	span->status = (uint8_t)(bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
	span->unfinished = (bits & SPANRING_BITS_UNFINISHED) != 0;
}

static void fill_finished(struct loading *loading, const struct spanring_span_record *record,
                          struct ring_view_span *span) {
	*span = (struct ring_view_span){.trace_hi = record->trace_hi,
	                                .trace_lo = record->trace_lo,
	                                .span_id = record->span_id,
	                                .parent_id = record->parent_id};
	uint64_t start_ns = to_ns(loading, record->start_ticks);
	uint64_t end_ns = to_ns(loading, saturating_add(record->start_ticks, record->duration_ticks));
	span->start_wall_ns = start_ns + loading->wall_offset_ns;
	span->duration_ns = end_ns > start_ns ? end_ns - start_ns : 0;
	fill_bits(span, record->tail.bits);
	site_name(loading, record->tail.ref, span->name);
}

static void fill_open(struct loading *loading, const struct spanring_open_span *entry, struct ring_view_span *span) {
	*span = (struct ring_view_span){.trace_hi = entry->trace_hi,
	                                .trace_lo = entry->trace_lo,
	                                .span_id = entry->span_id,
	                                .parent_id = entry->parent_id};
	uint64_t start_ns = to_ns(loading, entry->start_ticks);
	span->start_wall_ns = start_ns + loading->wall_offset_ns;
	span->duration_ns = loading->now_ns > start_ns ? loading->now_ns - start_ns : 0;
	fill_bits(span, entry->tail.bits);
	site_name(loading, entry->tail.ref, span->name);
}

/* --- one ring ---------------------------------------------------------------------------------------------------- */

/* A THREAD record: what came after it, and is nobody's yet, is that thread's. */
static void meet_thread(struct ring_view_ring *ring, const struct spanring_thread_record *record, uint32_t *owned) {
	if (*owned == UINT32_MAX) {
		memcpy(ring->thread, record->name, sizeof(ring->thread) - 1);
		ring->thread[sizeof(ring->thread) - 1] = '\0';
		*owned = 0;
	}
	for (; *owned < ring->finished_count; (*owned)++)
		ring->finished[*owned].tid = record->tid;
}

/* Looks at copies of records [from, from + count) from the last one on. */
static void take_chunk(struct loading *loading, struct ring_view_ring *ring, const struct ring_reader *reader,
                       uint64_t from, uint32_t count, const union spanring_record *records, uint32_t *owned) {
	for (uint32_t i = count; i > 0; i--) {
		const union spanring_record *record = &records[i - 1];
		if (record->span.tail.lap != spanring_lap_tag((from + i - 1) / reader->capacity))
			continue;
		if (record->span.tail.type == SPANRING_RECORD_THREAD)
			meet_thread(ring, &record->thread, owned);
		else if (record->span.tail.type == SPANRING_RECORD_SPAN && record->span.span_id != 0 &&
		         ring->finished_count < loading->last)
			fill_finished(loading, &record->span, &ring->finished[ring->finished_count++]);
	}
}

/* First position that a living writer cannot have begun to write over. */
static uint64_t oldest_of(const struct ring_reader *reader, uint64_t end, bool living) {
	uint64_t reach = living ? end + MARGIN_RECORDS : end;
	uint64_t oldest = reach > reader->capacity ? reach - reader->capacity : 0;
	return end > RING_VIEW_RECORDS_MAX && oldest < end - RING_VIEW_RECORDS_MAX ? end - RING_VIEW_RECORDS_MAX
	                                                                           : oldest;
}

static int take_finished(struct loading *loading, struct ring_view_ring *ring, struct ring_reader *reader, uint64_t end,
                         bool living) {
	union spanring_record records[CHUNK_RECORDS];
	uint32_t owned = UINT32_MAX; /* spans whose thread is known; MAX: no THREAD record was met */
	uint64_t oldest = oldest_of(reader, end, living);
	while (end > oldest &&
	       (ring->finished_count < loading->last || owned == UINT32_MAX || owned < ring->finished_count)) {
		uint32_t count = end - oldest < CHUNK_RECORDS ? (uint32_t)(end - oldest) : CHUNK_RECORDS;
		uint64_t head = 0;
		uint64_t wanted;
		int rc = ring_reader_read(reader, end - count, count, records);
		if (rc < 0)
			return rc;
		if (living) {
			/* What was overwritten while it was copied is not looked at. */
			if (ring_reader_head(reader, &head, &wanted) < 0)
				return 0;
			uint64_t safe = oldest_of(reader, head, true);
			oldest = safe > oldest ? safe : oldest;
			if (end - count < oldest)
				return 0;
		}
		take_chunk(loading, ring, reader, end - count, count, records, &owned);
		end -= count;
	}
	/* No thread left its name: all there is belongs to the one that holds the ring, or last did. */
	for (uint32_t i = 0; owned == UINT32_MAX && oldest == 0 && i < ring->finished_count; i++)
		ring->finished[i].tid = ring->tid;
	return 0;
}

/* The position behind the newest record: the head, or what lap tags prove behind it. */
static int find_end(const struct loading *loading, const struct ring_reader *reader, uint64_t head, bool living,
                    uint64_t *ret_end) {
	union spanring_record records[CHUNK_RECORDS];
	uint32_t count = CHUNK_RECORDS;
	uint64_t end = head;
	int rc = 0;
	bool provable = !living || (loading->view->identity->flags & SPANRING_PROCESS_HAS_MEMBARRIER);
	while (provable && rc == 0 && count == CHUNK_RECORDS && end - head < reader->capacity) {
		rc = ring_reader_behind(reader, end, CHUNK_RECORDS, living, records, &count);
		if (rc == 0)
			end += count;
		if (living)
			break;
	}
	*ret_end = end;
	return rc;
}

static int take_open(struct loading *loading, struct ring_view_ring *ring, const struct ring_reader *reader,
                     uint64_t end, bool living) {
	struct ring_stack stack;
	int rc = ring_stack_read(reader, living, end, &stack);
	ring->open_moving = rc == -EAGAIN;
	if (rc < 0)
		return rc == -EAGAIN ? 0 : rc;
	ring->refused = stack.refused;
	ring->unsampled = stack.unsampled;
	/* The books were read before the stack of a living thread: it may have attached or detached in between. */
	ring->contexts = stack.contexts;
	ring->begun -= stack.contexts < ring->open ? stack.contexts : ring->open;
	ring->open -= stack.contexts < ring->open ? stack.contexts : ring->open;
	if (stack.count == 0)
		return 0;
	ring->open_spans = calloc(stack.count, sizeof(*ring->open_spans));
	if (!ring->open_spans)
		return -ENOMEM;
	ring->open_count = stack.count;
	for (uint32_t i = 0; i < stack.count; i++)
		fill_open(loading, &stack.spans[i], &ring->open_spans[i]);
	return 0;
}

static int open_and_look(const struct loading *loading, const char *name, uint32_t index, struct ring_reader *reader,
                         struct ring_reader_look *look) {
	struct ring_reader_expect expect = {.ring_index = index, .uid = loading->process.uid, .read_only = true};
	memcpy(expect.instance, loading->view->instance, sizeof(expect.instance));
	int rc = ERR_DAMAGED;
	for (uint32_t i = 0; i < OPEN_TRIES && rc == ERR_DAMAGED; i++) {
		rc = ring_reader_open(loading->directory_fd, name, &expect, reader);
		if (rc < 0)
			continue;
		rc = ring_reader_look(reader, look);
		if (rc < 0)
			ring_reader_close(reader);
	}
	return rc;
}

static int load_ring(struct loading *loading, const char *name, struct ring_view_ring *ring) {
	struct ring_reader reader;
	struct ring_reader_look look;
	uint64_t end;
	int rc = open_and_look(loading, name, ring->index, &reader, &look);
	if (rc < 0)
		return rc;
	ring->tid = look.tid;
	ring->life = ring_reader_life(&look);
	ring->begun = look.begun;
	ring->open = look.open;
	ring->dropped = saturating_add(look.dropped_full, look.dropped_depth);
	ring->sampled_out = saturating_add(look.sampled_out, look.sampled_out_short);
	bool living = ring->life == RING_READER_LIVE || ring->life == RING_READER_UNSETTLED;
	if (loading->last > 0)
		ring->finished = calloc(loading->last, sizeof(*ring->finished));
	if (loading->last > 0 && !ring->finished)
		rc = -ENOMEM;
	if (rc == 0)
		rc = find_end(loading, &reader, look.head, living, &end);
	if (rc == 0)
		rc = take_finished(loading, ring, &reader, end, living);
	if (rc == 0)
		rc = take_open(loading, ring, &reader, end, living);
	ring_reader_close(&reader);
	return rc;
}

/* --- async spans ------------------------------------------------------------------------------------------------- */

static int by_start(const void *a, const void *b) {
	const struct ring_view_span *left = a;
	const struct ring_view_span *right = b;
	if (left->start_wall_ns != right->start_wall_ns)
		return left->start_wall_ns < right->start_wall_ns ? -1 : 1;
	return left->span_id < right->span_id ? -1 : left->span_id > right->span_id;
}

/* Those that were cut off while they ended are shown: their rings may show them as finished, too. */
static int take_async(struct loading *loading, const struct async_reader *reader) {
	struct ring_view *view = loading->view;
	struct spanring_async_slot slots[CHUNK_RECORDS];
	int rc = 0;
	view->async_spans = calloc(RING_VIEW_ASYNC_MAX, sizeof(*view->async_spans));
	if (!view->async_spans)
		return -ENOMEM;
	for (uint32_t first = 0; rc == 0 && first < reader->slot_count; first += CHUNK_RECORDS) {
		uint32_t left = reader->slot_count - first;
		uint32_t count = left < CHUNK_RECORDS ? left : CHUNK_RECORDS;
		rc = async_reader_copy(reader, first, count, slots);
		for (uint32_t i = 0; rc == 0 && i < count; i++) {
			if (slots[i].state == SPANRING_ASYNC_FREE)
				continue;
			view->async_open++;
			if (!async_reader_is_sound(&slots[i].span) || view->async_count == RING_VIEW_ASYNC_MAX)
				continue;
			struct ring_view_span *span = &view->async_spans[view->async_count++];
			fill_open(loading, &slots[i].span, span);
			span->tid = slots[i].begin_tid;
		}
	}
	qsort(view->async_spans, view->async_count, sizeof(*view->async_spans), by_start);
	return rc;
}

static int load_async(struct loading *loading) {
	struct ring_view *view = loading->view;
	struct async_reader reader;
	int rc = async_reader_open(loading->directory_fd, view->instance, loading->process.uid, &reader);
	if (rc < 0) {
		view->async_error = rc == -ENOENT ? 0 : rc;
		return 0;
	}
	rc = take_async(loading, &reader);
	async_reader_close(&reader);
	if (rc == -ENOMEM)
		return rc;
	view->async_error = rc;
	return 0;
}

/* --- a process --------------------------------------------------------------------------------------------------- */

static int by_index(const void *a, const void *b) {
	uint32_t left = ((const struct ring_view_ring *)a)->index;
	uint32_t right = ((const struct ring_view_ring *)b)->index;
	return left < right ? -1 : left > right;
}

static int load_rings(struct loading *loading) {
	struct ring_view *view = loading->view;
	int fd = openat(loading->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory) {
		int rc = -errno;
		if (fd >= 0)
			(void)close(fd);
		return rc;
	}
	view->rings = calloc(SPANRING_RINGS_MAX, sizeof(*view->rings));
	if (!view->rings)
		return -ENOMEM;
	const struct dirent *entry;
	for (uint32_t i = 0; i < NAMES_MAX && view->ring_count < SPANRING_RINGS_MAX && (entry = readdir(directory));
	     i++) {
		struct ring_view_ring *ring = &view->rings[view->ring_count];
		if (!ring_reader_index(entry->d_name, &ring->index))
			continue;
		ring->error = load_ring(loading, entry->d_name, ring);
		if (ring->error == -ENOMEM)
			return -ENOMEM;
		view->ring_count++;
	}
	if (view->ring_count > 0)
		qsort(view->rings, view->ring_count, sizeof(*view->rings), by_index);
	return 0;
}

static enum ring_view_state find_state(struct loading *loading) {
	const struct ring_view *view = loading->view;
	struct process_reader_counters counters;
	for (uint32_t i = 0; i < view->ring_count; i++)
		if (view->rings[i].error == 0 && view->rings[i].life == RING_READER_LIVE)
			return RING_VIEW_RUNNING;
	if (process_reader_counters(&loading->process, &counters) == 0 && counters.state == SPANRING_PROCESS_EXITED)
		return RING_VIEW_EXITED;
	int mapped = process_reader_mapped(&loading->process);
	if (mapped < 0)
		return RING_VIEW_UNKNOWN;
	return mapped ? RING_VIEW_RUNNING : RING_VIEW_DIED;
}

static int load(struct loading *loading) {
	struct ring_view *view = loading->view;
	view->identity = calloc(1, sizeof(*view->identity));
	if (!view->identity)
		return -ENOMEM;
	int rc = process_reader_open(loading->directory_fd, view->instance, &loading->process, view->identity);
	if (rc < 0)
		return rc;
	view->uid = (uint32_t)loading->process.uid;
	rc = set_up_clock(loading);
	if (rc == 0)
		rc = load_rings(loading);
	if (rc == 0)
		rc = load_async(loading);
	if (rc == 0)
		view->state = find_state(loading);
	process_reader_close(&loading->process);
	return rc;
}

int ring_view_load(int rings_fd, const char *name, uint32_t last, struct ring_view *ret_view) {
	struct ring_view view = {.state = RING_VIEW_UNKNOWN};
	struct loading loading = {.view = &view, .last = last};
	if (strlen(name) != (size_t)2 * SPANRING_INSTANCE_BYTES ||
	    !text_hex_decode(name, view.instance, SPANRING_INSTANCE_BYTES))
		return ERR_FOREIGN;
	CLEANUP_FD int fd = openat(rings_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? ERR_FOREIGN : -errno;
	loading.directory_fd = fd;
	int rc = load(&loading);
	if (rc < 0) {
		ring_view_done(&view);
		return rc;
	}
	*ret_view = view;
	return 0;
}

void ring_view_done(struct ring_view *view) {
	for (uint32_t i = 0; i < view->ring_count; i++) {
		free(view->rings[i].finished);
		free(view->rings[i].open_spans);
	}
	free(view->rings);
	free(view->async_spans);
	free(view->identity);
	memset(view, 0, sizeof(*view));
}

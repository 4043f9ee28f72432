/* SPDX-License-Identifier: Apache-2.0 */
#include "child_pending.h"

#include "base/errs.h"

#include <string.h>

#define ROOM_FIRST 1024u

struct entry {
	struct child_waiting waiting; /* batch 0: it waits no longer */
	uint32_t next;                /* of those with the same head, + 1 */
};

struct child_pending {
	uint64_t seed;
	struct entry *entries; /* in order of batches */
	uint32_t count;
	uint32_t room;
	uint32_t *heads; /* + 1, as many as room */
	uint64_t from;
};

int child_pending_new(uint64_t seed, struct child_pending **ret_pending) {
	struct child_pending *pending = calloc(1, sizeof(*pending));
	if (!pending)
		return -ENOMEM;
	pending->seed = seed;
	pending->from = 1;
	*ret_pending = pending;
	return 0;
}

void child_pending_free(struct child_pending *pending) {
	if (!pending)
		return;
	free(pending->entries);
	free(pending->heads);
	free(pending);
}

void child_pending_clear(struct child_pending *pending) {
	if (pending->count)
		memset(pending->heads, 0, pending->room * sizeof(*pending->heads));
	pending->count = 0;
	pending->from = 1;
}

uint64_t child_pending_from(const struct child_pending *pending) {
	return pending->from;
}

static uint32_t *head_of(const struct child_pending *pending, uint64_t trace_lo) {
	uint64_t hash = (trace_lo ^ pending->seed) * UINT64_C(0x9e3779b97f4a7c15);
	return &pending->heads[(hash ^ hash >> 32) & (pending->room - 1)];
}

static void link_entry(struct child_pending *pending, uint32_t i) {
	struct entry *entry = &pending->entries[i];
	uint32_t *head = head_of(pending, entry->waiting.trace_lo);
	entry->next = *head;
	*head = i + 1;
}

/* Only those of batches from `from` on that still wait. */
static void pack(struct child_pending *pending, uint64_t from) {
	uint32_t kept = 0;
	for (uint32_t i = 0; i < pending->count; i++)
		if (pending->entries[i].waiting.batch >= from)
			pending->entries[kept++] = pending->entries[i];
	pending->count = kept;
	memset(pending->heads, 0, pending->room * sizeof(*pending->heads));
	for (uint32_t i = 0; i < kept; i++)
		link_entry(pending, i);
}

static int grow(struct child_pending *pending) {
	uint32_t room = pending->room ? pending->room * 2 : ROOM_FIRST;
	struct entry *entries = reallocarray(pending->entries, room, sizeof(*entries));
	if (!entries)
		return -ENOMEM;
	pending->entries = entries;
	uint32_t *heads = malloc(room * sizeof(*heads));
	if (!heads)
		return -ENOMEM;
	free(pending->heads);
	pending->heads = heads;
	pending->room = room;
	pack(pending, 1);
	return 0;
}

/* At least a quarter is free after this. What goes first are those that wait no longer, then the oldest. */
static int make_room(struct child_pending *pending) {
	if (pending->count)
		pack(pending, 1);
	if (pending->room < CHILD_PENDING_MAX && pending->count >= pending->room / 2)
		return grow(pending);
	if (pending->count > pending->room / 4 * 3) {
		pending->from = (uint64_t)pending->entries[pending->count / 2].waiting.batch + 1;
		pack(pending, pending->from);
	}
	return 0;
}

int child_pending_add(struct child_pending *pending, const struct child_waiting *waiting) {
	int error = pending->count == pending->room ? make_room(pending) : 0;
	/* A single batch that fills it was forgotten, too. */
	if (error || waiting->batch < pending->from)
		return error;
	pending->entries[pending->count] = (struct entry){.waiting = *waiting};
	link_entry(pending, pending->count++);
	return 0;
}

void child_pending_prefetch(const struct child_pending *pending, uint64_t trace_lo, bool entries) {
	if (!pending->count)
		return;
	const uint32_t *head = head_of(pending, trace_lo);
	if (!entries) {
		__builtin_prefetch(head);
	} else if (*head) {
		/* Those of one trace and batch are neighbours, the last one first. */
		__builtin_prefetch(&pending->entries[*head - 1]);
		__builtin_prefetch(&pending->entries[*head - 1].next);
		__builtin_prefetch(&pending->entries[*head >= 2 ? *head - 2 : 0]);
	}
}

uint32_t child_pending_next(const struct child_pending *pending, uint64_t trace_lo, uint32_t after) {
	uint32_t at = 0;
	if (pending->count)
		at = after ? pending->entries[after - 1].next : *head_of(pending, trace_lo);
	for (; at; at = pending->entries[at - 1].next) {
		const struct child_waiting *waiting = &pending->entries[at - 1].waiting;
		if (waiting->trace_lo == trace_lo && waiting->batch)
			return at;
	}
	return 0;
}

const struct child_waiting *child_pending_at(const struct child_pending *pending, uint32_t number) {
	return &pending->entries[number - 1].waiting;
}

void child_pending_remove(struct child_pending *pending, uint32_t number) {
	pending->entries[number - 1].waiting.batch = 0;
}

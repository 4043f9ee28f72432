/* SPDX-License-Identifier: Apache-2.0 */
#include "roster.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>

int roster_init(struct roster *roster) {
	*roster = (struct roster){0};
	roster->producers = calloc(ROSTER_PRODUCERS_MAX, sizeof(struct producer *));
	roster->feeds = calloc(ROSTER_RINGS_MAX, sizeof(struct feed *));
	return roster->producers && roster->feeds ? 0 : -ENOMEM;
}

void roster_done(struct roster *roster) {
	for (uint32_t i = 0; i < roster->producer_count; i++)
		producer_free(roster->producers[i]);
	free(roster->producers);
	free(roster->feeds);
	free(roster->resumes);
	*roster = (struct roster){0};
}

struct producer *roster_find(const struct roster *roster, const char *name) {
	for (uint32_t i = 0; i < roster->producer_count; i++)
		if (strcmp(roster->producers[i]->name, name) == 0)
			return roster->producers[i];
	return NULL;
}

struct producer *roster_find_watch(const struct roster *roster, int watch) {
	for (uint32_t i = 0; i < roster->producer_count; i++)
		if (roster->producers[i]->watch == watch)
			return roster->producers[i];
	return NULL;
}

int roster_add_producer(struct roster *roster, struct producer *producer) {
	if (roster->producer_count == ROSTER_PRODUCERS_MAX)
		return ERR_LIMIT;
	roster->producers[roster->producer_count++] = producer;
	roster->has_new = true;
	totals_enter(&roster->totals, producer);
	return 0;
}

int roster_add_feed(struct roster *roster, struct producer *producer, struct feed *feed) {
	if (roster->feed_count == ROSTER_RINGS_MAX || producer->feed_count == SPANRING_RINGS_MAX)
		return ERR_LIMIT;
	struct feed **grown = realloc(producer->feeds, (producer->feed_count + 1) * sizeof(struct feed *));
	if (!grown)
		return -ENOMEM;
	producer->feeds = grown;
	producer->feeds[producer->feed_count++] = feed;
	roster->feeds[roster->feed_count++] = feed;
	return 0;
}

void roster_remove_producer(struct roster *roster, struct producer *producer) {
	uint32_t kept = 0;
	totals_leave(&roster->totals, producer);
	for (uint32_t i = 0; i < roster->feed_count; i++)
		if (roster->feeds[i]->producer != producer)
			roster->feeds[kept++] = roster->feeds[i];
	roster->feed_count = kept;
	for (uint32_t i = 0; i < roster->producer_count; i++)
		if (roster->producers[i] == producer) {
			roster->producers[i] = roster->producers[--roster->producer_count];
			break;
		}
	producer_free(producer);
}

static int compare_cursors(const void *left, const void *right) {
	const struct store_cursor *a = left;
	const struct store_cursor *b = right;
	int order = memcmp(a->instance, b->instance, sizeof(a->instance));
	if (order == 0)
		order = a->ring_index < b->ring_index ? -1 : a->ring_index > b->ring_index;
	return order;
}

static bool instance_is_there(int rings_fd, const uint8_t *instance) {
	char name[PRODUCER_NAME_BYTES];
	text_hex_encode(instance, SPANRING_INSTANCE_BYTES, name);
	return faccessat(rings_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

int roster_keep_resumes(struct roster *roster, int rings_fd, const struct store_cursor *cursors, size_t count) {
	size_t room = 0;
	for (size_t i = 0; i < count; i++) {
		if (!instance_is_there(rings_fd, cursors[i].instance))
			continue;
		if (roster->resume_count == room) {
			room = room ? room * 2 : 64;
			struct store_cursor *grown = realloc(roster->resumes, room * sizeof(*grown));
			if (!grown)
				return -ENOMEM;
			roster->resumes = grown;
		}
		roster->resumes[roster->resume_count++] = cursors[i];
	}
	if (roster->resume_count > 0)
		qsort(roster->resumes, roster->resume_count, sizeof(*roster->resumes), compare_cursors);
	return 0;
}

const struct store_cursor *roster_resume(const struct roster *roster, const uint8_t *instance, uint32_t ring_index) {
	struct store_cursor key = {.ring_index = ring_index};
	memcpy(key.instance, instance, sizeof(key.instance));
	if (roster->resume_count == 0)
		return NULL;
	return bsearch(&key, roster->resumes, roster->resume_count, sizeof(key), compare_cursors);
}

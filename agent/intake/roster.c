/* SPDX-License-Identifier: Apache-2.0 */
#include "roster.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"

#include <fcntl.h>
#include <string.h>

int roster_init(struct roster *roster) {
	*roster = (struct roster){0};
	int rc = users_init(&roster->users, &(struct users_quota){0});
	roster->producers = calloc(ROSTER_PRODUCERS_MAX, sizeof(struct producer *));
	roster->feeds = calloc(ROSTER_RINGS_MAX, sizeof(struct feed *));
	return roster->producers && roster->feeds ? rc : -ENOMEM;
}

void roster_done(struct roster *roster) {
	for (uint32_t i = 0; i < roster->producer_count; i++)
		producer_free(roster->producers[i]);
	free(roster->producers);
	free(roster->feeds);
	free(roster->resumes);
	users_done(&roster->users);
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
	int rc = 0;
	/* Where nobody said whose programs these are, they are all of one. */
	if (!producer->user && roster->users.count == 0)
		rc = users_add(&roster->users, (uint32_t)producer->reader.uid, FD_NONE, &producer->user);
	else if (!producer->user)
		producer->user = roster->users.items[0];
	if (rc < 0)
		return rc;
	producer->user->programs++;
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
	int rc = users_add_feed(producer->user, feed, feed_bytes(feed));
	if (rc < 0)
		return rc;
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
	for (uint32_t i = 0; i < producer->feed_count; i++)
		users_remove_feed(producer->user, producer->feeds[i], feed_bytes(producer->feeds[i]));
	producer->user->programs--;
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

static bool instance_is_there(const struct users *users, const uint8_t *instance) {
	char name[PRODUCER_NAME_BYTES];
	text_hex_encode(instance, SPANRING_INSTANCE_BYTES, name);
	for (uint32_t i = 0; i < users->count; i++)
		if (faccessat(users->items[i]->directory_fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return true;
	return false;
}

int roster_keep_resumes(struct roster *roster, const struct store_cursor *cursors, size_t count) {
	size_t room = 0;
	bool there = false;
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || memcmp(cursors[i].instance, cursors[i - 1].instance, sizeof(cursors[i].instance)) != 0)
			there = instance_is_there(&roster->users, cursors[i].instance);
		if (!there)
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

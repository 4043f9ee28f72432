/* SPDX-License-Identifier: Apache-2.0 */
#include "users.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#define FEEDS_STEP 16u

int users_init(struct users *users, const struct users_quota *quota) {
	*users = (struct users){.quota = *quota, .items = calloc(USERS_MAX, sizeof(struct user *))};
	return users->items ? 0 : -ENOMEM;
}

void users_done(struct users *users) {
	for (uint32_t i = 0; i < users->count; i++) {
		if (users->items[i]->directory_fd >= 0)
			(void)close(users->items[i]->directory_fd);
		free(users->items[i]->feeds);
		free(users->items[i]);
	}
	free(users->items);
	*users = (struct users){0};
}

struct user *users_find(const struct users *users, uint32_t uid) {
	for (uint32_t i = 0; i < users->count; i++)
		if (users->items[i]->uid == uid)
			return users->items[i];
	return NULL;
}

struct user *users_find_watch(const struct users *users, int watch) {
	for (uint32_t i = 0; i < users->count; i++)
		if (users->items[i]->watch == watch)
			return users->items[i];
	return NULL;
}

int users_add(struct users *users, uint32_t uid, int directory_fd, struct user **ret_user) {
	CLEANUP_FD int fd = directory_fd;
	if (users->count == USERS_MAX)
		return ERR_LIMIT;
	struct user *user = calloc(1, sizeof(*user));
	if (!user)
		return -ENOMEM;
	*user = (struct user){.uid = uid, .watch = -1, .tokens = users->quota.records_per_second};
	user->directory_fd = take_fd(&fd);
	users->items[users->count++] = user;
	*ret_user = user;
	return 0;
}

bool users_program_fits(const struct users *users, const struct user *user) {
	return users->quota.programs == 0 || user->programs < users->quota.programs;
}

bool users_ring_fits(const struct users *users, const struct user *user, uint64_t bytes) {
	const struct users_quota *quota = &users->quota;
	return (quota->rings == 0 || user->rings < quota->rings) &&
	       (quota->bytes == 0 || (user->ring_bytes <= quota->bytes && bytes <= quota->bytes - user->ring_bytes));
}

int users_add_feed(struct user *user, struct feed *feed, uint64_t bytes) {
	if (user->feed_count == user->feed_room) {
		uint32_t room = user->feed_room ? user->feed_room * 2 : FEEDS_STEP;
		struct feed **grown = realloc(user->feeds, room * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		user->feeds = grown;
		user->feed_room = room;
	}
	user->feeds[user->feed_count++] = feed;
	user->rings++;
	user->ring_bytes += bytes;
	return 0;
}

void users_remove_feed(struct user *user, const struct feed *feed, uint64_t bytes) {
	for (uint32_t i = 0; i < user->feed_count; i++)
		if (user->feeds[i] == feed) {
			user->feeds[i] = user->feeds[--user->feed_count];
			user->rings--;
			user->ring_bytes -= bytes;
			return;
		}
}

static void fill(const struct users *users, struct user *user, uint64_t now_ns) {
	uint64_t rate = users->quota.records_per_second;
	uint64_t passed = user->filled_ns && now_ns > user->filled_ns ? now_ns - user->filled_ns : 0;
	/* A second's worth at most: time beyond that is not saved up. */
	uint64_t more = passed >= NS_PER_S ? rate : (uint64_t)((unsigned __int128)rate * passed / NS_PER_S);
	if (user->filled_ns && more == 0)
		return; /* the time that passed counts the next time */
	user->filled_ns = now_ns;
	user->tokens = user->tokens + more > rate ? rate : user->tokens + more;
}

void users_begin_turn(struct users *users, uint64_t now_ns) {
	for (uint32_t i = 0; i < users->count; i++) {
		struct user *user = users->items[i];
		user->turn_records = 0;
		user->over_rate = false;
		if (users->quota.records_per_second)
			fill(users, user, now_ns);
	}
	users->next = users->next + 1 < users->count ? users->next + 1 : 0;
}

uint64_t users_allowance(const struct users *users, const struct user *user) {
	uint64_t allowance = UINT64_MAX;
	if (users->count > 1)
		allowance = user->turn_records < USERS_TURN_RECORDS ? USERS_TURN_RECORDS - user->turn_records : 0;
	if (users->quota.records_per_second && user->tokens < allowance)
		allowance = user->tokens;
	return allowance;
}

void users_hold_back(const struct users *users, struct user *user) {
	bool of_turn = users->count > 1 && user->turn_records >= USERS_TURN_RECORDS;
	if (users->quota.records_per_second == 0 || of_turn || user->over_rate)
		return;
	user->over_rate = true;
	user->held_back++;
}

void users_take(struct user *user, uint64_t records) {
	user->records += records;
	user->turn_records += records;
	user->tokens = user->tokens > records ? user->tokens - records : 0;
}

void users_give_back(struct user *user, uint64_t records) {
	user->records -= records;
	user->turn_records -= records;
	user->tokens += records;
}

bool users_name_fits(const struct users *users, struct user *user, uint32_t generation) {
	if (user->generation != generation) {
		user->generation = generation;
		user->names = 0;
	}
	return users->quota.names == 0 || user->names < users->quota.names;
}

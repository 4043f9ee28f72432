/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose programs these are. The agent of one user knows one; the agent of all users knows one per directory below its own, named
 * by the uid that the kernel says owns it.
 *
 * QUOTAS. Each user has a share of everything that costs the agent something, and a user over it loses only its own:
 *
 *     programs    a further one waits in its directory, unopened, until another has gone
 *     rings       a further one is not taken in; when its program ends, its books are kept as lost, reason EDQUOT
 *     bytes       the same, by the size of the rings
 *     records     a second's worth: what is more waits in the rings, and when one is full the program drops and counts; the books of such a ring
 *                 say EDQUOT
 *     names       further ones in a segment are told as the overflow entry
 *
 * FAIR TURNS. A turn goes through the users, another one first each time, and of each takes at most USERS_TURN_RECORDS: however many rings
 * one has, and however full, the others have their turn after that much.
 */
#ifndef SPANRING_AGENT_USERS_H
#define SPANRING_AGENT_USERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define USERS_MAX 4096u           /* each costs a descriptor */
#define USERS_TURN_RECORDS 65536u /* of one user in one turn, while there are others */

struct feed;

/* 0 each: none. */
struct users_quota {
	uint64_t programs;
	uint64_t rings;
	uint64_t bytes;
	uint64_t records_per_second;
	uint64_t names;
};

struct user {
	uint32_t uid;
	int directory_fd; /* where its instances are */
	int watch;        /* inotify descriptor, or -1 */
	uint32_t programs;
	uint32_t rings;
	uint64_t ring_bytes;
	uint32_t programs_waiting; /* seen at the last look and over the quota */
	uint32_t rings_waiting;
	uint64_t rings_lost; /* whose program ended before there was room */
	uint64_t records;    /* taken */
	uint64_t tokens;     /* records that may be taken now */
	uint64_t filled_ns;  /* when tokens were last added */
	uint64_t held_back;  /* turns that ended for want of tokens */
	bool over_rate;      /* in this turn */
	uint64_t turn_records;
	uint32_t names; /* new ones in the catalog of `generation` */
	uint32_t generation;
	uint64_t names_lost;
	uint32_t said; /* warnings about it, one bit each */
	struct feed **feeds;
	uint32_t feed_count;
	uint32_t feed_room;
	uint32_t next; /* feed that comes first in its next turn */
};

enum users_warning { USERS_SAID_PROGRAMS = 1, USERS_SAID_RINGS = 2, USERS_SAID_RATE = 4, USERS_SAID_NAMES = 8 };

struct users {
	struct user **items;
	uint32_t count;
	uint32_t next; /* who comes first in the next turn */
	struct users_quota quota;
};

/* 0 or -ENOMEM. */
int users_init(struct users *users, const struct users_quota *quota);
/* Closes their directories. */
void users_done(struct users *users);

/* NULL: not known. */
struct user *users_find(const struct users *users, uint32_t uid);
struct user *users_find_watch(const struct users *users, int watch);
/* Takes the descriptor, also when it fails: ERR_LIMIT, -ENOMEM. */
int users_add(struct users *users, uint32_t uid, int directory_fd, struct user **ret_user);

/* May another program, another ring of that size be taken in? */
bool users_program_fits(const struct users *users, const struct user *user);
bool users_ring_fits(const struct users *users, const struct user *user, uint64_t bytes);

/* -ENOMEM, or 0 and it counts from now on. */
int users_add_feed(struct user *user, struct feed *feed, uint64_t bytes);
void users_remove_feed(struct user *user, const struct feed *feed, uint64_t bytes);

/* A turn begins: the budgets of it. */
void users_begin_turn(struct users *users, uint64_t now_ns);
/* Records of this user that may still be taken in this turn. */
uint64_t users_allowance(const struct users *users, const struct user *user);
/* Its allowance was less than what there is to take. */
void users_hold_back(const struct users *users, struct user *user);
void users_take(struct user *user, uint64_t records);
/* Of them, so many were not taken after all. */
void users_give_back(struct user *user, uint64_t records);

/* May this user bring a new name into the catalog of this generation? */
bool users_name_fits(const struct users *users, struct user *user, uint32_t generation);

#endif

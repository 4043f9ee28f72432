/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A hash table from keys, which the caller keeps, to their ids (not 0). Linear probing, at most 70 % full, never
 * shrinks. Slots keep 32 bits of the hash, so growth needs no look at the keys. Seed the hash: keys may come from
 * strangers.
 */
#ifndef SPANRING_LIBSTORE_ID_TABLE_H
#define SPANRING_LIBSTORE_ID_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct id_slot {
	uint32_t hash;
	uint32_t id; /* 0: free */
};

struct id_table {
	struct id_slot *slots;
	uint32_t mask;
	uint32_t count;
};

/* All zero is a valid empty table. */
void id_table_done(struct id_table *table);

/* The id whose key equals the one sought, or 0. */
uint32_t id_table_find(const struct id_table *table, uint64_t hash,
                       bool (*equals)(const void *context, uint32_t id, const void *key), const void *context,
                       const void *key);

/* Make room for one more, so that the add cannot fail. 0 or -ENOMEM. */
int id_table_reserve(struct id_table *table);
void id_table_add(struct id_table *table, uint64_t hash, uint32_t id);

#endif

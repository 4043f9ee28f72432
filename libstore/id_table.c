/* SPDX-License-Identifier: Apache-2.0 */
#include "id_table.h"

#include <errno.h>
#include <stdlib.h>

#define SLOTS_FIRST 256u

void id_table_done(struct id_table *table) {
	free(table->slots);
	table->slots = NULL;
	table->mask = 0;
	table->count = 0;
}

uint32_t id_table_find(const struct id_table *table, uint64_t hash,
                       bool (*equals)(const void *context, uint32_t id, const void *key), const void *context,
                       const void *key) {
	if (!table->slots)
		return 0;
	uint32_t short_hash = (uint32_t)hash;
	for (uint32_t at = short_hash & table->mask; table->slots[at].id; at = (at + 1) & table->mask)
		if (table->slots[at].hash == short_hash && equals(context, table->slots[at].id, key))
			return table->slots[at].id;
	return 0;
}

static void put(struct id_table *table, uint32_t hash, uint32_t id) {
	uint32_t at = hash & table->mask;
	while (table->slots[at].id)
		at = (at + 1) & table->mask;
	table->slots[at].hash = hash;
	table->slots[at].id = id;
}

int id_table_reserve(struct id_table *table) {
	uint64_t slots = table->slots ? (uint64_t)table->mask + 1 : 0;
	if (((uint64_t)table->count + 1) * 10 <= slots * 7)
		return 0;
	uint64_t wanted = slots ? slots * 2 : SLOTS_FIRST;
	struct id_table grown = {calloc(wanted, sizeof(*grown.slots)), (uint32_t)(wanted - 1), table->count};
	if (!grown.slots)
		return -ENOMEM;
	for (uint64_t i = 0; i < slots; i++)
		if (table->slots[i].id)
			put(&grown, table->slots[i].hash, table->slots[i].id);
	free(table->slots);
	*table = grown;
	return 0;
}

void id_table_add(struct id_table *table, uint64_t hash, uint32_t id) {
	put(table, (uint32_t)hash, id);
	table->count++;
}

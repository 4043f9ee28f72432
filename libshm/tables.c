/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables live twice: in private memory, where the program looks names up, and in the process file, where readers find
 * them. The program never reads the file back, so nobody can mislead it. A forked child inherits the private tables
 * (copy on write) with all numbers, and copies them into its own process file: the numbers kept in static sites and keys
 * stay right in both.
 *
 * An entry is complete before its count includes it, here and in the file (pair TABLE). So a child that was forked by one
 * thread while another interned finds either the whole entry or none.
 */
#include "tables.h"
#include "region.h"
#include "ring_order.h"
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

/* Open addressing at a load of at most one half. */
#define STRING_SLOTS (2u * SPANRING_STRINGS_MAX)
#define SITE_SLOTS (2u * SPANRING_SITES_MAX)
#define UNNAMED "(unnamed)"

struct spanring__tables {
	uint32_t site_count;
	uint32_t string_count;
	uint32_t arena_used;
	uint32_t reserved;
	uint16_t string_slots[STRING_SLOTS]; /* string id, 0: free */
	uint16_t site_slots[SITE_SLOTS];
	struct spanring_site_entry sites[SPANRING_SITES_MAX];
	struct spanring_string_entry strings[SPANRING_STRINGS_MAX];
	char arena[SPANRING_STRING_ARENA_BYTES];
};

static uint64_t hash_bytes(const void *data, size_t bytes) {
	const uint8_t *at = data;
	uint64_t hash = UINT64_C(0xcbf29ce484222325);
	for (size_t i = 0; i < bytes; i++)
		hash = (hash ^ at[i]) * UINT64_C(0x100000001b3);
	return hash ^ (hash >> 29);
}

static uint8_t *file_at(struct spanring_process_header *header, uint64_t offset) {
	return (uint8_t *)header + offset;
}

static void publish_strings(const struct spanring__tables *tables, struct spanring_process_header *header,
                            uint32_t first) {
	uint32_t offset = tables->strings[first].offset;
	if (!header)
		return;
	memcpy(file_at(header, SPANRING_STRING_ARENA_OFFSET + offset), tables->arena + offset,
	       tables->arena_used - offset);
	memcpy(file_at(header, SPANRING_STRING_INDEX_OFFSET + first * sizeof(struct spanring_string_entry)),
	       &tables->strings[first], (tables->string_count - first) * sizeof(struct spanring_string_entry));
	ring_order_table_publish(&header->string_arena_used, tables->arena_used);
	ring_order_table_publish(&header->string_count, tables->string_count);
}

static void publish_sites(const struct spanring__tables *tables, struct spanring_process_header *header,
                          uint32_t first) {
	if (!header)
		return;
	memcpy(file_at(header, SPANRING_SITE_TABLE_OFFSET + first * sizeof(struct spanring_site_entry)),
	       &tables->sites[first], (tables->site_count - first) * sizeof(struct spanring_site_entry));
	ring_order_table_publish(&header->site_count, tables->site_count);
}

void spanring__tables_publish_all(const struct spanring__tables *tables, struct spanring_process_header *header) {
	publish_strings(tables, header, 0);
	publish_sites(tables, header, 0);
}

static bool string_equals(const struct spanring__tables *tables, uint32_t id, const char *text, size_t bytes) {
	const struct spanring_string_entry *entry = &tables->strings[id - 1];
	return entry->bytes == bytes && memcmp(tables->arena + entry->offset, text, bytes) == 0;
}

static uint32_t string_id(struct spanring__tables *tables, struct spanring_process_header *header, const char *text,
                          size_t bytes) {
	uint32_t slot = (uint32_t)hash_bytes(text, bytes) % STRING_SLOTS;
	for (; tables->string_slots[slot] != 0; slot = (slot + 1) % STRING_SLOTS)
		if (string_equals(tables, tables->string_slots[slot], text, bytes))
			return tables->string_slots[slot];
	if (tables->string_count == SPANRING_STRINGS_MAX || SPANRING_STRING_ARENA_BYTES - tables->arena_used < bytes) {
		if (header)
			ring_order_count(&header->strings_overflowed);
		return SPANRING_STRING_OVERFLOW;
	}
	uint32_t index = tables->string_count;
	memcpy(tables->arena + tables->arena_used, text, bytes);
	tables->strings[index].offset = tables->arena_used;
	tables->strings[index].bytes = (uint32_t)bytes;
	ring_order_table_publish(&tables->arena_used, tables->arena_used + (uint32_t)bytes);
	ring_order_table_publish(&tables->string_count, index + 1);
	tables->string_slots[slot] = (uint16_t)(index + 1);
	publish_strings(tables, header, index);
	return index + 1;
}

uint32_t spanring__tables_string(struct spanring__tables *tables, struct spanring_process_header *header,
                                 const char *text) {
	if (!text)
		text = UNNAMED;
	/* One byte more than is kept: it tells whether the cut falls between characters. */
	size_t bytes = strnlen(text, SPANRING_NAME_BYTES_MAX + 1u);
	size_t kept = tables_cut_utf8(text, bytes, SPANRING_NAME_BYTES_MAX);
	if (kept != bytes)
		ring_order_count(&header->names_cut);
	return string_id(tables, header, text, kept);
}

uint32_t spanring__tables_site(struct spanring__tables *tables, struct spanring_process_header *header,
                               const struct spanring_site *site) {
	struct spanring_site_entry entry = {
	    .name = spanring__tables_string(tables, header, site->name),
	    .file = spanring__tables_string(tables, header, site->file),
	    .line = site->line,
	    .kind = site->kind,
	};
	if (site->scope) {
		entry.scope_name = spanring__tables_string(tables, header, site->scope->name);
		if (site->scope->version)
			entry.scope_version = spanring__tables_string(tables, header, site->scope->version);
	}
	uint32_t slot = (uint32_t)hash_bytes(&entry, sizeof(entry)) % SITE_SLOTS;
	for (; tables->site_slots[slot] != 0; slot = (slot + 1) % SITE_SLOTS)
		if (memcmp(&tables->sites[tables->site_slots[slot] - 1], &entry, sizeof(entry)) == 0)
			return tables->site_slots[slot];
	if (tables->site_count == SPANRING_SITES_MAX) {
		ring_order_count(&header->sites_overflowed);
		return SPANRING_SITE_OVERFLOW;
	}
	uint32_t index = tables->site_count;
	tables->sites[index] = entry;
	ring_order_table_publish(&tables->site_count, index + 1);
	tables->site_slots[slot] = (uint16_t)(index + 1);
	publish_sites(tables, header, index);
	return index + 1;
}

struct spanring__tables *spanring__tables_new(void) {
	struct spanring__tables *tables = spanring__region_private(sizeof(*tables), 0);
	if (!tables)
		return NULL;
	uint32_t name = string_id(tables, NULL, SPANRING_OVERFLOW_NAME, sizeof(SPANRING_OVERFLOW_NAME) - 1);
	tables->sites[0] = (struct spanring_site_entry){.name = name, .file = name};
	tables->site_count = 1;
	return tables;
}

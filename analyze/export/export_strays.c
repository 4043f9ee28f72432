/* SPDX-License-Identifier: Apache-2.0 */
#include "export_strays.h"

#include "base/errs.h"

#include <stdlib.h>
#include <string.h>

#define NONE UINT32_MAX
#define CHAINS (1u << 17)
#define FILTER_BITS (UINT64_C(1) << 27)

struct place {
	struct export_stray stray;
	uint32_t next; /* of its chain, or of the free ones */
};

struct export_strays {
	struct place *places;
	uint32_t room;
	uint32_t free_first;
	uint32_t count;
	uint32_t children;
	uint32_t count_max;
	size_t text_bytes;
	size_t text_max;
	uint8_t *filter; /* FILTER_BITS; NULL: all are kept */
	uint32_t chains[CHAINS];
};

int export_strays_new(struct export_strays **ret_strays) {
	struct export_strays *strays = calloc(1, sizeof(*strays));
	if (!strays)
		return -ENOMEM;
	strays->free_first = NONE;
	strays->count_max = EXPORT_STRAYS_MAX;
	strays->text_max = EXPORT_STRAYS_TEXT_MAX;
	memset(strays->chains, 0xff, sizeof(strays->chains));
	*ret_strays = strays;
	return 0;
}

void export_strays_free(struct export_strays *strays) {
	if (!strays)
		return;
	for (uint32_t i = 0; i < CHAINS; i++)
		for (uint32_t at = strays->chains[i]; at != NONE; at = strays->places[at].next)
			free(strays->places[at].stray.text);
	free(strays->places);
	free(strays->filter);
	free(strays);
}

void export_strays_second_pass(struct export_strays *strays) {
	strays->count_max = 2 * EXPORT_STRAYS_MAX;
	strays->text_max = 2 * EXPORT_STRAYS_TEXT_MAX;
}

uint32_t export_strays_count(const struct export_strays *strays) {
	return strays->count;
}

static uint64_t hash_of(uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = (trace_lo ^ span_id * UINT64_C(0x9e3779b97f4a7c15)) * UINT64_C(0xff51afd7ed558ccd);
	return hash ^ hash >> 29;
}

static uint32_t *chain_of(struct export_strays *strays, uint64_t trace_lo, uint64_t span_id) {
	return &strays->chains[hash_of(trace_lo, span_id) >> 32 & (CHAINS - 1)];
}

int export_strays_filter(struct export_strays *strays) {
	strays->filter = calloc(FILTER_BITS / 8, 1);
	return strays->filter ? 0 : -ENOMEM;
}

/* Its second bit. */
static uint64_t other_bit(uint64_t hash) {
	return (hash * UINT64_C(0x9e3779b97f4a7c15) >> 20) & (FILTER_BITS - 1);
}

void export_strays_mark(struct export_strays *strays, uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = hash_of(trace_lo, span_id);
	uint64_t bits[2] = {hash & (FILTER_BITS - 1), other_bit(hash)};
	for (unsigned i = 0; i < 2; i++)
		strays->filter[bits[i] / 8] |= (uint8_t)(1u << bits[i] % 8);
}

static bool is_marked(const struct export_strays *strays, uint64_t trace_lo, uint64_t span_id) {
	uint64_t hash = hash_of(trace_lo, span_id);
	uint64_t bits[2] = {hash & (FILTER_BITS - 1), other_bit(hash)};
	return (strays->filter[bits[0] / 8] >> bits[0] % 8 & 1) && (strays->filter[bits[1] / 8] >> bits[1] % 8 & 1);
}

/* All of the grown part become free places. */
static int grow(struct export_strays *strays) {
	uint32_t room = strays->room ? 2 * strays->room : 256;
	struct place *grown = reallocarray(strays->places, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	strays->places = grown;
	for (uint32_t i = room; i-- > strays->room;) {
		grown[i].next = strays->free_first;
		strays->free_first = i;
	}
	strays->room = room;
	return 0;
}

int export_strays_add(struct export_strays *strays, const struct export_stray *stray, const char *text) {
	bool child = stray->kind == EXPORT_STRAY_CHILD;
	uint32_t rows = strays->count - strays->children;
	if (strays->filter && !is_marked(strays, stray->trace_lo, stray->span_id))
		return 0;
	if (child && strays->children == EXPORT_STRAYS_CHILDREN_MAX)
		return 0;
	if (!child && (rows == strays->count_max || stray->text_bytes > strays->text_max - strays->text_bytes))
		return ERR_LIMIT;
	char *copy = NULL;
	if (stray->text_bytes > 0) {
		copy = malloc(stray->text_bytes);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, text, stray->text_bytes);
	}
	if (strays->free_first == NONE && grow(strays) != 0) {
		free(copy);
		return -ENOMEM;
	}
	uint32_t at = strays->free_first;
	uint32_t *chain = chain_of(strays, stray->trace_lo, stray->span_id);
	struct place *place = &strays->places[at];
	strays->free_first = place->next;
	place->stray = *stray;
	place->stray.text = copy;
	place->next = *chain;
	*chain = at;
	strays->count++;
	strays->children += child;
	strays->text_bytes += stray->text_bytes;
	return 0;
}

bool export_strays_take(struct export_strays *strays, uint64_t trace_lo, uint64_t span_id,
                        struct export_stray *ret_stray) {
	if (strays->count == 0)
		return false;
	for (uint32_t *link = chain_of(strays, trace_lo, span_id); *link != NONE; link = &strays->places[*link].next) {
		uint32_t at = *link;
		struct place *place = &strays->places[at];
		if (place->stray.span_id != span_id || place->stray.trace_lo != trace_lo)
			continue;
		*ret_stray = place->stray;
		*link = place->next;
		place->next = strays->free_first;
		strays->free_first = at;
		strays->count--;
		strays->children -= ret_stray->kind == EXPORT_STRAY_CHILD;
		strays->text_bytes -= ret_stray->text_bytes;
		return true;
	}
	return false;
}

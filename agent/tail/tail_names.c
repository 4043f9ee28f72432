/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_names.h"

#include "base/cleanup.h"
#include "libstore/catalog_rows.h"
#include "libstore/checksum.h"
#include "tail_choice.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SLOTS (2u * TAIL_NAMES_MAX)
#define SITE_STEP 1024u

_Static_assert(TAIL_NAMES_MAX <= UINT16_MAX, "a number fits into of_site");

int tail_names_init(struct tail_names *names, size_t bin_bytes) {
	*names = (struct tail_names){.count = 1, .bytes_left = bin_bytes};
	names->names = calloc(TAIL_NAMES_MAX, sizeof(*names->names));
	names->slots = calloc(SLOTS, sizeof(*names->slots));
	if (!names->names || !names->slots)
		return -ENOMEM;
	names->names[0].slow_ns = UINT64_MAX;
	if (getrandom(&names->seed, sizeof(names->seed), 0) != (ssize_t)sizeof(names->seed))
		names->seed = (uint64_t)(uintptr_t)names->names;
	return 0;
}

void tail_names_done(struct tail_names *names) {
	for (uint32_t i = 1; i < names->count; i++) {
		free(names->names[i].text);
		free(names->names[i].bins);
	}
	free(names->names);
	free(names->slots);
	free(names->of_site);
	*names = (struct tail_names){0};
}

static uint32_t find(struct tail_names *names, const struct catalog_text *text) {
	uint32_t at = (uint32_t)checksum64(text->text, text->bytes, names->seed) % SLOTS;
	for (; names->slots[at]; at = (at + 1) % SLOTS) {
		const struct tail_name *name = &names->names[names->slots[at]];
		if (name->text_bytes == text->bytes && memcmp(name->text, text->text, text->bytes) == 0)
			return names->slots[at];
	}
	if (names->count == TAIL_NAMES_MAX)
		return 0;
	char *copy = malloc(text->bytes + 1);
	if (!copy)
		return 0;
	memcpy(copy, text->text, text->bytes);
	names->names[names->count] = (struct tail_name){.text = copy, .text_bytes = text->bytes, .slow_ns = UINT64_MAX};
	names->slots[at] = names->count;
	return names->count++;
}

/* of_site has the number + 1; 0: not asked for yet. */
static bool make_room(struct tail_names *names, uint32_t generation, uint32_t site) {
	if (names->generation != generation) {
		if (names->site_room)
			memset(names->of_site, 0, names->site_room * sizeof(*names->of_site));
		names->generation = generation;
	}
	if (site < names->site_room)
		return true;
	uint32_t room = (site / SITE_STEP + 1) * SITE_STEP;
	uint16_t *grown = realloc(names->of_site, room * sizeof(*grown));
	if (!grown)
		return false;
	memset(grown + names->site_room, 0, (room - names->site_room) * sizeof(*grown));
	names->of_site = grown;
	names->site_room = room;
	return true;
}

struct tail_name *tail_names_of(struct tail_names *names, const struct catalog *catalog, uint32_t generation,
                                uint32_t site) {
	if (!make_room(names, generation, site))
		return &names->names[0];
	if (names->of_site[site] == 0) {
		uint32_t name = catalog_site_at(catalog, site)->name;
		uint32_t number = name ? find(names, catalog_string_at(catalog, name)) : 0;
		names->of_site[site] = (uint16_t)(number + 1);
	}
	return &names->names[names->of_site[site] - 1];
}

void tail_names_begin(struct tail_names *names, uint64_t now_ns) {
	bool over = now_ns >= names->window_ends_ns;
	bool long_over = now_ns >= names->window_ends_ns + TAIL_NAMES_WINDOW_NS;
	for (uint32_t i = 0; i < names->count; i++) {
		struct tail_name *name = &names->names[i];
		name->looked = 0;
		if (!over)
			continue;
		name->window_before = long_over ? 0 : name->window;
		name->window = 0;
	}
	if (over)
		names->window_ends_ns = now_ns + TAIL_NAMES_WINDOW_NS;
}

static uint32_t bin_of(uint64_t ns) {
	if (ns < TAIL_NAMES_STEPS)
		return (uint32_t)ns;
	uint32_t octave = 63u - (uint32_t)__builtin_clzll(ns);
	return (octave - 3u) * TAIL_NAMES_STEPS + (uint32_t)(ns >> (octave - 4u) & (TAIL_NAMES_STEPS - 1u));
}

static uint64_t upper_edge(uint32_t bin) {
	uint32_t group = bin / TAIL_NAMES_STEPS;
	uint64_t step = bin % TAIL_NAMES_STEPS;
	if (group == 0)
		return step;
	uint64_t low = (TAIL_NAMES_STEPS + step) << (group - 1u);
	return low + ((UINT64_C(1) << (group - 1u)) - 1u);
}

static void set_limit(struct tail_name *name, uint32_t per_million) {
	uint64_t rank = (name->spans * per_million + TAIL_PER_MILLION - 1) / TAIL_PER_MILLION; /* spans are few */
	uint64_t sum = 0;
	uint32_t bin = 0;
	if (name->spans < TAIL_NAMES_SPANS_MIN)
		return;
	while (bin + 1 < TAIL_NAMES_BINS && (sum += name->bins[bin]) < rank)
		bin++;
	name->slow_ns = upper_edge(bin);
}

static void halve(struct tail_name *name) {
	name->spans = 0;
	for (uint32_t bin = 0; bin < TAIL_NAMES_BINS; bin++)
		name->spans += name->bins[bin] /= 2;
}

void tail_names_learn(struct tail_names *names, const struct catalog *catalog, uint32_t generation,
                      const struct store_rollup *rollup, uint32_t per_million) {
	static const size_t bytes = TAIL_NAMES_BINS * sizeof(uint32_t);
	struct tail_name *name = tail_names_of(names, catalog, generation, rollup->site);
	if (name == names->names || !name->enters || rollup->bin_count == 0)
		return;
	if (!name->bins && names->bytes_left >= bytes) {
		name->bins = calloc(TAIL_NAMES_BINS, sizeof(*name->bins));
		names->bytes_left -= name->bins ? bytes : 0;
	}
	if (!name->bins)
		return;
	for (uint32_t i = 0; i < rollup->bin_count; i++) {
		const struct store_rollup_bin *bin = &rollup->bins[i];
		uint64_t ticks = spanring_statistics_bin_floor(bin->bin + 1) - 1;
		uint64_t ns = store_rollup_ns(ticks, rollup->ns_per_tick_q32);
		uint32_t count = (uint32_t)(bin->count < TAIL_NAMES_SPANS_HALVE ? bin->count : TAIL_NAMES_SPANS_HALVE);
		name->bins[bin_of(ns)] += count;
		name->spans += count;
	}
	while (name->spans >= TAIL_NAMES_SPANS_HALVE)
		halve(name);
	set_limit(name, per_million);
}

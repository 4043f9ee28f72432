/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix sort from the lowest digit. A row number has 16 bits, so a key of up to 48 bits travels with its row in
 * one word and no pass has to look a key up; wider ranges are sorted by their low, then by their high half. Keys
 * that are in order already cost one pass over them.
 *
 * Rows in groups are dealt out to their groups first. Each is sorted by itself then: a short one by insertion, a longer
 * one as above, in a piece of memory that the processor's cache holds.
 */
#include "order.h"

#include <stdbool.h>
#include <string.h>

#define ROW_BITS 16u
#define KEY_BITS_MAX (64u - ROW_BITS)
#define DIGIT_BITS_MAX 11u
#define DIGIT_BITS_FEW_ROWS 6u
#define FEW_ROWS 512u
#define SHORT_GROUP_ROWS 64u

_Static_assert(BATCH_SPANS_MAX <= 1u << ROW_BITS, "a row number fits");

void order_identity(uint32_t *rows, uint32_t count) {
	for (uint32_t i = 0; i < count; i++)
		rows[i] = i;
}

static void scatter(const uint64_t *from, uint64_t *to, uint32_t count, unsigned shift, unsigned digit_bits) {
	uint32_t starts[1u << DIGIT_BITS_MAX];
	uint32_t digits = 1u << digit_bits;
	memset(starts, 0, sizeof(*starts) * digits);
	for (uint32_t i = 0; i < count; i++)
		starts[(from[i] >> shift) & (digits - 1)]++;
	uint32_t sum = 0;
	for (uint32_t d = 0; d < digits; d++) {
		uint32_t size = starts[d];
		starts[d] = sum;
		sum += size;
	}
	for (uint32_t i = 0; i < count; i++)
		to[starts[(from[i] >> shift) & (digits - 1)]++] = from[i];
}

static void give_rows(const uint64_t *pairs, uint32_t *rows, uint32_t count) {
	for (uint32_t i = 0; i < count; i++)
		rows[i] = (uint32_t)pairs[i] & ((1u << ROW_BITS) - 1u);
}

/* Sort pairs by the key above the row bits and give the rows. What was in both lists is lost. */
static void sort_pairs(uint64_t *pairs, uint64_t *scratch, uint32_t *rows, uint32_t count, unsigned key_bits) {
	unsigned bits_max = count < FEW_ROWS ? DIGIT_BITS_FEW_ROWS : DIGIT_BITS_MAX;
	unsigned passes = (key_bits + bits_max - 1) / bits_max;
	unsigned digit_bits = (key_bits + passes - 1) / passes;
	uint64_t *from = pairs;
	uint64_t *to = scratch;
	for (unsigned pass = 0; pass < passes; pass++) {
		scatter(from, to, count, ROW_BITS + pass * digit_bits, digit_bits);
		uint64_t *swap = from;
		from = to;
		to = swap;
	}
	give_rows(from, rows, count);
}

struct range {
	uint64_t low;
	unsigned bits;
	bool sorted;
};

static struct range range_of(uint64_t low, uint64_t high, bool sorted) {
	struct range range = {low, high > low ? 64u - (unsigned)__builtin_clzll(high - low) : 0, sorted};
	return range;
}

static struct range range_u64(const uint32_t *rows, const uint64_t *keys, uint32_t count) {
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	uint64_t before = 0;
	bool sorted = true;
	for (uint32_t i = 0; i < count; i++) {
		uint64_t key = keys[rows[i]];
		low = key < low ? key : low;
		high = key > high ? key : high;
		sorted &= key >= before;
		before = key;
	}
	return range_of(low, high, sorted);
}

static void sort_halves(struct order *order, uint32_t *rows, const uint64_t *keys, uint32_t count) {
	for (unsigned shift = 0; shift < 64; shift += 32) {
		for (uint32_t i = 0; i < count; i++)
			order->pairs[i] = (keys[rows[i]] >> shift & UINT32_MAX) << ROW_BITS | rows[i];
		sort_pairs(order->pairs, order->pairs_next, rows, count, 32);
	}
}

void order_by_u64(struct order *order, uint32_t *rows, const uint64_t *keys, uint32_t count) {
	struct range range = range_u64(rows, keys, count);
	if (range.sorted)
		return;
	if (range.bits > KEY_BITS_MAX) {
		sort_halves(order, rows, keys, count);
		return;
	}
	for (uint32_t i = 0; i < count; i++)
		order->pairs[i] = (keys[rows[i]] - range.low) << ROW_BITS | rows[i];
	sort_pairs(order->pairs, order->pairs_next, rows, count, range.bits);
}

void order_by_u32(struct order *order, uint32_t *rows, const uint32_t *keys, uint32_t count) {
	uint32_t low = UINT32_MAX;
	uint32_t high = 0;
	uint32_t before = 0;
	bool sorted = true;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t key = keys[rows[i]];
		low = key < low ? key : low;
		high = key > high ? key : high;
		sorted &= key >= before;
		before = key;
	}
	if (sorted)
		return;
	struct range range = range_of(low, high, false);
	for (uint32_t i = 0; i < count; i++)
		order->pairs[i] = (uint64_t)(keys[rows[i]] - low) << ROW_BITS | rows[i];
	sort_pairs(order->pairs, order->pairs_next, rows, count, range.bits);
}

/* Row numbers are part of what is compared: no two pairs are equal. */
static void insert_pairs(uint64_t *pairs, uint32_t *rows, uint32_t count) {
	for (uint32_t i = 1; i < count; i++) {
		uint64_t pair = pairs[i];
		uint32_t at = i;
		for (; at > 0 && pairs[at - 1] > pair; at--)
			pairs[at] = pairs[at - 1];
		pairs[at] = pair;
	}
	give_rows(pairs, rows, count);
}

static void sort_group(uint64_t *pairs, uint64_t *scratch, uint32_t *rows, uint32_t count) {
	if (count <= SHORT_GROUP_ROWS) {
		insert_pairs(pairs, rows, count);
		return;
	}
	uint64_t low = UINT64_MAX;
	uint64_t high = 0;
	uint64_t before = 0;
	bool sorted = true;
	for (uint32_t i = 0; i < count; i++) {
		low = pairs[i] < low ? pairs[i] : low;
		high = pairs[i] > high ? pairs[i] : high;
		sorted &= pairs[i] >= before;
		before = pairs[i];
	}
	if (sorted) {
		give_rows(pairs, rows, count);
		return;
	}
	low = low >> ROW_BITS << ROW_BITS;
	for (uint32_t i = 0; i < count; i++)
		pairs[i] -= low;
	sort_pairs(pairs, scratch, rows, count, range_of(low >> ROW_BITS, high >> ROW_BITS, false).bits);
}

/* order->pairs := rows with their keys, group by group in order of rows; group_ends := where each one ends. */
static void deal_out(struct order *order, const uint32_t *groups, uint32_t group_low, uint32_t group_count,
                     const uint64_t *keys, uint64_t key_low, uint32_t count) {
	uint32_t *ends = order->group_ends;
	memset(ends, 0, sizeof(*ends) * group_count);
	for (uint32_t i = 0; i < count; i++)
		ends[groups[i] - group_low]++;
	uint32_t sum = 0;
	for (uint32_t g = 0; g < group_count; g++) {
		uint32_t size = ends[g];
		ends[g] = sum;
		sum += size;
	}
	for (uint32_t i = 0; i < count; i++)
		order->pairs[ends[groups[i] - group_low]++] = (keys[i] - key_low) << ROW_BITS | i;
}

void order_by_group(struct order *order, uint32_t *rows, const uint32_t *groups, const uint64_t *keys, uint32_t count) {
	uint64_t key_low = UINT64_MAX;
	uint64_t key_high = 0;
	uint32_t group_low = UINT32_MAX;
	uint32_t group_high = 0;
	for (uint32_t i = 0; i < count; i++) {
		key_low = keys[i] < key_low ? keys[i] : key_low;
		key_high = keys[i] > key_high ? keys[i] : key_high;
		group_low = groups[i] < group_low ? groups[i] : group_low;
		group_high = groups[i] > group_high ? groups[i] : group_high;
	}
	if (count == 0)
		return;
	if (group_high - group_low >= BATCH_SPANS_MAX || range_of(key_low, key_high, false).bits > KEY_BITS_MAX) {
		order_identity(rows, count);
		order_by_u64(order, rows, keys, count);
		order_by_u32(order, rows, groups, count);
		return;
	}
	uint32_t group_count = group_high - group_low + 1;
	deal_out(order, groups, group_low, group_count, keys, key_low, count);
	uint32_t first = 0;
	for (uint32_t g = 0; g < group_count; g++) {
		uint32_t end = order->group_ends[g];
		sort_group(order->pairs + first, order->pairs_next + first, rows + first, end - first);
		first = end;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Radix sort from the lowest digit. A row number has 16 bits, so a key of up to 48 bits travels with its row in
 * one word and no pass has to look a key up; wider ranges are sorted by their low, then by their high half. Keys
 * that are in order already cost one pass over them.
 */
#include "order.h"

#include <stdbool.h>
#include <string.h>

#define ROW_BITS 16u
#define KEY_BITS_MAX (64u - ROW_BITS)
#define DIGIT_BITS_MAX 11u
#define DIGIT_BITS_FEW_ROWS 6u
#define FEW_ROWS 512u

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

/* Sort order->pairs by the key above the row bits and give the rows. */
static void sort_pairs(struct order *order, uint32_t *rows, uint32_t count, unsigned key_bits) {
	unsigned bits_max = count < FEW_ROWS ? DIGIT_BITS_FEW_ROWS : DIGIT_BITS_MAX;
	unsigned passes = (key_bits + bits_max - 1) / bits_max;
	unsigned digit_bits = (key_bits + passes - 1) / passes;
	uint64_t *from = order->pairs;
	uint64_t *to = order->pairs_next;
	for (unsigned pass = 0; pass < passes; pass++) {
		scatter(from, to, count, ROW_BITS + pass * digit_bits, digit_bits);
		uint64_t *swap = from;
		from = to;
		to = swap;
	}
	for (uint32_t i = 0; i < count; i++)
		rows[i] = (uint32_t)from[i] & ((1u << ROW_BITS) - 1u);
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
		sort_pairs(order, rows, count, 32);
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
	sort_pairs(order, rows, count, range.bits);
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
	sort_pairs(order, rows, count, range.bits);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rollup.h"

#include "base/errs.h"

#include <stdbool.h>
#include <string.h>

#define VARINT_BYTES_MAX 10u

static uint8_t *put_varint(uint8_t *at, uint64_t value) {
	while (value >= 0x80) {
		*at++ = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	*at++ = (uint8_t)value;
	return at;
}

/* Where the run of neighbours that starts at `first` ends. */
static uint32_t end_of_run(const struct store_rollup_bin *bins, uint32_t first, uint32_t count) {
	uint32_t end = first + 1;
	while (end < count && bins[end].bin == bins[end - 1].bin + 1)
		end++;
	return end;
}

uint32_t rollup_encode_bins(const struct store_rollup_bin *bins, uint32_t count, uint8_t *bytes) {
	uint8_t *at = bytes;
	uint32_t next = 0;
	for (uint32_t first = 0; first < count;) {
		uint32_t end = end_of_run(bins, first, count);
		at = put_varint(at, bins[first].bin - next);
		at = put_varint(at, end - first - 1);
		for (uint32_t i = first; i < end; i++)
			at = put_varint(at, bins[i].count - 1);
		next = bins[end - 1].bin + 1;
		first = end;
	}
	return (uint32_t)(at - bytes);
}

struct cursor {
	const uint8_t *at;
	const uint8_t *end;
};

static bool get_long_varint(struct cursor *cursor, uint64_t *ret_value) {
	uint64_t value = 0;
	for (unsigned i = 0; i < VARINT_BYTES_MAX; i++) {
		if (cursor->at == cursor->end)
			return false;
		uint8_t byte = *cursor->at++;
		value |= (uint64_t)(byte & 0x7f) << (7 * i);
		if (byte & 0x80)
			continue;
		*ret_value = value;
		/* no byte more than needed, no bit above the 64th */
		return (byte || i == 0) && !(i == VARINT_BYTES_MAX - 1 && byte > 1);
	}
	return false;
}

/* Nearly all are short. */
static inline bool get_varint(struct cursor *cursor, uint64_t *ret_value) {
	if (__builtin_expect(cursor->end - cursor->at >= 2, 1)) {
		uint8_t first = cursor->at[0];
		uint8_t second = cursor->at[1];
		if (first < 0x80) {
			cursor->at++;
			*ret_value = first;
			return true;
		}
		if (second < 0x80 && second) {
			cursor->at += 2;
			*ret_value = (uint64_t)(first & 0x7f) | (uint64_t)second << 7;
			return true;
		}
	}
	return get_long_varint(cursor, ret_value);
}

#define SHORT_COUNTS 8u /* that many counts of one byte each are taken at once */

static inline bool are_short(const uint8_t *bytes) {
	uint64_t word;
	memcpy(&word, bytes, sizeof(word));
	return !(word & UINT64_C(0x8080808080808080));
}

/*
 * The counts of the bins from *bin on, SHORT_COUNTS at a time as long as all of these take one byte each. *sum is
 * theirs alone, and cannot be too large.
 */
static inline const uint8_t *get_short_counts(const uint8_t *at, const uint8_t *end, uint32_t *bin, uint32_t bin_end,
                                              struct store_rollup_bin **to, uint64_t *sum) {
	uint32_t first = *bin;
	struct store_rollup_bin *bins = *to;
	uint64_t bytes = 0;
	while (bin_end - first >= SHORT_COUNTS && end - at >= (ptrdiff_t)SHORT_COUNTS && are_short(at)) {
		for (uint32_t i = 0; i < SHORT_COUNTS; i++) {
			bins[i] = (struct store_rollup_bin){.count = (uint64_t)at[i] + 1, .bin = first + i};
			bytes += at[i];
		}
		at += SHORT_COUNTS;
		bins += SHORT_COUNTS;
		first += SHORT_COUNTS;
	}
	*sum = bytes + (first - *bin);
	*bin = first;
	*to = bins;
	return at;
}

/* One run; *next is the first bin that it may take. */
static bool get_run(struct cursor *cursor, uint32_t *next, struct store_rollup_bin *bins, uint32_t *count,
                    uint64_t *sum) {
	uint64_t gap = 0;
	uint64_t more = 0;
	if (!get_varint(cursor, &gap) || !get_varint(cursor, &more))
		return false;
	if ((*count && !gap) || gap >= ROLLUP_BINS_MAX - *next || more >= ROLLUP_BINS_MAX - *next - gap)
		return false;
	struct cursor at = *cursor; /* copies: the compiler keeps them in registers */
	struct store_rollup_bin *to = bins + *count;
	uint64_t total = *sum;
	uint32_t bin = *next + (uint32_t)gap;
	uint32_t end = bin + (uint32_t)more + 1;
	while (bin < end) {
		uint64_t value = 0;
		at.at = get_short_counts(at.at, at.end, &bin, end, &to, &value);
		if (__builtin_add_overflow(total, value, &total))
			return false;
		for (uint32_t few = 0; few < SHORT_COUNTS && bin < end; few++, bin++) {
			if (!get_varint(&at, &value) || value == UINT64_MAX ||
			    __builtin_add_overflow(total, value + 1, &total))
				return false;
			*to++ = (struct store_rollup_bin){.count = value + 1, .bin = bin};
		}
	}
	*cursor = at;
	*count += (uint32_t)more + 1;
	*sum = total;
	*next = bin;
	return true;
}

int rollup_decode_bins(const uint8_t *bytes, size_t byte_count, struct store_rollup_bin *ret_bins, uint32_t *ret_count,
                       uint64_t *ret_sum) {
	struct cursor cursor = {bytes, bytes + byte_count};
	uint32_t next = 0;
	*ret_count = 0;
	*ret_sum = 0;
	if (byte_count > ROLLUP_BINS_BYTES_MAX)
		return ERR_DAMAGED;
	while (cursor.at != cursor.end)
		if (next >= ROLLUP_BINS_MAX || !get_run(&cursor, &next, ret_bins, ret_count, ret_sum))
			return ERR_DAMAGED;
	return 0;
}

static bool bins_are_sound(const struct store_rollup_bin *bins, uint32_t count, uint64_t sum) {
	uint64_t found = 0;
	if (count > ROLLUP_BINS_MAX)
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (bins[i].bin >= ROLLUP_BINS_MAX || (i && bins[i].bin <= bins[i - 1].bin) || !bins[i].count ||
		    __builtin_add_overflow(found, bins[i].count, &found))
			return false;
	}
	return found == sum;
}

int rollup_check_figures(const struct store_rollup *rollup) {
	bool sound = rollup->site && rollup->ns_per_tick_q32 && rollup->since_ns <= rollup->until_ns &&
	             rollup->min_ns <= rollup->max_ns;
	return sound ? 0 : -EINVAL;
}

int store_rollup_check(const struct store_rollup *rollup) {
	bool sound = rollup->process && bins_are_sound(rollup->bins, rollup->bin_count, rollup->count);
	return sound ? rollup_check_figures(rollup) : -EINVAL;
}

int store_rollup_total_check(const struct store_rollup_total *total) {
	return bins_are_sound(total->bins, total->bin_count, total->count) ? 0 : -EINVAL;
}

uint64_t store_rollup_ns(uint64_t ticks, uint64_t ns_per_tick_q32) {
	__extension__ typedef unsigned __int128 u128;
	u128 ns = ((u128)ticks * ns_per_tick_q32 + (UINT64_C(1) << (ROLLUP_SCALE_BITS - 1))) >> ROLLUP_SCALE_BITS;
	return ns > UINT64_MAX ? UINT64_MAX : (uint64_t)ns;
}

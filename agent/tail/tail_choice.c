/* SPDX-License-Identifier: Apache-2.0 */
#include "tail_choice.h"

#include "base/units.h"
#include "libshm/sampling.h"
#include "libstore/span.h"

#include <string.h>

#define PERCENT_DIGITS_MAX 4u /* of a percentile, behind the point */

__extension__ typedef unsigned __int128 tail_u128;

/* The finaliser of splitmix64 with constants of its own: the bloom filters of the store mix the same ids otherwise. */
static uint64_t mix(uint64_t value) {
	value += UINT64_C(0x7461696c6b656570);
	value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
	value = (value ^ value >> 32) * UINT64_C(0xd6e8feb86659fd93);
	return value ^ value >> 32;
}

/* The weight is rounded, and the limit made to fit it: what is stored is the reciprocal of the probability, to the last bit. */
bool tail_choice_set_ratio(struct tail_rules *rules, const char *text) {
	uint64_t share;
	uint64_t least;
	if (!spanring__sampling_ratio(text, &share) || !spanring__sampling_ratio(TAIL_RATIO_MIN, &least) ||
	    (share > 0 && share < least))
		return false;
	rules->weight = 0;
	rules->limit = 0;
	if (share == 0)
		return true;
	tail_u128 all = (tail_u128)STORE_WEIGHT_ONE * SPANRING__SAMPLING_ALL;
	rules->weight = (uint32_t)((all + share / 2) / share);
	rules->limit = (uint64_t)((((tail_u128)STORE_WEIGHT_ONE << 64) / rules->weight) - 1);
	return true;
}

/* "99", "99.9" in millionths. */
static bool parse_percent(const char *text, uint32_t *ret_per_million) {
	uint32_t value = 0;
	uint32_t digits = 0;
	uint32_t behind = 0;
	bool point = false;
	for (; *text; text++) {
		if (*text == '.' && !point && digits > 0) {
			point = true;
			continue;
		}
		if (*text < '0' || *text > '9' || behind == PERCENT_DIGITS_MAX || (!point && digits == 2))
			return false;
		value = value * 10 + (uint32_t)(*text - '0');
		digits++;
		behind += point;
	}
	if (digits == 0 || (point && behind == 0))
		return false;
	for (; behind < PERCENT_DIGITS_MAX; behind++)
		value *= 10;
	*ret_per_million = value;
	return value > 0 && value < TAIL_PER_MILLION;
}

bool tail_choice_set_slow(struct tail_rules *rules, const char *text) {
	uint32_t per_million;
	uint64_t ns;
	if (strcmp(text, "never") == 0) {
		rules->slow = TAIL_SLOW_NEVER;
	} else if (text[0] == 'p' && parse_percent(text + 1, &per_million)) {
		rules->slow = TAIL_SLOW_PERCENTILE;
		rules->slow_per_million = per_million;
	} else if (units_parse_duration(text, &ns) == 0) {
		rules->slow = TAIL_SLOW_FIXED;
		rules->slow_ns = ns;
	} else {
		return false;
	}
	return true;
}

bool tail_choice_by_hash(const struct tail_rules *rules, uint64_t trace_lo) {
	return rules->weight > 0 && mix(trace_lo) <= rules->limit;
}

uint32_t tail_choice_weight(const struct tail_rules *rules, uint64_t trace_lo, uint32_t reasons) {
	if (reasons & TAIL_REASONS)
		return STORE_WEIGHT_ONE;
	return tail_choice_by_hash(rules, trace_lo) ? rules->weight : 0;
}

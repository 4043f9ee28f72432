/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bodies are loops that the compiler turns into vector code, for each set of instructions that their callers name. Only picking is spelt out for
 * AVX-512, which can write the chosen lanes beside each other.
 */
#include "lanes.h"

#include "histogram.h"

#include <assert.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#define FLAGS_AT_ONCE 64u
#define COUNTED_AT_ONCE 128u /* by counters of a byte */

#define BODY static inline __attribute__((always_inline))

BODY struct lanes_range bins_body(const uint32_t *restrict values, size_t count, uint16_t *restrict bins) {
	struct lanes_range bounds = {UINT16_MAX, 0};
	assert(count <= LANES_AT_ONCE);
	for (size_t i = 0; i < count; i++) {
		uint32_t shift = 25u - (uint32_t)__builtin_clz(values[i] | HISTOGRAM_GROUP_BINS);
		bins[i] = (uint16_t)(shift * HISTOGRAM_GROUP_BINS + (values[i] >> shift));
	}
	for (size_t i = 0; i < count; i++) {
		bounds.first = bins[i] < bounds.first ? bins[i] : bounds.first;
		bounds.last = bins[i] > bounds.last ? bins[i] : bounds.last;
	}
	return bounds;
}

/* Most blocks of this size have a few values that are wanted, or none. */
BODY size_t pick_body(const uint32_t *values, const uint16_t *bins, size_t count, const struct lanes_range *ranges,
                      uint32_t range_count, uint32_t *picked) {
	uint16_t wanted[FLAGS_AT_ONCE];
	size_t kept = 0;
	for (size_t at = 0; at < count; at += FLAGS_AT_ONCE) {
		size_t end = count - at < FLAGS_AT_ONCE ? count - at : FLAGS_AT_ONCE;
		uint16_t any = 0;
		for (size_t i = 0; i < end; i++)
			wanted[i] = 0;
		for (uint32_t r = 0; r < range_count; r++) {
			uint16_t first = ranges[r].first;
			uint16_t width = (uint16_t)(ranges[r].last - first);
			for (size_t i = 0; i < end; i++)
				wanted[i] |= (uint16_t)(bins[at + i] - first) <= width;
		}
		for (size_t i = 0; i < end; i++)
			any |= wanted[i];
		for (size_t i = 0; i < end && any; i++) {
			picked[kept] = values[at + i];
			kept += wanted[i];
		}
	}
	return kept;
}

BODY size_t sieve_body(const uint32_t *values, const uint16_t *bins, size_t count, const struct lanes_range *ranges,
                       uint32_t range_count, struct lanes_counts *counts, uint32_t *picked) {
	for (uint32_t r = 0; r < range_count; r++) {
		uint16_t width = (uint16_t)(ranges[r].last - ranges[r].first);
		uint32_t below = 0;
		uint32_t inside = 0;
		for (size_t i = 0; i < count; i++) {
			below += bins[i] < ranges[r].first;
			inside += (uint16_t)(bins[i] - ranges[r].first) <= width;
		}
		counts->below[r] += below;
		counts->inside[r] += inside;
	}
	return pick_body(values, bins, count, ranges, range_count, picked);
}

/* Squares have 64 bits: their halves are added up apart. */
BODY struct moments_sums sums_body(const uint32_t *values, uint32_t count) {
	struct moments_sums sums = {.count = count, .min = UINT32_MAX};
	uint64_t low = 0;
	uint64_t high = 0;
	assert(count <= MOMENTS_RUN_MAX);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t square = (uint64_t)values[i] * values[i];
		sums.sum += values[i];
		low += (uint32_t)square;
		high += square >> 32;
		sums.min = values[i] < sums.min ? values[i] : sums.min;
		sums.max = values[i] > sums.max ? values[i] : sums.max;
	}
	sums.square = ((moments_u128)high << 32) + low;
	return sums;
}

BODY size_t count_body(const uint8_t *bytes, size_t count, uint8_t wanted) {
	size_t found = 0;
	for (size_t at = 0; at < count; at += COUNTED_AT_ONCE) {
		size_t end = count - at < COUNTED_AT_ONCE ? count : at + COUNTED_AT_ONCE;
		uint8_t some = 0;
		for (size_t i = at; i < end; i++)
			some = (uint8_t)(some + (bytes[i] == wanted));
		found += some;
	}
	return found;
}

static struct lanes_range bins_portable(const uint32_t *values, size_t count, uint16_t *ret_bins) {
	return bins_body(values, count, ret_bins);
}

static size_t pick_portable(const uint32_t *values, const uint16_t *bins, size_t count,
                            const struct lanes_range *ranges, uint32_t range_count, uint32_t *ret_picked) {
	return pick_body(values, bins, count, ranges, range_count, ret_picked);
}

static size_t sieve_portable(const uint32_t *values, const uint16_t *bins, size_t count,
                             const struct lanes_range *ranges, uint32_t range_count, struct lanes_counts *counts,
                             uint32_t *ret_picked) {
	return sieve_body(values, bins, count, ranges, range_count, counts, ret_picked);
}

static struct moments_sums sums_portable(const uint32_t *values, uint32_t count) {
	return sums_body(values, count);
}

static size_t count_portable(const uint8_t *bytes, size_t count, uint8_t wanted) {
	return count_body(bytes, count, wanted);
}

static const struct lanes portable = {.bins = bins_portable,
                                      .pick = pick_portable,
                                      .sieve = sieve_portable,
                                      .sums = sums_portable,
                                      .count = count_portable};

#if defined(__x86_64__)

#define FOR_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define FOR_AVX512 __attribute__((target("avx512f,avx512cd,avx512bw,avx512dq,avx512vl,avx2,bmi,bmi2,popcnt")))

FOR_AVX2 static struct lanes_range bins_avx2(const uint32_t *values, size_t count, uint16_t *ret_bins) {
	return bins_body(values, count, ret_bins);
}

FOR_AVX2 static size_t pick_avx2(const uint32_t *values, const uint16_t *bins, size_t count,
                                 const struct lanes_range *ranges, uint32_t range_count, uint32_t *ret_picked) {
	return pick_body(values, bins, count, ranges, range_count, ret_picked);
}

FOR_AVX2 static size_t sieve_avx2(const uint32_t *values, const uint16_t *bins, size_t count,
                                  const struct lanes_range *ranges, uint32_t range_count, struct lanes_counts *counts,
                                  uint32_t *ret_picked) {
	return sieve_body(values, bins, count, ranges, range_count, counts, ret_picked);
}

FOR_AVX2 static struct moments_sums sums_avx2(const uint32_t *values, uint32_t count) {
	return sums_body(values, count);
}

FOR_AVX2 static size_t count_avx2(const uint8_t *bytes, size_t count, uint8_t wanted) {
	return count_body(bytes, count, wanted);
}

FOR_AVX512 static struct lanes_range bins_avx512(const uint32_t *values, size_t count, uint16_t *ret_bins) {
	return bins_body(values, count, ret_bins);
}

#define SIEVED_AT_ONCE 32u

/* The lanes of `wanted`, beside each other; how many. */
FOR_AVX512 static inline __attribute__((always_inline)) size_t keep_avx512(const uint32_t *values, __mmask32 wanted,
                                                                           uint32_t *to) {
	__mmask16 low = (__mmask16)wanted;
	__mmask16 high = (__mmask16)(wanted >> 16);
	size_t kept = (size_t)__builtin_popcount(low);
	__m512i first = _mm512_maskz_loadu_epi32(low, values);
	__m512i second = _mm512_maskz_loadu_epi32(high, values + 16);
	_mm512_mask_compressstoreu_epi32(to, low, first);
	_mm512_mask_compressstoreu_epi32(to + kept, high, second);
	return kept + (size_t)__builtin_popcount(high);
}

/* counts may be NULL. */
FOR_AVX512 static inline __attribute__((always_inline)) size_t
sieve_lanes(const uint32_t *values, const uint16_t *bins, size_t count, const struct lanes_range *ranges,
            uint32_t range_count, struct lanes_counts *counts, uint32_t *ret_picked) {
	size_t kept = 0;
	for (size_t at = 0; at < count; at += SIEVED_AT_ONCE) {
		uint32_t left = count - at < SIEVED_AT_ONCE ? (uint32_t)(count - at) : SIEVED_AT_ONCE;
		__mmask32 there = UINT32_MAX >> (SIEVED_AT_ONCE - left);
		__mmask32 wanted = 0;
		__m512i all = _mm512_maskz_loadu_epi16(there, bins + at);
		for (uint32_t r = 0; r < range_count; r++) {
			__m512i first = _mm512_set1_epi16((short)ranges[r].first);
			__m512i width = _mm512_set1_epi16((short)(ranges[r].last - ranges[r].first));
			__mmask32 inside = _mm512_mask_cmple_epu16_mask(there, _mm512_sub_epi16(all, first), width);
			wanted |= inside;
			if (!counts)
				continue;
			__mmask32 below = _mm512_mask_cmplt_epu16_mask(there, all, first);
			counts->inside[r] += (uint64_t)__builtin_popcount(inside);
			counts->below[r] += (uint64_t)__builtin_popcount(below);
		}
		if (wanted)
			kept += keep_avx512(values + at, wanted, ret_picked + kept);
	}
	return kept;
}

FOR_AVX512 static size_t pick_avx512(const uint32_t *values, const uint16_t *bins, size_t count,
                                     const struct lanes_range *ranges, uint32_t range_count, uint32_t *ret_picked) {
	return sieve_lanes(values, bins, count, ranges, range_count, NULL, ret_picked);
}

FOR_AVX512 static size_t sieve_avx512(const uint32_t *values, const uint16_t *bins, size_t count,
                                      const struct lanes_range *ranges, uint32_t range_count,
                                      struct lanes_counts *counts, uint32_t *ret_picked) {
	return sieve_lanes(values, bins, count, ranges, range_count, counts, ret_picked);
}

FOR_AVX512 static struct moments_sums sums_avx512(const uint32_t *values, uint32_t count) {
	return sums_body(values, count);
}

FOR_AVX512 static size_t count_avx512(const uint8_t *bytes, size_t count, uint8_t wanted) {
	return count_body(bytes, count, wanted);
}

static const struct lanes avx2 = {
    .bins = bins_avx2, .pick = pick_avx2, .sieve = sieve_avx2, .sums = sums_avx2, .count = count_avx2};
static const struct lanes avx512 = {
    .bins = bins_avx512, .pick = pick_avx512, .sieve = sieve_avx512, .sums = sums_avx512, .count = count_avx512};

const struct lanes *lanes_choose(enum lanes_set most) {
	bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	                __builtin_cpu_supports("bmi2") && __builtin_cpu_supports("popcnt");
	bool has_avx512 = has_avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512cd") &&
	                  __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
	                  __builtin_cpu_supports("avx512vl");
	if (most >= LANES_AVX512 && has_avx512)
		return &avx512;
	return most >= LANES_AVX2 && has_avx2 ? &avx2 : &portable;
}

#else

const struct lanes *lanes_choose(enum lanes_set most) {
	(void)most;
	return &portable;
}

#endif

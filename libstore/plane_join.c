/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sixteen values at a time: bytes are interleaved to pairs, pairs to fours, fours to eights, so that each value is
 * written once, whole, however many planes it has. Hosts are little-endian (checksum.c).
 */
#include "plane_join.h"

#include <string.h>

#define LANES 16u

typedef uint8_t bytes16 __attribute__((vector_size(16)));
typedef uint16_t pairs8 __attribute__((vector_size(16)));
typedef uint32_t fours4 __attribute__((vector_size(16)));

static inline bytes16 load(const uint8_t *from) {
	bytes16 bytes;
	memcpy(&bytes, from, sizeof(bytes));
	return bytes;
}

static inline pairs8 low_pairs(bytes16 a, bytes16 b) {
	return (pairs8)__builtin_shufflevector(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

static inline pairs8 high_pairs(bytes16 a, bytes16 b) {
	return (pairs8)__builtin_shufflevector(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

static inline fours4 low_fours(pairs8 a, pairs8 b) {
	return (fours4)__builtin_shufflevector(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}

static inline fours4 high_fours(pairs8 a, pairs8 b) {
	return (fours4)__builtin_shufflevector(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/* The low or high four bytes of sixteen values. */
struct fours16 {
	fours4 part[4];
};

static inline struct fours16 join_fours(const uint8_t *const *planes, unsigned plane_count, uint32_t at) {
	const bytes16 none = {0};
	bytes16 a = load(planes[0] + at);
	bytes16 b = plane_count > 1 ? load(planes[1] + at) : none;
	bytes16 c = plane_count > 2 ? load(planes[2] + at) : none;
	bytes16 d = plane_count > 3 ? load(planes[3] + at) : none;
	pairs8 low[2] = {low_pairs(a, b), high_pairs(a, b)};
	pairs8 high[2] = {low_pairs(c, d), high_pairs(c, d)};
	return (struct fours16){{low_fours(low[0], high[0]), high_fours(low[0], high[0]), low_fours(low[1], high[1]),
	                         high_fours(low[1], high[1])}};
}

static inline void put_eights(uint64_t *values, struct fours16 low, struct fours16 high) {
	for (unsigned i = 0; i < 4; i++) {
		fours4 first = __builtin_shufflevector(low.part[i], high.part[i], 0, 4, 1, 5);
		fours4 second = __builtin_shufflevector(low.part[i], high.part[i], 2, 6, 3, 7);
		memcpy(values + 4u * i, &first, sizeof(first));
		memcpy(values + 4u * i + 2, &second, sizeof(second));
	}
}

static inline __attribute__((always_inline)) uint32_t join_u64(const uint8_t *const *planes, unsigned plane_count,
                                                               uint64_t *values, uint32_t count) {
	const struct fours16 none = {{{0}}};
	uint32_t at = 0;
	for (; count - at >= LANES; at += LANES)
		put_eights(values + at, join_fours(planes, plane_count, at),
		           plane_count > 4 ? join_fours(planes + 4, plane_count - 4, at) : none);
	return at;
}

static inline __attribute__((always_inline)) uint32_t join_u32(const uint8_t *const *planes, unsigned plane_count,
                                                               uint32_t *values, uint32_t count) {
	uint32_t at = 0;
	for (; count - at >= LANES; at += LANES) {
		struct fours16 fours = join_fours(planes, plane_count, at);
		memcpy(values + at, &fours, sizeof(fours));
	}
	return at;
}

/* One loop per number of planes, known to the compiler. */
static uint32_t join_most_u64(const uint8_t *const *planes, unsigned plane_count, uint64_t *values, uint32_t count) {
	switch (plane_count) {
	case 1:
		return join_u64(planes, 1, values, count);
	case 2:
		return join_u64(planes, 2, values, count);
	case 3:
		return join_u64(planes, 3, values, count);
	case 4:
		return join_u64(planes, 4, values, count);
	case 5:
		return join_u64(planes, 5, values, count);
	case 6:
		return join_u64(planes, 6, values, count);
	case 7:
		return join_u64(planes, 7, values, count);
	case 8:
		return join_u64(planes, 8, values, count);
	default:
		return 0;
	}
}

static uint32_t join_most_u32(const uint8_t *const *planes, unsigned plane_count, uint32_t *values, uint32_t count) {
	switch (plane_count) {
	case 1:
		return join_u32(planes, 1, values, count);
	case 2:
		return join_u32(planes, 2, values, count);
	case 3:
		return join_u32(planes, 3, values, count);
	case 4:
		return join_u32(planes, 4, values, count);
	default:
		return 0;
	}
}

static inline uint64_t join_one(const uint8_t *const *planes, unsigned plane_count, uint32_t at) {
	uint64_t value = 0;
	for (unsigned p = 0; p < plane_count; p++)
		value |= (uint64_t)planes[p][at] << (8 * p);
	return value;
}

void plane_join_u64(const uint8_t *const *planes, unsigned plane_count, uint64_t *values, uint32_t count) {
	for (uint32_t at = join_most_u64(planes, plane_count, values, count); at < count; at++)
		values[at] = join_one(planes, plane_count, at);
}

void plane_join_u32(const uint8_t *const *planes, unsigned plane_count, uint32_t *values, uint32_t count) {
	for (uint32_t at = join_most_u32(planes, plane_count, values, count); at < count; at++)
		values[at] = (uint32_t)join_one(planes, plane_count, at);
}

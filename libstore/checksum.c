/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH64 after its public specification: four lanes of 8 bytes, multiply and rotate, then a merge and an avalanche.
 * It finds accidents (any single flipped bit, torn and swapped blocks), not forgeries: a store is protected from
 * forgers by its validation, not by this.
 */
#include "checksum.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "the store format is little-endian, and so are the hosts it is written for"
#endif

#define PRIME_1 UINT64_C(0x9E3779B185EBCA87)
#define PRIME_2 UINT64_C(0xC2B2AE3D27D4EB4F)
#define PRIME_3 UINT64_C(0x165667B19E3779F9)
#define PRIME_4 UINT64_C(0x85EBCA77C2B2AE63)
#define PRIME_5 UINT64_C(0x27D4EB2F165667C5)

static inline uint64_t rotate(uint64_t value, unsigned bits) {
	return (value << bits) | (value >> (64u - bits));
}

static inline uint64_t read_u64(const uint8_t *from) {
	uint64_t value;
	memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint32_t read_u32(const uint8_t *from) {
	uint32_t value;
	memcpy(&value, from, sizeof(value));
	return value;
}

static inline uint64_t mix(uint64_t lane, uint64_t input) {
	return rotate(lane + input * PRIME_2, 31) * PRIME_1;
}

static inline uint64_t merge(uint64_t hash, uint64_t lane) {
	return (hash ^ mix(0, lane)) * PRIME_1 + PRIME_4;
}

static uint64_t body(const uint8_t **cursor, size_t bytes, uint64_t seed) {
	const uint8_t *at = *cursor;
	uint64_t lane[4] = {seed + PRIME_1 + PRIME_2, seed + PRIME_2, seed, seed - PRIME_1};
	for (size_t block = 0; block < bytes / 32; block++, at += 32) {
		lane[0] = mix(lane[0], read_u64(at));
		lane[1] = mix(lane[1], read_u64(at + 8));
		lane[2] = mix(lane[2], read_u64(at + 16));
		lane[3] = mix(lane[3], read_u64(at + 24));
	}
	*cursor = at;
	uint64_t hash = rotate(lane[0], 1) + rotate(lane[1], 7) + rotate(lane[2], 12) + rotate(lane[3], 18);
	for (int i = 0; i < 4; i++)
		hash = merge(hash, lane[i]);
	return hash;
}

static uint64_t tail(uint64_t hash, const uint8_t *at, size_t left) {
	for (; left >= 8; at += 8, left -= 8)
		hash = rotate(hash ^ mix(0, read_u64(at)), 27) * PRIME_1 + PRIME_4;
	if (left >= 4) {
		hash = rotate(hash ^ read_u32(at) * PRIME_1, 23) * PRIME_2 + PRIME_3;
		at += 4;
		left -= 4;
	}
	for (; left > 0; at++, left--)
		hash = rotate(hash ^ *at * PRIME_5, 11) * PRIME_1;
	return hash;
}

uint64_t checksum64(const void *data, size_t bytes, uint64_t seed) {
	static const uint8_t nothing;
	const uint8_t *at = data ? data : &nothing;
	uint64_t hash = bytes >= 32 ? body(&at, bytes, seed) : seed + PRIME_5;
	hash = tail(hash + bytes, at, bytes % 32);
	hash = (hash ^ (hash >> 33)) * PRIME_2;
	hash = (hash ^ (hash >> 29)) * PRIME_3;
	return hash ^ (hash >> 32);
}

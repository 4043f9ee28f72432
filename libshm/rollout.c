/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XXH64, as its author Yann Collet specified it: four lanes eat 32 bytes at a time, then what is left goes in by eight, four
 * and one, and the result is mixed so that every bit depends on every bit. All words are read as little-endian.
 */
#include <spanring/rollout.h>
#include <string.h>

#define PRIME1 UINT64_C(0x9e3779b185ebca87)
#define PRIME2 UINT64_C(0xc2b2ae3d27d4eb4f)
#define PRIME3 UINT64_C(0x165667b19e3779f9)
#define PRIME4 UINT64_C(0x85ebca77c2b2ae63)
#define PRIME5 UINT64_C(0x27d4eb2f165667c5)
#define LANES 4u
#define STRIPE_BYTES 32u
#define POINT_BITS 53u /* of a double, exactly */

static uint64_t rotated(uint64_t word, unsigned bits) {
	return word << bits | word >> (64 - bits);
}

static uint64_t read_word(const uint8_t *at, unsigned bytes) {
	uint64_t word = 0;
	for (unsigned i = 0; i < bytes; i++)
		word |= (uint64_t)at[i] << (8 * i);
	return word;
}

static uint64_t round_of(uint64_t lane, uint64_t word) {
	return rotated(lane + word * PRIME2, 31) * PRIME1;
}

static uint64_t hash_stripes(const uint8_t **at, size_t *bytes, uint64_t seed) {
	static const unsigned turns[LANES] = {1, 7, 12, 18};
	uint64_t lanes[LANES] = {seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1};
	uint64_t hash = 0;
	for (; *bytes >= STRIPE_BYTES; *at += STRIPE_BYTES, *bytes -= STRIPE_BYTES)
		for (unsigned i = 0; i < LANES; i++)
			lanes[i] = round_of(lanes[i], read_word(*at + (size_t)8 * i, 8));
	for (unsigned i = 0; i < LANES; i++)
		hash += rotated(lanes[i], turns[i]);
	for (unsigned i = 0; i < LANES; i++)
		hash = (hash ^ round_of(0, lanes[i])) * PRIME1 + PRIME4;
	return hash;
}

static uint64_t hash_rest(uint64_t hash, const uint8_t *at, size_t bytes) {
	for (; bytes >= 8; at += 8, bytes -= 8)
		hash = rotated(hash ^ round_of(0, read_word(at, 8)), 27) * PRIME1 + PRIME4;
	if (bytes >= 4) {
		hash = rotated(hash ^ read_word(at, 4) * PRIME1, 23) * PRIME2 + PRIME3;
		at += 4;
		bytes -= 4;
	}
	for (; bytes > 0; at++, bytes--)
		hash = rotated(hash ^ *at * PRIME5, 11) * PRIME1;
	return hash;
}

static uint64_t hash_bytes(const void *data, size_t bytes, uint64_t seed) {
	const uint8_t *at = data;
	uint64_t total = bytes;
	uint64_t hash = bytes >= STRIPE_BYTES ? hash_stripes(&at, &bytes, seed) : seed + PRIME5;
	hash = hash_rest(hash + total, at, bytes);
	hash = (hash ^ hash >> 33) * PRIME2;
	hash = (hash ^ hash >> 29) * PRIME3;
	return hash ^ hash >> 32;
}

uint64_t spanring_rollout_point(const char *name, const void *key, size_t key_bytes) {
	uint64_t seed = hash_bytes(name, name ? strlen(name) : 0, 0);
	return hash_bytes(key, key ? key_bytes : 0, seed);
}

bool spanring_rollout(const char *name, const void *key, size_t key_bytes, double share) {
	double bound = share * (double)(UINT64_C(1) << POINT_BITS);
	if (!(share > 0))
		return false;
	return share >= 1 || spanring_rollout_point(name, key, key_bytes) >> (64 - POINT_BITS) < (uint64_t)bound;
}

bool spanring_rollout_text(const char *name, const char *key, double share) {
	return spanring_rollout(name, key, key ? strlen(key) : 0, share);
}

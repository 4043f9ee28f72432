/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With h = mix(trace_lo), a = low half of h and b = high half | 1 (32 bits each), hash i is a + i * b modulo 2^32,
 * and its bit number hash * bits / 2^32; bit n is bit n % 8 of byte n / 8. mix is the finaliser of splitmix64.
 */
#include "bloom.h"

static uint64_t mix(uint64_t value) {
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static uint32_t bit_of(uint64_t mixed, unsigned hash, uint32_t bytes) {
	uint32_t value = (uint32_t)mixed + hash * ((uint32_t)(mixed >> 32) | 1u);
	return (uint32_t)((uint64_t)value * ((uint64_t)bytes * 8) >> 32);
}

uint32_t bloom_bytes(uint32_t traces) {
	uint32_t words = (traces * FORMAT_BLOOM_BITS_PER_TRACE + 63) / 64;
	return (words ? words : 1) * 8;
}

void bloom_add(uint8_t *filter, uint32_t bytes, uint64_t trace_lo) {
	uint64_t mixed = mix(trace_lo);
	for (unsigned i = 0; i < FORMAT_BLOOM_HASHES; i++) {
		uint32_t bit = bit_of(mixed, i, bytes);
		filter[bit / 8] = (uint8_t)(filter[bit / 8] | 1u << bit % 8);
	}
}

bool bloom_may_hold(const uint8_t *filter, uint32_t bytes, uint64_t trace_lo) {
	uint64_t mixed = mix(trace_lo);
	for (unsigned i = 0; i < FORMAT_BLOOM_HASHES; i++) {
		uint32_t bit = bit_of(mixed, i, bytes);
		if (!(filter[bit / 8] >> bit % 8 & 1))
			return false;
	}
	return true;
}

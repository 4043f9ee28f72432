/* SPDX-License-Identifier: Apache-2.0 */
#include "operation_loops.h"

#include "loop.h"

#include <spanring/async.h>
#include <spanring/spanring.h>

#define WORK_STEPS 720u

static struct spanring_key number_key = SPANRING_KEY_INIT("bench.number");
static struct spanring_key text_key = SPANRING_KEY_INIT("bench.text");
static struct spanring_key event_key = SPANRING_KEY_INIT("bench.event");

static __attribute__((noinline)) void nothing(uint64_t round) {
	loop_keep(round);
}

uint64_t operation_noop_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		nothing(i);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_span_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.span");
		spanring_end(span);
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_child_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(parent, "bench.parent");
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.child");
		spanring_end(span);
	}
	spanring_end(parent);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_attribute_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.attributes");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_u64(span, &number_key, i);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_string_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.strings");
	for (uint64_t i = 0; i < count; i++)
		spanring_set_string(span, &text_key, "sixteen bytes ok");
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_event_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.events");
	for (uint64_t i = 0; i < count; i++)
		spanring_event(span, &event_key);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_link_ns(uint64_t count) {
	const struct spanring_context linked = {.trace_hi = 1, .trace_lo = 2, .span_id = 3};
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.links");
	for (uint64_t i = 0; i < count; i++)
		spanring_link(span, &linked);
	spanring_end(span);
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_context_ns(uint64_t count) {
	const struct spanring_context context = {.trace_hi = 1, .trace_lo = 2, .span_id = 3};
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		spanring_context_detach(spanring_context_attach(&context));
	return clock_monotonic_ns() - start_ns;
}

/* A chain of multiplications: nothing of it can be done beside, or left out. */
uint64_t operation_work(uint64_t seed) {
	for (uint32_t i = 0; i < WORK_STEPS; i++)
		seed = (seed ^ (seed >> 29)) * UINT64_C(0xbf58476d1ce4e5b9) + i;
	return seed;
}

uint64_t operation_plain_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++)
		loop_keep(operation_work(loop_hide(i)));
	return clock_monotonic_ns() - start_ns;
}

uint64_t operation_traced_ns(uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.work");
		spanring_set_u64(span, &number_key, i);
		loop_keep(operation_work(loop_hide(i)));
		spanring_end(span);
	}
	return clock_monotonic_ns() - start_ns;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "clock_model.h"

#include "base/clock.h"
#include "base/errs.h"

#include <spanring/ring_abi.h>

#if defined(__x86_64__) || defined(__i386__)
#include <x86intrin.h>
#endif

#define Q40_SHIFT 40
#define PAIR_TRIES 16
/* Off by more than this (a suspended or moved machine): go there at once if that is forward, else approach it. */
#define STEP_NS (1 * NS_PER_MS)
#define RATE_Q40_MAX (UINT64_C(1) << 60) /* a millisecond per tick: no counter; keeps every product within 127 bits */
#define NS_MAX ((uint64_t)INT64_MAX)

__extension__ typedef __int128 int128;
__extension__ typedef unsigned __int128 uint128;

uint32_t clock_model_counter_kind(void) {
#if defined(__x86_64__) || defined(__i386__)
	return SPANRING_CLOCK_TSC;
#elif defined(__aarch64__)
	return SPANRING_CLOCK_CNTVCT;
#else
	return 0;
#endif
}

static uint64_t counter_read(void) {
#if defined(__x86_64__) || defined(__i386__)
	return __rdtsc();
#elif defined(__aarch64__)
	uint64_t ticks;
	__asm__ volatile("mrs %0, cntvct_el0" : "=r"(ticks));
	return ticks;
#else
	return 0;
#endif
}

int clock_model_pair_read(uint32_t clock_kind, struct clock_model_pair *ret_pair) {
	if (clock_kind == 0 || clock_kind != clock_model_counter_kind())
		return -ENOTSUP;
	uint64_t narrowest = UINT64_MAX;
	for (int i = 0; i < PAIR_TRIES; i++) {
		uint64_t before = counter_read();
		uint64_t ns = clock_monotonic_ns();
		uint64_t after = counter_read();
		if (after - before >= narrowest)
			continue;
		narrowest = after - before;
		*ret_pair = (struct clock_model_pair){.ticks = before + (after - before) / 2, .ns = ns};
	}
	return 0;
}

static uint64_t clamp_ns(int128 ns) {
	if (ns < 0)
		return 0;
	return ns > (int128)NS_MAX ? NS_MAX : (uint64_t)ns;
}

static uint64_t piece_ns(const struct clock_model_piece *piece, uint64_t ticks) {
	int128 delta = (int128)ticks - (int128)piece->ticks;
	/* Shifting a negative number rounds down here as everywhere, which keeps the map monotone. */
	return clamp_ns((int128)piece->ns + ((delta * (int128)piece->ns_per_tick_q40) >> Q40_SHIFT));
}

/* 0 where the two do not give a rate. */
static uint64_t rate_q40(struct clock_model_pair from, struct clock_model_pair to) {
	if (to.ticks <= from.ticks || to.ns <= from.ns)
		return 0;
	uint128 rate = ((uint128)(to.ns - from.ns) << Q40_SHIFT) / (to.ticks - from.ticks);
	return rate > RATE_Q40_MAX ? 0 : (uint64_t)rate;
}

void clock_model_init(struct clock_model *model, struct clock_model_pair first, struct clock_model_pair second) {
	*model = (struct clock_model){.origin = first, .last = second, .count = 1};
	uint64_t rate = rate_q40(first, second);
	model->pieces[0] = (struct clock_model_piece){
	    .ticks = first.ticks, .ns = first.ns, .ns_per_tick_q40 = rate ? rate : (uint64_t)1 << Q40_SHIFT};
}

/*
 * The rate that leads from `at` to where the clock will be one interval on, within half and one and a half of the
 * measured rate.
 */
static uint64_t steered_rate(uint64_t measured, uint64_t at_ns, struct clock_model_pair now, uint64_t interval_ticks) {
	int128 error_ns = (int128)now.ns - (int128)at_ns;
	int128 rate = (int128)measured + ((error_ns * ((int128)1 << Q40_SHIFT)) / (int128)interval_ticks);
	int128 low = (int128)(measured / 2);
	int128 high = (int128)measured + low;
	if (rate < low)
		rate = low;
	return (uint64_t)(rate > high ? high : rate);
}

void clock_model_renew(struct clock_model *model, struct clock_model_pair now) {
	uint64_t measured = rate_q40(model->last, now);
	if (measured == 0)
		return;
	struct clock_model_piece next = {.ticks = now.ticks, .ns = piece_ns(&model->pieces[model->newest], now.ticks)};
	if (now.ns > next.ns && now.ns - next.ns > STEP_NS)
		next.ns = now.ns;
	next.ns_per_tick_q40 = steered_rate(measured, next.ns, now, now.ticks - model->last.ticks);
	model->newest = (model->newest + 1) % CLOCK_MODEL_PIECES;
	model->pieces[model->newest] = next;
	if (model->count < CLOCK_MODEL_PIECES)
		model->count++;
	model->last = now;
}

uint64_t clock_model_scale_q32(const struct clock_model *model) {
	uint64_t rate = rate_q40(model->origin, model->last);
	if (rate == 0)
		rate = model->pieces[model->newest].ns_per_tick_q40;
	uint64_t scale = (rate + 128) >> 8;
	return scale ? scale : 1;
}

uint64_t clock_model_ns(const struct clock_model *model, uint64_t ticks) {
	const struct clock_model_piece *piece = &model->pieces[model->newest];
	for (uint32_t back = 1; ticks < piece->ticks && back < model->count; back++)
		piece = &model->pieces[(model->newest + CLOCK_MODEL_PIECES - back) % CLOCK_MODEL_PIECES];
	return piece_ns(piece, ticks);
}

uint64_t clock_model_ns_before(const struct clock_model *model, struct clock_model_pair anchor, uint64_t ticks) {
	if (ticks >= model->origin.ticks)
		return clock_model_ns(model, ticks);
	uint64_t rate = rate_q40(anchor, model->origin); /* a division, which most ticks do not need */
	if (rate == 0)
		return clock_model_ns(model, ticks);
	struct clock_model_piece line = {.ticks = model->origin.ticks, .ns = model->origin.ns, .ns_per_tick_q40 = rate};
	return piece_ns(&line, ticks);
}

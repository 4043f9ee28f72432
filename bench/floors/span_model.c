/* SPDX-License-Identifier: Apache-2.0 */
#include "span_model.h"

#include "bench/loops/loop.h"

#include <spanring/statistics_abi.h>

#define MODEL_DEPTH 8u
#define MODEL_BEGUN (UINT64_C(1) << 32)
#define MODEL_CONTROL 1u

struct model_entry {
	uint64_t span_id;
	uint64_t start_ticks;
	uint64_t site;
};

struct model {
	uint32_t control;
	struct model_entry *top;
	struct model_entry *stack_end;
	uint64_t span_id_next;
	uint64_t begun_open;
	uint64_t begun_open_told;
	uint64_t left_out;
	uint64_t sum_ticks;
	uint64_t max_ticks;
	uint64_t bins[SPANRING_STATISTICS_BINS];
	struct model_entry stack[MODEL_DEPTH];
};

static inline void tell(struct model *model, uint64_t change) {
	model->begun_open += change;
	__atomic_store_n(&model->begun_open_told, model->begun_open, __ATOMIC_RELEASE);
}

static inline __attribute__((always_inline)) uint64_t begin(struct model *model, uint64_t site, uint32_t control) {
	struct model_entry *entry = model->top;
	if (__builtin_expect(model->control != control || site == 0 || entry >= model->stack_end, 0))
		return 0;
	entry->span_id = ++model->span_id_next;
	entry->site = site;
	entry->start_ticks = loop_ticks();
	tell(model, MODEL_BEGUN + 1);
	__atomic_store_n(&model->top, entry + 1, __ATOMIC_RELAXED);
	return entry->span_id;
}

static inline __attribute__((always_inline)) void end(struct model *model, uint64_t span_id) {
	struct model_entry *entry = model->top - 1;
	if (__builtin_expect(entry < model->stack || entry->span_id != span_id, 0))
		return;
	uint64_t ticks = loop_ticks() - entry->start_ticks;
	if (__builtin_expect(ticks > model->max_ticks, 0))
		return;
	model->bins[spanring_statistics_bin_below(ticks)]++;
	model->sum_ticks += ticks;
	model->left_out++;
	tell(model, UINT64_MAX);
	__atomic_store_n(&model->top, entry, __ATOMIC_RELAXED);
}

static __attribute__((noinline)) uint64_t call_begin(struct model *model, uint64_t site, uint32_t control) {
	return begin(model, site, control);
}

static __attribute__((noinline)) void call_end(struct model *model, uint64_t span_id) {
	end(model, span_id);
}

static void prepare(struct model *model) {
	model->control = (uint32_t)loop_hide(MODEL_CONTROL);
	model->top = model->stack;
	model->stack_end = model->stack + MODEL_DEPTH;
	model->max_ticks = SPANRING_STATISTICS_TICKS_LAST;
}

uint64_t span_model_called_ns(uint64_t count) {
	struct model model = {0};
	prepare(&model);
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t span_id = call_begin(&model, loop_hide(1), MODEL_CONTROL);
		if (span_id != 0)
			call_end(&model, span_id);
	}
	return clock_monotonic_ns() - start_ns;
}

uint64_t span_model_inlined_ns(uint64_t count) {
	struct model model = {0};
	prepare(&model);
	struct model *hidden = (struct model *)(uintptr_t)loop_hide((uint64_t)(uintptr_t)&model);
	uint64_t start_ns = clock_monotonic_ns();
	for (uint64_t i = 0; i < count; i++) {
		uint64_t span_id = begin(hidden, loop_hide(1), MODEL_CONTROL);
		loop_keep(span_id);
		if (span_id != 0)
			end(hidden, span_id);
		loop_keep(span_id);
	}
	return clock_monotonic_ns() - start_ns;
}

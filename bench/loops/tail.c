/* SPDX-License-Identifier: Apache-2.0 */
#include "tail.h"

#include "base/cleanup.h"
#include "bursts.h"
#include "loop.h"
#include <errno.h>
#include <spanring/spanring.h>

#include <math.h>
#include <string.h>

/* Ticks of single rounds, and how long all of them took, on both clocks. */
struct samples {
	uint32_t *ticks;
	uint64_t count;
	uint64_t total_ticks;
	uint64_t total_ns;
};

static uint32_t clamped(uint64_t ticks) {
	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

static void time_spans(struct samples *samples, uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns(), start_ticks = loop_ticks();
	uint32_t *at = samples->ticks + samples->count;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t before = loop_ticks();
		SPANRING_BEGIN(span, "bench.tail");
		spanring_end(span);
		at[i] = clamped(loop_ticks() - before);
	}
	samples->count += count;
	samples->total_ticks += loop_ticks() - start_ticks;
	samples->total_ns += clock_monotonic_ns() - start_ns;
}

static void time_readings(struct samples *samples, uint64_t count) {
	uint64_t start_ns = clock_monotonic_ns(), start_ticks = loop_ticks();
	uint32_t *at = samples->ticks + samples->count;
	for (uint64_t i = 0; i < count; i++) {
		uint64_t before = loop_ticks();
		at[i] = clamped(loop_ticks() - before);
	}
	samples->count += count;
	samples->total_ticks += loop_ticks() - start_ticks;
	samples->total_ns += clock_monotonic_ns() - start_ns;
}

static int compare(const void *a, const void *b) {
	uint32_t left, right;
	memcpy(&left, a, sizeof(left));
	memcpy(&right, b, sizeof(right));
	return (left > right) - (left < right);
}

/* The smallest value that so large a share of all is not above. */
static double percentile(const struct samples *samples, double share, double less_ticks) {
	uint64_t rank = (uint64_t)ceil(share * (double)samples->count);
	double ticks = (double)samples->ticks[rank > 0 ? rank - 1 : 0] - less_ticks;
	return fmax(ticks, 0) * (double)samples->total_ns / (double)samples->total_ticks;
}

static void fill_tail(struct samples *samples, double less_ticks, struct tail *ret_tail) {
	qsort(samples->ticks, samples->count, sizeof(samples->ticks[0]), compare);
	*ret_tail = (struct tail){.p50_ns = percentile(samples, 0.5, less_ticks),
	                          .p99_ns = percentile(samples, 0.99, less_ticks),
	                          .p99_9_ns = percentile(samples, 0.999, less_ticks),
	                          .p99_99_ns = percentile(samples, 0.9999, less_ticks),
	                          .max_ns = percentile(samples, 1, less_ticks)};
}

static int make_samples(uint64_t count, struct samples *ret_samples) {
	*ret_samples = (struct samples){.ticks = malloc(count * sizeof(uint32_t))};
	if (!ret_samples->ticks)
		return -ENOMEM;
	/* Touched, so that no page is missing while spans are timed. */
	memset(ret_samples->ticks, 1, count * sizeof(uint32_t));
	return 0;
}

/* The first burst is not kept. */
static int take_samples(uint64_t burst_spans, uint32_t bursts, struct samples *spans, struct samples *readings) {
	struct spanring_counters counters;
	int rc = 0;
	for (uint32_t i = 0; i <= bursts && rc == 0; i++) {
		if (i <= 1)
			spans->count = readings->count = 0;
		time_readings(readings, burst_spans);
		time_spans(spans, burst_spans);
		rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	}
	spanring_counters_read(&counters);
	return rc == 0 && counters.dropped_full + counters.dropped_no_ring > 0 ? -EOVERFLOW : rc;
}

int tail_measure(uint64_t burst_spans, uint32_t bursts, struct tail *ret_spans, struct tail *ret_readings) {
	struct samples spans = {0}, readings = {0};
	*ret_spans = *ret_readings = (struct tail){NAN, NAN, NAN, NAN, NAN};
	if (!loop_has_ticks())
		return 0;
	int rc = make_samples(burst_spans * (bursts + 1u), &spans);
	if (rc == 0)
		rc = make_samples(burst_spans * (bursts + 1u), &readings);
	if (rc == 0)
		rc = take_samples(burst_spans, bursts, &spans, &readings);
	if (rc == 0) {
		fill_tail(&readings, 0, ret_readings);
		uint32_t cost_ticks = readings.ticks[readings.count / 2];
		fill_tail(&spans, cost_ticks, ret_spans);
	}
	free(spans.ticks);
	free(readings.ticks);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Exact percentiles of many series in bounded memory, by reading the values more than once.
 *
 * DEFINITION. Nearest rank: the q-quantile of n values is the value of rank ceil(q * n) in ascending order. It is always one of the values.
 *
 * METHOD. The first pass fills a log-linear histogram per series (histogram.h). The histogram says in which bin each wanted rank lies and
 * which rank it has there; these bins are the windows of the next pass. A pass over the values then does one of three things per window:
 *
 *     collect   few enough values: keep them, select the rank, done
 *     refine    too many: count them in QUANTILE_REFINE_BINS narrower bins; the bin with the rank is the window of the pass after
 *     wait      the budget of this pass is spent: the next pass looks at it
 *
 * A window one value wide is solved without a look. Windows of ordinary latencies hold about 1 % of the values, so two passes are the rule;
 * a billion equal values need seven at most, since each refinement takes ten bits off the width. Memory: QUANTILE_BUDGET_BYTES for
 * the windows, 2 to 30 KiB per series for the histogram while the first pass runs.
 *
 * GUESSES. Where it is known beforehand about where the percentiles of a series lie, the first pass needs no histogram: it counts what is
 * below each guessed range and inside, and keeps the values inside as long as they fit half of the budget. If the ranks are inside, there is no
 * second pass. A guess is never believed: the counts say exactly which ranks are in which range or gap between them, and a rank in a gap has the gap
 * for its window. So a wrong guess costs passes and changes no figure.
 *
 *     quantiles_observe(...) for each value;
 *     while ((rc = quantiles_next_pass(q)) > 0)
 *             quantiles_refine(...) for each value again;
 *     quantiles_value(q, series, QUANTILE_P99)
 */
#ifndef SPANRING_ANALYZE_QUANTILE_H
#define SPANRING_ANALYZE_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

#define QUANTILE_BUDGET_BYTES (32u << 20)
#define QUANTILE_REFINE_BINS 1024u

enum quantile { QUANTILE_P50, QUANTILE_P90, QUANTILE_P95, QUANTILE_P99, QUANTILE_P999, QUANTILE_COUNT };

struct quantiles;

/* Series are numbered from 0; those without values cost a pointer. 0 or -ENOMEM. */
int quantiles_new(size_t series_count, size_t budget_bytes, struct quantiles **ret_quantiles);
void quantiles_free(struct quantiles *quantiles);

/* First pass. 0 or -ENOMEM. */
int quantiles_observe(struct quantiles *quantiles, size_t series, uint64_t value);

/*
 * Ends a pass: 0 when every quantile is known, 1 when the values are wanted once more, -ENOMEM, or ERR_GONE when the pass that ends did not
 * show the values of the first one.
 */
int quantiles_next_pass(struct quantiles *quantiles);

/*
 * Values that stand for more than one, whole numbers of some unit: ranks are then ranks among the units. Of one set either all values are
 * weighted or none; the weighted ones are always refined, one more pass as a rule.
 */
int quantiles_observe_weighted(struct quantiles *quantiles, size_t series, uint64_t value, uint32_t weight);
void quantiles_refine_weighted(struct quantiles *quantiles, size_t series, uint64_t value, uint32_t weight);

/* Later passes. */
void quantiles_refine(struct quantiles *quantiles, size_t series, uint64_t value);

/*
 * RUNS. Many values of one series at once do what the same values do one after the other. In later passes most values are of no interest:
 * quantiles_pick copies those that may be, in order and without a branch, and only reads, so that any number of threads may call it while none
 * refines; quantiles_refine takes what was picked. ret_picked has room for all.
 */
int quantiles_observe_run(struct quantiles *quantiles, size_t series, const uint64_t *values, size_t count);
size_t quantiles_pick(const struct quantiles *quantiles, size_t series, const uint64_t *values, size_t count,
                      uint64_t *ret_picked);

/* The same for values that fit 32 bits (lanes.h): about four times as fast. */
int quantiles_observe_run32(struct quantiles *quantiles, size_t series, const uint32_t *values, size_t count);
size_t quantiles_pick_run32(const struct quantiles *quantiles, size_t series, const uint32_t *values, size_t count,
                            uint32_t *ret_picked);

/*
 * Before the first value of the series, at most QUANTILE_COUNT times, upwards: a percentile is guessed to be low, high or between. Sets that are
 * put together have the same guesses; the values have no weights. 0 or -ENOMEM.
 */
int quantiles_guess(struct quantiles *quantiles, size_t series, uint64_t low, uint64_t high);

/* Before the first pass of either ends: what `from` observed, too, which gives up the values that it kept. 0 or -ENOMEM. */
int quantiles_merge(struct quantiles *quantiles, struct quantiles *from);

/* After the last pass; 0 for a series without values. */
uint64_t quantiles_value(const struct quantiles *quantiles, size_t series, enum quantile which);

/* ceil(q * n), from 1. */
uint64_t quantile_rank(uint64_t count, enum quantile which);

#endif

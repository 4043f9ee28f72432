/* SPDX-License-Identifier: Apache-2.0 */
#include "quantile.h"

#include "histogram.h"
#include "lanes.h"
#include "select.h"

#include "base/errs.h"

#include <assert.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define COLLECT_VALUES_MIN 1024u /* a window that small is never worth another pass */
#define KEPT_ROOM_FIRST 64u

enum window_mode { WINDOW_WAIT, WINDOW_COLLECT, WINDOW_REFINE };

struct window {
	uint64_t low; /* both inclusive */
	uint64_t high;
	uint64_t count; /* how many values the pass must find */
	uint64_t found;
	uint64_t *cells; /* COLLECT: the values; REFINE: the counts */
	enum window_mode mode;
	uint32_t shift; /* REFINE: bin = (value - low) >> shift */
};

struct target {
	uint64_t rank; /* in its window, from 1 */
	uint64_t value;
	uint32_t window;
	bool solved;
};

/* Values of a guessed range, in no order. */
struct kept {
	uint64_t *values;
	size_t count;
	size_t room;
};

struct series {
	struct histogram histogram;
	/* Of a series with guesses, instead of the histogram. */
	struct kept kept[QUANTILE_COUNT]; /* by range */
	struct lanes_counts counts;       /* likewise */
	uint32_t low_bin;                 /* of all values */
	uint32_t high_bin;
	bool is_guessed;
	bool given_up; /* the values are more than fit */
	uint64_t count;
	uint32_t window_count;
	struct window windows[QUANTILE_COUNT]; /* disjoint, ascending */
	struct target targets[QUANTILE_COUNT];
	/* Bins of the histogram that this pass wants values of, in two forms: a bit per bin, and ranges. */
	uint64_t marks[HISTOGRAM_GROUPS];
	uint32_t range_count;
	struct lanes_range ranges[QUANTILE_COUNT];
	uint64_t range_lows[QUANTILE_COUNT]; /* their smallest values */
};

_Static_assert(HISTOGRAM_BINS <= UINT16_MAX, "bins of lanes.h have 16 bits");
_Static_assert(QUANTILE_COUNT <= LANES_RANGES_MAX, "each may have a range");

struct quantiles {
	struct series **series;
	size_t series_count;
	size_t budget_bytes;
	size_t kept_bytes; /* of the budget, by values of guessed bins */
	const struct lanes *lanes;
	bool narrowing; /* the first pass is over */
	bool weighted;  /* counts are sums of weights: values cannot be collected one by one */
};

uint64_t quantile_rank(uint64_t count, enum quantile which) {
	static const uint64_t per_mille[QUANTILE_COUNT] = {500, 900, 950, 990, 999};
	/* count * p / 1000 without overflow: split count by 1000 */
	uint64_t whole = count / 1000u * per_mille[which];
	return whole + (count % 1000u * per_mille[which] + 999u) / 1000u;
}

int quantiles_new(size_t series_count, size_t budget_bytes, struct quantiles **ret_quantiles) {
	assert(budget_bytes >= QUANTILE_REFINE_BINS * sizeof(uint64_t));
	struct quantiles *quantiles = calloc(1, sizeof(*quantiles));
	if (!quantiles)
		return -ENOMEM;
	quantiles->series = calloc(series_count ? series_count : 1, sizeof(struct series *));
	if (!quantiles->series) {
		free(quantiles);
		return -ENOMEM;
	}
	quantiles->series_count = series_count;
	quantiles->budget_bytes = budget_bytes;
	quantiles->lanes = lanes_choose(LANES_AVX512);
	*ret_quantiles = quantiles;
	return 0;
}

static void drop_windows(struct series *series) {
	for (uint32_t i = 0; i < series->window_count; i++)
		free(series->windows[i].cells);
	series->window_count = 0;
}

void quantiles_free(struct quantiles *quantiles) {
	if (!quantiles)
		return;
	for (size_t i = 0; i < quantiles->series_count; i++) {
		if (!quantiles->series[i])
			continue;
		drop_windows(quantiles->series[i]);
		for (uint32_t r = 0; r < QUANTILE_COUNT; r++)
			free(quantiles->series[i]->kept[r].values);
		histogram_clear(&quantiles->series[i]->histogram);
		free(quantiles->series[i]);
	}
	free(quantiles->series);
	free(quantiles);
}

static struct series *series_of(struct quantiles *quantiles, size_t index) {
	assert(index < quantiles->series_count);
	assert(!quantiles->narrowing);
	if (__builtin_expect(!quantiles->series[index], 0))
		quantiles->series[index] = calloc(1, sizeof(struct series));
	return quantiles->series[index];
}

static void want(struct series *series, uint32_t first, uint32_t last) {
	assert(series->range_count < QUANTILE_COUNT);
	series->range_lows[series->range_count] = histogram_bin_low(first);
	series->ranges[series->range_count++] = (struct lanes_range){(uint16_t)first, (uint16_t)last};
	for (uint32_t bin = first; bin <= last; bin++)
		series->marks[bin / HISTOGRAM_GROUP_BINS] |= UINT64_C(1) << (bin % HISTOGRAM_GROUP_BINS);
}

static bool is_wanted(const struct series *series, uint32_t bin) {
	return series->marks[bin / HISTOGRAM_GROUP_BINS] >> (bin % HISTOGRAM_GROUP_BINS) & 1;
}

static void want_nothing(struct series *series) {
	series->range_count = 0;
	memset(series->marks, 0, sizeof(series->marks));
}

/* Ranges that meet become one, so that they are apart. */
int quantiles_guess(struct quantiles *quantiles, size_t index, uint64_t low, uint64_t high) {
	struct series *series = series_of(quantiles, index);
	uint32_t first = histogram_bin(low);
	uint32_t last = histogram_bin(high);
	if (!series)
		return -ENOMEM;
	struct lanes_range *before = series->range_count ? &series->ranges[series->range_count - 1] : NULL;
	assert(series->count == 0 && low <= high && (!before || first >= before->first));
	if (before && first <= before->last) {
		first = before->first;
		last = last > before->last ? last : before->last;
		series->range_count--;
	}
	want(series, first, last);
	series->is_guessed = true;
	return 0;
}

static void give_up(struct quantiles *quantiles, struct series *series) {
	for (uint32_t r = 0; r < QUANTILE_COUNT; r++) {
		struct kept *kept = &series->kept[r];
		quantiles->kept_bytes -= kept->room * sizeof(*kept->values);
		free(kept->values);
		*kept = (struct kept){NULL, 0, 0};
	}
	series->given_up = true;
}

/* Room for so many more values of a guessed range; false: they do not fit, and those of all ranges are given up. */
static bool keep_room(struct quantiles *quantiles, struct series *series, uint32_t range, size_t more) {
	struct kept *kept = &series->kept[range];
	if (series->given_up || more <= kept->room - kept->count)
		return !series->given_up;
	size_t room = kept->room ? 2 * kept->room : KEPT_ROOM_FIRST;
	while (room < kept->count + more)
		room *= 2;
	size_t added_bytes = (room - kept->room) * sizeof(*kept->values);
	uint64_t *values = added_bytes <= quantiles->budget_bytes / 2 - quantiles->kept_bytes
	                       ? realloc(kept->values, room * sizeof(*values))
	                       : NULL;
	if (!values) {
		give_up(quantiles, series);
		return false;
	}
	quantiles->kept_bytes += added_bytes;
	kept->values = values;
	kept->room = room;
	return true;
}

/* A value that is in one of the ranges. */
static inline void keep(struct quantiles *quantiles, struct series *series, uint64_t value) {
	uint32_t range = 0;
	for (uint32_t r = 1; r < series->range_count; r++)
		range += value >= series->range_lows[r];
	struct kept *kept = &series->kept[range];
	if (__builtin_expect(kept->count == kept->room, 0) && !keep_room(quantiles, series, range, 1))
		return;
	kept->values[kept->count++] = value;
}

static void widen(struct series *series, uint64_t before, uint32_t low_bin, uint32_t high_bin) {
	series->low_bin = before && series->low_bin < low_bin ? series->low_bin : low_bin;
	series->high_bin = before && series->high_bin > high_bin ? series->high_bin : high_bin;
}

/* One value of a guessed series; `before` came before it. */
static void sieve(struct quantiles *quantiles, struct series *series, uint64_t value, uint64_t before) {
	uint32_t bin = histogram_bin(value);
	widen(series, before, bin, bin);
	for (uint32_t r = 0; r < series->range_count; r++) {
		series->counts.below[r] += bin < series->ranges[r].first;
		series->counts.inside[r] += bin >= series->ranges[r].first && bin <= series->ranges[r].last;
	}
	if (is_wanted(series, bin))
		keep(quantiles, series, value);
}

static void sieve_run32(struct quantiles *quantiles, struct series *series, const uint32_t *values,
                        const uint16_t *bins, size_t count) {
	uint32_t picked[LANES_AT_ONCE];
	size_t more =
	    quantiles->lanes->sieve(values, bins, count, series->ranges, series->range_count, &series->counts, picked);
	for (size_t i = 0; i < more && !series->given_up; i++)
		keep(quantiles, series, picked[i]);
}

static inline int observe(struct quantiles *quantiles, size_t index, uint64_t value, uint64_t weight) {
	struct series *series = series_of(quantiles, index);
	if (!series)
		return -ENOMEM;
	if (series->is_guessed) {
		assert(weight == 1);
		sieve(quantiles, series, value, series->count++);
		return 0;
	}
	series->count += weight;
	return histogram_add_weight(&series->histogram, value, weight);
}

int quantiles_observe(struct quantiles *quantiles, size_t index, uint64_t value) {
	return observe(quantiles, index, value, 1);
}

int quantiles_observe_weighted(struct quantiles *quantiles, size_t index, uint64_t value, uint32_t weight) {
	quantiles->weighted = true;
	return observe(quantiles, index, value, weight);
}

int quantiles_observe_run(struct quantiles *quantiles, size_t index, const uint64_t *values, size_t count) {
	uint64_t min = UINT64_MAX;
	uint64_t max = 0;
	if (count == 0)
		return 0;
	struct series *series = series_of(quantiles, index);
	if (!series)
		return -ENOMEM;
	if (series->is_guessed) {
		for (size_t i = 0; i < count; i++)
			sieve(quantiles, series, values[i], series->count++);
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		min = values[i] < min ? values[i] : min;
		max = values[i] > max ? values[i] : max;
	}
	series->count += count;
	return histogram_add_run(&series->histogram, values, count, min, max);
}

int quantiles_observe_run32(struct quantiles *quantiles, size_t index, const uint32_t *values, size_t count) {
	uint16_t bins[LANES_AT_ONCE];
	int error = 0;
	if (count == 0)
		return 0;
	struct series *series = series_of(quantiles, index);
	if (!series)
		return -ENOMEM;
	for (size_t at = 0; at < count && !error; at += LANES_AT_ONCE) {
		size_t some = count - at < LANES_AT_ONCE ? count - at : LANES_AT_ONCE;
		struct lanes_range bounds = quantiles->lanes->bins(values + at, some, bins);
		if (series->is_guessed) {
			widen(series, series->count, bounds.first, bounds.last);
			sieve_run32(quantiles, series, values + at, bins, some);
		} else {
			error = histogram_add_bins(&series->histogram, bins, some, bounds.first, bounds.last);
		}
		series->count += some;
	}
	return error;
}

/* Of a guessed series; where one of them gave up its values, both do. */
static void merge_guessed(struct quantiles *quantiles, struct series *series, struct quantiles *from,
                          struct series *other) {
	assert(series->range_count == other->range_count);
	if (other->count)
		widen(series, series->count, other->low_bin, other->high_bin);
	for (uint32_t r = 0; r < series->range_count; r++) {
		series->counts.below[r] += other->counts.below[r];
		series->counts.inside[r] += other->counts.inside[r];
	}
	if (other->given_up)
		give_up(quantiles, series);
	for (uint32_t r = 0; r < series->range_count; r++) {
		const struct kept *more = &other->kept[r];
		struct kept *kept = &series->kept[r];
		if (!more->count || !keep_room(quantiles, series, r, more->count))
			continue;
		memcpy(kept->values + kept->count, more->values, more->count * sizeof(*more->values));
		kept->count += more->count;
	}
	give_up(from, other);
}

int quantiles_merge(struct quantiles *quantiles, struct quantiles *from) {
	assert(!from->narrowing && from->series_count == quantiles->series_count);
	int error = 0;
	for (size_t i = 0; i < from->series_count && !error; i++) {
		if (!from->series[i])
			continue;
		struct series *series = series_of(quantiles, i);
		if (!series)
			return -ENOMEM;
		if (series->is_guessed)
			merge_guessed(quantiles, series, from, from->series[i]);
		series->count += from->series[i]->count;
		error = histogram_merge(&series->histogram, &from->series[i]->histogram);
	}
	return error;
}

size_t quantiles_pick(const struct quantiles *quantiles, size_t index, const uint64_t *values, size_t count,
                      uint64_t *ret_picked) {
	assert(index < quantiles->series_count);
	const struct series *series = quantiles->series[index];
	size_t picked = 0;
	if (!series || series->window_count == 0)
		return 0;
	for (size_t i = 0; i < count; i++) {
		uint32_t bin = histogram_bin(values[i]);
		ret_picked[picked] = values[i];
		picked += is_wanted(series, bin);
	}
	return picked;
}

size_t quantiles_pick_run32(const struct quantiles *quantiles, size_t index, const uint32_t *values, size_t count,
                            uint32_t *ret_picked) {
	assert(index < quantiles->series_count);
	const struct series *series = quantiles->series[index];
	const struct lanes *lanes = quantiles->lanes;
	uint16_t bins[LANES_AT_ONCE];
	size_t picked = 0;
	if (!series || series->range_count == 0)
		return 0;
	for (size_t at = 0; at < count; at += LANES_AT_ONCE) {
		size_t some = count - at < LANES_AT_ONCE ? count - at : LANES_AT_ONCE;
		(void)lanes->bins(values + at, some, bins);
		picked +=
		    lanes->pick(values + at, bins, some, series->ranges, series->range_count, ret_picked + picked);
	}
	return picked;
}

static inline void refine(struct quantiles *quantiles, size_t index, uint64_t value, uint64_t weight) {
	assert(index < quantiles->series_count);
	struct series *series = quantiles->series[index];
	if (!series)
		return;
	for (uint32_t i = 0; i < series->window_count; i++) {
		struct window *window = &series->windows[i];
		if (value > window->high)
			continue;
		if (value < window->low || window->mode == WINDOW_WAIT)
			return;
		if (window->mode == WINDOW_REFINE)
			window->cells[(value - window->low) >> window->shift] += weight;
		else if (window->found < window->count)
			window->cells[window->found] = value;
		window->found += weight;
		return;
	}
}

void quantiles_refine(struct quantiles *quantiles, size_t index, uint64_t value) {
	refine(quantiles, index, value, 1);
}

void quantiles_refine_weighted(struct quantiles *quantiles, size_t index, uint64_t value, uint32_t weight) {
	refine(quantiles, index, value, weight);
}

/* Put a target into the window [low, high], the last one or a new one; solved when it is one value wide. */
static void aim(struct series *series, struct target *target, uint64_t rank, const struct window *range) {
	target->rank = rank;
	if (range->low == range->high) {
		target->value = range->low;
		target->solved = true;
		return;
	}
	struct window *last = series->window_count ? &series->windows[series->window_count - 1] : NULL;
	if (!last || last->low != range->low) {
		assert(series->window_count < QUANTILE_COUNT);
		series->windows[series->window_count++] = *range;
	}
	target->window = series->window_count - 1;
}

/* The range or the gap that holds the rank, which becomes that inside of it. *ret_kept: values of the range, NULL for a gap. */
static struct window place_of(struct series *series, uint64_t *rank, struct kept **ret_kept) {
	uint64_t through = 0; /* values up to the end of the range before */
	uint32_t next_bin = series->low_bin;
	*ret_kept = NULL;
	for (uint32_t r = 0; r < series->range_count; r++) {
		const struct lanes_range *range = &series->ranges[r];
		uint64_t below = series->counts.below[r];
		if (*rank <= below) {
			*rank -= through;
			return (struct window){.low = histogram_bin_low(next_bin),
			                       .high = histogram_bin_low(range->first) - 1,
			                       .count = below - through};
		}
		through = below + series->counts.inside[r];
		if (*rank <= through) {
			*rank -= below;
			*ret_kept = &series->kept[r];
			return (struct window){.low = histogram_bin_low(range->first),
			                       .high = histogram_bin_high(range->last),
			                       .count = through - below};
		}
		next_bin = range->last + 1u > next_bin ? range->last + 1u : next_bin;
	}
	*rank -= through;
	return (struct window){.low = histogram_bin_low(next_bin),
	                       .high = histogram_bin_high(series->high_bin),
	                       .count = series->count - through};
}

static void aim_by_guess(struct quantiles *quantiles, struct series *series) {
	for (uint32_t i = 0; i < QUANTILE_COUNT; i++) {
		struct target *target = &series->targets[i];
		struct kept *kept = NULL;
		uint64_t rank = quantile_rank(series->count, (enum quantile)i);
		struct window window = place_of(series, &rank, &kept);
		if (kept && kept->count == window.count) {
			target->value = select_rank(kept->values, kept->count, rank);
			target->solved = true;
		} else {
			aim(series, target, rank, &window);
		}
	}
	give_up(quantiles, series);
}

static void aim_by_histogram(struct series *series) {
	for (uint32_t i = 0; i < QUANTILE_COUNT; i++) {
		struct histogram_place place =
		    histogram_find(&series->histogram, quantile_rank(series->count, (enum quantile)i));
		struct window range = {
		    .low = histogram_bin_low(place.bin), .high = histogram_bin_high(place.bin), .count = place.count};
		aim(series, &series->targets[i], place.rank, &range);
	}
	histogram_clear(&series->histogram);
}

/* The bin of a refined window that holds the rank. */
static struct window narrower(const struct window *window, uint64_t *rank) {
	uint64_t bin = 0;
	while (*rank > window->cells[bin]) {
		*rank -= window->cells[bin++];
		assert(bin < QUANTILE_REFINE_BINS);
	}
	uint64_t low = window->low + (bin << window->shift);
	uint64_t high = low + ((UINT64_C(1) << window->shift) - 1u);
	struct window range = {
	    .low = low, .high = high < window->high ? high : window->high, .count = window->cells[bin]};
	return range;
}

/* Use what a pass found; the targets that are still open get new windows. */
static int digest(struct series *series) {
	struct window old[QUANTILE_COUNT];
	uint32_t old_count = series->window_count;
	int rc = 0;
	memcpy(old, series->windows, sizeof(old));
	series->window_count = 0;
	for (uint32_t i = 0; i < old_count; i++) {
		if (old[i].mode != WINDOW_WAIT && old[i].found != old[i].count)
			rc = ERR_GONE;
	}
	for (uint32_t i = 0; i < QUANTILE_COUNT && rc == 0; i++) {
		struct target *target = &series->targets[i];
		if (target->solved)
			continue;
		const struct window *window = &old[target->window];
		uint64_t rank = target->rank;
		if (window->mode == WINDOW_COLLECT) {
			target->value = select_rank(window->cells, window->count, rank);
			target->solved = true;
		} else {
			struct window range = *window;
			if (window->mode == WINDOW_REFINE)
				range = narrower(window, &rank);
			aim(series, target, rank, &range);
		}
	}
	for (uint32_t i = 0; i < old_count; i++)
		free(old[i].cells);
	return rc;
}

static uint32_t refine_shift(const struct window *window) {
	uint32_t shift = 0;
	while ((window->high - window->low) >> shift >= QUANTILE_REFINE_BINS)
		shift++;
	return shift;
}

/* Decide what the pass does with a window; takes from the budget. Windows with more than collect_max are not collected. */
static int plan(struct window *window, uint64_t collect_max, size_t *budget_bytes) {
	size_t cells = QUANTILE_REFINE_BINS;
	window->mode = WINDOW_REFINE;
	if (window->count <= collect_max && window->count * sizeof(uint64_t) <= *budget_bytes) {
		window->mode = WINDOW_COLLECT;
		cells = window->count;
	}
	if (cells * sizeof(uint64_t) > *budget_bytes) {
		window->mode = WINDOW_WAIT;
		return 0;
	}
	*budget_bytes -= cells * sizeof(uint64_t);
	window->shift = refine_shift(window);
	window->cells = calloc(cells, sizeof(uint64_t));
	return window->cells ? 0 : -ENOMEM;
}

static void mark(struct series *series) {
	want_nothing(series);
	for (uint32_t i = 0; i < series->window_count; i++) {
		const struct window *window = &series->windows[i];
		if (window->mode != WINDOW_WAIT)
			want(series, histogram_bin(window->low), histogram_bin(window->high));
	}
}

static int plan_all(struct quantiles *quantiles) {
	uint64_t windows = 0;
	uint64_t values = 0;
	for (size_t i = 0; i < quantiles->series_count; i++) {
		const struct series *series = quantiles->series[i];
		for (uint32_t w = 0; series && w < series->window_count; w++) {
			windows++;
			values += series->windows[w].count;
		}
	}
	if (windows == 0)
		return 0;
	size_t budget_bytes = quantiles->budget_bytes;
	uint64_t room = budget_bytes / sizeof(uint64_t);
	uint64_t share = room / windows > COLLECT_VALUES_MIN ? room / windows : COLLECT_VALUES_MIN;
	uint64_t collect_max = values <= room ? room : share;
	if (quantiles->weighted)
		collect_max = 0;
	for (size_t i = 0; i < quantiles->series_count; i++) {
		struct series *series = quantiles->series[i];
		for (uint32_t w = 0; series && w < series->window_count; w++) {
			int rc = plan(&series->windows[w], collect_max, &budget_bytes);
			if (rc != 0)
				return rc;
		}
		if (series)
			mark(series);
	}
	return 1;
}

int quantiles_next_pass(struct quantiles *quantiles) {
	for (size_t i = 0; i < quantiles->series_count; i++) {
		struct series *series = quantiles->series[i];
		if (!series || series->count == 0)
			continue;
		if (!quantiles->narrowing) {
			if (series->is_guessed)
				aim_by_guess(quantiles, series);
			else
				aim_by_histogram(series);
			continue;
		}
		int rc = digest(series);
		if (rc != 0)
			return rc;
	}
	quantiles->narrowing = true;
	return plan_all(quantiles);
}

uint64_t quantiles_value(const struct quantiles *quantiles, size_t index, enum quantile which) {
	assert(index < quantiles->series_count);
	const struct series *series = quantiles->series[index];
	if (!series || series->count == 0)
		return 0;
	assert(series->targets[which].solved);
	return series->targets[which].value;
}

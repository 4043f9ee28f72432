/* SPDX-License-Identifier: Apache-2.0 */
#include "grid.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SHIFT_EXACT (63u - GRID_BITS_MAX)

double grid_low_ns(const struct grid *grid, uint32_t bin) {
	uint32_t group = bin >> grid->bits;
	uint32_t shift = group > 1 ? group - 1 : 0;
	uint64_t steps = bin - (shift << grid->bits);
	/* the last bin ends beyond what 64 bits hold */
	double ticks = shift < SHIFT_EXACT ? (double)(steps << shift) : ldexp((double)steps, (int)shift);
	return ticks * grid->ns_per_tick;
}

int grid_add(const struct grid *grid, struct grid_weights *weights, uint32_t bin, double weight) {
	double **group = &weights->groups[bin >> grid->bits];
	if (__builtin_expect(!*group, 0))
		*group = calloc(1u << grid->bits, sizeof(**group));
	if (!*group)
		return -ENOMEM;
	(*group)[bin & ((1u << grid->bits) - 1)] += weight;
	return 0;
}

int grid_lay(const struct grid *grid, double low_ns, double high_ns, double weight,
             int (*on_part)(void *context, uint32_t bin, double weight), void *context) {
	double ticks = low_ns / grid->ns_per_tick;
	uint32_t last = (GRID_GROUPS << grid->bits) - 1;
	uint32_t bin = ticks < 0x1p62 ? grid_bin(grid, (uint64_t)(ticks > 0 ? ticks : 0)) : last;
	double left = weight;
	int error = 0;
	for (; !error && left > 0 && bin < last; bin++) {
		double end = grid_low_ns(grid, bin + 1);
		double begin = fmax(grid_low_ns(grid, bin), low_ns);
		if (end >= high_ns)
			break;
		double part = weight * (end - begin) / (high_ns - low_ns);
		if (part > 0)
			error = on_part(context, bin, part < left ? part : left);
		left -= part > 0 ? part : 0;
	}
	return !error && left > 0 ? on_part(context, bin, left) : error;
}

void grid_clear(struct grid_weights *weights) {
	for (uint32_t group = 0; group < GRID_GROUPS; group++)
		free(weights->groups[group]);
	memset(weights, 0, sizeof(*weights));
}

void grid_seal(const struct grid *grid, struct grid_weights *weights) {
	double sum = 0;
	for (uint32_t group = 0; group < GRID_GROUPS; group++) {
		weights->before[group] = sum;
		for (uint32_t place = 0; weights->groups[group] && place < 1u << grid->bits; place++) {
			sum += weights->groups[group][place];
			weights->groups[group][place] = sum;
		}
	}
	weights->before[GRID_GROUPS] = sum;
}

double grid_quantile(const struct grid *grid, const struct grid_weights *weights, double share) {
	double wanted = share * grid_total(weights);
	uint32_t group = 0;
	if (!(grid_total(weights) > 0))
		return 0;
	while (group + 1 < GRID_GROUPS && (!weights->groups[group] || weights->before[group + 1] < wanted))
		group++;
	/* behind the last weight by a rounding */
	while (!weights->groups[group])
		group--;
	uint32_t low = 0;
	uint32_t high = (1u << grid->bits) - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (weights->groups[group][middle] >= wanted && weights->groups[group][middle] > weights->before[group])
			high = middle;
		else
			low = middle + 1;
	}
	uint32_t bin = (group << grid->bits) + low;
	double below = grid_below(grid, weights, bin);
	double inside = grid_up_to(grid, weights, bin) - below;
	double part = inside > 0 ? (wanted - below) / inside : 0;
	double from = grid_low_ns(grid, bin);
	return from + fmin(fmax(part, 0), 1) * (grid_low_ns(grid, bin + 1) - from);
}

double grid_part_below(const struct grid *grid, uint32_t bin, double value_ns) {
	double low = grid_low_ns(grid, bin);
	double high = grid_low_ns(grid, bin + 1);
	if (value_ns <= low)
		return 0;
	return value_ns >= high ? 1 : (value_ns - low) / (high - low);
}

double grid_square(const struct grid *grid, const struct grid_weights *weights, double value_ns) {
	double sum = 0;
	for (uint32_t group = 0; group < GRID_GROUPS; group++) {
		double before = weights->before[group];
		for (uint32_t place = 0; weights->groups[group] && place < 1u << grid->bits; place++) {
			uint32_t bin = (group << grid->bits) + place;
			double up_to = weights->groups[group][place];
			double distance = (grid_low_ns(grid, bin) + grid_low_ns(grid, bin + 1)) / 2 - value_ns;
			sum += (up_to - before) * distance * distance;
			before = up_to;
		}
	}
	return grid_total(weights) > 0 ? sum / grid_total(weights) : 0;
}

double grid_overlap(const struct grid *grid, const struct grid_weights *one, const struct grid_weights *other) {
	double sum = 0;
	for (uint32_t bin = 1; bin < GRID_GROUPS << grid->bits; bin++) {
		if (!one->groups[bin >> grid->bits] || !other->groups[bin >> grid->bits])
			continue;
		double here = grid_up_to(grid, one, bin) - grid_below(grid, one, bin);
		double there = grid_up_to(grid, other, bin) - grid_below(grid, other, bin);
		if (here > 0 && there > 0)
			sum += here * there / log(grid_low_ns(grid, bin + 1) / grid_low_ns(grid, bin));
	}
	double totals = grid_total(one) * grid_total(other);
	return totals > 0 ? sum / totals : 0;
}

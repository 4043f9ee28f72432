/* SPDX-License-Identifier: Apache-2.0 */
#include "quantile_functions.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BIN_SHIFT 45u /* of the 64 bits of a double: 1 of sign, 11 of exponent and 7 of mantissa are left */
#define BINS (1u << (64u - BIN_SHIFT))
#define ROOM_FIRST 64u
#define FUNCTIONS 6

union quantile_value {
	sqlite3_int64 whole;
	double real;
};

struct quantile_group {
	union quantile_value *values; /* NULL once there are bins */
	uint64_t *bins;
	uint64_t count;
	uint64_t room;
	double q;
	bool is_real;
	bool failed;
	union quantile_value min; /* with bins */
	union quantile_value max;
};

/* What a registered function is given. */
struct quantile_kind {
	double q; /* below 0: the second argument */
	bool error;
	void (*binned)(void *context);
	void *context;
};

/* Doubles in ascending order as whole numbers in ascending order. */
static uint64_t order_of(double value) {
	uint64_t bits;
	memcpy(&bits, &value, sizeof(bits));
	return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double from_order(uint64_t order) {
	uint64_t bits = order >> 63 ? order & ~(UINT64_C(1) << 63) : ~order;
	double value;
	memcpy(&value, &bits, sizeof(value));
	return value;
}

static void refuse(sqlite3_context *context, struct quantile_group *group, const char *text) {
	group->failed = true;
	if (text)
		sqlite3_result_error(context, text, -1);
	else
		sqlite3_result_error_nomem(context);
}

static void make_real(struct quantile_group *group) {
	for (uint64_t i = 0; !group->bins && i < group->count; i++)
		group->values[i].real = (double)group->values[i].whole;
	if (group->bins) {
		group->min.real = (double)group->min.whole;
		group->max.real = (double)group->max.whole;
	}
	group->is_real = true;
}

static double real_of(const struct quantile_group *group, union quantile_value value) {
	return group->is_real ? value.real : (double)value.whole;
}

static bool is_less(const struct quantile_group *group, union quantile_value a, union quantile_value b) {
	return group->is_real ? a.real < b.real : a.whole < b.whole;
}

static void count(struct quantile_group *group, union quantile_value value) {
	group->bins[order_of(real_of(group, value)) >> BIN_SHIFT]++;
	if (is_less(group, value, group->min))
		group->min = value;
	if (is_less(group, group->max, value))
		group->max = value;
}

/* Out of room for values: from now on only counts. */
static bool make_bins(struct quantile_group *group, const struct quantile_kind *kind) {
	group->bins = sqlite3_malloc64(BINS * sizeof(group->bins[0]));
	if (!group->bins)
		return false;
	memset(group->bins, 0, BINS * sizeof(group->bins[0]));
	group->min = group->max = group->values[0];
	for (uint64_t i = 0; i < group->count; i++)
		count(group, group->values[i]);
	sqlite3_free(group->values);
	group->values = NULL;
	if (kind->binned)
		kind->binned(kind->context);
	return true;
}

static bool grow(struct quantile_group *group) {
	uint64_t room = group->room ? 2 * group->room : ROOM_FIRST;
	void *grown = sqlite3_realloc64(group->values, room * sizeof(group->values[0]));
	if (!grown)
		return false;
	group->values = grown;
	group->room = room;
	return true;
}

static void add(sqlite3_context *context, struct quantile_group *group, union quantile_value value) {
	const struct quantile_kind *kind = sqlite3_user_data(context);
	if (!group->bins && group->count == group->room) {
		bool done = group->count < QUANTILE_VALUES_MAX ? grow(group) : make_bins(group, kind);
		if (!done) {
			refuse(context, group, NULL);
			return;
		}
	}
	if (group->bins)
		count(group, value);
	else
		group->values[group->count] = value;
	group->count++;
}

/* The share of the first row; the same in all of a group. */
static bool take_share(sqlite3_context *context, struct quantile_group *group, sqlite3_value **arguments) {
	const struct quantile_kind *kind = sqlite3_user_data(context);
	double q = kind->q < 0 ? sqlite3_value_double(arguments[1]) : kind->q;
	int type = kind->q < 0 ? sqlite3_value_numeric_type(arguments[1]) : SQLITE_FLOAT;
	if ((type != SQLITE_FLOAT && type != SQLITE_INTEGER) || !(q >= 0 && q <= 1))
		refuse(context, group, "quantile(x, q): q is a number from 0 to 1, like 0.99");
	else if (group->count > 0 && q != group->q)
		refuse(context, group, "quantile(x, q): q changes inside of a group");
	group->q = q;
	return !group->failed;
}

static void on_step(sqlite3_context *context, int argc, sqlite3_value **arguments) {
	(void)argc;
	struct quantile_group *group = sqlite3_aggregate_context(context, sizeof(*group));
	if (!group) {
		sqlite3_result_error_nomem(context);
		return;
	}
	int type = sqlite3_value_type(arguments[0]);
	if (group->failed || type == SQLITE_NULL)
		return;
	if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) {
		refuse(context, group, "quantile: numbers only; text and blobs have no percentiles");
		return;
	}
	if (!take_share(context, group, arguments))
		return;
	union quantile_value value;
	if (type == SQLITE_FLOAT && !group->is_real)
		make_real(group);
	if (group->is_real)
		value.real = sqlite3_value_double(arguments[0]);
	else
		value.whole = sqlite3_value_int64(arguments[0]);
	add(context, group, value);
}

static int by_whole(const void *a, const void *b) {
	sqlite3_int64 left = ((const union quantile_value *)a)->whole;
	sqlite3_int64 right = ((const union quantile_value *)b)->whole;
	return left < right ? -1 : left > right;
}

static int by_real(const void *a, const void *b) {
	double left = ((const union quantile_value *)a)->real;
	double right = ((const union quantile_value *)b)->real;
	return left < right ? -1 : left > right;
}

static union quantile_value from_bins(const struct quantile_group *group, uint64_t rank) {
	union quantile_value value = group->max;
	uint64_t seen = 0;
	uint64_t bin = 0;
	if (rank == 1)
		return group->min;
	if (rank == group->count)
		return group->max;
	while (bin < BINS && (seen += group->bins[bin]) < rank)
		bin++;
	double middle = from_order(bin << BIN_SHIFT | UINT64_C(1) << (BIN_SHIFT - 1));
	if (group->is_real)
		value.real = middle;
	else if (fabs(middle) < 9e18)
		value.whole = (sqlite3_int64)llround(middle);
	if (is_less(group, value, group->min))
		return group->min;
	return is_less(group, group->max, value) ? group->max : value;
}

static uint64_t rank_of(double q, uint64_t count) {
	double exact = ceil(q * (double)count);
	uint64_t rank = exact < 1 ? 1 : (uint64_t)exact;
	return rank > count ? count : rank;
}

static void on_final(sqlite3_context *context) {
	struct quantile_group *group = sqlite3_aggregate_context(context, 0);
	const struct quantile_kind *kind = sqlite3_user_data(context);
	if (!group)
		return; /* no row: NULL */
	if (!group->failed && kind->error && group->count > 0) {
		sqlite3_result_double(context, group->bins ? QUANTILE_BINNED_ERROR : 0);
	} else if (!group->failed && group->count > 0) {
		uint64_t rank = rank_of(group->q, group->count);
		if (!group->bins)
			qsort(group->values, group->count, sizeof(group->values[0]),
			      group->is_real ? by_real : by_whole);
		union quantile_value value = group->bins ? from_bins(group, rank) : group->values[rank - 1];
		if (group->is_real)
			sqlite3_result_double(context, value.real);
		else
			sqlite3_result_int64(context, value.whole);
	}
	sqlite3_free(group->values);
	sqlite3_free(group->bins);
	group->values = NULL;
	group->bins = NULL;
}

int quantile_functions_register(sqlite3 *db, void (*binned)(void *context), void *context) {
	static const struct {
		const char *name;
		int arguments;
		double q;
	} functions[FUNCTIONS] = {{"quantile", 2, -1}, {"p50", 1, 0.50}, {"p90", 1, 0.90},
	                          {"p95", 1, 0.95},    {"p99", 1, 0.99}, {"quantile_error", 1, 0}};
	for (int i = 0; i < FUNCTIONS; i++) {
		struct quantile_kind *kind = sqlite3_malloc64(sizeof(*kind));
		if (!kind)
			return SQLITE_NOMEM;
		kind->q = functions[i].q;
		kind->error = strcmp(functions[i].name, "quantile_error") == 0;
		kind->binned = binned;
		kind->context = context;
		int code = sqlite3_create_function_v2(db, functions[i].name, functions[i].arguments,
		                                      SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, kind, NULL,
		                                      on_step, on_final, sqlite3_free);
		if (code != SQLITE_OK)
			return code; /* SQLite has freed kind */
	}
	return SQLITE_OK;
}

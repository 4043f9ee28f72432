/* SPDX-License-Identifier: Apache-2.0 */
/* Self time against the plain definition: every ns of a span looked at, whether a child runs in it. */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/kernels/self_time.h"
#include "base/errs.h"
#include "libstore/reader.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define SPANS_MAX 300u
#define TIME_MAX 200u
#define PASSES_MAX 2000u

struct forest {
	uint32_t count;
	uint64_t trace_lo[SPANS_MAX];
	uint64_t span_id[SPANS_MAX];
	uint64_t parent_id[SPANS_MAX];
	uint64_t start_ns[SPANS_MAX];
	uint64_t duration_ns[SPANS_MAX];
	uint32_t batch_end[SPANS_MAX]; /* rows from the end before to this one are a batch */
	uint32_t batch_count;
};

static void add(struct forest *forest, uint64_t trace_lo, uint64_t id, uint64_t parent, uint64_t start,
                uint64_t duration) {
	uint32_t row = forest->count++;
	forest->trace_lo[row] = trace_lo;
	forest->span_id[row] = id;
	forest->parent_id[row] = parent;
	forest->start_ns[row] = start;
	forest->duration_ns[row] = duration;
}

static void end_batch(struct forest *forest) {
	forest->batch_end[forest->batch_count++] = forest->count;
}

static uint64_t brute_force(const struct forest *forest, uint32_t row) {
	uint64_t self = 0;
	for (uint64_t ns = forest->start_ns[row]; ns < forest->start_ns[row] + forest->duration_ns[row]; ns++) {
		bool covered = false;
		for (uint32_t child = 0; child < forest->count && !covered; child++)
			covered = child != row && forest->parent_id[child] == forest->span_id[row] &&
			          forest->trace_lo[child] == forest->trace_lo[row] && forest->start_ns[child] <= ns &&
			          ns < forest->start_ns[child] + forest->duration_ns[child];
		self += !covered;
	}
	return self;
}

/* As a store says it: the row of the parent in the batch, else that it is away, and its id. */
static void find_rows(const struct forest *forest, uint32_t first, uint32_t end, uint32_t *parent_row, uint64_t *away,
                      uint32_t *ret_away_count) {
	*ret_away_count = 0;
	for (uint32_t row = first; row < end; row++) {
		uint32_t parent = first;
		while (parent < end && (forest->trace_lo[parent] != forest->trace_lo[row] ||
		                        forest->span_id[parent] != forest->parent_id[row]))
			parent++;
		parent_row[row - first] = parent < end ? parent - first : STORE_PARENT_NONE;
		if (parent < end || forest->parent_id[row] == 0)
			continue;
		parent_row[row - first] = STORE_PARENT_AWAY;
		away[(*ret_away_count)++] = forest->parent_id[row];
	}
}

/* One pass over all batches; what is covered goes off self. */
static int pass(struct self_time *self_time, const struct forest *forest, bool by_row, uint64_t *self) {
	uint32_t first = 0;
	uint32_t parent_row[SPANS_MAX];
	uint64_t away[SPANS_MAX];
	for (uint32_t batch = 0; batch < forest->batch_count; batch++) {
		uint64_t covered[SPANS_MAX];
		struct self_time_rows rows = {.count = forest->batch_end[batch] - first,
		                              .trace_lo = forest->trace_lo + first,
		                              .span_id = forest->span_id + first,
		                              .parent_id = forest->parent_id + first,
		                              .start_ns = forest->start_ns + first,
		                              .duration_ns = forest->duration_ns + first};
		if (by_row) {
			find_rows(forest, first, forest->batch_end[batch], parent_row, away, &rows.away_count);
			rows.parent_id = NULL;
			rows.span_id = self_time_wants_ids(self_time) ? rows.span_id : NULL;
			rows.parent_row = parent_row;
			rows.away_parent_id = away;
		}
		int rc = self_time_take(self_time, &rows, covered);
		if (rc < 0)
			return rc;
		for (uint32_t i = 0; i < rows.count; i++)
			self[first + i] -= covered[i];
		first += rows.count;
	}
	return 0;
}

static int compute(const struct forest *forest, size_t budget_bytes, bool by_row, uint64_t *self,
                   unsigned *ret_passes) {
	struct self_time *self_time = NULL;
	unsigned passes = 0;
	int rc = 0;
	assert_int_equal(self_time_new(budget_bytes, &self_time), 0);
	memcpy(self, forest->duration_ns, forest->count * sizeof(*self));
	do {
		rc = pass(self_time, forest, by_row, self);
		assert_true(++passes < PASSES_MAX);
	} while (rc == 0 && (rc = self_time_next_pass(self_time)) > 0);
	self_time_free(self_time);
	*ret_passes = passes;
	return rc;
}

static unsigned check(const struct forest *forest, size_t budget_bytes) {
	uint64_t self[SPANS_MAX];
	unsigned passes = 0;
	for (int by_row = 0; by_row < 2; by_row++) {
		assert_int_equal(compute(forest, budget_bytes, by_row, self, &passes), 0);
		for (uint32_t row = 0; row < forest->count; row++)
			if (self[row] != brute_force(forest, row))
				fail_msg("span %u of %u, parents by %s: %lu, not %lu", row, forest->count,
				         by_row ? "row" : "id", (unsigned long)self[row],
				         (unsigned long)brute_force(forest, row));
	}
	return passes;
}

static void known_trees(void **state) {
	static struct forest forest;
	(void)state;
	memset(&forest, 0, sizeof(forest));
	add(&forest, 1, 10, 0, 100, 50); /* children: nested, overlapping, longer than it, elsewhere */
	add(&forest, 1, 11, 10, 105, 10);
	add(&forest, 1, 12, 11, 106, 4);
	add(&forest, 1, 13, 10, 110, 10);
	add(&forest, 1, 14, 10, 140, 100);
	add(&forest, 2, 11, 10, 100, 50); /* another trace with the same ids: its parent is nowhere */
	end_batch(&forest);
	add(&forest, 1, 15, 10, 118, 6);
	add(&forest, 1, 16, 16, 100, 5); /* its own parent */
	end_batch(&forest);
	assert_int_equal(check(&forest, SELF_TIME_BUDGET_BYTES), 2);
	assert_int_equal(brute_force(&forest, 0), 50 - 19 - 10);
}

static void random_forest(struct seed *seed, struct forest *forest, bool ordered) {
	memset(forest, 0, sizeof(*forest));
	uint32_t count = 1 + (uint32_t)seed_below(seed, SPANS_MAX);
	uint64_t traces = 1 + seed_below(seed, 4);
	uint64_t batches = 1 + seed_below(seed, 12);
	for (uint32_t i = 0; i < count; i++) {
		uint64_t parent = seed_below(seed, 6) ? 1 + seed_below(seed, count) : 0;
		uint64_t start = ordered ? (uint64_t)i * TIME_MAX / count : seed_below(seed, TIME_MAX);
		add(forest, seed_below(seed, traces), i + 1, parent, start, seed_below(seed, TIME_MAX));
		if (seed_below(seed, count) < batches)
			end_batch(forest);
	}
	end_batch(forest);
}

static void random_forests(void **state) {
	static struct forest forest;
	struct seed seed = seed_start("self time");
	(void)state;
	for (unsigned i = 0; i < 20 + seed_rounds(200); i++) {
		random_forest(&seed, &forest, i % 2);
		(void)check(&forest, SELF_TIME_BUDGET_BYTES);
	}
}

/* Room for few strays: the same answer in more passes. */
static void small_budgets(void **state) {
	static struct forest forest;
	struct seed seed = seed_start("self time budget");
	unsigned most = 0;
	(void)state;
	for (unsigned i = 0; i < 10 + seed_rounds(40); i++) {
		random_forest(&seed, &forest, false);
		unsigned passes = check(&forest, 1024);
		most = passes > most ? passes : most;
	}
	assert_true(most > 2);
}

static void too_many_children_of_one(void **state) {
	static struct forest forest;
	uint64_t self[SPANS_MAX];
	unsigned passes = 0;
	(void)state;
	memset(&forest, 0, sizeof(forest));
	for (uint64_t i = 0; i < 200; i++)
		add(&forest, 1, 2 + i, 1, i, 1);
	end_batch(&forest);
	add(&forest, 1, 1, 0, 0, 200);
	end_batch(&forest);
	assert_int_equal(compute(&forest, 1024, false, self, &passes), ERR_LIMIT);
	(void)check(&forest, SELF_TIME_BUDGET_BYTES);
}

/* Many rows with one id: some look at all its strays, the others are counted. */
static void too_many_twins(void **state) {
	static struct forest forest;
	const uint32_t strays = 100;
	const uint32_t twins = SELF_TIME_TWINS_MAX + 5;
	uint64_t self[SPANS_MAX];
	struct self_time *self_time = NULL;
	uint32_t exact = 0;
	int rc = 0;
	(void)state;
	memset(&forest, 0, sizeof(forest));
	for (uint32_t i = 0; i < strays; i++)
		add(&forest, 1, 2 + i, 1, i, 1);
	end_batch(&forest);
	for (uint32_t i = 0; i < twins; i++) {
		add(&forest, 1, 1, 0, 0, TIME_MAX);
		end_batch(&forest);
	}
	assert_int_equal(self_time_new(SELF_TIME_BUDGET_BYTES, &self_time), 0);
	memcpy(self, forest.duration_ns, forest.count * sizeof(*self));
	do
		rc = pass(self_time, &forest, false, self);
	while (rc == 0 && (rc = self_time_next_pass(self_time)) > 0);
	assert_int_equal(rc, 0);
	assert_int_equal(self_time_unresolved(self_time), twins - SELF_TIME_TWINS_MAX);
	self_time_free(self_time);
	for (uint32_t row = strays; row < strays + twins; row++) {
		exact += self[row] == TIME_MAX - strays;
		assert_true(self[row] == TIME_MAX - strays || self[row] == TIME_MAX);
	}
	assert_int_equal(exact, SELF_TIME_TWINS_MAX);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_trees),    cmocka_unit_test(random_forests),
	    cmocka_unit_test(small_budgets),  cmocka_unit_test(too_many_children_of_one),
	    cmocka_unit_test(too_many_twins),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

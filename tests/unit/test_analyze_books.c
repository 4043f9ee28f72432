/* SPDX-License-Identifier: Apache-2.0 */
/* The identity of the books: what balances, what is explained, and what is a gap with its reason. */
#include "support/cmocka.h"

#include "analyze/kernels/books.h"

#include <string.h>

static struct store_cursor ring(uint32_t state, uint64_t begun, uint64_t open, uint64_t stored) {
	struct store_cursor cursor = {.state = state, .begun = begun, .open = open, .stored_spans = stored};
	return cursor;
}

static void expect_gap(const struct store_cursor *cursor, uint64_t rows, const char *words) {
	char problem[BOOKS_PROBLEM_BYTES];
	struct books books;
	assert_false(books_of_ring(cursor, rows, 0, &books, problem));
	assert_non_null(strstr(problem, words));
}

static struct books expect_balance(const struct store_cursor *cursor, uint64_t rows) {
	char problem[BOOKS_PROBLEM_BYTES];
	struct books books;
	assert_true(books_of_ring(cursor, rows, 0, &books, problem));
	assert_string_equal(problem, "");
	assert_true(books_balanced(&books));
	return books;
}

static void every_span_stored(void **state) {
	(void)state;
	struct store_cursor cursor = ring(STORE_RING_RETIRED, 100, 3, 97);
	struct books books = expect_balance(&cursor, 97);
	assert_true(books.ended == 97 && books.open == 3 && books.stored == 97 && books.in_ring == 0);
}

static void counted_losses_balance(void **state) {
	(void)state;
	struct store_cursor cursor = ring(STORE_RING_DIED, 100, 0, 80);
	cursor.dropped_full = 10;
	cursor.dropped_depth = 4;
	cursor.rejected_spans = 6;
	struct books books = expect_balance(&cursor, 80);
	assert_true(books_dropped(&books) == 14 && books.rejected_contract == 6);
}

static void what_is_sampled_out_balances(void **state) {
	(void)state;
	struct store_cursor cursor = ring(STORE_RING_RETIRED, 100, 2, 3);
	cursor.sampled_out = 90;
	cursor.sampled_out_short = 5;
	struct books books = expect_balance(&cursor, 3);
	assert_true(books.sampled_out == 95 && books.sampled_out_short == 5);
	cursor.sampled_out_short = 4;
	expect_gap(&cursor, 3, "1 ended spans are neither");
}

static void statistics_are_held_to_what_ended(void **state) {
	char problem[BOOKS_PROBLEM_BYTES];
	struct books books = {.ended = 1000, .dropped_depth = 10, .dropped_no_ring = 60, .dropped_reentry = 30};
	(void)state;
	assert_true(books_of_statistics(&books, 900, 0, problem));
	assert_false(books_of_statistics(&books, 899, 0, problem));
	assert_string_equal(problem, "statistics count 1 spans fewer than ended");
	assert_false(books_of_statistics(&books, 901, 0, problem));
	assert_string_equal(problem, "statistics count 1 spans more than ended");
	assert_true(books_of_statistics(&books, 899, 1, problem) && books_of_statistics(&books, 902, 2, problem));
	assert_false(books_of_statistics(&books, UINT64_MAX, 2, problem));
}

static void uncounted_losses_are_gaps(void **state) {
	(void)state;
	struct store_cursor missing = ring(STORE_RING_RETIRED, 100, 0, 99);
	expect_gap(&missing, 99, "1 ended spans are neither");
	struct store_cursor extra = ring(STORE_RING_RETIRED, 100, 0, 101);
	expect_gap(&extra, 101, "1 spans more than ended");
	struct store_cursor whole = ring(STORE_RING_RETIRED, 100, 0, 100);
	expect_gap(&whole, 101, "duplicates");
	expect_gap(&whole, 90, "10 rows fewer");
	struct store_cursor open = ring(STORE_RING_LIVE, 1, 2, 0);
	expect_gap(&open, 0, "2 spans open");
}

static void a_living_ring_explains_itself(void **state) {
	(void)state;
	struct store_cursor cursor = ring(STORE_RING_LIVE, 100, 2, 90);
	struct books books = expect_balance(&cursor, 90);
	assert_int_equal(books.in_ring, 8);
	/* written, not yet counted as ended */
	struct store_cursor between = ring(STORE_RING_LIVE, 100, 2, 99);
	books = expect_balance(&between, 99);
	assert_true(books.ended == 99 && books.open == 1 && books.in_ring == 0);
	struct store_cursor two = ring(STORE_RING_LIVE, 100, 2, 100);
	expect_gap(&two, 100, "2 spans more than ended");
}

static void lost_records_explain_no_more_than_they_are(void **state) {
	(void)state;
	struct store_cursor cursor = ring(STORE_RING_DIED, 100, 0, 90);
	cursor.lost_records = 12; /* some of them attributes */
	struct books books = expect_balance(&cursor, 90);
	assert_true(books.lost_skipped == 10 && books.lost_quarantined == 0);
	cursor.lost_records = 9;
	expect_gap(&cursor, 90, "1 ended spans");
	cursor.state = STORE_RING_QUARANTINED;
	books = expect_balance(&cursor, 90);
	assert_true(books.lost_skipped == 9 && books.lost_quarantined == 1);
}

static void sums_stay_balanced(void **state) {
	(void)state;
	struct store_cursor first = ring(STORE_RING_LIVE, 100, 2, 90);
	struct store_cursor second = ring(STORE_RING_DIED, 50, 1, 49);
	struct books sum = expect_balance(&first, 90);
	struct books more = expect_balance(&second, 49);
	books_add(&sum, &more);
	assert_true(books_balanced(&sum));
	assert_true(sum.begun == 150 && sum.stored == 139 && sum.in_ring == 8);
	sum.stored--;
	assert_false(books_balanced(&sum));
}

static void open_rows_are_part_of_open(void **state) {
	(void)state;
	char problem[BOOKS_PROBLEM_BYTES];
	struct store_cursor cursor = ring(STORE_RING_DIED, 100, 3, 97);
	assert_true(books_of_open(&cursor, 0, problem));
	assert_true(books_of_open(&cursor, 3, problem));
	assert_string_equal(problem, "");
	assert_false(books_of_open(&cursor, 4, problem));
	assert_non_null(strstr(problem, "only 3 were open"));
	cursor.state = STORE_RING_LIVE;
	assert_true(books_of_open(&cursor, 0, problem));
	assert_false(books_of_open(&cursor, 1, problem));
	assert_non_null(strstr(problem, "has not died"));
}

static void what_was_in_no_ring_balances(void **state) {
	(void)state;
	struct store_process_account account = {.dropped_no_ring = 5, .dropped_reentry = 3, .dropped_async = 2};
	struct books books = books_of_process(&account);
	assert_true(books_balanced(&books));
	assert_true(books.begun == 8 && books.ended == 8 && books_dropped(&books) == 8);
	struct store_cursor cursor = ring(STORE_RING_RETIRED, 100, 0, 98);
	cursor.dropped_depth = 2;
	struct books of_ring = expect_balance(&cursor, 98);
	books_add(&books, &of_ring);
	assert_true(books_balanced(&books) && books.ended == 108);
	assert_true(books.dropped_reentry == 3 && books.dropped_async == 2 && books_dropped(&books) == 10);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_span_stored),
	    cmocka_unit_test(counted_losses_balance),
	    cmocka_unit_test(what_is_sampled_out_balances),
	    cmocka_unit_test(what_was_in_no_ring_balances),
	    cmocka_unit_test(statistics_are_held_to_what_ended),
	    cmocka_unit_test(uncounted_losses_are_gaps),
	    cmocka_unit_test(a_living_ring_explains_itself),
	    cmocka_unit_test(lost_records_explain_no_more_than_they_are),
	    cmocka_unit_test(sums_stay_balanced),
	    cmocka_unit_test(open_rows_are_part_of_open),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "books.h"

#include "base/checked.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

__attribute__((format(printf, 2, 3))) static bool gap(char *ret_problem, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(ret_problem, BOOKS_PROBLEM_BYTES, format, arguments);
	va_end(arguments);
	return false;
}

static uint64_t smaller(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

/* Everything that ended spans became, as far as anybody counted it. */
static uint64_t accounted(const struct books *books) {
	uint64_t sum = saturating_add(books->stored, books_dropped(books));
	sum = saturating_add(sum, books->sampled_out);
	sum = saturating_add(sum, books->rejected_contract);
	sum = saturating_add(sum, books_lost(books));
	sum = saturating_add(sum, books->evicted);
	return saturating_add(sum, books->in_ring);
}

uint64_t books_dropped(const struct books *books) {
	uint64_t in_no_ring = saturating_add(books->dropped_no_ring, books->dropped_reentry);
	return saturating_add(saturating_add(books->dropped_full, books->dropped_depth), in_no_ring);
}

uint64_t books_lost(const struct books *books) {
	return saturating_add(saturating_add(books->lost_skipped, books->lost_quarantined), books->lost_quota);
}

bool books_balanced(const struct books *books) {
	return books->begun == saturating_add(books->ended, books->open) && books->ended == accounted(books);
}

bool books_of_ring(const struct store_cursor *cursor, uint64_t rows, uint64_t evicted, struct books *ret_books,
                   char ret_problem[BOOKS_PROBLEM_BYTES]) {
	struct books books = {
	    .begun = cursor->begun,
	    .open = cursor->open,
	    .ended = cursor->begun - smaller(cursor->open, cursor->begun),
	    .stored = rows,
	    .evicted = evicted,
	    .dropped_full = cursor->dropped_full,
	    .dropped_depth = cursor->dropped_depth,
	    .sampled_out = saturating_add(cursor->sampled_out, cursor->sampled_out_short),
	    .sampled_out_short = cursor->sampled_out_short,
	    .thinned = cursor->thinned_spans,
	    .rejected_contract = cursor->rejected_spans,
	    .dropped_attributes = cursor->dropped_attributes,
	    .dropped_events = cursor->dropped_events,
	};
	ret_problem[0] = 0;
	if (cursor->state == STORE_RING_LIVE && accounted(&books) == books.ended + 1) {
		books.ended++;
		if (books.open > 0)
			books.open--;
		else
			books.begun++;
	}
	uint64_t missing = books.ended - smaller(books.ended, accounted(&books));
	books.lost_skipped = smaller(missing, cursor->lost_records);
	missing -= books.lost_skipped;
	if (cursor->state == STORE_RING_LIVE)
		books.in_ring = missing;
	else if (cursor->state == STORE_RING_QUARANTINED && cursor->reason == EDQUOT)
		books.lost_quota = missing;
	else if (cursor->state == STORE_RING_QUARANTINED)
		books.lost_quarantined = missing;
	if (cursor->reason == EDQUOT)
		books.dropped_quota = cursor->dropped_full;
	*ret_books = books;
	if (cursor->open > cursor->begun)
		return gap(ret_problem, "%" PRIu64 " spans open, but only %" PRIu64 " begun", cursor->open,
		           cursor->begun);
	uint64_t seen = saturating_add(rows, evicted);
	if (seen > cursor->stored_spans)
		return gap(ret_problem, "%" PRIu64 " rows more than the agent stored: duplicates",
		           seen - cursor->stored_spans);
	if (seen < cursor->stored_spans)
		return gap(ret_problem, "%" PRIu64 " rows fewer than the agent stored: segments or batches are missing",
		           cursor->stored_spans - seen);
	if (accounted(&books) > books.ended)
		return gap(ret_problem, "%" PRIu64 " spans more than ended", accounted(&books) - books.ended);
	if (accounted(&books) < books.ended)
		return gap(ret_problem, "%" PRIu64 " ended spans are neither stored nor counted as lost",
		           books.ended - accounted(&books));
	return true;
}

bool books_of_open(const struct store_cursor *cursor, uint64_t open_rows, char ret_problem[BOOKS_PROBLEM_BYTES]) {
	ret_problem[0] = 0;
	if (open_rows > 0 && cursor->state != STORE_RING_DIED)
		return gap(ret_problem, "%" PRIu64 " rows of open spans, but the ring has not died", open_rows);
	if (open_rows > cursor->open)
		return gap(ret_problem, "%" PRIu64 " rows of open spans, but only %" PRIu64 " were open", open_rows,
		           cursor->open);
	return true;
}

bool books_of_statistics(const struct books *books, uint64_t statistics_spans, uint64_t killed,
                         char ret_problem[BOOKS_PROBLEM_BYTES]) {
	uint64_t in_no_ring = saturating_add(books->dropped_no_ring, books->dropped_reentry);
	uint64_t without = saturating_add(books->dropped_depth, in_no_ring);
	uint64_t ended = books->ended - smaller(without, books->ended);
	ret_problem[0] = 0;
	if (statistics_spans > saturating_add(ended, killed))
		return gap(ret_problem, "statistics count %" PRIu64 " spans more than ended", statistics_spans - ended);
	if (ended > saturating_add(statistics_spans, killed))
		return gap(ret_problem, "statistics count %" PRIu64 " spans fewer than ended",
		           ended - statistics_spans);
	return true;
}

struct books books_of_process(const struct store_process_account *account) {
	uint64_t in_no_ring = saturating_add(account->dropped_no_ring, account->dropped_reentry);
	struct books books = {.begun = in_no_ring,
	                      .ended = in_no_ring,
	                      .dropped_no_ring = account->dropped_no_ring,
	                      .dropped_reentry = account->dropped_reentry,
	                      .dropped_async = account->dropped_async};
	return books;
}

bool books_of_departed(const struct store_evictions *evictions, struct books *ret_books,
                       char ret_problem[BOOKS_PROBLEM_BYTES]) {
	bool balanced = true;
	*ret_books = books_of_process(&evictions->departed_account);
	ret_problem[0] = 0;
	for (uint32_t state = 0; state < STORE_EVICT_STATES && balanced; state++) {
		const struct store_cursor *sum = &evictions->departed[state];
		struct books books;
		if (evictions->departed_rings[state] == 0)
			continue;
		balanced = books_of_ring(sum, 0, sum->stored_spans, &books, ret_problem);
		books_add(ret_books, &books);
	}
	return balanced;
}

void books_add(struct books *sum, const struct books *books) {
	sum->begun = saturating_add(sum->begun, books->begun);
	sum->ended = saturating_add(sum->ended, books->ended);
	sum->open = saturating_add(sum->open, books->open);
	sum->stored = saturating_add(sum->stored, books->stored);
	sum->dropped_full = saturating_add(sum->dropped_full, books->dropped_full);
	sum->dropped_depth = saturating_add(sum->dropped_depth, books->dropped_depth);
	sum->dropped_no_ring = saturating_add(sum->dropped_no_ring, books->dropped_no_ring);
	sum->dropped_reentry = saturating_add(sum->dropped_reentry, books->dropped_reentry);
	sum->dropped_async = saturating_add(sum->dropped_async, books->dropped_async);
	sum->sampled_out = saturating_add(sum->sampled_out, books->sampled_out);
	sum->sampled_out_short = saturating_add(sum->sampled_out_short, books->sampled_out_short);
	sum->thinned = saturating_add(sum->thinned, books->thinned);
	sum->rejected_contract = saturating_add(sum->rejected_contract, books->rejected_contract);
	sum->lost_skipped = saturating_add(sum->lost_skipped, books->lost_skipped);
	sum->lost_quarantined = saturating_add(sum->lost_quarantined, books->lost_quarantined);
	sum->lost_quota = saturating_add(sum->lost_quota, books->lost_quota);
	sum->dropped_quota = saturating_add(sum->dropped_quota, books->dropped_quota);
	sum->evicted = saturating_add(sum->evicted, books->evicted);
	sum->in_ring = saturating_add(sum->in_ring, books->in_ring);
	sum->unfinished = saturating_add(sum->unfinished, books->unfinished);
	sum->dropped_attributes = saturating_add(sum->dropped_attributes, books->dropped_attributes);
	sum->dropped_events = saturating_add(sum->dropped_events, books->dropped_events);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: an agent's answer is read whole or not at all; rows stay together and in order; what needs attention is said, with its remedy; names
 * that programs chose cannot leave their cell or reach the terminal.
 * Method: documents by hand. The pages of a real agent are in integration.top.
 */
#include "support/cmocka.h"

#include "agent/commands/view.h"
#include "agent/report/document.h"
#include "agent/report/pace.h"
#include "base/clock.h"
#include "base/errs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PROGRAM(pid, rate, lag, dropped, open, rings)                                                                  \
	"{\"pid\": " #pid ", \"service\": \"s" #pid "\", \"instance\": \"i" #pid "\", \"state\": \"running\", "        \
	"\"rate_per_s\": " #rate ", \"lag_ns\": " #lag ", \"dropped\": " #dropped ", \"dropped_depth\": " #dropped     \
	", \"open\": " #open ", \"ended\": 1000, \"rings\": 1, \"fill_ratio_max\": 0.9, \"ring_list\": [" rings "]}"
#define RING(number, state, reason)                                                                                    \
	"{\"ring\": " #number ", \"tid\": 7, \"thread\": \"t\", \"state\": \"" state                                   \
	"\", \"quarantine_reason\": \"" reason "\", \"ended\": 10}"

static void read_view(const char *text, struct view *ret_view) {
	char *copy = strdup(text);
	assert_non_null(copy);
	assert_int_equal(view_read(copy, strlen(copy), ret_view), 0);
}

static void only_whole_documents_are_read(void **state) {
	(void)state;
	static const char whole[] =
	    "{\"a\": [1, -2.5e3, \"\\u00e9\\\"\", {}, [], true, false, null], \"b\": {\"a\": 7}}\n";
	struct document document;
	char text[32];
	assert_int_equal(document_read(whole, sizeof(whole) - 1, &document), 0);
	assert_int_equal(document.count, 12);
	uint32_t b = document_find(&document, DOCUMENT_ROOT, "b");
	assert_int_equal(document_u64(&document, b, "a"), 7);
	assert_int_equal(document_u64(&document, DOCUMENT_ROOT, "c"), 0);
	assert_int_equal(document_find(&document, DOCUMENT_ROOT, "aa"), DOCUMENT_NONE);
	assert_int_equal(document_find(&document, DOCUMENT_NONE, "a"), DOCUMENT_NONE);
	assert_string_equal(document_text(&document, b, "a", text, sizeof(text)), "");
	document_done(&document);
	for (size_t bytes = 0; bytes < sizeof(whole) - 2; bytes++) {
		char *copy = malloc(bytes + 1); /* to the byte, for a sanitizer */
		assert_non_null(copy);
		memcpy(copy, whole, bytes);
		assert_int_equal(document_read(copy, bytes, &document), ERR_DAMAGED);
		free(copy);
	}
	/* Numbers keep all their digits. */
	static const char large[] = "{\"a\": 18446744073709551615}";
	assert_int_equal(document_read(large, sizeof(large) - 1, &document), 0);
	assert_true(document_u64(&document, DOCUMENT_ROOT, "a") == UINT64_MAX);
	document_done(&document);
}

/* "[1,1,1]": so many values, the array among them. */
static size_t write_array(char *text, size_t values) {
	size_t bytes = 0;
	for (size_t i = 1; i < values; i++) {
		text[bytes++] = i == 1 ? '[' : ',';
		text[bytes++] = '1';
	}
	text[bytes++] = ']';
	return bytes;
}

static void documents_are_bounded(void **state) {
	(void)state;
	struct document document;
	char *text = malloc(2 * (DOCUMENT_VALUES_MAX + 1));
	assert_non_null(text);
	assert_int_equal(document_read(text, write_array(text, DOCUMENT_VALUES_MAX), &document), 0);
	assert_int_equal(document.count, DOCUMENT_VALUES_MAX);
	document_done(&document);
	assert_int_equal(document_read(text, write_array(text, DOCUMENT_VALUES_MAX + 1), &document), ERR_LIMIT);
	memset(text, '[', DOCUMENT_VALUES_MAX);
	assert_int_equal(document_read(text, DOCUMENT_VALUES_MAX, &document), ERR_LIMIT);
	free(text);
}

static void check_order(struct view *view, enum view_sort sort, const unsigned *pids) {
	size_t at = 0;
	view_order(view, sort);
	for (uint32_t i = 0; i < view->row_count; i++) {
		if (view->rows[i].is_ring)
			continue;
		assert_int_equal(view->rows[i].number, pids[at]);
		/* Its rings are right behind it. */
		for (uint32_t ring = i + 1; ring < view->row_count && view->rows[ring].is_ring; ring++) {
			char instance[16];
			(void)snprintf(instance, sizeof(instance), "i%u", pids[at]);
			assert_string_equal(view->rows[ring].instance, instance);
		}
		at++;
	}
	assert_int_equal(at, 3);
}

static void rows_are_ordered_with_their_rings(void **state) {
	(void)state;
	struct view view = {.text = NULL};
	read_view(
	    "{\"process_list\": [" PROGRAM(1, 5.5, 30, 2, 1, RING(0, "live", "") "," RING(1, "live", "")) "," PROGRAM(
	        2, 7, 10, 3, 2, "") "," PROGRAM(3, 6, 20, 1, 3, RING(4, "quarantined", "gone")) "]}",
	    &view);
	assert_int_equal(view.row_count, 6);
	check_order(&view, VIEW_SORT_RATE, (const unsigned[]){2, 3, 1});
	check_order(&view, VIEW_SORT_LAG, (const unsigned[]){1, 3, 2});
	check_order(&view, VIEW_SORT_DROPS, (const unsigned[]){2, 1, 3});
	check_order(&view, VIEW_SORT_OPEN, (const unsigned[]){3, 2, 1});
	check_order(&view, VIEW_SORT_PID, (const unsigned[]){1, 2, 3});
	view_done(&view);
}

static void rates_are_of_what_lies_between(void **state) {
	(void)state;
	struct view before = {.text = NULL};
	struct view now = {.text = NULL};
#define DOCUMENT(pid, up, cpu, first, second)                                                                          \
	"{\"agent_pid\": " #pid ", \"uptime_ns\": " #up ", \"agent_cpu_ns\": " #cpu                                    \
	", \"process_list\": [{\"instance\": \"a\", \"ended\": " #first ", \"rate_per_s\": 9}, {\"instance\": \"b\", " \
	"\"ended\": " #second ", \"rate_per_s\": 9}]}"
	read_view(DOCUMENT(1, 1000000000, 0, 100, 100), &before);
	read_view(DOCUMENT(1, 1500000000, 50000000, 600, 90), &now);
	view_compare(&now, &before);
	assert_true(now.rows[0].rate_per_s == 1000 && now.rows[1].rate_per_s == 0 && now.rate_per_s == 1000);
	assert_true(now.cores == 0.1);
	view_done(&now);
	read_view(DOCUMENT(2, 1500000000, 50000000, 600, 90), &now); /* another agent */
	view_compare(&now, &before);
	assert_true(now.rows[0].rate_per_s == 9 && now.rows[1].rate_per_s == 9);
	view_done(&now);
	view_done(&before);
#undef DOCUMENT
}

static void must_advise(const struct view *view, const char *words) {
	for (uint32_t i = 0; i < view->advice_count; i++)
		if (strstr(view->advice[i], words))
			return;
	fail_msg("nothing is said of: %s", words);
}

static void what_is_wrong_is_said(void **state) {
	(void)state;
	struct view view = {.text = NULL};
	read_view("{\"store_state\": \"ok\", \"memory_state\": \"ok\", \"process_list\": []}", &view);
	assert_int_equal(view.advice_count, 0);
	view_done(&view);
	read_view(
	    "{\"store_state\": \"open\", \"store_error\": \"No space\", \"store_remedy\": \"free room\", \"store_since_ns\": 5000000000, "
	    "\"memory_state\": \"over\", \"commits_late\": 4, \"retention_error\": \"EACCES\", \"process_list\": [" PROGRAM(
	        1, 0, 0, 3, 0, RING(7, "quarantined", "newer")) "," PROGRAM(2, 0, 0, 0, 0, "") "]}",
	    &view);
	assert_non_null(strstr(view.advice[0], "the store is open for 5.000 s: No space; free room"));
	must_advise(&view, "EACCES");
	must_advise(&view, "ring 7 of 1 (s1) is not read any more: the program's library is newer: update the agent");
	must_advise(&view, "1 (s1) has dropped 3 spans: too many were open at once");
	must_advise(&view, "a ring of 2 (s2) is 90 % full");
	must_advise(&view, "raise memory-cap");
	must_advise(&view, "4 commits came later");
	view_done(&view);
	/* However much is wrong. */
	char *text = calloc(1, 65536);
	assert_non_null(text);
	(void)strcat(text, "{\"process_list\": [");
	for (int i = 0; i < 100; i++)
		(void)strcat(text, i ? "," PROGRAM(1, 0, 0, 3, 0, "") : PROGRAM(1, 0, 0, 3, 0, ""));
	(void)strcat(text, "]}");
	read_view(text, &view);
	assert_int_equal(view.advice_count, VIEW_ADVICE_MAX);
	view_done(&view);
	free(text);
}

static char *print(const struct view *view, const struct view_form *form) {
	char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	assert_non_null(file);
	(void)view_print_rows(file, view, form);
	assert_int_equal(fclose(file), 0);
	return text;
}

static void names_stay_in_their_cell(void **state) {
	(void)state;
	struct view view = {.text = NULL};
	read_view(
	    "{\"process_list\": [{\"pid\": 1, \"service\": \"\\u001b]0;x\\u0007\\u202e\\nspan\\u00e9 and a very long name\", \"state\": "
	    "\"running\"}]}",
	    &view);
	for (uint32_t columns = 0; columns < 140; columns++) {
		struct view_form form = {.columns = columns, .line_end = "\n"};
		char *text = print(&view, &form);
		size_t lines = 0;
		for (const char *line = text; *line; line = strchr(line, '\n') + 1, lines++) {
			size_t bytes = strcspn(line, "\n");
			if (columns >= 8)
				assert_true(bytes <= columns);
			for (size_t i = 0; i < bytes; i++)
				assert_true((unsigned char)line[i] >= ' ');
		}
		assert_int_equal(lines, 2);
		free(text);
	}
	view_done(&view);
}

static void a_pace_is_that_of_the_last_two_looks(void **state) {
	(void)state;
	struct pace pace = {0};
	uint64_t now_ns = 5 * NS_PER_S;
	pace_look(&pace, now_ns, 100);
	assert_true(pace.per_second == 0 && pace_mean(&pace, now_ns, 100) == 0);
	pace_look(&pace, now_ns + NS_PER_MS, 5000); /* too soon: would say millions */
	assert_true(pace.per_second == 0);
	pace_look(&pace, now_ns + 2 * NS_PER_S, 300);
	assert_true(pace.per_second == 100);
	pace_look(&pace, now_ns + 4 * NS_PER_S, 300);
	assert_true(pace.per_second == 0 && pace_mean(&pace, now_ns + 4 * NS_PER_S, 300) == 50);
	pace_look(&pace, now_ns + 6 * NS_PER_S, 200); /* a program may lie */
	assert_true(pace.per_second == 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_whole_documents_are_read),
	    cmocka_unit_test(documents_are_bounded),
	    cmocka_unit_test(rows_are_ordered_with_their_rings),
	    cmocka_unit_test(rates_are_of_what_lies_between),
	    cmocka_unit_test(what_is_wrong_is_said),
	    cmocka_unit_test(names_stay_in_their_cell),
	    cmocka_unit_test(a_pace_is_that_of_the_last_two_looks),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

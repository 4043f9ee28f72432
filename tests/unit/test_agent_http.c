/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a request is taken as it was meant or refused with the right status, never guessed; where it ends is exact to the byte, however
 * it comes in; addresses off this machine are no addresses; label values cannot leave their quotes.
 * Method: texts by hand, each of them also a byte at a time.
 */
#include "support/cmocka.h"

#include "agent/report/http.h"
#include "agent/report/metrics.h"
#include "agent/report/metrics_address.h"
#include "agent/report/totals.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOST "Host: a\r\n"

struct good_case {
	const char *text; /* "|" ends the request where more follows */
	const char *path;
	bool is_head;
	bool keeps_alive;
	bool wants_openmetrics;
};

static const struct good_case good[] = {
    {"GET /metrics HTTP/1.1\r\n" HOST "\r\n", "/metrics", false, true, false},
    {"GET /metrics?a=b HTTP/1.1\n" HOST "\n|GET", "/metrics", false, true, false},
    {"\r\n\r\nHEAD /-/healthy HTTP/1.1\r\n" HOST "\r\n|\r\n", "/-/healthy", true, true, false},
    {"GET / HTTP/1.0\r\n\r\n", "/", false, false, false},
    {"GET / HTTP/1.0\r\nconnection: Keep-Alive\r\n\r\n", "/", false, true, false},
    {"GET / HTTP/1.1\r\n" HOST "Connection: x , CLOSE\r\n\r\n", "/", false, false, false},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 0\r\n\r\n", "/", false, true, false},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text\r\n\r\n", "/", false, true, true},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text;version=1.0.0,"
     "application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1\r\n\r\n",
     "/", false, true, true},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text;version=0.0.1;q=0.9\r\n\r\n", "/", false, true,
     true},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text;version=2.0.0\r\n\r\n", "/", false, true, false},
    {"GET / HTTP/1.1\r\n" HOST "Accept: text/plain, application/openmetrics-text;q=0.9\r\n\r\n", "/", false, true,
     false},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text;q=0\r\n\r\n", "/", false, true, false},
    {"GET / HTTP/1.1\r\n" HOST "Accept: */*\r\n\r\n", "/", false, true, false},
    {"GET / HTTP/1.1\r\n" HOST "Accept: application/openmetrics-text;q=0.5\r\nAccept: */*;q=0.6\r\n\r\n", "/", false,
     true, false},
};

static const struct {
	const char *text;
	int status;
} bad[] = {
    {"POST /metrics HTTP/1.1\r\n", 405},
    {"get / HTTP/1.1\r\n", 405},
    {"GET /metrics HTTP/1.1\r\n\r\n", 400}, /* no Host */
    {"GET / HTTP/1.1\r\n" HOST HOST, 400},
    {"GET / HTTP/2.0\r\n", 505},
    {"GET / FTP/1.1\r\n", 400},
    {"GET /\r\n", 400},
    {"GET http://a/metrics HTTP/1.1\r\n", 400},
    {"GET  / HTTP/1.1\r\n", 400},
    {"GET /a\tb HTTP/1.1\r\n", 400},
    {"\x16\x03\x01\r\n", 400}, /* the beginning of TLS */
    {"GET / HTTP/1.1\r\nHost : a\r\n", 400},
    {"GET / HTTP/1.1\r\n folded: a\r\n", 400},
    {"GET / HTTP/1.1\r\nnothing\r\n", 400},
    {"GET / HTTP/1.1\r\na: b\rc\r\n", 400},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 5\r\n\r\nhello", 413},
    {"GET / HTTP/1.1\r\n" HOST "Content-Length: 00\r\n\r\n", 413},
    {"GET / HTTP/1.1\r\n" HOST "Transfer-Encoding: chunked\r\n\r\n", 413},
};

/* In a block of its own size, so that a sanitizer sees a byte too many. */
static enum http_result parse(const char *text, size_t bytes, struct http_request *ret_request, size_t *ret_used,
                              int *ret_status) {
	char *copy = malloc(bytes ? bytes : 1);
	assert_non_null(copy);
	memcpy(copy, text, bytes);
	enum http_result result = http_parse(copy, bytes, ret_request, ret_used, ret_status);
	free(copy);
	return result;
}

static void good_requests_are_understood(void **state) {
	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		struct http_request request;
		char text[1024];
		size_t used = 0;
		int status;
		size_t whole = strcspn(good[i].text, "|");
		(void)snprintf(text, sizeof(text), "%.*s%s", (int)whole, good[i].text,
		               good[i].text[whole] ? good[i].text + whole + 1 : "");
		for (size_t bytes = 0; bytes < whole; bytes++)
			if (parse(text, bytes, &request, &used, &status) != HTTP_MORE)
				fail_msg("case %zu is over after %zu bytes", i, bytes);
		assert_int_equal(parse(text, strlen(text), &request, &used, &status), HTTP_READY);
		assert_int_equal(used, whole);
		assert_string_equal(request.path, good[i].path);
		assert_int_equal(request.is_head, good[i].is_head);
		assert_int_equal(request.keeps_alive, good[i].keeps_alive);
		if (request.wants_openmetrics != good[i].wants_openmetrics)
			fail_msg("case %zu gets the wrong form", i);
	}
}

static void bad_requests_are_refused(void **state) {
	(void)state;
	struct http_request request;
	size_t used;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int status = 0;
		size_t bytes = strlen(bad[i].text);
		enum http_result result = parse(bad[i].text, bytes, &request, &used, &status);
		if (result != HTTP_REFUSED || status != bad[i].status)
			fail_msg("case %zu: result %d, status %d", i, result, status);
		assert_string_not_equal(http_reason(status), http_reason(500));
	}
	assert_int_equal(parse("GET /\0 HTTP/1.1\r\n", 18, &request, &used, &(int){0}), HTTP_REFUSED);
}

static void what_never_ends_is_refused_in_time(void **state) {
	(void)state;
	struct http_request request;
	size_t used;
	int status = 0;
	char *text = malloc(HTTP_REQUEST_BYTES_MAX);
	assert_non_null(text);
	for (const char *fill = "a\n"; *fill; fill++) {
		memset(text, *fill, HTTP_REQUEST_BYTES_MAX);
		assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX - 1, &request, &used, &status), HTTP_MORE);
		assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX, &request, &used, &status), HTTP_REFUSED);
		assert_int_equal(status, 431);
	}
	/* The longest that is taken ends with the last byte. */
	int head = snprintf(text, HTTP_REQUEST_BYTES_MAX, "GET /metrics HTTP/1.1\r\n" HOST "a:");
	memset(text + head, 'b', HTTP_REQUEST_BYTES_MAX - (size_t)head);
	memcpy(text + HTTP_REQUEST_BYTES_MAX - 4, "\r\n\r\n", 4);
	assert_int_equal(parse(text, HTTP_REQUEST_BYTES_MAX, &request, &used, &status), HTTP_READY);
	assert_int_equal(used, HTTP_REQUEST_BYTES_MAX);
	/* A path that is too long matches nothing, not what it begins with. */
	memset(text + 4, '/', 200);
	memcpy(text + 204, " HTTP/1.0\r\n\r\n", 13);
	assert_int_equal(parse(text, 217, &request, &used, &status), HTTP_READY);
	assert_string_equal(request.path, "");
	free(text);
}

static void only_this_machine_is_an_address(void **state) {
	(void)state;
	static const char *const right[] = {"off", "unix:/run/a.sock", "127.0.0.1:9464", "127.9.9.9:0", "[::1]:65535"};
	static const char *const wrong[] = {"",
	                                    "on",
	                                    "9464",
	                                    ":9464",
	                                    "0.0.0.0:9464",
	                                    "10.0.0.1:9464",
	                                    "128.0.0.1:1",
	                                    "localhost:9464",
	                                    "[::]:9464",
	                                    "[::2]:9464",
	                                    "[::ffff:127.0.0.1]:9464",
	                                    "::1:9464",
	                                    "[::1]",
	                                    "127.0.0.1",
	                                    "127.0.0.1:",
	                                    "127.0.0.1:65536",
	                                    "127.0.0.1:123456",
	                                    "127.0.0.1:1 ",
	                                    "127.0.0.1:-1",
	                                    "127.1:80",
	                                    "unix:",
	                                    "unix:a",
	                                    "unix:@a"};
	struct metrics_address address;
	const char *why;
	char text[256] = "unix:/";
	for (size_t i = 0; i < sizeof(right) / sizeof(right[0]); i++)
		if (metrics_address_parse(right[i], &address, &why) != 0)
			fail_msg("%s is refused: %s", right[i], why);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		why = NULL;
		if (metrics_address_parse(wrong[i], &address, &why) == 0)
			fail_msg("%s is taken", wrong[i]);
		assert_non_null(why);
	}
	memset(text + 6, 'a', sizeof(address.path) - 2);
	text[5 + sizeof(address.path) - 1] = '\0';
	assert_int_equal(metrics_address_parse(text, &address, &why), 0);
	text[5 + sizeof(address.path) - 1] = 'a';
	assert_true(metrics_address_parse(text, &address, &why) < 0);
}

static void label_values_stay_within_their_quotes(void **state) {
	(void)state;
	static const char *const cases[][2] = {{"plain \xc3\xa4", "plain \xc3\xa4"},
	                                       {"a\"b\\c\nd", "a\\\"b\\\\c\\nd"},
	                                       {"\"} 1\nevil 2", "\\\"} 1\\nevil 2"},
	                                       {"\xff", "\xef\xbf\xbd"},
	                                       {"", ""}};
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char text[64] = "";
		FILE *file = fmemopen(text, sizeof(text), "w");
		assert_non_null(file);
		metrics_write_label(file, cases[i][0]);
		assert_int_equal(fclose(file), 0);
		assert_string_equal(text, cases[i][1]);
	}
}

/* However many there are, and whatever they are called. */
static void services_are_bounded(void **state) {
	(void)state;
	struct totals *totals = calloc(1, sizeof(*totals));
	assert_non_null(totals);
	assert_int_equal(totals_row(totals, TOTALS_OTHER), TOTALS_SERVICES_MAX);
	for (uint32_t i = 0; i < 3 * TOTALS_SERVICES_MAX; i++) {
		char name[32];
		uint32_t row = i < TOTALS_SERVICES_MAX ? i : TOTALS_SERVICES_MAX;
		(void)snprintf(name, sizeof(name), "service-%u", i);
		assert_int_equal(totals_row(totals, name), row);
		assert_int_equal(totals_row(totals, name), row);
	}
	assert_int_equal(totals->service_count, TOTALS_SERVICES_MAX);
	assert_int_equal(totals_row(totals, "service-0"), 0);
	free(totals);
}

/* A counter has "_total", a unit is a base unit, and a name is ours or the one that all programs share. */
static void names_keep_the_conventions(void **state) {
	(void)state;
	for (size_t i = 0; i < metrics_family_count; i++) {
		const struct metrics_family *family = &metrics_families[i];
		size_t bytes = strlen(family->name);
		bool is_counter = strcmp(family->type, "counter") == 0;
		assert_int_equal(is_counter, bytes > 6 && strcmp(family->name + bytes - 6, "_total") == 0);
		assert_true(strncmp(family->name, "spanring_", 9) == 0 || strncmp(family->name, "process_", 8) == 0);
		if (family->unit == METRICS_SECONDS)
			assert_non_null(strstr(family->name, "_seconds"));
		assert_true(strlen(family->help) > 0 && !strpbrk(family->help, "\\\n|"));
	}
}

/* Rows of the table in docs/operating.md are the families, each with type and meaning, in their order and no others. */
static void the_reference_lists_what_is_served(void **state) {
	(void)state;
	static char text[1u << 19];
	FILE *file = fopen(SPANRING_TEST_DOCS "/operating.md", "r");
	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	(void)fclose(file);
	const char *at = strstr(text, "| metric | type | meaning |\n|---|---|---|\n");
	if (!at)
		fail_msg("docs/operating.md has no table of metrics");
	at += strlen("| metric | type | meaning |\n|---|---|---|\n");
	for (size_t i = 0; i < metrics_family_count; i++) {
		const struct metrics_family *family = &metrics_families[i];
		char row[512];
		int bytes =
		    snprintf(row, sizeof(row), "| `%s` | %s | %s |\n", family->name, family->type, family->help);
		if (strncmp(at, row, (size_t)bytes) != 0)
			fail_msg("docs/operating.md should have here: %s", row);
		at += bytes;
	}
	assert_true(*at != '|');
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(good_requests_are_understood),
	    cmocka_unit_test(bad_requests_are_refused),
	    cmocka_unit_test(what_never_ends_is_refused_in_time),
	    cmocka_unit_test(only_this_machine_is_an_address),
	    cmocka_unit_test(label_values_stay_within_their_quotes),
	    cmocka_unit_test(services_are_bounded),
	    cmocka_unit_test(names_keep_the_conventions),
	    cmocka_unit_test(the_reference_lists_what_is_served),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

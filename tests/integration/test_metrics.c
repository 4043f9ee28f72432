/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what the agent tells Prometheus is well-formed in both forms, says what `status` says, and never goes down while it lives, whatever
 * programs do; nobody who asks slowly, badly or too often keeps it from its work; nothing is opened unless it was asked for.
 * Method: a real agent and real connections; every page read by a strict parser (support/exposition.c).
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/exposition.h"
#include "support/http_client.h"
#include "support/session.h"

#include "base/errs.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define ADDRESS_BYTES 256
#define CROWD 24 /* connections, three times as many as are kept */

static char *status_json(const struct session *session) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                      session->scratch.rings,          NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("status exits %d: %s", result.exit_code, result.err);
	free(result.err);
	return result.out;
}

static uint64_t number_of(const char *text, const char *key) {
	char pattern[64];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	const char *at = strstr(text, pattern);
	if (!at)
		fail_msg("no %s in the status: %s", key, text);
	return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}

/* Where it listens, as the status says. */
static void find_address(const struct session *session, char ret_address[ADDRESS_BYTES]) {
	char *text = status_json(session);
	const char *at = strstr(text, "\"metrics\": \"");
	assert_non_null(at);
	assert_int_equal(sscanf(at + 12, "%255[^\"]", ret_address), 1);
	free(text);
}

static void start_agent(struct session *session, const char *metrics, char ret_address[ADDRESS_BYTES]) {
	const char *options[] = {"--metrics", metrics, "--flush-interval", "20ms", NULL};
	session_spawn_agent(session, options, NULL);
	child_wait_for_line(&session->agent, session->scratch.store);
	find_address(session, ret_address);
}

static void scrape(const char *address, bool is_openmetrics, struct exposition *ret_page) {
	struct http_answer answer = http_client_get(
	    address, "/metrics", is_openmetrics ? "Accept: application/openmetrics-text;version=1.0.0\r\n" : NULL);
	assert_int_equal(answer.status, 200);
	assert_non_null(strstr(answer.head, is_openmetrics
	                                        ? "application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
	                                        : "text/plain; version=0.0.4; charset=utf-8\r\n"));
	exposition_read(answer.body, is_openmetrics, ret_page);
	http_answer_free(&answer);
}

/* Of the first page in which the sample is at least that. */
static void scrape_until(const char *address, const char *name, double least, struct exposition *ret_page) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	for (;;) {
		scrape(address, false, ret_page);
		if (exposition_value(ret_page, name, "") >= least)
			return;
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("%s stays below %g", name, least);
		exposition_free(ret_page);
	}
}

/* Nothing that counts is less than it was; what is new may be anything. */
static void check_nothing_went_down(const struct exposition *before, const struct exposition *after) {
	for (size_t i = 0; i < before->sample_count; i++) {
		const struct exposition_sample *sample = &before->samples[i];
		if (strcmp(before->families[sample->family].type, "gauge") == 0)
			continue;
		if (exposition_value(after, sample->name, sample->labels) < sample->value)
			fail_msg("%s{%s} went down from %g", sample->name, sample->labels, sample->value);
	}
}

/* As an environment for a program: its service. */
static struct child start_program(const struct session *session, const char *service, const char *trees, bool waits) {
	char variable[160];
	(void)snprintf(variable, sizeof(variable), "OTEL_SERVICE_NAME=%s", service);
	const char *environment[] = {session->environment, variable, NULL};
	const char *argv[] = {child_program("spanring-test-producer"),
	                      "--threads",
	                      "2",
	                      "--trees",
	                      trees,
	                      "--flush-every",
	                      "1000",
	                      waits ? "--wait" : NULL,
	                      NULL};
	return child_start(argv, environment);
}

static const struct {
	const char *sample;
	const char *labels;
	const char *key; /* of the status */
} same[] = {
    {"spanring_spans_stored_total", "", "committed_spans"},
    {"spanring_attributes_stored_total", "", "committed_attributes"},
    {"spanring_commits_total", "", "commits"},
    {"spanring_commit_duration_seconds_count", "", "commits"},
    {"spanring_commits_failed_total", "", "commits_failed"},
    {"spanring_commits_late_total", "", "commits_late"},
    {"spanring_batch_spans_sum", "", "committed_spans"},
    {"spanring_column_bytes_total", "", "column_bytes"},
    {"spanring_memory_cap_bytes", "", "memory_cap_bytes"},
    {"spanring_programs", "", "processes"},
    {"spanring_programs_ended_total", "", "processes_ended"},
    {"spanring_handovers_total", "reason=\"program_waits\"", "program_waits"},
    {"spanring_store_breaker_opened_total", "", "store_times_open"},
    {"spanring_names_refused_total", "", "names_refused"},
    {"spanring_rollup_rows_total", "", "rollup_rows"},
    {"spanring_segments_evicted_total", "", "evicted_segments"},
    {"spanring_rings", "", "rings"},
};

static void the_page_says_what_the_status_says(void **state) {
	(void)state;
	struct session session;
	struct exposition page;
	struct exposition other;
	char address[ADDRESS_BYTES];
	session_open(&session);
	start_agent(&session, "127.0.0.1:0", address);
	scrape(address, true, &other); /* of an agent that has seen nothing */
	assert_true(exposition_value(&other, "spanring_spans_dropped_total", "reason=\"full\"") == 0);
	struct child program = start_program(&session, "shop", "200", false);
	(void)session_producer_finish(&program);
	scrape_until(address, "spanring_programs_ended_total", 1, &page);
	check_nothing_went_down(&other, &page);
	char *text = status_json(&session);
	for (size_t i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		if (exposition_value(&page, same[i].sample, same[i].labels) != (double)number_of(text, same[i].key))
			fail_msg("%s{%s} is %g: %s", same[i].sample, same[i].labels,
			         exposition_value(&page, same[i].sample, same[i].labels), text);
	assert_true(exposition_value(&page, "spanring_spans_ended_total", "") == 2000);
	assert_true(exposition_value(&page, "spanring_spans_stored_total", "") == 2000);
	assert_true(exposition_value(&page, "spanring_service_spans_stored_total", "service=\"shop\"") == 2000);
	assert_true(exposition_value(&page, "spanring_service_programs", "service=\"shop\"") == 0);
	assert_true(exposition_value(&page, "spanring_store_state", "state=\"ok\"") == 1);
	assert_true(exposition_value(&page, "spanring_store_state", "state=\"open\"") == 0);
	assert_true(exposition_value(&page, "spanring_bytes_per_span", "") > 0);
	assert_true(exposition_value(&page, "process_resident_memory_bytes", "") > 0);
	assert_true(exposition_value(&page, "process_open_fds", "") <= exposition_value(&page, "process_max_fds", ""));
	double began = exposition_value(&page, "process_start_time_seconds", "");
	assert_true(fabs(began * (double)NS_PER_S - (double)clock_wall_ns()) < (double)CLOCK_WAIT_DEADLINE_NS);
	free(text);
	exposition_free(&other);
	scrape(address, true, &other);
	check_nothing_went_down(&page, &other);
	assert_int_equal(page.family_count, other.family_count);
	assert_int_equal(page.sample_count, other.sample_count);
	exposition_free(&page);
	exposition_free(&other);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

/* Programs come, are killed and go; the agent comes again to rings that it has seen before. */
static void counters_outlive_programs(void **state) {
	(void)state;
	struct session session;
	struct exposition pages[2];
	char address[ADDRESS_BYTES];
	session_open(&session);
	start_agent(&session, "[::1]:0", address);
	scrape(address, false, &pages[0]);
	for (unsigned round = 1; round <= 3; round++) {
		struct child program = start_program(&session, "a\"b\\c", "100", true);
		scrape_until(address, "spanring_spans_stored_total", 1000 * round, &pages[1]);
		check_nothing_went_down(&pages[0], &pages[1]);
		assert_true(exposition_value(&pages[1], "spanring_service_programs", "service=\"a\\\"b\\\\c\"") == 1);
		exposition_free(&pages[0]);
		child_signal(&program, SIGKILL);
		struct child_result result = child_finish(&program);
		child_result_free(&result);
		scrape_until(address, "spanring_programs_ended_total", round, &pages[0]);
		check_nothing_went_down(&pages[1], &pages[0]);
		exposition_free(&pages[1]);
		assert_true(exposition_value(&pages[0], "spanring_service_spans_ended_total",
		                             "service=\"a\\\"b\\\\c\"") == 1000 * round);
	}
	exposition_free(&pages[0]);
	struct child program = start_program(&session, "stays", "100", true);
	scrape_until(address, "spanring_spans_stored_total", 4000, &pages[0]);
	exposition_free(&pages[0]);
	session_stop_agent(&session);
	start_agent(&session, "[::1]:0", address);
	scrape_until(address, "spanring_programs", 1, &pages[0]);
	assert_true(exposition_value(&pages[0], "spanring_spans_ended_total", "") == 0); /* not a second time */
	assert_true(exposition_value(&pages[0], "spanring_service_spans_stored_total", "service=\"stays\"") == 0);
	exposition_free(&pages[0]);
	child_signal(&program, SIGKILL);
	struct child_result result = child_finish(&program);
	child_result_free(&result);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

static void check_answer(const char *address, const char *request, size_t bytes, int status, const char *field) {
	int fd = http_client_connect(address);
	assert_true(fd >= 0);
	http_client_send(fd, request, bytes);
	struct http_answer answer = http_client_receive(fd);
	assert_int_equal(answer.status, status);
	if (field && !strstr(answer.head, field))
		fail_msg("no \"%s\" in: %s", field, answer.head);
	http_answer_free(&answer);
	(void)close(fd);
}

static void what_is_not_served_is_refused(void **state) {
	(void)state;
	struct session session;
	char address[ADDRESS_BYTES];
	static char large[32768];
	session_open(&session);
	start_agent(&session, "127.0.0.1:0", address);
	struct http_answer answer = http_client_get(address, "/-/healthy", NULL);
	assert_int_equal(answer.status, 200);
	assert_string_equal(answer.body, "healthy\n");
	http_answer_free(&answer);
	answer = http_client_get(address, "/metrics/../../etc/passwd", NULL);
	assert_int_equal(answer.status, 404);
	http_answer_free(&answer);
#define CHECK(request, status, field) check_answer(address, request, sizeof(request) - 1, status, field)
	CHECK("POST /metrics HTTP/1.1\r\nHost: a\r\n\r\n", 405, "Allow: GET, HEAD\r\n");
	CHECK("HEAD /metrics HTTP/1.0\r\n\r\n", 200, "Content-Length: ");
	CHECK("GET /metrics HTTP/3.7\r\n\r\n", 505, NULL);
	CHECK("\x16\x03\x01\r\n", 400, NULL);
	CHECK("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789", 413, "Connection: close");
#undef CHECK
	memset(large, 'a', sizeof(large));
	memcpy(large, "GET / HTTP/1.1\r\nb: ", 19);
	check_answer(address, large, sizeof(large), 431, NULL);
	session_stop_agent(&session);
	session_close(&session);
}

/* Several on one connection, also sent in one piece, and a byte at a time. */
static void a_connection_is_used_again(void **state) {
	(void)state;
	struct session session;
	char address[ADDRESS_BYTES];
	static const char one[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
	char many[sizeof(one) * 5] = "";
	session_open(&session);
	start_agent(&session, "127.0.0.1:0", address);
	int fd = http_client_connect(address);
	assert_true(fd >= 0);
	for (int i = 0; i < 5; i++)
		(void)strcat(many, one);
	http_client_send(fd, many, strlen(many));
	for (int i = 0; i < 5; i++) {
		struct exposition page;
		struct http_answer answer = http_client_receive(fd);
		assert_int_equal(answer.status, 200);
		assert_non_null(strstr(answer.head, "Connection: keep-alive"));
		exposition_read(answer.body, false, &page);
		exposition_free(&page);
		http_answer_free(&answer);
	}
	for (size_t i = 0; i < sizeof(one) - 1; i++)
		http_client_send(fd, one + i, 1);
	struct http_answer answer = http_client_receive(fd);
	assert_int_equal(answer.status, 200);
	http_answer_free(&answer);
	(void)close(fd);
	session_stop_agent(&session);
	session_close(&session);
}

/* Some say nothing, some half a request, some ask a hundred times and read no answer. All others get theirs, and spans are collected. */
static void a_crowd_that_stalls_delays_nobody(void **state) {
	(void)state;
	static const char half[] = "GET /metrics HTTP/1.1\r\nHo";
	static const char whole[] = "GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n";
	struct session session;
	struct exposition page;
	char address[ADDRESS_BYTES];
	int crowd[CROWD];
	session_open(&session);
	start_agent(&session, "127.0.0.1:0", address);
	for (int i = 0; i < CROWD; i++) {
		crowd[i] = http_client_connect(address);
		assert_true(crowd[i] >= 0);
		int small = 1024;
		(void)setsockopt(crowd[i], SOL_SOCKET, SO_RCVBUF, &small, sizeof(small));
		if (i % 3 == 1)
			(void)send(crowd[i], half, sizeof(half) - 1, MSG_NOSIGNAL);
		for (int times = 0; i % 3 == 2 && times < 100; times++)
			(void)send(crowd[i], whole, sizeof(whole) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
	}
	struct child program = start_program(&session, "shop", "1000", false);
	struct session_counters counters = session_producer_finish(&program);
	assert_int_equal(counters.begun, 10000);
	assert_int_equal(counters.dropped_full, 0);
	scrape_until(address, "spanring_spans_stored_total", 10000, &page);
	assert_true(exposition_value(&page, "process_open_fds", "") < 64);
	exposition_free(&page);
	for (int i = 0; i < CROWD; i++)
		(void)close(crowd[i]);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

static void check_start_fails(const struct session *session, const char *metrics, int code, const char *words) {
	const char *argv[] = {child_program("spanring-agent"),
	                      "run",
	                      "--rings",
	                      session->scratch.rings,
	                      "--store",
	                      session->scratch.store,
	                      "--metrics",
	                      metrics,
	                      NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != code || !strstr(result.err, words))
		fail_msg("--metrics %s: exit code %d: %s", metrics, result.exit_code, result.err);
	child_result_free(&result);
	assert_true(access(session->scratch.store, F_OK) < 0);
}

static void only_this_machine_and_only_once(void **state) {
	(void)state;
	struct session session;
	struct session second;
	char address[ADDRESS_BYTES];
	session_open(&session);
	session_open(&second);
	check_start_fails(&second, "0.0.0.0:9464", EXIT_CODE_USAGE, "only this machine may ask");
	check_start_fails(&second, "localhost:9464", EXIT_CODE_USAGE, "127.0.0.1:PORT");
	start_agent(&session, "127.0.0.1:0", address);
	check_start_fails(&second, address, EXIT_CODE_FAILED, "another program has it");
	session_stop_agent(&session);
	start_agent(&session, address, address); /* at once: connections of the one before do not hold the port */
	session_stop_agent(&session);
	session_close(&session);
	session_close(&second);
}

static void a_socket_file_comes_and_goes(void **state) {
	(void)state;
	struct session session;
	struct session second;
	struct exposition page;
	struct stat status;
	char metrics[SCRATCH_PATH_BYTES + 8];
	char address[ADDRESS_BYTES];
	session_open(&session);
	session_open(&second);
	(void)snprintf(metrics, sizeof(metrics), "unix:%s/m", session.scratch.files);
	start_agent(&session, metrics, address);
	assert_string_equal(address, metrics);
	assert_int_equal(stat(metrics + 5, &status), 0);
	assert_int_equal(status.st_mode, S_IFSOCK | 0660);
	scrape(address, true, &page);
	exposition_free(&page);
	check_start_fails(&second, metrics, EXIT_CODE_FAILED, "another program has it");
	session_kill_agent(&session);
	assert_int_equal(stat(metrics + 5, &status), 0); /* left behind */
	start_agent(&session, metrics, address);
	scrape(address, false, &page);
	exposition_free(&page);
	session_stop_agent(&session);
	assert_int_equal(stat(metrics + 5, &status), -1);
	/* What is no socket is not ours to remove. */
	int fd = open(metrics + 5, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	(void)close(fd);
	check_start_fails(&second, metrics, EXIT_CODE_FAILED, "another program has it");
	assert_int_equal(stat(metrics + 5, &status), 0);
	session_close(&session);
	session_close(&second);
}

/* Unless it is asked for there is no socket but the one in the ring directory. */
static void off_means_no_socket(void **state) {
	(void)state;
	struct session session;
	char path[64];
	char target[64];
	char address[ADDRESS_BYTES];
	unsigned sockets = 0;
	session_open(&session);
	session_start_agent(&session);
	find_address(&session, address);
	assert_string_equal(address, "off");
	for (int fd = 0; fd < 256; fd++) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)session.agent.pid, fd);
		ssize_t bytes = readlink(path, target, sizeof(target) - 1);
		sockets += bytes > 7 && strncmp(target, "socket:", 7) == 0;
	}
	assert_int_equal(sockets, 1);
	session_stop_agent(&session);
	session_close(&session);
}

/* Programs that wait for the end of their standard input wait for ever. */
static int hold_standard_input(void **state) {
	int ends[2];
	(void)state;
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	assert_int_equal(dup2(ends[0], STDIN_FILENO), STDIN_FILENO);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_page_says_what_the_status_says), cmocka_unit_test(counters_outlive_programs),
	    cmocka_unit_test(what_is_not_served_is_refused),      cmocka_unit_test(a_connection_is_used_again),
	    cmocka_unit_test(a_crowd_that_stalls_delays_nobody),  cmocka_unit_test(only_this_machine_and_only_once),
	    cmocka_unit_test(a_socket_file_comes_and_goes),       cmocka_unit_test(off_means_no_socket),
	};
	return cmocka_run_group_tests(tests, hold_standard_input, NULL);
}

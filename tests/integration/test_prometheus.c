/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a real Prometheus server takes every sample that is served, as the number that it is; its own checker finds nothing to say about the
 * page, the example configuration and the alert rules.
 * Method: `prometheus` and `promtool` of the distribution; skipped, and said so, where they are not installed.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/exposition.h"
#include "support/http_client.h"
#include "support/session.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define ADDRESS_BYTES 256
#define PAUSE_NS (20 * NS_PER_MS) /* between two questions: only to leave the processors to those who work */

/* Absolute, or NULL: child_start searches no PATH. */
static const char *find_program(const char *name) {
	static char path[2][64];
	static const char *const folders[] = {"/usr/bin", "/usr/local/bin"};
	char *to = path[strcmp(name, "promtool") == 0];
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
		(void)snprintf(to, sizeof(path[0]), "%s/%s", folders[i], name);
		if (access(to, X_OK) == 0)
			return to;
	}
	print_message("skipped: no %s here; install the package prometheus\n", name);
	return NULL;
}

static void write_file(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	(void)close(fd);
}

/* Free when it was looked at. */
static unsigned free_port(void) {
	struct sockaddr_in place = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t bytes = sizeof(place);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fd, (const struct sockaddr *)&place, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&place, &bytes), 0);
	(void)close(fd);
	return ntohs(place.sin_port);
}

static void start_agent(struct session *session, char ret_address[ADDRESS_BYTES]) {
	const char *options[] = {"--metrics", "127.0.0.1:0", "--flush-interval", "20ms", "--memory-interval",
	                         "0",         NULL};
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                      session->scratch.rings,          NULL};
	session_spawn_agent(session, options, NULL);
	child_wait_for_line(&session->agent, session->scratch.store);
	struct child_result result = child_run(argv, NULL);
	const char *at = strstr(result.out, "\"metrics\": \"");
	assert_non_null(at);
	assert_int_equal(sscanf(at + 12, "%255[^\"]", ret_address), 1);
	child_result_free(&result);
}

static struct child start_prometheus(const struct session *session, const char *program, const char *target,
                                     char ret_address[ADDRESS_BYTES]) {
	char config[1024];
	char path[3][SCRATCH_PATH_BYTES + 64];
	(void)snprintf(ret_address, ADDRESS_BYTES, "127.0.0.1:%u", free_port());
	(void)snprintf(config, sizeof(config),
	               "global: {scrape_interval: 100ms, evaluation_interval: 100ms}\n"
	               "rule_files: [\"" SPANRING_TEST_EXAMPLES "/prometheus/alerts.yml\"]\n"
	               "scrape_configs:\n"
	               "  - job_name: spanring\n"
	               "    static_configs: [{targets: [\"%s\"]}]\n",
	               target);
	(void)snprintf(path[0], sizeof(path[0]), "%s/prometheus.yml", session->scratch.files);
	write_file(path[0], config);
	(void)snprintf(path[0], sizeof(path[0]), "--config.file=%s/prometheus.yml", session->scratch.files);
	(void)snprintf(path[1], sizeof(path[1]), "--storage.tsdb.path=%s/tsdb", session->scratch.files);
	(void)snprintf(path[2], sizeof(path[2]), "--web.listen-address=%s", ret_address);
	const char *argv[] = {program, path[0], path[1], path[2], "--log.level=error", NULL};
	return child_start(argv, NULL);
}

/* The one number that a query gives; NaN: none, or no answer yet. */
static double ask(const char *prometheus, const char *query) {
	char path[900] = "/api/v1/query?query=";
	double value = NAN;
	for (const char *at = query; *at; at++)
		(void)snprintf(path + strlen(path), sizeof(path) - strlen(path), "%%%02x", (unsigned char)*at);
	int fd = http_client_connect(prometheus);
	if (fd < 0)
		return NAN;
	(void)close(fd);
	struct http_answer answer = http_client_get(prometheus, path, NULL);
	const char *at = answer.body ? strstr(answer.body, "\"value\":[") : NULL;
	if (at && (at = strchr(at, ',')) && at[1] == '"')
		value = strtod(at + 2, NULL);
	http_answer_free(&answer);
	return value;
}

static void wait_for(const char *prometheus, const char *query, double wanted) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	double value;
	while (value = ask(prometheus, query), !(value == wanted)) {
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("%s is %g, not %g", query, value, wanted);
		clock_wait_ns(PAUSE_NS);
	}
}

/* All but what moves by itself. */
static bool is_steady(const struct exposition_sample *sample) {
	static const char *const moving[] = {"process_",        "spanring_memory_bytes", "spanring_sampling_cpu",
	                                     "spanring_commit", "spanring_handovers",    "spanring_batch",
	                                     "spanring_encode", "spanring_column",       "spanring_bytes_per",
	                                     "spanring_store_", "spanring_rollup"};
	for (size_t i = 0; i < sizeof(moving) / sizeof(moving[0]); i++)
		if (strncmp(sample->name, moving[i], strlen(moving[i])) == 0)
			return false;
	return true;
}

static void a_real_server_takes_every_sample(void **state) {
	(void)state;
	struct session session;
	struct exposition page;
	char agent[ADDRESS_BYTES];
	char prometheus[ADDRESS_BYTES];
	const char *program = find_program("prometheus");
	if (!program)
		skip();
	session_open(&session);
	start_agent(&session, agent);
	const char *environment[] = {session.environment, "OTEL_SERVICE_NAME=back\\slash \"quote\" \xc3\xa9", NULL};
	const char *argv[] = {
	    child_program("spanring-test-producer"), "--threads", "2", "--trees", "200", "--flush-every", "1000", NULL};
	struct child producer = child_start(argv, environment);
	(void)session_producer_finish(&producer);
	struct child server = start_prometheus(&session, program, agent, prometheus);
	wait_for(prometheus, "up{job=\"spanring\"}", 1);
	wait_for(prometheus, "spanring_programs_ended_total", 1);
	wait_for(prometheus, "spanring_spans_stored_total", 2000);
	wait_for(prometheus, "spanring_service_spans_stored_total{service=\"back\\\\slash \\\"quote\\\" \xc3\xa9\"}",
	         2000);
	struct http_answer answer = http_client_get(agent, "/metrics", NULL);
	exposition_read(answer.body, false, &page);
	wait_for(prometheus, "scrape_samples_scraped", (double)page.sample_count);
	for (size_t i = 0; i < page.sample_count; i++) {
		char query[EXPOSITION_NAME_BYTES + EXPOSITION_LABELS_BYTES + 3];
		(void)snprintf(query, sizeof(query), "%s{%s}", page.samples[i].name, page.samples[i].labels);
		if (is_steady(&page.samples[i]))
			wait_for(prometheus, query, page.samples[i].value);
	}
	/* A rule of the example, evaluated on real samples: nothing is wrong here, and then something is. */
	assert_true(isnan(ask(prometheus, "ALERTS{alertname=\"SpanringAgentDown\"}")));
	session_stop_agent(&session);
	wait_for(prometheus, "ALERTS{alertname=\"SpanringAgentDown\",alertstate=\"pending\"}", 1);
	child_signal(&server, SIGTERM);
	struct child_result result = child_finish(&server);
	if (result.exit_code != 0)
		fail_msg("prometheus exits %d: %s", result.exit_code, result.err);
	child_result_free(&result);
	exposition_free(&page);
	http_answer_free(&answer);
	session_close(&session);
}

static void check_with(const char *const *argv) {
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("%s %s %s exits %d: %s%s", argv[0], argv[1], argv[2], result.exit_code, result.out,
		         result.err);
	child_result_free(&result);
}

static void its_checker_finds_nothing(void **state) {
	(void)state;
	struct session session;
	char agent[ADDRESS_BYTES];
	char path[SCRATCH_PATH_BYTES + 8];
	const char *program = find_program("promtool");
	if (!program)
		skip();
	check_with((const char *[]){program, "check", "rules", SPANRING_TEST_EXAMPLES "/prometheus/alerts.yml", NULL});
	check_with(
	    (const char *[]){program, "check", "config", SPANRING_TEST_EXAMPLES "/prometheus/prometheus.yml", NULL});
	session_open(&session);
	start_agent(&session, agent);
	struct http_answer answer = http_client_get(agent, "/metrics", NULL);
	(void)snprintf(path, sizeof(path), "%s/page", session.scratch.files);
	write_file(path, answer.body);
	check_with((const char *[]){"/bin/sh", "-c", "exec \"$0\" check metrics <\"$1\"", program, path, NULL});
	http_answer_free(&answer);
	session_stop_agent(&session);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_real_server_takes_every_sample),
	    cmocka_unit_test(its_checker_finds_nothing),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* Nothing while the store works. */
static void print_store_trouble(const char *text) {
	char value[STATUS_VALUE_BYTES];
	char units[UNITS_TEXT_BYTES];
	(void)status_find(text, "store_state", value);
	if (strcmp(value, "ok") == 0)
		return;
	(void)printf("%-12s %s ago\n", "  since",
	             units_format_duration((double)status_find_number(text, "store_since_ns"), units));
	(void)status_find(text, "store_error", value);
	(void)printf("%-12s %s\n", "  why", value);
	(void)status_find(text, "store_remedy", value);
	(void)printf("%-12s %s\n", "  remedy", value);
	uint64_t next_ns = status_find_number(text, "store_next_try_ns");
	(void)printf("%-12s %s\n", "  next try", next_ns ? units_format_duration((double)next_ns, units) : "under way");
}

/* Nothing before the agent has looked, and without any limit. */
static void print_kept(const char *text) {
	char units[UNITS_TEXT_BYTES];
	uint64_t evicted = status_find_number(text, "evicted_segments");
	if (status_find_number(text, "store_segments") == 0)
		return;
	(void)printf("%-12s %s in %" PRIu64 " segments", "kept",
	             units_format_bytes((double)status_find_number(text, "store_bytes"), units),
	             status_find_number(text, "store_segments"));
	if (evicted > 0)
		(void)printf("; evicted %" PRIu64, evicted);
	(void)printf("\n");
	char value[STATUS_VALUE_BYTES];
	(void)status_find(text, "retention_error", value);
	if (*value)
		(void)printf("%-12s %s\n", "retention", value);
}

static void print_head(const char *text) {
	char value[STATUS_VALUE_BYTES];
	char units[UNITS_TEXT_BYTES];
	static const char *const lines[][2] = {
	    {"agent_pid", "agent"}, {"ring_directory", "rings"}, {"store", "store"}, {"store_state", "store state"}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)status_find(text, lines[i][0], value);
		(void)printf("%-12s %s\n", lines[i][1], value);
	}
	print_store_trouble(text);
	(void)status_find(text, "io", value);
	(void)printf("%-12s %s", "io", value);
	(void)status_find(text, "io_reason", value);
	(void)printf(" (%s)\n", value);
	print_kept(text);
	(void)printf("%-12s %s\n", "up", units_format_duration((double)status_find_number(text, "uptime_ns"), units));
	(void)printf("%-12s %s spans", "committed",
	             units_format_count(status_find_number(text, "committed_spans"), units));
	(void)printf(" in %s commits\n\n", units_format_count(status_find_number(text, "commits"), units));
}

static void print_row(const char *pid, const char *service, const char *state, const char *at) {
	static const char *const keys[] = {"rings",    "begun",           "open", "stored", "dropped",
	                                   "rejected", "records_in_rings"};
	(void)printf("%-8s %-20.20s %-8s", pid, service, state);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char units[UNITS_TEXT_BYTES];
		(void)printf(" %*s",
		             i == 0   ? 6
		             : i == 2 ? 6
		                      : 13,
		             units_format_count(status_find_number(at, keys[i]), units));
	}
	(void)printf("\n");
}

static void print_table(const char *text) {
	char pid[STATUS_VALUE_BYTES];
	char service[STATUS_VALUE_BYTES];
	char state[STATUS_VALUE_BYTES];
	print_head(text);
	(void)printf("%-8s %-20s %-8s %6s %13s %6s %13s %13s %13s %13s\n", "PID", "SERVICE", "STATE", "RINGS", "BEGUN",
	             "OPEN", "STORED", "DROPPED", "REJECTED", "IN RINGS");
	const char *total = strstr(text, "\"total\":");
	for (const char *at = strstr(text, "\"process_list\":"); at;) {
		at = status_find(at, "pid", pid);
		if (!at)
			break;
		(void)status_find(at, "service", service);
		(void)status_find(at, "state", state);
		print_row(pid, service, state, at);
	}
	print_row("total", "", "", total);
	uint64_t processes = status_find_number(text, "processes");
	if (processes > STATUS_PROCESSES_MAX)
		(void)printf("(%" PRIu64 " processes in all, the first %u listed)\n", processes, STATUS_PROCESSES_MAX);
}

int status_command(const struct config *config, const struct log *log) {
	CLEANUP_FREE char *text = malloc(STATUS_ANSWER_BYTES_MAX);
	int rc = text ? status_ask(config->rings, text, STATUS_ANSWER_BYTES_MAX) : -ENOMEM;
	if (rc == -ENOENT || rc == -ECONNREFUSED) {
		log_error(log, "no agent runs on %s; start one with: spanring-agent run --rings %s", config->rings,
		          config->rings);
		return EXIT_CODE_FAILED;
	}
	if (rc < 0) {
		log_error(log, "agent of %s: %s", config->rings, strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	if (config->json)
		(void)fputs(text, stdout);
	else
		print_table(text);
	if (fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return EXIT_CODE_OK;
}

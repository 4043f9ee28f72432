/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"
#include "base/units.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#define ANSWER_BYTES_MAX (1u << 20)
#define ANSWER_SECONDS_MAX 5
#define VALUE_BYTES 256u

int status_connect(const char *rings, int *ret_fd) {
	CLEANUP_FD int directory_fd = open(rings, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (directory_fd < 0)
		return -errno;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	(void)snprintf(address.sun_path, sizeof(address.sun_path), "/proc/self/fd/%d/" STATUS_SOCKET_NAME,
	               directory_fd);
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval limit = {.tv_sec = ANSWER_SECONDS_MAX};
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit)) < 0 ||
	    connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = take_fd(&fd);
	return 0;
}

static int ask(const char *rings, char *ret_text, size_t text_bytes) {
	CLEANUP_FD int fd = FD_NONE;
	int rc = status_connect(rings, &fd);
	if (rc < 0)
		return rc;
	size_t at = 0;
	while (at < text_bytes - 1) {
		ssize_t got = read(fd, ret_text + at, text_bytes - 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return errno == EAGAIN ? -ETIMEDOUT : -errno;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	ret_text[at] = '\0';
	return at > 2 && ret_text[at - 2] == '}' ? 0 : ERR_DAMAGED;
}

/*
 * The value behind "key": in a document of ours, from `at` on. A quote inside a string is written \", so what looks
 * like a key is one. Returns where the value ends, NULL if there is no such key.
 */
static const char *find_value(const char *at, const char *key, char ret_value[VALUE_BYTES]) {
	char pattern[64];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	const char *value = at ? strstr(at, pattern) : NULL;
	ret_value[0] = '\0';
	if (!value)
		return NULL;
	value += strlen(pattern);
	value += strspn(value, " ");
	bool quoted = *value == '"';
	value += quoted;
	size_t bytes = 0;
	while (value[bytes] && (quoted ? value[bytes] != '"' : strchr(",}] \n", value[bytes]) == NULL))
		bytes += value[bytes] == '\\' && value[bytes + 1] ? 2 : 1;
	(void)text_printable(value, bytes, ret_value, VALUE_BYTES);
	return value + bytes;
}

static uint64_t find_number(const char *at, const char *key) {
	char value[VALUE_BYTES];
	uint64_t number = 0;
	if (find_value(at, key, value))
		(void)sscanf(value, "%" SCNu64, &number);
	return number;
}

/* Nothing while the store works. */
static void print_store_trouble(const char *text) {
	char value[VALUE_BYTES];
	char units[UNITS_TEXT_BYTES];
	(void)find_value(text, "store_state", value);
	if (strcmp(value, "ok") == 0)
		return;
	(void)printf("%-12s %s ago\n", "  since",
	             units_format_duration((double)find_number(text, "store_since_ns"), units));
	(void)find_value(text, "store_error", value);
	(void)printf("%-12s %s\n", "  why", value);
	(void)find_value(text, "store_remedy", value);
	(void)printf("%-12s %s\n", "  remedy", value);
	uint64_t next_ns = find_number(text, "store_next_try_ns");
	(void)printf("%-12s %s\n", "  next try", next_ns ? units_format_duration((double)next_ns, units) : "under way");
}

/* Nothing before the agent has looked, and without any limit. */
static void print_kept(const char *text) {
	char units[UNITS_TEXT_BYTES];
	uint64_t evicted = find_number(text, "evicted_segments");
	if (find_number(text, "store_segments") == 0)
		return;
	(void)printf("%-12s %s in %" PRIu64 " segments", "kept",
	             units_format_bytes((double)find_number(text, "store_bytes"), units),
	             find_number(text, "store_segments"));
	if (evicted > 0)
		(void)printf("; evicted %" PRIu64, evicted);
	(void)printf("\n");
	char value[VALUE_BYTES];
	(void)find_value(text, "retention_error", value);
	if (*value)
		(void)printf("%-12s %s\n", "retention", value);
}

static void print_head(const char *text) {
	char value[VALUE_BYTES];
	char units[UNITS_TEXT_BYTES];
	static const char *const lines[][2] = {
	    {"agent_pid", "agent"}, {"ring_directory", "rings"}, {"store", "store"}, {"store_state", "store state"}};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		(void)find_value(text, lines[i][0], value);
		(void)printf("%-12s %s\n", lines[i][1], value);
	}
	print_store_trouble(text);
	(void)find_value(text, "io", value);
	(void)printf("%-12s %s", "io", value);
	(void)find_value(text, "io_reason", value);
	(void)printf(" (%s)\n", value);
	print_kept(text);
	(void)printf("%-12s %s\n", "up", units_format_duration((double)find_number(text, "uptime_ns"), units));
	(void)printf("%-12s %s spans", "committed", units_format_count(find_number(text, "committed_spans"), units));
	(void)printf(" in %s commits\n\n", units_format_count(find_number(text, "commits"), units));
}

static void print_row(const char *pid, const char *service, const char *state, const char *at) {
	static const char *const keys[] = {"rings",    "begun",           "open", "stored", "dropped",
	                                   "rejected", "records_in_rings"};
	(void)printf("%-8s %-20.20s %-8s", pid, service, state);
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++) {
		char units[UNITS_TEXT_BYTES];
		(void)printf(" %*s", i == 0 ? 6 : i == 2 ? 6 : 13, units_format_count(find_number(at, keys[i]), units));
	}
	(void)printf("\n");
}

static void print_table(const char *text) {
	char pid[VALUE_BYTES];
	char service[VALUE_BYTES];
	char state[VALUE_BYTES];
	print_head(text);
	(void)printf("%-8s %-20s %-8s %6s %13s %6s %13s %13s %13s %13s\n", "PID", "SERVICE", "STATE", "RINGS", "BEGUN",
	             "OPEN", "STORED", "DROPPED", "REJECTED", "IN RINGS");
	const char *total = strstr(text, "\"total\":");
	for (const char *at = strstr(text, "\"process_list\":"); at;) {
		at = find_value(at, "pid", pid);
		if (!at)
			break;
		(void)find_value(at, "service", service);
		(void)find_value(at, "state", state);
		print_row(pid, service, state, at);
	}
	print_row("total", "", "", total);
	uint64_t processes = find_number(text, "processes");
	if (processes > STATUS_PROCESSES_MAX)
		(void)printf("(%" PRIu64 " processes in all, the first %u listed)\n", processes, STATUS_PROCESSES_MAX);
}

int status_command(const struct config *config, const struct log *log) {
	CLEANUP_FREE char *text = malloc(ANSWER_BYTES_MAX);
	int rc = text ? ask(config->rings, text, ANSWER_BYTES_MAX) : -ENOMEM;
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

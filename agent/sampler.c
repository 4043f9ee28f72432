/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define TEXT_BYTES 4096u
#define KIB 1024u
#define ROLLUP_SHARE 100u /* a full reading may take one part in this of the time */
#define STAT_FIELDS_MAX 24u

int sampler_parse_stat(const char *text, struct sampler_stat *ret_stat) {
	/* The name stands in brackets and may itself hold brackets and blanks: the last bracket ends it. */
	const char *at = strrchr(text, ')');
	if (!at || at[1] != ' ' || at[2] == '\0')
		return ERR_DAMAGED;
	struct sampler_stat stat = {.state = at[2]};
	at += 3;
	uint64_t fields[STAT_FIELDS_MAX + 1] = {0}; /* numbered as in proc(5): the state is field 3 */
	for (uint32_t i = 4; i <= STAT_FIELDS_MAX; i++) {
		char *end;
		errno = 0;
		fields[i] = strtoull(at, &end, 10);
		if (end == at || errno != 0)
			return ERR_DAMAGED;
		at = end;
	}
	stat.faults_minor = fields[10];
	stat.faults_major = fields[12];
	stat.user_ticks = fields[14];
	stat.system_ticks = fields[15];
	stat.threads = (uint32_t)fields[20];
	stat.start_time = fields[22];
	stat.rss_pages = fields[24];
	*ret_stat = stat;
	return 0;
}

uint64_t sampler_parse_bytes(const char *text, const char *key) {
	size_t length = strlen(key);
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		char *end;
		errno = 0;
		unsigned long long kib = strtoull(line + length + 1, &end, 10);
		if (end == line + length + 1 || errno != 0 || kib > UINT64_MAX / KIB)
			return UINT64_MAX;
		return (uint64_t)kib * KIB;
	}
	return UINT64_MAX;
}

static int read_text(int directory_fd, const char *name, char ret_text[TEXT_BYTES]) {
	CLEANUP_FD int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	size_t at = 0;
	while (at < TEXT_BYTES - 1) {
		ssize_t got = read(fd, ret_text + at, TEXT_BYTES - 1 - at);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		at += (size_t)got;
	}
	ret_text[at] = '\0';
	return 0;
}

/*
 * 0 and an open directory of that very process; -ESRCH if there is another or none in its place; else why it cannot be
 * told.
 */
static int open_process(const struct sampler_target *target, int *ret_fd, struct sampler_stat *ret_stat) {
	char path[32];
	char text[TEXT_BYTES];
	(void)snprintf(path, sizeof(path), "/proc/%u", target->pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	int rc = read_text(fd, "stat", text);
	if (rc == 0)
		rc = sampler_parse_stat(text, ret_stat);
	if (rc < 0)
		return rc == -ENOENT ? -ESRCH : rc;
	if (ret_stat->start_time != target->start_time)
		return -ESRCH;
	*ret_fd = take_fd(&fd);
	return 0;
}

enum sampler_life sampler_life(const struct sampler_target *target) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	if (target->start_time == 0 || target->pid == 0)
		return SAMPLER_UNKNOWN;
	int rc = open_process(target, &fd, &stat);
	if (rc == -ESRCH)
		return SAMPLER_DEAD;
	/* A zombie may be a first thread that left before the others. */
	if (rc < 0 || stat.state == 'Z')
		return SAMPLER_UNKNOWN;
	return stat.state == 'X' ? SAMPLER_DEAD : SAMPLER_ALIVE;
}

/* The directory's own owner does not tell: it is root for every process that is not dumpable. */
static bool owner_matches(const char *status, uid_t uid) {
	const char *line = strstr(status, "\nUid:");
	unsigned int real;
	unsigned int effective;
	return line && sscanf(line, "\nUid: %u %u", &real, &effective) == 2 && effective == uid;
}

static void take_rollup(int fd, struct sampler_target *target, struct store_memory_sample *sample) {
	char text[TEXT_BYTES];
	uint64_t began_ns = clock_monotonic_ns();
	if (began_ns < target->rollup_after_ns || read_text(fd, "smaps_rollup", text) < 0)
		return;
	uint64_t ended_ns = clock_monotonic_ns();
	target->rollup_after_ns = ended_ns + (ended_ns - began_ns) * ROLLUP_SHARE;
	sample->rss_bytes = sampler_parse_bytes(text, "Rss");
	sample->pss_bytes = sampler_parse_bytes(text, "Pss");
	sample->anonymous_bytes = sampler_parse_bytes(text, "Anonymous");
	sample->swap_bytes = sampler_parse_bytes(text, "Swap");
}

int sampler_take(struct sampler_target *target, struct store_memory_sample *ret_sample) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	if (target->start_time == 0 || target->pid == 0)
		return -ESRCH;
	int rc = open_process(target, &fd, &stat);
	if (rc < 0)
		return rc;
	char status[TEXT_BYTES];
	rc = read_text(fd, "status", status);
	if (rc < 0 || !owner_matches(status, target->uid) || stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	uint64_t tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK);
	*ret_sample = (struct store_memory_sample){.threads = stat.threads,
	                                           .time_ns = clock_monotonic_ns(),
	                                           .rss_bytes = stat.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE),
	                                           .pss_bytes = UINT64_MAX,
	                                           .anonymous_bytes = sampler_parse_bytes(status, "RssAnon"),
	                                           .swap_bytes = sampler_parse_bytes(status, "VmSwap"),
	                                           .cpu_user_ns = stat.user_ticks * tick_ns,
	                                           .cpu_system_ns = stat.system_ticks * tick_ns,
	                                           .faults_minor = stat.faults_minor,
	                                           .faults_major = stat.faults_major};
	take_rollup(fd, target, ret_sample);
	return 0;
}

uint64_t sampler_pid_namespace(void) {
	struct stat status;
	return stat("/proc/self/ns/pid", &status) < 0 ? 0 : (uint64_t)status.st_ino;
}

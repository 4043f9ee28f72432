/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>

#define PROC "/proc"
#define TEXT_BYTES 4096u
#define KIB 1024u
#define ROOT_BYTES_MAX 512u
#define STAT_FIELDS_MAX 24u
#define PLAIN_SHARE 300u
#define FULL_SHARE 700u
#define FULL_SHARE_OF_ONE 800u         /* of its own time, for the full samples of one process */
#define BUDGET_NS_MAX (10 * NS_PER_MS) /* saved up, of either kind */
#define FIRST_DEBT_NS (20 * NS_PER_MS) /* some hundred programs that start at once */
#define DESCRIPTORS_MAX 4096u          /* counted one by one, where the kernel does not tell their number */
#define THREADS_MAX 64u                /* whose context switches are added up */

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
	stat.virtual_bytes = fields[23];
	stat.rss_pages = fields[24];
	*ret_stat = stat;
	return 0;
}

uint64_t sampler_parse_count(const char *text, const char *key) {
	size_t length = strlen(key);
	for (const char *line = text; line && *line; line = strchr(line, '\n'), line = line ? line + 1 : NULL) {
		if (strncmp(line, key, length) != 0 || line[length] != ':')
			continue;
		const char *number = line + length + 1;
		number += strspn(number, " \t");
		if (*number < '0' || *number > '9')
			return UINT64_MAX;
		errno = 0;
		unsigned long long count = strtoull(number, NULL, 10);
		return errno != 0 ? UINT64_MAX : (uint64_t)count;
	}
	return UINT64_MAX;
}

uint64_t sampler_parse_bytes(const char *text, const char *key) {
	uint64_t kib = sampler_parse_count(text, key);
	return kib > UINT64_MAX / KIB ? UINT64_MAX : kib * KIB;
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

static int open_pid(const char *root, uint32_t pid, int *ret_fd, struct sampler_stat *ret_stat) {
	char path[ROOT_BYTES_MAX + 16];
	char text[TEXT_BYTES];
	(void)snprintf(path, sizeof(path), "%.*s/%u", (int)ROOT_BYTES_MAX, root, pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	int rc = read_text(fd, "stat", text);
	if (rc == 0)
		rc = sampler_parse_stat(text, ret_stat);
	if (rc < 0)
		return rc == -ENOENT ? -ESRCH : rc;
	*ret_fd = take_fd(&fd);
	return 0;
}

/*
 * 0 and an open directory of that very process; -ESRCH if there is another or none in its place; else why it cannot be
 * told.
 */
static int open_process(const char *root, const struct sampler_target *target, int *ret_fd,
                        struct sampler_stat *ret_stat) {
	CLEANUP_FD int fd = FD_NONE;
	int rc = open_pid(root, target->pid, &fd, ret_stat);
	if (rc < 0)
		return rc;
	if (ret_stat->start_time != target->start_time)
		return -ESRCH;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Not to be seen in /proc, and there: mounted so that it hides what is another user's. */
static bool is_hidden(uint32_t pid) {
	return sampler_start_time((pid_t)pid) == 0 && (kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

enum sampler_life sampler_life(const struct sampler_target *target) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	if (target->start_time == 0 || target->pid == 0)
		return SAMPLER_UNKNOWN;
	int rc = open_process(PROC, target, &fd, &stat);
	if (rc == -ESRCH)
		return is_hidden(target->pid) ? SAMPLER_UNKNOWN : SAMPLER_DEAD;
	/* A zombie may be a first thread that left before the others. */
	if (rc < 0 || stat.state == 'Z')
		return SAMPLER_UNKNOWN;
	return stat.state == 'X' ? SAMPLER_DEAD : SAMPLER_ALIVE;
}

bool sampler_runs(const struct sampler_target *target) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	if (target->start_time == 0 || target->pid == 0 || open_process(PROC, target, &fd, &stat) < 0)
		return false;
	return stat.state != 'Z' && stat.state != 'X' && stat.virtual_bytes != 0;
}

uint64_t sampler_start_time(pid_t pid) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	return open_pid(PROC, (uint32_t)pid, &fd, &stat) < 0 ? 0 : stat.start_time;
}

/* The directory's own owner does not tell: it is root for every process that is not dumpable. */
static bool owner_matches(const char *status, uid_t uid) {
	const char *line = strstr(status, "\nUid:");
	unsigned int real;
	unsigned int effective;
	return line && sscanf(line, "\nUid: %u %u", &real, &effective) == 2 && effective == uid;
}

bool sampler_is_of_another(const struct sampler_target *target) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	char status[TEXT_BYTES];
	unsigned int ids[4];
	if (target->start_time == 0 || target->pid == 0 || open_process(PROC, target, &fd, &stat) < 0 ||
	    read_text(fd, "status", status) < 0)
		return false;
	const char *line = strstr(status, "\nUid:");
	if (!line || sscanf(line, "\nUid: %u %u %u %u", &ids[0], &ids[1], &ids[2], &ids[3]) != 4)
		return false;
	for (uint32_t i = 0; i < 4; i++)
		if (ids[i] == target->uid)
			return false;
	return true;
}

/*
 * The names in a directory that are numbers, at most `most`: each is given to on_name, if there is one. Returns how many, or
 * UINT64_MAX when there are more or the kernel does not say.
 */
static uint64_t each_number(int directory_fd, const char *name, uint32_t most,
                            bool (*on_name)(void *context, int fd, const char *name), void *context) {
	_Alignas(struct dirent64) char names[TEXT_BYTES];
	uint64_t count = 0;
	CLEANUP_FD int fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return UINT64_MAX;
	for (;;) {
		ssize_t got = getdents64(fd, names, sizeof(names));
		if (got <= 0)
			return got < 0 ? UINT64_MAX : count;
		for (ssize_t at = 0; at < got;) {
			const struct dirent64 *entry = (const struct dirent64 *)(const void *)(names + at);
			at += entry->d_reclen;
			if (entry->d_name[0] < '0' || entry->d_name[0] > '9')
				continue;
			if (count++ == most || (on_name && !on_name(context, fd, entry->d_name)))
				return UINT64_MAX;
		}
	}
}

static uint64_t count_descriptors(const struct sampler *sampler, int fd) {
	struct stat status;
	if (sampler->sizes_count && fstatat(fd, "fd", &status, 0) == 0 && status.st_size > 0)
		return (uint64_t)status.st_size;
	return each_number(fd, "fd", DESCRIPTORS_MAX, NULL, NULL);
}

static void take_switches(const char *status, struct store_memory_sample *sample) {
	sample->switches_voluntary = sampler_parse_count(status, "voluntary_ctxt_switches");
	sample->switches_involuntary = sampler_parse_count(status, "nonvoluntary_ctxt_switches");
}

struct switches {
	uint64_t voluntary;
	uint64_t involuntary;
};

/* A thread that has just ended is none. */
static bool add_switches(void *context, int fd, const char *name) {
	struct switches *sum = context;
	struct store_memory_sample one = {0};
	char path[64];
	char status[TEXT_BYTES];
	if (snprintf(path, sizeof(path), "%s/status", name) >= (int)sizeof(path))
		return false;
	int rc = read_text(fd, path, status);
	if (rc == -ENOENT || rc == -ESRCH)
		return true;
	if (rc < 0)
		return false;
	take_switches(status, &one);
	if (one.switches_voluntary == UINT64_MAX || one.switches_involuntary == UINT64_MAX)
		return false;
	sum->voluntary = saturating_add(sum->voluntary, one.switches_voluntary);
	sum->involuntary = saturating_add(sum->involuntary, one.switches_involuntary);
	return true;
}

static void take_rollup(int fd, struct store_memory_sample *sample) {
	char text[TEXT_BYTES];
	sample->pss_state = STORE_PSS_REFUSED;
	if (read_text(fd, "smaps_rollup", text) < 0)
		return;
	uint64_t pss_bytes = sampler_parse_bytes(text, "Pss");
	if (pss_bytes == UINT64_MAX)
		return;
	sample->pss_state = STORE_PSS_READ;
	sample->rss_bytes = sampler_parse_bytes(text, "Rss");
	sample->pss_bytes = pss_bytes;
	sample->anonymous_bytes = sampler_parse_bytes(text, "Anonymous");
	sample->swap_bytes = sampler_parse_bytes(text, "Swap");
}

/* What is paid is processor time; what keeps a process from its next one is also time that we stood still for it. */
static void take_full(struct sampler *sampler, int fd, struct sampler_target *target,
                      struct store_memory_sample *sample) {
	uint64_t began_ns = clock_monotonic_ns();
	sample->pss_state = STORE_PSS_LEFT_OUT;
	if (began_ns < target->full_after_ns || !sampler_budget_has(&sampler->full, 0, began_ns)) {
		sampler->figures.pss_left_out++;
		return;
	}
	uint64_t cpu_ns = clock_thread_cpu_ns();
	struct switches sum = {0};
	take_rollup(fd, sample);
	uint64_t ended_ns = clock_monotonic_ns();
	sample->pss_ns = ended_ns - began_ns;
	if (sample->threads > 1 && each_number(fd, "task", THREADS_MAX, add_switches, &sum) != UINT64_MAX) {
		sample->switches_voluntary = sum.voluntary;
		sample->switches_involuntary = sum.involuntary;
	}
	ended_ns = clock_monotonic_ns();
	cpu_ns = clock_thread_cpu_ns() - cpu_ns;
	target->full_after_ns = ended_ns + (ended_ns - began_ns) * FULL_SHARE_OF_ONE;
	sampler_budget_pay(&sampler->full, cpu_ns);
	sampler->figures.cpu_ns += cpu_ns;
}

static int take_plain(struct sampler *sampler, const struct sampler_target *target, int *ret_fd,
                      struct store_memory_sample *ret_sample) {
	CLEANUP_FD int fd = FD_NONE;
	struct sampler_stat stat;
	char status[TEXT_BYTES];
	int rc = open_process(sampler->root, target, &fd, &stat);
	if (rc < 0)
		return rc;
	rc = read_text(fd, "status", status);
	if (rc < 0 || !owner_matches(status, target->uid) || stat.state == 'Z' || stat.state == 'X')
		return -ESRCH;
	*ret_sample = (struct store_memory_sample){.threads = stat.threads,
	                                           .time_ns = clock_monotonic_ns(),
	                                           .rss_bytes = stat.rss_pages * sampler->page_bytes,
	                                           .pss_bytes = UINT64_MAX,
	                                           .anonymous_bytes = sampler_parse_bytes(status, "RssAnon"),
	                                           .swap_bytes = sampler_parse_bytes(status, "VmSwap"),
	                                           .cpu_user_ns = stat.user_ticks * sampler->tick_ns,
	                                           .cpu_system_ns = stat.system_ticks * sampler->tick_ns,
	                                           .faults_minor = stat.faults_minor,
	                                           .faults_major = stat.faults_major,
	                                           .switches_voluntary = UINT64_MAX,
	                                           .switches_involuntary = UINT64_MAX,
	                                           .descriptors = count_descriptors(sampler, fd),
	                                           .heap_allocated_bytes = UINT64_MAX,
	                                           .heap_freed_bytes = UINT64_MAX,
	                                           .pss_ns = UINT64_MAX};
	if (stat.threads == 1)
		take_switches(status, ret_sample);
	*ret_fd = take_fd(&fd);
	return 0;
}

void sampler_init(struct sampler *sampler, const char *root) {
	struct statfs system;
	struct stat own;
	uint64_t now_ns = clock_monotonic_ns();
	*sampler = (struct sampler){.root = root,
	                            .tick_ns = NS_PER_S / (uint64_t)sysconf(_SC_CLK_TCK),
	                            .page_bytes = (uint64_t)sysconf(_SC_PAGESIZE)};
	sampler->sizes_count = statfs(root, &system) == 0 && system.f_type == PROC_SUPER_MAGIC &&
	                       stat(PROC "/self/fd", &own) == 0 && own.st_size > 0;
	sampler_budget_init(&sampler->plain, PLAIN_SHARE, BUDGET_NS_MAX, now_ns);
	sampler_budget_init(&sampler->full, FULL_SHARE, BUDGET_NS_MAX, now_ns);
}

bool sampler_may(struct sampler *sampler, bool first, uint64_t now_ns) {
	return sampler_budget_has(&sampler->plain, first ? FIRST_DEBT_NS : 0, now_ns);
}

void sampler_pay(struct sampler *sampler, uint64_t cost_ns) {
	sampler_budget_pay(&sampler->plain, cost_ns);
	sampler->figures.cpu_ns += cost_ns;
}

int sampler_take(struct sampler *sampler, struct sampler_target *target, struct store_memory_sample *ret_sample) {
	CLEANUP_FD int fd = FD_NONE;
	if (target->start_time == 0 || target->pid == 0)
		return -ESRCH;
	uint64_t cpu_ns = clock_thread_cpu_ns();
	int rc = take_plain(sampler, target, &fd, ret_sample);
	sampler_pay(sampler, clock_thread_cpu_ns() - cpu_ns);
	if (rc < 0)
		return rc;
	take_full(sampler, fd, target, ret_sample);
	sampler->figures.samples++;
	return 0;
}

uint64_t sampler_pid_namespace(void) {
	struct stat status;
	return stat("/proc/self/ns/pid", &status) < 0 ? 0 : (uint64_t)status.st_ino;
}

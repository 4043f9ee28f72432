/* SPDX-License-Identifier: Apache-2.0 */
#include "proc_figures.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_BYTES 300u

/* A number behind a name in a file of /proc; 0 if it cannot be had. */
static uint64_t proc_number(const char *path, const char *name) {
	char line[256];
	uint64_t number = 0;
	CLEANUP_FILE FILE *file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		if (strncmp(line, name, strlen(name)) == 0)
			number = strtoull(line + strlen(name), NULL, 10);
	}
	return number;
}

static uint64_t switches(pid_t pid) {
	char path[PATH_BYTES];
	uint64_t sum = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)pid, entry->d_name);
		sum += proc_number(path, "voluntary_ctxt_switches:");
	}
	if (tasks)
		(void)closedir(tasks);
	return sum;
}

static uint64_t descriptors(pid_t pid) {
	char path[PATH_BYTES];
	uint64_t count = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	for (struct dirent *entry; folder && (entry = readdir(folder));)
		count += entry->d_name[0] != '.';
	if (folder)
		(void)closedir(folder);
	return count;
}

struct proc_figures proc_figures(pid_t pid) {
	struct proc_figures figures = {.switches = switches(pid), .descriptors = descriptors(pid)};
	char path[PATH_BYTES];
	clockid_t clock;
	struct timespec time = {0};
	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
		figures.cpu_ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	figures.resident_bytes = proc_number(path, "VmRSS:") * 1024;
	figures.threads = proc_number(path, "Threads:");
	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	figures.proportional_bytes = proc_number(path, "Pss:") * 1024;
	return figures;
}

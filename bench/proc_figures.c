/* SPDX-License-Identifier: Apache-2.0 */
#include "proc_figures.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <dirent.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PATH_BYTES 300u
#define STORE_THREAD_NAME "spanring-store\n"

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

static bool is_store_thread(pid_t pid, const char *task) {
	char path[PATH_BYTES], name[64] = "";
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/comm", (int)pid, task);
	CLEANUP_FILE FILE *file = fopen(path, "re");
	return file && fgets(name, sizeof(name), file) && strcmp(name, STORE_THREAD_NAME) == 0;
}

/* Time on a processor is the first number of a file without names. */
static uint64_t task_cpu_ns(pid_t pid, const char *task) {
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/schedstat", (int)pid, task);
	return proc_number(path, "");
}

static void take_tasks(pid_t pid, struct proc_figures *figures) {
	char path[PATH_BYTES];
	(void)snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	DIR *tasks = opendir(path);
	for (struct dirent *entry; tasks && (entry = readdir(tasks));) {
		if (entry->d_name[0] == '.')
			continue;
		(void)snprintf(path, sizeof(path), "/proc/%d/task/%.20s/status", (int)pid, entry->d_name);
		figures->switches += proc_number(path, "voluntary_ctxt_switches:");
		if (is_store_thread(pid, entry->d_name))
			figures->store_cpu_ns += task_cpu_ns(pid, entry->d_name);
	}
	if (tasks)
		(void)closedir(tasks);
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
	struct proc_figures figures = {.time_ns = clock_monotonic_ns(), .descriptors = descriptors(pid)};
	char path[PATH_BYTES];
	clockid_t clock;
	struct timespec time = {0};
	take_tasks(pid, &figures);
	if (clock_getcpuclockid(pid, &clock) == 0 && clock_gettime(clock, &time) == 0)
		figures.cpu_ns = (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_nsec;
	(void)snprintf(path, sizeof(path), "/proc/%d/status", (int)pid);
	figures.resident_bytes = proc_number(path, "VmRSS:") * 1024;
	figures.threads = proc_number(path, "Threads:");
	(void)snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", (int)pid);
	figures.proportional_bytes = proc_number(path, "Pss:") * 1024;
	return figures;
}

double proc_figures_cpu_percent(const struct proc_figures *before, const struct proc_figures *after) {
	return (double)(after->cpu_ns - before->cpu_ns) * 100.0 / (double)(after->time_ns - before->time_ns);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Baselines as files, and what they say of where they were made. */
#include "baseline.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"

#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define COMMIT_DIGITS_MIN 7u
#define COMMIT_DIGITS_MAX 63u
#define PARENTS_MAX 64u
#define LINE_BYTES 4096u

int baseline_save(const struct baseline *baseline, const char *path) {
	char temporary[PATH_MAX];
	if ((size_t)snprintf(temporary, sizeof(temporary), "%s.%ld.tmp", path, (long)getpid()) >= sizeof(temporary))
		return -ENAMETOOLONG;
	int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	FILE *file = fdopen(fd, "w");
	int error = file ? 0 : -errno;
	if (!file)
		(void)close(fd);
	errno = 0;
	if (file) {
		baseline_write(baseline, file);
		if (ferror(file) || fflush(file) != 0 || fsync(fd) != 0)
			error = errno ? -errno : -EIO;
		if (fclose(file) != 0 && !error)
			error = -errno;
	}
	if (!error && rename(temporary, path) != 0)
		error = -errno;
	if (error)
		(void)unlink(temporary);
	return error;
}

int baseline_load(const char *path, struct baseline *ret_baseline, char ret_why[BASELINE_WHY_BYTES]) {
	struct byte_source source;
	int fd CLEANUP_FD = FD_NONE;
	ret_why[0] = 0;
	memset(ret_baseline, 0, sizeof(*ret_baseline));
	int error = byte_source_open_file(path, &source, &fd);
	if (error)
		return error;
	error = baseline_read(&source, ret_baseline, ret_why);
	if (error && source.error)
		error = source.error;
	byte_source_done(&source);
	return error;
}

/* --- the machine ------------------------------------------------------------------------------------------------- */

/* Behind "key ... : " in a file of lines; "" if it is not there. */
static void read_field(const char *path, const char *key, char ret_text[LINE_BYTES]) {
	char line[LINE_BYTES];
	FILE *file CLEANUP_FILE = fopen(path, "re");
	ret_text[0] = 0;
	while (file && fgets(line, sizeof(line), file)) {
		const char *colon = strchr(line, ':');
		if (strncmp(line, key, strlen(key)) != 0 || !colon)
			continue;
		(void)text_printable(colon + 2, strcspn(colon + 2, "\n"), ret_text, LINE_BYTES);
		return;
	}
}

static int set(struct baseline *baseline, enum baseline_text which, const char *text) {
	free(baseline->texts[which]);
	baseline->texts[which] = strdup(text);
	return baseline->texts[which] ? 0 : -ENOMEM;
}

int baseline_take_machine(struct baseline *baseline) {
	struct utsname names;
	char cpu[LINE_BYTES];
	cpu_set_t cores;
	read_field("/proc/cpuinfo", "model name", cpu);
	if (uname(&names) != 0)
		return -errno;
	baseline->cores = sched_getaffinity(0, sizeof(cores), &cores) == 0 ? (uint64_t)CPU_COUNT(&cores) : 0;
	int error = set(baseline, BASELINE_HOST, names.nodename);
	if (!error)
		error = set(baseline, BASELINE_CPU, cpu[0] ? cpu : names.machine);
	if (!error)
		error = set(baseline, BASELINE_KERNEL, names.release);
	return error;
}

/* "6.1" of "6.1.0-13-amd64" */
static size_t series_bytes(const char *kernel) {
	size_t major = strcspn(kernel, ".");
	return kernel[major] ? major + 1 + strspn(kernel + major + 1, "0123456789") : major;
}

const char *baseline_other_machine(const struct baseline *one, const struct baseline *other) {
	const char *kernels[2] = {one->texts[BASELINE_KERNEL], other->texts[BASELINE_KERNEL]};
	if (strcmp(one->texts[BASELINE_CPU], other->texts[BASELINE_CPU]) != 0)
		return "the processor";
	if (one->cores != other->cores)
		return "the number of cores";
	size_t bytes = series_bytes(kernels[0]);
	if (bytes != series_bytes(kernels[1]) || strncmp(kernels[0], kernels[1], bytes) != 0)
		return "the kernel";
	return NULL;
}

/* --- the commit -------------------------------------------------------------------------------------------------- */

static bool take_commit(const char *text, char ret_commit[64]) {
	size_t digits = text ? strspn(text, "0123456789abcdef") : 0;
	if (digits < COMMIT_DIGITS_MIN || digits > COMMIT_DIGITS_MAX || (text[digits] && text[digits] != '\n'))
		return false;
	memcpy(ret_commit, text, digits);
	ret_commit[digits] = 0;
	return true;
}

static bool read_line(const char *path, char ret_line[LINE_BYTES]) {
	FILE *file CLEANUP_FILE = fopen(path, "re");
	return file && fgets(ret_line, LINE_BYTES, file);
}

/* A ref of a repository: a file of its own, or a line of packed-refs. */
static bool read_ref(const char *git, const char *ref, char ret_commit[64]) {
	char path[PATH_MAX];
	char line[LINE_BYTES];
	if (strstr(ref, "..") || (size_t)snprintf(path, sizeof(path), "%s/%s", git, ref) >= sizeof(path))
		return false;
	if (read_line(path, line))
		return take_commit(line, ret_commit);
	(void)snprintf(path, sizeof(path), "%.4000s/packed-refs", git);
	FILE *file CLEANUP_FILE = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file)) {
		char *space = strchr(line, ' ');
		if (!space)
			continue;
		space[1 + strcspn(space + 1, "\n")] = 0;
		*space = 0;
		if (strcmp(space + 1, ref) == 0)
			return take_commit(line, ret_commit);
	}
	return false;
}

/* .git is a folder, or in a work tree a file that names one; refs are then in the folder that its commondir names. */
static bool read_head(const char *git, char ret_commit[64]) {
	char path[PATH_MAX];
	char head[LINE_BYTES];
	char common[LINE_BYTES];
	char shared[PATH_MAX];
	(void)snprintf(path, sizeof(path), "%.4000s/HEAD", git);
	if (!read_line(path, head))
		return false;
	head[strcspn(head, "\n")] = 0;
	if (strncmp(head, "ref: ", 5) != 0)
		return take_commit(head, ret_commit);
	if (read_ref(git, head + 5, ret_commit))
		return true;
	(void)snprintf(path, sizeof(path), "%.4000s/commondir", git);
	if (!read_line(path, common))
		return false;
	common[strcspn(common, "\n")] = 0;
	int bytes = snprintf(shared, sizeof(shared), "%.2000s/%.2000s", common[0] == '/' ? "" : git, common);
	return bytes < (int)sizeof(shared) && read_ref(shared, head + 5, ret_commit);
}

void baseline_commit(char ret_commit[64]) {
	static const char *const variables[] = {"GITHUB_SHA", "CI_COMMIT_SHA", "GIT_COMMIT"};
	char folder[PATH_MAX] = ".";
	char path[PATH_MAX];
	char line[LINE_BYTES];
	struct stat status;
	ret_commit[0] = 0;
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++)
		if (take_commit(getenv(variables[i]), ret_commit))
			return;
	for (unsigned i = 0; i < PARENTS_MAX; i++) {
		if ((size_t)snprintf(path, sizeof(path), "%.3900s/.git", folder) >= sizeof(path))
			return;
		if (stat(path, &status) == 0) {
			if (S_ISREG(status.st_mode) && read_line(path, line) && strncmp(line, "gitdir: ", 8) == 0) {
				line[strcspn(line, "\n")] = 0;
				(void)snprintf(path, sizeof(path), "%.4000s", line + 8);
			}
			(void)read_head(path, ret_commit);
			return;
		}
		if (strlen(folder) + 4 > 3900)
			return;
		(void)strcat(folder, "/..");
	}
}

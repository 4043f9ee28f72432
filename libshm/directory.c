/* SPDX-License-Identifier: Apache-2.0 */
#include "directory.h"
#include "region.h"
#include "system_directory.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LIST_BYTES 8192u
/* Entries looked at in one directory before it counts as too full. */
#define ENTRIES_MAX (2u * (SPANRING_RINGS_MAX + SPANRING__UNATTENDED_INSTANCES_MAX))

/* As the kernel fills it; opendir would allocate from the program's heap. */
struct list_entry {
	uint64_t inode;
	int64_t next;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

/* If that is one for all users: this user's part of it. 0, or -ENAMETOOLONG. */
static int step_down(struct spanring__directory *directory) {
	char *path = directory->path;
	size_t used = strlen(path);
	directory->of_system = spanring__system_directory_look(path, &directory->group) == 0;
	if (!directory->of_system)
		return 0;
	int n = snprintf(path + used, sizeof(directory->path) - used, "/%u", (unsigned)geteuid());
	return n < 0 || (size_t)n >= sizeof(directory->path) - used ? -ENAMETOOLONG : 0;
}

void spanring__directory_choose_own(struct spanring__directory *ret_directory) {
	ret_directory->of_system = false;
	(void)snprintf(ret_directory->path, sizeof(ret_directory->path), "/dev/shm/spanring-%u", (unsigned)geteuid());
}

int spanring__directory_choose(const char *preference, struct spanring__directory *ret_directory) {
	char *path = ret_directory->path;
	size_t size = sizeof(ret_directory->path);
	int n;
	if (!preference || !*preference) {
		(void)snprintf(path, size, "%s", SYSTEM_DIRECTORY_PATH);
		int rc = step_down(ret_directory);
		if (rc == 0 && !ret_directory->of_system)
			spanring__directory_choose_own(ret_directory);
		return rc;
	}
	if (*preference == '/') {
		n = snprintf(path, size, "%s", preference);
	} else {
		if (!getcwd(path, size))
			return errno == ERANGE ? -ENAMETOOLONG : -errno;
		size_t used = strlen(path);
		n = snprintf(path + used, size - used, "/%s", preference);
		n = n < 0 ? n : n + (int)used;
	}
	if (n < 0 || (size_t)n >= size)
		return -ENAMETOOLONG;
	/* O_NOFOLLOW looks at the last component only if no slash follows it. */
	for (size_t length = (size_t)n; length > 1 && path[length - 1] == '/'; length--)
		path[length - 1] = '\0';
	return step_down(ret_directory);
}

static bool is_ours(const struct spanring__directory *directory, const struct stat *status) {
	if (directory->of_system)
		return system_directory_user_is_right(status, geteuid(), directory->group);
	return status->st_uid == geteuid() && (!(status->st_mode & (S_IWGRP | S_IWOTH)) || (status->st_mode & S_ISVTX));
}

static int open_below(int directory_fd, const char *path) {
	int fd = openat(directory_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int spanring__directory_open(const struct spanring__directory *directory) {
	struct stat status;
	if (directory->path[0] == '\0')
		return SPANRING__REGION_PRIVATE;
	int fd = open_below(AT_FDCWD, directory->path);
	if (fd == -ENOENT) {
		if (mkdir(directory->path, directory->of_system ? 0770 : 0700) < 0 && errno != EEXIST)
			return -errno;
		fd = open_below(AT_FDCWD, directory->path);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || !is_ours(directory, &status)) {
		(void)close(fd);
		return -EACCES;
	}
	return fd;
}

int spanring__directory_open_instance(const struct spanring__directory *directory, const char *name) {
	if (directory->path[0] == '\0')
		return SPANRING__REGION_PRIVATE;
	int fd = open_below(AT_FDCWD, directory->path);
	if (fd < 0)
		return fd;
	int instance_fd = open_below(fd, name);
	(void)close(fd);
	return instance_fd;
}

static bool is_instance_name(const char *name) {
	size_t digits = strspn(name, "0123456789abcdef");
	return digits == SPANRING__INSTANCE_NAME_BYTES - 1 &&
	       (name[digits] == '\0' || strcmp(name + digits, SPANRING_TMP_SUFFIX) == 0);
}

typedef int (*visit_fn)(int directory_fd, const char *name, void *context);

/* Call visit for each entry until it returns something else than 0. */
static int for_each_entry(int fd, uint8_t *list, visit_fn visit, void *context) {
	unsigned seen = 0;
	for (;;) {
		long filled = syscall(SYS_getdents64, fd, list, LIST_BYTES);
		if (filled <= 0)
			return filled < 0 ? -errno : 0;
		for (long at = 0; at < filled;) {
			const struct list_entry *entry = (const void *)(list + at);
			at += entry->bytes;
			if (++seen > ENTRIES_MAX)
				return -E2BIG;
			int rc = visit(fd, entry->name, context);
			if (rc != 0)
				return rc;
		}
	}
}

struct measure {
	uint64_t bytes;
	uint32_t instances;
	uint8_t *list; /* for the inner directory */
};

static int measure_file(int directory_fd, const char *name, void *context) {
	struct measure *measure = context;
	struct stat status;
	if (fstatat(directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
		measure->bytes += (uint64_t)status.st_blocks * 512u;
	return measure->bytes > SPANRING__UNATTENDED_BYTES_MAX ? -E2BIG : 0;
}

static int measure_instance(int directory_fd, const char *name, void *context) {
	struct measure *measure = context;
	if (!is_instance_name(name))
		return 0;
	if (++measure->instances > SPANRING__UNATTENDED_INSTANCES_MAX)
		return -E2BIG;
	int fd = open_below(directory_fd, name);
	if (fd < 0)
		return 0;
	int rc = for_each_entry(fd, measure->list, measure_file, measure);
	(void)close(fd);
	return rc == -E2BIG ? rc : 0;
}

int spanring__directory_measure(int directory_fd, uint64_t *ret_bytes) {
	uint8_t *lists = spanring__region_private(2 * LIST_BYTES, 0);
	struct measure measure = {0};
	if (!lists)
		return -ENOMEM;
	measure.list = lists + LIST_BYTES;
	int rc = for_each_entry(directory_fd, lists, measure_instance, &measure);
	(void)munmap(lists, 2 * LIST_BYTES);
	*ret_bytes = measure.bytes;
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "temporary.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER_DESCRIPTORS 16

static int make_folder(const char *parent, char ret_path[TEMPORARY_PATH_BYTES]) {
	char path[TEMPORARY_PATH_BYTES];
	int length = snprintf(path, sizeof(path), "%s/spanring-bench-XXXXXX", parent);
	if (length < 0 || (size_t)length >= sizeof(path))
		return -ENAMETOOLONG;
	if (!mkdtemp(path))
		return -errno;
	(void)snprintf(ret_path, TEMPORARY_PATH_BYTES, "%s", path);
	return 0;
}

int temporary_make(struct temporary *ret_temporary) {
	struct temporary temporary = {{0}, {0}};
	const char *parent = getenv("TMPDIR");
	int rc = make_folder("/dev/shm", temporary.rings);
	if (rc == 0)
		rc = make_folder(parent && *parent ? parent : "/tmp", temporary.store);
	if (rc < 0)
		temporary_remove(&temporary);
	else
		*ret_temporary = temporary;
	return rc;
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *position) {
	(void)status;
	(void)type;
	(void)position;
	(void)remove(path);
	return 0;
}

void temporary_remove(struct temporary *temporary) {
	if (temporary->rings[0])
		(void)nftw(temporary->rings, remove_entry, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	if (temporary->store[0])
		(void)nftw(temporary->store, remove_entry, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	*temporary = (struct temporary){{0}, {0}};
}

void temporary_empty_store(const struct temporary *temporary) {
	(void)nftw(temporary->store, remove_entry, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
	(void)mkdir(temporary->store, 0700);
}

int temporary_folder_bytes(const char *path, uint64_t *ret_bytes) {
	uint64_t bytes = 0;
	struct dirent *entry;
	DIR *folder = opendir(path);
	if (!folder)
		return -errno;
	while ((entry = readdir(folder)) != NULL) {
		struct stat status;
		if (fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode))
			bytes += (uint64_t)status.st_size;
	}
	(void)closedir(folder);
	*ret_bytes = bytes;
	return 0;
}

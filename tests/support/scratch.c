/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "cmocka.h"

#include <ftw.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FOLDERS_MAX 64u

/* Not yet removed: those of a failed test go when its process exits, those of a parent are not ours to remove. */
static struct {
	pid_t owner; /* 0: free */
	char path[SCRATCH_PATH_BYTES];
} folders[FOLDERS_MAX];

static void remove_left_over(void) {
	for (unsigned i = 0; i < FOLDERS_MAX; i++)
		if (folders[i].owner == getpid())
			scratch_remove_tree(folders[i].path);
}

/* Without a free place the folder is the test's alone. */
static void remember(const char *path) {
	static bool registered; /* inherited by children, as the registration is */
	if (!registered)
		registered = atexit(remove_left_over) == 0;
	for (unsigned i = 0; i < FOLDERS_MAX; i++) {
		if (folders[i].owner)
			continue;
		folders[i].owner = getpid();
		(void)snprintf(folders[i].path, sizeof(folders[i].path), "%s", path);
		return;
	}
}

static void forget(const char *path) {
	for (unsigned i = 0; i < FOLDERS_MAX; i++)
		if (folders[i].owner && strcmp(folders[i].path, path) == 0)
			folders[i].owner = 0;
}

static void make(char *path, const char *parent) {
	assert_true(snprintf(path, SCRATCH_PATH_BYTES, "%s/spanring-test-XXXXXX", parent) < SCRATCH_PATH_BYTES);
	assert_non_null(mkdtemp(path));
	remember(path);
}

void scratch_make(struct scratch *ret_scratch) {
	const char *temporary = getenv("TMPDIR");
	make(ret_scratch->rings, "/dev/shm");
	make(ret_scratch->files, temporary && *temporary ? temporary : "/tmp");
	assert_true(snprintf(ret_scratch->store, sizeof(ret_scratch->store), "%.480s/store", ret_scratch->files) > 0);
}

static int remove_entry(const char *path, const struct stat *status, int type, struct FTW *walk) {
	(void)status;
	(void)type;
	(void)walk;
	return remove(path);
}

void scratch_remove_tree(const char *path) {
	(void)nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

void scratch_remove(const struct scratch *scratch) {
	scratch_remove_tree(scratch->rings);
	scratch_remove_tree(scratch->files);
	forget(scratch->rings);
	forget(scratch->files);
}

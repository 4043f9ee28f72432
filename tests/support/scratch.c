/* SPDX-License-Identifier: Apache-2.0 */
#include "scratch.h"

#include "cmocka.h"

#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void make(char *path, const char *parent) {
	assert_true(snprintf(path, SCRATCH_PATH_BYTES, "%s/spanring-test-XXXXXX", parent) < SCRATCH_PATH_BYTES);
	assert_non_null(mkdtemp(path));
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
}

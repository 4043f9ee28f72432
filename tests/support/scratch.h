/* SPDX-License-Identifier: Apache-2.0 */
/* Folders that a test makes and removes: one on tmpfs for rings, one on disk for stores. */
#ifndef SPANRING_TESTS_SUPPORT_SCRATCH_H
#define SPANRING_TESTS_SUPPORT_SCRATCH_H

#define SCRATCH_PATH_BYTES 512

struct scratch {
	char rings[SCRATCH_PATH_BYTES]; /* under /dev/shm, mode 0700 */
	char files[SCRATCH_PATH_BYTES]; /* under TMPDIR or /tmp, mode 0700 */
	char store[SCRATCH_PATH_BYTES]; /* files/store, not made */
};

/* Fails the test when they cannot be made. What is not removed is removed when the process that made it exits. */
void scratch_make(struct scratch *ret_scratch);
/* Removes both with all that is in them. */
void scratch_remove(const struct scratch *scratch);
/* Removes one tree; nothing there is fine. */
void scratch_remove_tree(const char *path);

#endif

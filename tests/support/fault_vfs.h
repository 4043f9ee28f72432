/* SPDX-License-Identifier: Apache-2.0 */
/*
 * File operations that fail on demand, with real files underneath. SQLite's operations are caught where its VFS calls the system
 * (sqlite3_vfs.xSetSystemCall), so all of its own handling of errors is at work; those of our code by the linker (--wrap, integration/fault.cmake).
 * Only files of segments count.
 *
 * A test arms a fault for itself, or for a program linked with this through its environment:
 *     SPANRING_TEST_FAULT=KIND:N[:COUNT]   operation N of those that KIND can hit fails, and COUNT - 1 after it (default 1)
 *     SPANRING_TEST_FAULT_LOG=FILE         the program makes this file when a fault strikes
 */
#ifndef SPANRING_TESTS_SUPPORT_FAULT_VFS_H
#define SPANRING_TESTS_SUPPORT_FAULT_VFS_H

#include <stdbool.h>
#include <stdint.h>

#define FAULT_VFS_VARIABLE "SPANRING_TEST_FAULT"
#define FAULT_VFS_LOG_VARIABLE "SPANRING_TEST_FAULT_LOG"

enum fault_vfs_kind {
	FAULT_VFS_NONE,
	FAULT_VFS_EIO,    /* any operation */
	FAULT_VFS_ENOSPC, /* those that take room, fsync among them: some file systems find out that late */
	FAULT_VFS_EINTR,  /* reading, writing, opening, truncating */
	FAULT_VFS_SHORT,  /* half of what was to be read or written */
	FAULT_VFS_SYNC,   /* fsync: EIO */
	FAULT_VFS_KINDS
};

extern const char *const fault_vfs_names[FAULT_VFS_KINDS];

/* From now on operation n, counted from 1, and count - 1 after it; FAULT_VFS_NONE: none. */
void fault_vfs_arm(enum fault_vfs_kind kind, uint64_t n, uint64_t count);
/* Since fault_vfs_arm. */
bool fault_vfs_struck(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A disk that hangs on demand: linked into a program, it lets SQLite's writes wait as long as another process holds a lock (flock,
 * LOCK_EX) on the file named by SPANRING_TEST_GATE. Real files underneath, and all of SQLite's own code at work.
 */
#include <fcntl.h>
#include <sqlite3.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#define GATE_VARIABLE "SPANRING_TEST_GATE"

typedef ssize_t write_call(int fd, const void *data, size_t bytes, off_t offset);

static int gate_fd = -1;
static write_call *real_pwrite;

static ssize_t gated_pwrite(int fd, const void *data, size_t bytes, off_t offset) {
	(void)flock(gate_fd, LOCK_SH);
	(void)flock(gate_fd, LOCK_UN);
	return real_pwrite(fd, data, bytes, offset);
}

static void replace(sqlite3_vfs *vfs, const char *name) {
	sqlite3_syscall_ptr before = vfs->xGetSystemCall(vfs, name);
	if (before && vfs->xSetSystemCall(vfs, name, (sqlite3_syscall_ptr)gated_pwrite) == SQLITE_OK)
		real_pwrite = (write_call *)before;
}

__attribute__((constructor)) static void install(void) {
	const char *path = getenv(GATE_VARIABLE);
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	if (!path)
		return;
	gate_fd = open(path, O_RDONLY | O_CLOEXEC);
	/* Which of the two names is in use depends on how SQLite was built; they do the same. */
	replace(vfs, "pwrite64");
	replace(vfs, "pwrite");
	if (gate_fd < 0 || !real_pwrite)
		abort(); /* nothing would be tested */
}

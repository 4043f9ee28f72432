/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_vfs.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define SEGMENT_MARK "segment-"

enum operation { READ, WRITE, TRUNCATE, ALLOCATE, OPEN, CREATE, RENAME, SYNC };

#define BIT(operation) (1u << (operation))

const char *const fault_vfs_names[FAULT_VFS_KINDS] = {
    [FAULT_VFS_NONE] = "none",   [FAULT_VFS_EIO] = "eio",     [FAULT_VFS_ENOSPC] = "enospc",
    [FAULT_VFS_EINTR] = "eintr", [FAULT_VFS_SHORT] = "short", [FAULT_VFS_SYNC] = "sync",
};

static const struct {
	unsigned operations;
	int error; /* 0: half of it is done */
} kinds[FAULT_VFS_KINDS] = {
    [FAULT_VFS_EIO] = {BIT(READ) | BIT(WRITE) | BIT(TRUNCATE) | BIT(ALLOCATE) | BIT(OPEN) | BIT(CREATE) | BIT(RENAME) |
                           BIT(SYNC),
                       EIO},
    [FAULT_VFS_ENOSPC] = {BIT(WRITE) | BIT(ALLOCATE) | BIT(CREATE) | BIT(RENAME) | BIT(SYNC), ENOSPC},
    [FAULT_VFS_EINTR] = {BIT(READ) | BIT(WRITE) | BIT(TRUNCATE) | BIT(OPEN), EINTR},
    [FAULT_VFS_SHORT] = {BIT(READ) | BIT(WRITE), 0},
    [FAULT_VFS_SYNC] = {BIT(SYNC), EIO},
};

static struct {
	enum fault_vfs_kind kind;
	uint64_t first;
	uint64_t count;
	uint64_t seen;
	bool struck;
	const char *log;
} fault;

typedef int open_call(const char *path, int flags, int mode);
typedef ssize_t read_call(int fd, void *data, size_t bytes, off_t offset);
typedef ssize_t write_call(int fd, const void *data, size_t bytes, off_t offset);
typedef int truncate_call(int fd, off_t bytes);
typedef int allocate_call(int fd, off_t offset, off_t bytes);

/* What SQLite called before. */
static open_call *real_open;
static read_call *real_pread;
static write_call *real_pwrite;
static truncate_call *real_ftruncate;
static allocate_call *real_fallocate;

void fault_vfs_arm(enum fault_vfs_kind kind, uint64_t n, uint64_t count) {
	fault.kind = FAULT_VFS_NONE;
	fault.first = n;
	fault.count = count;
	__atomic_store_n(&fault.seen, 0, __ATOMIC_RELAXED);
	__atomic_store_n(&fault.struck, false, __ATOMIC_RELAXED);
	fault.kind = kind;
}

bool fault_vfs_struck(void) {
	return __atomic_load_n(&fault.struck, __ATOMIC_RELAXED);
}

/* Does this one fail? */
static bool strikes(enum operation operation) {
	if (!(kinds[fault.kind].operations & BIT(operation)))
		return false;
	uint64_t number = __atomic_add_fetch(&fault.seen, 1, __ATOMIC_RELAXED);
	if (number < fault.first || number - fault.first >= fault.count)
		return false;
	if (!__atomic_exchange_n(&fault.struck, true, __ATOMIC_RELAXED) && fault.log) {
		int fd = (int)syscall(SYS_openat, AT_FDCWD, fault.log, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd >= 0)
			(void)close(fd);
	}
	errno = kinds[fault.kind].error;
	return true;
}

static bool is_segment(const char *path) {
	return strstr(path, SEGMENT_MARK) != NULL;
}

static int faulty_open(const char *path, int flags, int mode) {
	if (is_segment(path) && strikes(flags & O_CREAT ? CREATE : OPEN))
		return -1;
	return real_open(path, flags, mode);
}

static ssize_t faulty_pread(int fd, void *data, size_t bytes, off_t offset) {
	if (!strikes(READ))
		return real_pread(fd, data, bytes, offset);
	return kinds[fault.kind].error ? -1 : real_pread(fd, data, (bytes + 1) / 2, offset);
}

static ssize_t faulty_pwrite(int fd, const void *data, size_t bytes, off_t offset) {
	if (!strikes(WRITE))
		return real_pwrite(fd, data, bytes, offset);
	if (!kinds[fault.kind].error)
		return real_pwrite(fd, data, (bytes + 1) / 2, offset);
	/* The worst a failing disk does: all of it arrived, and it says that nothing did. */
	int error = errno;
	if (fault.kind == FAULT_VFS_EIO)
		(void)real_pwrite(fd, data, bytes, offset);
	errno = error;
	return -1;
}

static int faulty_ftruncate(int fd, off_t bytes) {
	return strikes(TRUNCATE) ? -1 : real_ftruncate(fd, bytes);
}

static int faulty_fallocate(int fd, off_t offset, off_t bytes) {
	return strikes(ALLOCATE) ? kinds[fault.kind].error : real_fallocate(fd, offset, bytes);
}

/* SQLite calls these two without its table; the program's own come before libc's. */
__attribute__((visibility("default"))) int fsync(int fd) {
	return strikes(SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

__attribute__((visibility("default"))) int fdatasync(int fd) {
	return strikes(SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

/* Our own code's, by the linker. */
int __real_open(const char *path, int flags, ...);
int __real_rename(const char *from, const char *to);
int __wrap_open(const char *path, int flags, ...);
int __wrap_rename(const char *from, const char *to);

int __wrap_open(const char *path, int flags, ...) {
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	if (is_segment(path) && strikes(flags & O_CREAT ? CREATE : OPEN))
		return -1;
	return __real_open(path, flags, mode);
}

int __wrap_rename(const char *from, const char *to) {
	return is_segment(from) && strikes(RENAME) ? -1 : __real_rename(from, to);
}

static sqlite3_syscall_ptr replace(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr ours) {
	sqlite3_syscall_ptr before = vfs->xGetSystemCall(vfs, name);
	if (before && vfs->xSetSystemCall(vfs, name, ours) == SQLITE_OK)
		return before;
	return NULL;
}

static void read_environment(void) {
	const char *text = getenv(FAULT_VFS_VARIABLE);
	unsigned long long n = 0;
	unsigned long long count = 1;
	char name[16];
	fault.log = getenv(FAULT_VFS_LOG_VARIABLE);
	if (!text)
		return;
	if (sscanf(text, "%15[a-z]:%llu:%llu", name, &n, &count) >= 2)
		for (int kind = 0; kind < FAULT_VFS_KINDS; kind++)
			if (strcmp(name, fault_vfs_names[kind]) == 0) {
				fault_vfs_arm((enum fault_vfs_kind)kind, n, count);
				return;
			}
	(void)fprintf(stderr, "%s=%s: not KIND:N[:COUNT]\n", FAULT_VFS_VARIABLE, text);
	abort();
}

__attribute__((constructor)) static void install(void) {
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	real_open = (open_call *)replace(vfs, "open", (sqlite3_syscall_ptr)faulty_open);
	/* Which of the two names is in use depends on how SQLite was built; they do the same. */
	read_call *pread_other = (read_call *)replace(vfs, "pread64", (sqlite3_syscall_ptr)faulty_pread);
	write_call *pwrite_other = (write_call *)replace(vfs, "pwrite64", (sqlite3_syscall_ptr)faulty_pwrite);
	real_pread = (read_call *)replace(vfs, "pread", (sqlite3_syscall_ptr)faulty_pread);
	real_pwrite = (write_call *)replace(vfs, "pwrite", (sqlite3_syscall_ptr)faulty_pwrite);
	real_pread = real_pread ? real_pread : pread_other;
	real_pwrite = real_pwrite ? real_pwrite : pwrite_other;
	real_ftruncate = (truncate_call *)replace(vfs, "ftruncate", (sqlite3_syscall_ptr)faulty_ftruncate);
	real_fallocate = (allocate_call *)replace(vfs, "fallocate", (sqlite3_syscall_ptr)faulty_fallocate);
	if (!real_open || !real_pread || !real_pwrite || !real_ftruncate)
		abort(); /* a build of SQLite with a VFS of its own: nothing would be tested */
	read_environment();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "power_log.h"

#include "cmocka.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EVENTS_MAX 20000u
#define FILES_MAX 64u
#define NAME_BYTES 128u
#define PATH_BYTES 1024u
#define FILE_BYTES_MAX (8u << 20)
#define SECTOR_BYTES 512u

enum kind { WRITE, RESIZE, SYNC, SYNC_NAMES, CREATE, RENAME, REMOVE };

struct event {
	enum kind kind;
	uint32_t file;
	uint64_t offset; /* RESIZE: the size */
	uint64_t bytes;
	char *data;
	char name[NAME_BYTES];
	char to[NAME_BYTES];
};

static struct {
	bool on;
	char folder[PATH_BYTES];
	ino_t files[FILES_MAX];
	uint32_t file_count;
	struct event *events;
	uint32_t count;
} record;

/* --- noting -------------------------------------------------------------------------------------------------------- */

static struct event *add(enum kind kind) {
	assert_true(record.count < EVENTS_MAX);
	struct event *event = &record.events[record.count++];
	memset(event, 0, sizeof(*event));
	event->kind = kind;
	return event;
}

static const char *name_of(const char *path) {
	size_t length = strlen(record.folder);
	const char *name = path + length + 1;
	bool ours = record.on && strncmp(path, record.folder, length) == 0 && path[length] == '/' &&
	            strncmp(name, "segment-", 8) == 0 && !strstr(name, "-shm");
	return ours ? name : NULL;
}

/* Its number; UINT32_MAX: none of those that count. */
static uint32_t file_of(int fd) {
	struct stat status;
	char link[64];
	char path[PATH_BYTES];
	if (!record.on || fstat(fd, &status) < 0)
		return UINT32_MAX;
	for (uint32_t i = record.file_count; i > 0; i--)
		if (record.files[i - 1] == status.st_ino)
			return i - 1;
	(void)snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	ssize_t bytes = readlink(link, path, sizeof(path) - 1);
	if (bytes <= 0)
		return UINT32_MAX;
	path[bytes] = '\0';
	if (!name_of(path))
		return UINT32_MAX;
	assert_true(record.file_count < FILES_MAX);
	record.files[record.file_count] = status.st_ino;
	return record.file_count++;
}

/* An inode number may be given again: a new file is a new number here. */
static void note_created(int fd, const char *name) {
	struct stat status;
	assert_int_equal(fstat(fd, &status), 0);
	assert_true(record.file_count < FILES_MAX);
	record.files[record.file_count] = status.st_ino;
	struct event *event = add(CREATE);
	event->file = record.file_count++;
	(void)snprintf(event->name, sizeof(event->name), "%s", name);
}

static void note_sync(int fd) {
	struct stat status;
	if (!record.on || fstat(fd, &status) < 0)
		return;
	uint32_t file = S_ISDIR(status.st_mode) ? 0 : file_of(fd);
	if (S_ISDIR(status.st_mode))
		(void)add(SYNC_NAMES);
	else if (file != UINT32_MAX)
		add(SYNC)->file = file;
}

typedef int open_call(const char *path, int flags, int mode);
typedef ssize_t write_call(int fd, const void *data, size_t bytes, off_t offset);
typedef int truncate_call(int fd, off_t bytes);
typedef int unlink_call(const char *path);

static open_call *real_open;
static write_call *real_pwrite;
static truncate_call *real_ftruncate;
static unlink_call *real_unlink;

static int noting_open(const char *path, int flags, int mode) {
	const char *name = name_of(path);
	bool is_new = name && (flags & O_CREAT) && access(path, F_OK) < 0;
	int fd = real_open(path, flags, mode);
	if (fd >= 0 && is_new)
		note_created(fd, name);
	return fd;
}

static ssize_t noting_pwrite(int fd, const void *data, size_t bytes, off_t offset) {
	ssize_t done = real_pwrite(fd, data, bytes, offset);
	uint32_t file = done > 0 ? file_of(fd) : UINT32_MAX;
	if (file == UINT32_MAX)
		return done;
	struct event *event = add(WRITE);
	event->file = file;
	event->offset = (uint64_t)offset;
	event->bytes = (uint64_t)done;
	event->data = malloc((size_t)done);
	assert_non_null(event->data);
	memcpy(event->data, data, (size_t)done);
	return done;
}

static int noting_ftruncate(int fd, off_t bytes) {
	int rc = real_ftruncate(fd, bytes);
	uint32_t file = rc == 0 ? file_of(fd) : UINT32_MAX;
	if (file != UINT32_MAX) {
		struct event *event = add(RESIZE);
		event->file = file;
		event->offset = (uint64_t)bytes;
	}
	return rc;
}

static void note_removed(const char *path) {
	const char *name = name_of(path);
	if (name)
		(void)snprintf(add(REMOVE)->name, NAME_BYTES, "%s", name);
}

static int noting_unlink(const char *path) {
	int rc = real_unlink(path);
	if (rc == 0)
		note_removed(path);
	return rc;
}

__attribute__((visibility("default"))) int fsync(int fd) {
	int rc = (int)syscall(SYS_fsync, fd);
	note_sync(fd);
	return rc;
}

__attribute__((visibility("default"))) int fdatasync(int fd) {
	int rc = (int)syscall(SYS_fdatasync, fd);
	note_sync(fd);
	return rc;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);

int __wrap_open(const char *path, int flags, ...) {
	va_list more;
	va_start(more, flags);
	mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
	va_end(more);
	const char *name = name_of(path);
	bool is_new = name && (flags & O_CREAT) && access(path, F_OK) < 0;
	int fd = __real_open(path, flags, mode);
	if (fd >= 0 && is_new)
		note_created(fd, name);
	return fd;
}

int __wrap_rename(const char *from, const char *to) {
	int rc = __real_rename(from, to);
	if (rc != 0 || !name_of(from))
		return rc;
	struct event *event = add(RENAME);
	(void)snprintf(event->name, sizeof(event->name), "%s", name_of(from));
	(void)snprintf(event->to, sizeof(event->to), "%s", name_of(to));
	return rc;
}

int __wrap_unlink(const char *path) {
	int rc = __real_unlink(path);
	if (rc == 0)
		note_removed(path);
	return rc;
}

static sqlite3_syscall_ptr replace(sqlite3_vfs *vfs, const char *name, sqlite3_syscall_ptr ours) {
	sqlite3_syscall_ptr before = vfs->xGetSystemCall(vfs, name);
	if (before && vfs->xSetSystemCall(vfs, name, ours) == SQLITE_OK)
		return before;
	return NULL;
}

__attribute__((constructor)) static void install(void) {
	sqlite3_vfs *vfs = sqlite3_vfs_find(NULL);
	real_open = (open_call *)replace(vfs, "open", (sqlite3_syscall_ptr)noting_open);
	write_call *other = (write_call *)replace(vfs, "pwrite64", (sqlite3_syscall_ptr)noting_pwrite);
	real_pwrite = (write_call *)replace(vfs, "pwrite", (sqlite3_syscall_ptr)noting_pwrite);
	real_pwrite = real_pwrite ? real_pwrite : other;
	real_ftruncate = (truncate_call *)replace(vfs, "ftruncate", (sqlite3_syscall_ptr)noting_ftruncate);
	real_unlink = (unlink_call *)replace(vfs, "unlink", (sqlite3_syscall_ptr)noting_unlink);
	record.events = calloc(EVENTS_MAX, sizeof(*record.events));
	if (!real_open || !real_pwrite || !real_ftruncate || !real_unlink || !record.events)
		abort(); /* a build of SQLite with a VFS of its own: nothing would be tested */
}

void power_log_start(const char *folder) {
	for (uint32_t i = 0; i < record.count; i++)
		free(record.events[i].data);
	record.count = record.file_count = 0;
	(void)snprintf(record.folder, sizeof(record.folder), "%s", folder);
	record.on = true;
}

void power_log_stop(void) {
	record.on = false;
}

uint32_t power_log_length(void) {
	return record.count;
}

/* --- playing it again ---------------------------------------------------------------------------------------------- */

struct disk_file {
	char *bytes;
	uint64_t size;
};

struct disk_name {
	char name[NAME_BYTES];
	uint32_t file;
};

struct disk {
	struct disk_file files[FILES_MAX];
	struct disk_name names[FILES_MAX];
	uint32_t name_count;
};

static bool reaches(enum power_loss loss, struct seed *seed) {
	return loss == POWER_LOSS_NOTHING || (loss == POWER_LOSS_SOME && seed_below(seed, 2));
}

static void put_piece(struct disk_file *file, const struct event *event, uint64_t from, uint64_t bytes) {
	uint64_t at = event->offset + from;
	assert_true(at + bytes <= FILE_BYTES_MAX);
	if (!file->bytes)
		file->bytes = calloc(1, FILE_BYTES_MAX);
	assert_non_null(file->bytes);
	memcpy(file->bytes + at, event->data + from, bytes);
	if (at + bytes > file->size)
		file->size = at + bytes;
}

static void resize(struct disk_file *file, uint64_t size) {
	if (size < file->size && file->bytes)
		memset(file->bytes + size, 0, file->size - size);
	file->size = size;
}

/* Event i is synchronised if its file (names: the directory) was, later and before the end. */
static bool is_sure(uint32_t i, uint32_t end) {
	const struct event *event = &record.events[i];
	bool is_data = event->kind == WRITE || event->kind == RESIZE;
	for (uint32_t j = i + 1; j < end; j++) {
		const struct event *sync = &record.events[j];
		if (is_data ? sync->kind == SYNC && sync->file == event->file : sync->kind == SYNC_NAMES)
			return true;
	}
	return false;
}

static void play_data(struct disk *disk, const struct event *event, bool sure, enum power_loss loss,
                      struct seed *seed) {
	struct disk_file *file = &disk->files[event->file];
	if (event->kind == RESIZE) {
		if (sure || reaches(loss, seed))
			resize(file, event->offset);
		return;
	}
	for (uint64_t from = 0; from < event->bytes;) {
		uint64_t piece = SECTOR_BYTES - (event->offset + from) % SECTOR_BYTES;
		piece = piece < event->bytes - from ? piece : event->bytes - from;
		if (sure || reaches(loss, seed))
			put_piece(file, event, from, piece);
		from += piece;
	}
}

static void drop_name(struct disk *disk, const char *name) {
	for (uint32_t i = 0; i < disk->name_count; i++)
		if (strcmp(disk->names[i].name, name) == 0) {
			disk->names[i] = disk->names[--disk->name_count];
			return;
		}
}

static void play_name(struct disk *disk, const struct event *event) {
	if (event->kind == REMOVE) {
		drop_name(disk, event->name);
		return;
	}
	struct disk_name name = {.file = event->file};
	(void)snprintf(name.name, sizeof(name.name), "%s", event->kind == RENAME ? event->to : event->name);
	for (uint32_t i = 0; event->kind == RENAME && i < disk->name_count; i++)
		if (strcmp(disk->names[i].name, event->name) == 0)
			name.file = disk->names[i].file;
	if (event->kind == RENAME)
		drop_name(disk, event->name);
	drop_name(disk, name.name);
	assert_true(disk->name_count < FILES_MAX);
	disk->names[disk->name_count++] = name;
}

static void write_out(struct disk *disk, const char *to) {
	for (uint32_t i = 0; i < disk->name_count; i++) {
		const struct disk_file *file = &disk->files[disk->names[i].file];
		char path[PATH_BYTES];
		assert_true(snprintf(path, sizeof(path), "%s/%s", to, disk->names[i].name) < (int)sizeof(path));
		int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		for (uint64_t at = 0; file->bytes && at < file->size;) {
			ssize_t done = write(fd, file->bytes + at, file->size - at);
			assert_true(done > 0);
			at += (uint64_t)done;
		}
		(void)close(fd);
	}
	for (uint32_t i = 0; i < FILES_MAX; i++)
		free(disk->files[i].bytes);
}

void power_log_replay(uint32_t events, enum power_loss loss, struct seed *seed, const char *to) {
	struct disk *disk = calloc(1, sizeof(*disk));
	bool names_go_on = true;
	assert_non_null(disk);
	for (uint32_t i = 0; i < events; i++) {
		const struct event *event = &record.events[i];
		if (event->kind == SYNC || event->kind == SYNC_NAMES)
			continue;
		bool sure = is_sure(i, events);
		if (event->kind == WRITE || event->kind == RESIZE) {
			play_data(disk, event, sure, loss, seed);
			continue;
		}
		names_go_on = names_go_on && (sure || reaches(loss, seed));
		if (names_go_on)
			play_name(disk, event);
	}
	write_out(disk, to);
	free(disk);
}

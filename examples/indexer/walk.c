/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Depth-first with a stack of its own instead of recursion: directories wait as paths relative to the root, so neither
 * the depth of the tree nor the number of open descriptors matters. A path longer than PATH_MAX is reported as
 * unreadable.
 */
#include "indexer.h"
#include "path_text.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct pending {
	char **paths;
	size_t count;
	size_t capacity;
};

/* Takes ownership of path, also when it fails. */
static int pending_push(struct pending *pending, char *path) {
	if (pending->count == pending->capacity) {
		size_t grown = pending->capacity ? pending->capacity * 2 : 64;
		char **paths = reallocarray(pending->paths, grown, sizeof(*paths));
		if (!paths) {
			free(path);
			return -ENOMEM;
		}
		pending->paths = paths;
		pending->capacity = grown;
	}
	pending->paths[pending->count++] = path;
	return 0;
}

static void pending_done(struct pending *pending) {
	while (pending->count > 0)
		free(pending->paths[--pending->count]);
	free(pending->paths);
}

static unsigned char entry_type(int directory_fd, const struct dirent *entry) {
	struct stat status;
	if (entry->d_type != DT_UNKNOWN)
		return entry->d_type;
	if (fstatat(directory_fd, entry->d_name, &status, AT_SYMLINK_NOFOLLOW) < 0)
		return DT_UNKNOWN;
	return (unsigned char)IFTODT(status.st_mode);
}

static char *join(const char *directory, const char *name) {
	char *path;
	if (strcmp(directory, ".") == 0)
		return strdup(name);
	return asprintf(&path, "%s/%s", directory, name) < 0 ? NULL : path;
}

static int walk_entry(struct indexer *indexer, struct pending *pending, const char *directory, unsigned char type,
                      const char *name) {
	if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || (type != DT_DIR && type != DT_REG))
		return 0;
	char *path = join(directory, name);
	if (!path)
		return -ENOMEM;
	if (type == DT_DIR)
		return pending_push(pending, path);
	work_queue_push(&indexer->queue, path);
	return 0;
}

static int walk_entries(struct indexer *indexer, struct pending *pending, const char *path, DIR *directory,
                        uint64_t *ret_entries) {
	struct dirent *entry;
	uint64_t entries = 0;
	int rc = 0;
	while (rc == 0 && !indexer_stopped(indexer) && (errno = 0, entry = readdir(directory)) != NULL) {
		rc = walk_entry(indexer, pending, path, entry_type(dirfd(directory), entry), entry->d_name);
		entries++;
	}
	*ret_entries = entries;
	return rc;
}

static int open_directory(int root_fd, const char *path, DIR **ret_directory) {
	int fd = openat(root_fd, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	*ret_directory = fdopendir(fd);
	if (*ret_directory)
		return 0;
	int rc = -errno;
	(void)close(fd);
	return rc;
}

static int walk_directory(struct indexer *indexer, struct pending *pending, const char *path) {
	SPANRING_SPAN(span, "walk");
	tally_add(&indexer->tally.begun[TALLY_WALK], 1);
	SPANRING_SET_STRING(span, "file.path", path);

	DIR *directory;
	uint64_t entries;
	int rc = open_directory(indexer->root_fd, path, &directory);
	if (rc < 0) {
		indexer_span_failed(indexer, TALLY_WALK, span, strerror(-rc));
		tally_add(&indexer->tally.unreadable, 1);
		path_text_report(path, strerror(-rc));
		return 0;
	}
	rc = walk_entries(indexer, pending, path, directory, &entries);
	(void)closedir(directory);
	SPANRING_SET_U64(span, "entries", entries);
	return rc;
}

int walk_tree(struct indexer *indexer) {
	struct pending pending = {0};
	char *root = strdup(".");
	int rc = root ? pending_push(&pending, root) : -ENOMEM;
	while (rc == 0 && pending.count > 0 && !indexer_stopped(indexer)) {
		char *path = pending.paths[--pending.count];
		rc = walk_directory(indexer, &pending, path);
		free(path);
	}
	pending_done(&pending);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "rich_file.h"

#include "rich_store.h"
#include "support/cmocka.h"

#include "libstore/evict.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define COMMITS 3u

/* Two segments, the first of which is evicted: so the second has the tables of that, too. */
static void make_store(struct rich_file *file, uint32_t spans, char path[SCRATCH_PATH_BYTES]) {
	static const struct store_writer_options options = {.boot_id = "fuzz", .agent_version = "fuzz"};
	struct seed seed = {1};
	struct store_writer *writer = NULL;
	struct store_evict_segment *segments = NULL;
	struct store_evict_sum sum;
	struct catalog *catalogs[2];
	size_t count = 0;
	char text[512];
	int holder = 0;
	assert_int_equal(store_writer_open(file->scratch.store, &options, &writer, &holder, text, sizeof(text)), 0);
	for (uint64_t i = 0; i < 2; i++) {
		catalogs[i] = rich_store_catalog(&seed);
		for (uint64_t n = 1; n <= COMMITS; n++)
			rich_store_commit(writer, catalogs[i], &seed, i * COMMITS + n, spans);
	}
	assert_int_equal(store_evict_list(file->scratch.store, &segments, &count), 0);
	assert_int_equal(count, 2);
	assert_int_equal(store_writer_evict(writer, catalogs[1], segments, count, 1, &sum), 0);
	assert_int_equal(store_writer_close(writer), 0);
	(void)snprintf(path, SCRATCH_PATH_BYTES, "%s", segments[1].path);
	store_evict_list_free(segments, count);
	catalog_free(catalogs[0]);
	catalog_free(catalogs[1]);
}

void rich_file_make(struct rich_file *file, uint32_t spans) {
	char sound[SCRATCH_PATH_BYTES];
	struct stat status;
	scratch_make(&file->scratch);
	make_store(file, spans, sound);
	int fd = open(sound, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	file->count = (size_t)status.st_size;
	file->bytes = malloc(file->count);
	assert_non_null(file->bytes);
	assert_int_equal(read(fd, file->bytes, file->count), file->count);
	(void)close(fd);
	(void)snprintf(file->path, sizeof(file->path), "%s/segment-20200101T000000Z-000002.db", file->scratch.rings);
	file->fd = open(file->path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(file->fd >= 0);
	assert_int_equal(write(file->fd, file->bytes, file->count), file->count);
}

void rich_file_remove(struct rich_file *file) {
	(void)close(file->fd);
	free(file->bytes);
	scratch_remove(&file->scratch);
}

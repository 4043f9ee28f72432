/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics_reader.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "fault_guard.h"
#include "ring_order.h"
#include "shared_file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define NAME_BYTES 24u
#define BLOCK_WORDS (sizeof(struct spanring_site_statistics) / sizeof(uint64_t))

static int check_header(const struct spanring_statistics_header *header, const struct ring_reader_expect *expect) {
	if (header->magic != SPANRING_STATISTICS_MAGIC)
		return ERR_FOREIGN;
	if (header->abi_version != SPANRING_ABI_VERSION)
		return ERR_NEWER;
	if (memcmp(header->instance, expect->instance, sizeof(expect->instance)) != 0 ||
	    header->ring_index != expect->ring_index)
		return ERR_FOREIGN;
	bool sound = header->header_bytes == sizeof(*header) &&
	             header->block_bytes == sizeof(struct spanring_site_statistics) &&
	             header->blocks_max <= SPANRING_STATISTICS_BLOCKS_MAX && header->bins == SPANRING_STATISTICS_BINS;
	return sound ? 0 : ERR_DAMAGED;
}

struct touch {
	const void *file;
	uint32_t index;
	uint32_t block_count;
	uint64_t *words;
};

static void touch_count(void *context) {
	struct touch *touch = context;
	touch->block_count = ring_order_block_count_read(touch->file);
}

/* The words of a block move while it is copied, each by itself: one load for each. */
static void touch_block(void *context) {
	struct touch *touch = context;
	const char *block = (const char *)touch->file + SPANRING_STATISTICS_BLOCKS_OFFSET +
	                    (size_t)touch->index * sizeof(struct spanring_site_statistics);
	const uint64_t *from = (const void *)block;
	for (size_t i = 0; i < BLOCK_WORDS; i++)
		touch->words[i] = ring_order_get(&from[i]);
}

/* Count first, size after: blocks are there before they are counted. */
static int load_count(int fd, uint32_t *ret_count, uint64_t *ret_bytes) {
	struct stat status;
	void *page = mmap(NULL, sizeof(struct spanring_statistics_header), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	struct touch touch = {.file = page};
	int rc = fault_guard_run(page, sizeof(struct spanring_statistics_header), touch_count, &touch);
	(void)munmap(page, sizeof(struct spanring_statistics_header));
	if (rc < 0)
		return rc;
	if (fstat(fd, &status) < 0)
		return -errno;
	uint64_t bytes =
	    SPANRING_STATISTICS_BLOCKS_OFFSET + (uint64_t)touch.block_count * sizeof(struct spanring_site_statistics);
	if (touch.block_count > SPANRING_STATISTICS_BLOCKS_MAX || status.st_size < 0 ||
	    bytes > (uint64_t)status.st_size)
		return ERR_DAMAGED;
	*ret_count = touch.block_count;
	*ret_bytes = bytes;
	return 0;
}

int statistics_reader_open(int directory_fd, const struct ring_reader_expect *expect,
                           struct statistics_reader *ret_reader) {
	char name[NAME_BYTES];
	struct shared_file file;
	(void)snprintf(name, sizeof(name), SPANRING_STATISTICS_PREFIX "%04" PRIu32, expect->ring_index);
	int rc = shared_file_open(directory_fd, name, O_RDONLY, &file);
	if (rc < 0)
		return rc;
	CLEANUP_FD int fd = file.fd;
	if (file.uid != expect->uid)
		return ERR_FOREIGN;
	struct spanring_statistics_header copy;
	rc = shared_file_read(fd, &copy, sizeof(copy), 0);
	if (rc == 0)
		rc = check_header(&copy, expect);
	if (rc < 0)
		return rc == ERR_GONE ? ERR_FOREIGN : rc;
	struct statistics_reader reader;
	rc = load_count(fd, &reader.block_count, &reader.bytes);
	if (rc < 0)
		return rc;
	const void *address = mmap(NULL, reader.bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return -errno;
	reader.file = address;
	*ret_reader = reader;
	return 0;
}

void statistics_reader_close(struct statistics_reader *reader) {
	if (reader->file)
		(void)munmap((void *)(uintptr_t)reader->file, reader->bytes);
	reader->file = NULL;
}

int statistics_reader_block(const struct statistics_reader *reader, uint32_t index,
                            struct spanring_site_statistics *ret_block, uint64_t *ret_count) {
	if (index >= reader->block_count)
		return ERR_DAMAGED;
	struct touch touch = {.file = reader->file, .index = index, .words = (void *)ret_block};
	int rc = fault_guard_run(reader->file, reader->bytes, touch_block, &touch);
	if (rc < 0)
		return rc;
	/* The overflow block is the first, and only that one. */
	if ((ret_block->site == SPANRING_SITE_OVERFLOW) != (index == 0) || ret_block->site == 0 ||
	    ret_block->site > SPANRING_SITES_MAX)
		return ERR_DAMAGED;
	uint64_t count = 0;
	for (uint32_t bin = 0; bin < SPANRING_STATISTICS_BINS; bin++) {
		if (ret_block->bins[bin] > STATISTICS_READER_COUNT_MAX - count)
			return ERR_DAMAGED;
		count += ret_block->bins[bin];
	}
	*ret_count = count;
	return 0;
}

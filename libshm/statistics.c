/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is made by the first span that a thread ends, and grows by one block at the first span of each site. All of it
 * is mapped at once as far as it may grow, but only what is reserved is ever touched. Who finds no room, neither in the table
 * nor in memory, shares the block of SPANRING_SITE_OVERFLOW; a thread that gets no file at all counts into its private block,
 * and is counted as untold.
 */
#include "statistics.h"
#include "process.h"
#include "region.h"
#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#define STATISTICS_NAME_BYTES 32u

static uint64_t file_bytes(uint32_t blocks) {
	return SPANRING_STATISTICS_BLOCKS_OFFSET + (uint64_t)blocks * sizeof(struct spanring_site_statistics);
}

static struct spanring_site_statistics *block_at(struct spanring_statistics_header *header, uint32_t index) {
	uint8_t *base = (uint8_t *)header + SPANRING_STATISTICS_BLOCKS_OFFSET;
	return (struct spanring_site_statistics *)(void *)base + index;
}

static void statistics_name(const struct spanring__thread *self, char ret_name[STATISTICS_NAME_BYTES]) {
	(void)snprintf(ret_name, STATISTICS_NAME_BYTES, SPANRING_STATISTICS_PREFIX "%04u", self->ring_index);
}

/* Each page is touched here, so that no span meets a page fault. */
static void fill_block(struct spanring_site_statistics *block, uint32_t site) {
	for (size_t at = 0; at < sizeof(*block); at += SPANRING_PAGE_BYTES)
		ring_order_put((ring_order_word *)(void *)((uint8_t *)block + at), 0);
	block->site = site;
	block->min_ticks = UINT64_MAX;
}

static int open_directory(const struct spanring__process *process) {
	return spanring__directory_open_instance(&process->directory, process->instance_name);
}

static void fill_header(struct spanring_statistics_header *header, const struct spanring__thread *self) {
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	memcpy(header->instance, self->header->instance, sizeof(header->instance));
	header->ring_index = self->ring_index;
	header->block_bytes = sizeof(struct spanring_site_statistics);
	header->blocks_max = SPANRING_STATISTICS_BLOCKS_MAX;
	header->bins = SPANRING_STATISTICS_BINS;
	header->magic = SPANRING_STATISTICS_MAGIC;
}

/* With the overflow block in it. */
static int make_file(struct spanring__thread *self, const struct spanring__process *process) {
	char name[STATISTICS_NAME_BYTES], name_tmp[STATISTICS_NAME_BYTES + sizeof(SPANRING_TMP_SUFFIX)];
	void *address;
	int directory_fd = open_directory(process);
	if (directory_fd < 0)
		return directory_fd;
	statistics_name(self, name);
	(void)snprintf(name_tmp, sizeof(name_tmp), "%s" SPANRING_TMP_SUFFIX, name);
	int rc = spanring__region_create_growing(directory_fd, name_tmp, file_bytes(1),
	                                         file_bytes(SPANRING_STATISTICS_BLOCKS_MAX), &address);
	if (rc < 0)
		goto out;
	(void)madvise(address, file_bytes(SPANRING_STATISTICS_BLOCKS_MAX), MADV_DONTFORK);
	struct spanring_statistics_header *header = address;
	fill_header(header, self);
	fill_block(block_at(header, 0), SPANRING_SITE_OVERFLOW);
	ring_order_block_count_publish(header, 1);
	rc = spanring__region_publish(directory_fd, name_tmp, name);
	if (rc < 0) {
		(void)munmap(address, file_bytes(SPANRING_STATISTICS_BLOCKS_MAX));
		(void)unlinkat(directory_fd, name_tmp, 0);
		goto out;
	}
	self->statistics_header = header;
	self->statistics_blocks = 1;
out:
	(void)close(directory_fd);
	return rc;
}

static int add_block(struct spanring__thread *self, const struct spanring__process *process, uint32_t site) {
	char name[STATISTICS_NAME_BYTES];
	uint32_t count = self->statistics_blocks;
	if (count == SPANRING_STATISTICS_BLOCKS_MAX)
		return -E2BIG;
	int directory_fd = open_directory(process);
	if (directory_fd < 0)
		return directory_fd;
	statistics_name(self, name);
	int rc = spanring__region_grow(directory_fd, name, file_bytes(count + 1));
	(void)close(directory_fd);
	if (rc < 0)
		return rc;
	fill_block(block_at(self->statistics_header, count), site);
	self->statistics_sites[count] = (uint16_t)site;
	self->statistics_blocks = count + 1;
	ring_order_block_count_publish(self->statistics_header, count + 1);
	return 0;
}

/* The block that the thread has for the site already; a site seen while statistics were off before has one, too. */
static struct spanring_site_statistics *find_block(const struct spanring__thread *self, uint32_t site) {
	for (uint32_t i = 1; i < self->statistics_blocks; i++)
		if (self->statistics_sites[i] == site)
			return block_at(self->statistics_header, i);
	return NULL;
}

/* Block of a site in the file, whatever it takes; NULL: there is no file. */
static struct spanring_site_statistics *block_in_file(struct spanring__thread *self, struct spanring__process *process,
                                                      uint32_t site) {
	if (!self->statistics_header && !self->statistics_refused && make_file(self, process) < 0) {
		self->statistics_refused = true;
		ring_order_count(&process->header->statistics_overflowed);
	}
	if (!self->statistics_header)
		return NULL;
	struct spanring_site_statistics *block = find_block(self, site);
	if (block || site == SPANRING_SITE_OVERFLOW)
		return block ? block : block_at(self->statistics_header, 0);
	if (add_block(self, process, site) == 0)
		return block_at(self->statistics_header, self->statistics_blocks - 1);
	ring_order_count(&process->header->statistics_overflowed);
	return block_at(self->statistics_header, 0);
}

static struct spanring_site_statistics *unread_block(struct spanring__thread *self) {
	if (!self->statistics_unread) {
		self->statistics_unread = spanring__region_private(sizeof(*self->statistics_unread), 1);
		if (self->statistics_unread)
			fill_block(self->statistics_unread, 0);
	}
	return self->statistics_unread;
}

/* NULL only where no memory is left at all. */
static struct spanring_site_statistics *find_or_make(struct spanring__thread *self, uint32_t site) {
	struct spanring__process *process = spanring__process_get();
	struct spanring_site_statistics *block = NULL;
	if (process && (self->sampling.flags & SPANRING_CONTROL_STATISTICS))
		block = block_in_file(self, process, site);
	return block ? block : unread_block(self);
}

static void count_extremes(struct spanring_site_statistics *block, uint64_t duration) {
	if (duration < ring_order_get(&block->min_ticks))
		ring_order_put(&block->min_ticks, duration);
	if (duration > SPANRING_STATISTICS_TICKS_LAST) {
		if (duration > ring_order_get(&block->longest_ticks))
			ring_order_put(&block->longest_ticks, duration);
	} else if (duration > ring_order_get(&block->max_ticks)) {
		ring_order_put(&block->max_ticks, duration);
	}
}

static void count_heap(struct spanring_site_statistics *block, uint64_t heap_word) {
	struct {
		uint32_t alloc_units;
		int32_t net_units;
	} fields;
	memcpy(&fields, &heap_word, sizeof(fields));
	ring_order_add(&block->heap_spans, 1);
	ring_order_add(&block->heap_allocated_units, fields.alloc_units);
	ring_order_put(&block->heap_net_units, ring_order_get(&block->heap_net_units) + fields.net_units);
}

void spanring__statistics_count(struct spanring__thread *self, uint64_t tail_word, uint64_t duration,
                                uint64_t heap_word, bool has_heap) {
	struct spanring_site_statistics *block = statistics_of(self, tail_word);
	if (unlikely(!block)) {
		int saved_errno = errno;
		block = find_or_make(self, (uint32_t)(tail_word & (SPANRING__STATISTICS_SLOTS - 1)));
		errno = saved_errno;
		if (!block)
			return;
		self->statistics[tail_word & (SPANRING__STATISTICS_SLOTS - 1)] = block;
	}
	ring_order_add(&block->bins[spanring_statistics_bin(duration)], 1);
	ring_order_add(&block->sum_ticks, duration);
	count_extremes(block, duration);
	if (tail_word & ring_writer_tail_word(0, 0, SPANRING_STATUS_ERROR << SPANRING_BITS_STATUS_SHIFT, 0))
		ring_order_add(&block->errors, 1);
	if (has_heap)
		count_heap(block, heap_word);
}

void spanring__statistics_forget(struct spanring__thread *self) {
	memset((void *)self->statistics, 0, sizeof(self->statistics));
}

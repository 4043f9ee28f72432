/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_files.h"

#include "base/clock.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static void *make_file(int directory_fd, const char *name, uint64_t bytes) {
	int fd = openat(directory_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(posix_fallocate(fd, 0, (off_t)bytes), 0);
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(address != MAP_FAILED);
	(void)close(fd);
	return address;
}

static void fill_tables(struct spanring_process_header *header) {
	static const char *const strings[] = {SPANRING_OVERFLOW_NAME, "work", "work.c", "key"};
	char *base = (char *)header;
	struct spanring_string_entry *index = (void *)(base + SPANRING_STRING_INDEX_OFFSET);
	struct spanring_site_entry *sites = (void *)(base + SPANRING_SITE_TABLE_OFFSET);
	uint32_t used = 0;
	for (uint32_t i = 0; i < 4; i++) {
		uint32_t bytes = (uint32_t)strlen(strings[i]);
		index[i] = (struct spanring_string_entry){.offset = used, .bytes = bytes};
		memcpy(base + SPANRING_STRING_ARENA_OFFSET + used, strings[i], bytes);
		used += bytes;
	}
	sites[0] = (struct spanring_site_entry){.name = 1, .file = 1};
	sites[1] = (struct spanring_site_entry){.name = 2, .file = 3, .line = 7};
	header->string_count = 4;
	header->site_count = 2;
	header->string_arena_used = used;
}

static void fill_process(struct spanring_process_header *header) {
	*header = (struct spanring_process_header){.magic = SPANRING_PROCESS_MAGIC,
	                                           .abi_version = SPANRING_ABI_VERSION,
	                                           .header_bytes = sizeof(*header),
	                                           .pid = (uint32_t)getpid(),
	                                           .clock_kind = SPANRING_CLOCK_MONOTONIC,
	                                           .sites_max = SPANRING_SITES_MAX,
	                                           .strings_max = SPANRING_STRINGS_MAX,
	                                           .site_table_offset = SPANRING_SITE_TABLE_OFFSET,
	                                           .string_index_offset = SPANRING_STRING_INDEX_OFFSET,
	                                           .string_arena_offset = SPANRING_STRING_ARENA_OFFSET,
	                                           .string_arena_bytes = SPANRING_STRING_ARENA_BYTES,
	                                           .site_control_offset = SPANRING_SITE_CONTROL_OFFSET,
	                                           .service = "test",
	                                           .enabled = 1,
	                                           .state = SPANRING_PROCESS_RUNNING,
	                                           .rings_made = 1};
	for (uint8_t i = 0; i < SPANRING_INSTANCE_BYTES; i++)
		header->instance[i] = i;
	assert_int_equal(clock_boot_id(header->boot_id), 0);
}

static void fill_ring(struct spanring_ring_header *header) {
	*header = (struct spanring_ring_header){.magic = SPANRING_RING_MAGIC,
	                                        .abi_version = SPANRING_ABI_VERSION,
	                                        .header_bytes = sizeof(*header),
	                                        .stack_entries = SPANRING_DEPTH_MAX,
	                                        .stack_offset = SPANRING_RING_STACK_OFFSET,
	                                        .data_offset = SPANRING_RING_DATA_OFFSET,
	                                        .capacity_records = AGENT_FILES_CAPACITY,
	                                        .owner_word_offset = offsetof(struct spanring_ring_header, owner_mutex),
	                                        .state = SPANRING_RING_ACTIVE,
	                                        .tid = 1};
	for (uint8_t i = 0; i < SPANRING_INSTANCE_BYTES; i++)
		header->instance[i] = i;
}

void agent_files_make(struct agent_files *ret_files) {
	struct agent_files files = {0};
	scratch_make(&files.scratch);
	files.rings_fd = open(files.scratch.rings, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(mkdirat(files.rings_fd, AGENT_FILES_NAME, 0700), 0);
	files.directory_fd = openat(files.rings_fd, AGENT_FILES_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(files.directory_fd >= 0);
	files.process = make_file(files.directory_fd, SPANRING_PROCESS_NAME, SPANRING_PROCESS_FILE_BYTES);
	fill_process(files.process);
	fill_tables(files.process);
	files.ring =
	    make_file(files.directory_fd, AGENT_FILES_RING, SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN);
	fill_ring(files.ring);
	files.records = (void *)((char *)files.ring + SPANRING_RING_DATA_OFFSET);
	*ret_files = files;
}

struct spanring_statistics_header *agent_files_statistics(const struct agent_files *files, uint32_t blocks) {
	struct spanring_statistics_header *header =
	    make_file(files->directory_fd, SPANRING_STATISTICS_PREFIX "0000", AGENT_FILES_STATISTICS_BYTES(blocks));
	struct spanring_site_statistics *all = (void *)((char *)header + SPANRING_STATISTICS_BLOCKS_OFFSET);
	*header = (struct spanring_statistics_header){.magic = SPANRING_STATISTICS_MAGIC,
	                                              .abi_version = SPANRING_ABI_VERSION,
	                                              .header_bytes = sizeof(*header),
	                                              .block_bytes = sizeof(*all),
	                                              .blocks_max = SPANRING_STATISTICS_BLOCKS_MAX,
	                                              .bins = SPANRING_STATISTICS_BINS,
	                                              .block_count = 2};
	memcpy(header->instance, files->process->instance, SPANRING_INSTANCE_BYTES);
	for (uint32_t i = 0; i < blocks; i++) {
		all[i].site = i + 1;
		all[i].min_ticks = UINT64_MAX;
	}
	return header;
}

struct spanring_async_header *agent_files_async(const struct agent_files *files, uint32_t slots) {
	struct spanring_async_header *header =
	    make_file(files->directory_fd, SPANRING_ASYNC_NAME, AGENT_FILES_ASYNC_BYTES(slots));
	*header = (struct spanring_async_header){.magic = SPANRING_ASYNC_MAGIC,
	                                         .abi_version = SPANRING_ABI_VERSION,
	                                         .header_bytes = sizeof(*header),
	                                         .slot_bytes = sizeof(struct spanring_async_slot),
	                                         .slots_max = SPANRING_ASYNC_SLOTS_MAX,
	                                         .slots_offset = SPANRING_ASYNC_SLOTS_OFFSET,
	                                         .slot_count = slots};
	memcpy(header->instance, files->process->instance, SPANRING_INSTANCE_BYTES);
	return header;
}

void agent_files_remove(struct agent_files *files) {
	(void)munmap(files->process, SPANRING_PROCESS_FILE_BYTES);
	(void)munmap(files->ring, SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN);
	(void)close(files->directory_fd);
	(void)close(files->rings_fd);
	scratch_remove(&files->scratch);
}

void agent_files_put(struct agent_files *files, uint64_t position, union spanring_record record, uint8_t type) {
	record.span.tail.type = type;
	record.span.tail.lap = spanring_lap_tag(position / AGENT_FILES_CAPACITY);
	files->records[position % AGENT_FILES_CAPACITY] = record;
}

union spanring_record agent_files_span(uint64_t span_id) {
	union spanring_record record = {.span = {.start_ticks = 1000 + span_id,
	                                         .duration_ticks = span_id,
	                                         .span_id = span_id,
	                                         .parent_id = span_id / 2,
	                                         .trace_hi = 1,
	                                         .trace_lo = 2,
	                                         .tail = {.ref = AGENT_FILES_SITE}}};
	return record;
}

union spanring_record agent_files_string(uint64_t span_id, const char *text, uint32_t bytes) {
	union spanring_record record = {.attribute = {.span_id = span_id,
	                                              .trace_lo = 2,
	                                              .value_type = SPANRING_VALUE_STRING,
	                                              .string_bytes = (uint16_t)bytes,
	                                              .tail = {.ref = AGENT_FILES_STRING_KEY}}};
	memcpy(record.attribute.value, text,
	       bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES);
	return record;
}

void agent_files_skip_faults(void) {
	if (!SANITIZER_THREAD)
		return;
	print_message("skipped: no jump out of an atomic access under ThreadSanitizer\n");
	skip();
}

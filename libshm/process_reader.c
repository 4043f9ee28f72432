/* SPDX-License-Identifier: Apache-2.0 */
#include "process_reader.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "fault_guard.h"
#include "ring_order.h"
#include "shared_file.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

static int check_header(const struct spanring_process_header *header, const uint8_t *instance) {
	if (header->magic != SPANRING_PROCESS_MAGIC)
		return ERR_FOREIGN;
	if (header->abi_version != SPANRING_ABI_VERSION || header->features_incompat != 0)
		return ERR_NEWER;
	if (memcmp(header->instance, instance, SPANRING_INSTANCE_BYTES) != 0)
		return ERR_FOREIGN;
	bool sound = header->header_bytes == sizeof(*header) && header->sites_max == SPANRING_SITES_MAX &&
	             header->strings_max == SPANRING_STRINGS_MAX &&
	             header->site_table_offset == SPANRING_SITE_TABLE_OFFSET &&
	             header->string_index_offset == SPANRING_STRING_INDEX_OFFSET &&
	             header->string_arena_offset == SPANRING_STRING_ARENA_OFFSET &&
	             header->site_control_offset == SPANRING_SITE_CONTROL_OFFSET &&
	             header->string_arena_bytes == SPANRING_STRING_ARENA_BYTES &&
	             header->clock_kind >= SPANRING_CLOCK_MONOTONIC && header->clock_kind <= SPANRING_CLOCK_CNTVCT;
	return sound ? 0 : ERR_DAMAGED;
}

static void copy_text(char *to, const char *from, size_t bytes) {
	memcpy(to, from, bytes);
	to[bytes - 1] = '\0';
}

static void copy_identity(const struct spanring_process_header *header, struct process_reader_identity *identity) {
	*identity = (struct process_reader_identity){.pid = header->pid,
	                                             .ppid = header->ppid,
	                                             .uid = header->uid,
	                                             .pid_namespace = header->pid_namespace,
	                                             .start_time = header->start_time,
	                                             .clock_kind = header->clock_kind,
	                                             .flags = header->flags,
	                                             .anchor_ticks = header->anchor_ticks,
	                                             .anchor_monotonic_ns = header->anchor_monotonic_ns,
	                                             .anchor_wall_ns = header->anchor_wall_ns};
	memcpy(identity->boot_id, header->boot_id, sizeof(identity->boot_id));
	copy_text(identity->executable, header->executable, sizeof(identity->executable));
	copy_text(identity->command, header->command, sizeof(identity->command));
	copy_text(identity->service, header->service, sizeof(identity->service));
	copy_text(identity->resource, header->resource, sizeof(identity->resource));
	identity->resource_left_out = header->resource_left_out;
}

int process_reader_open(int directory_fd, const uint8_t instance[SPANRING_INSTANCE_BYTES],
                        struct process_reader *ret_reader, struct process_reader_identity *ret_identity) {
	struct shared_file file;
	int rc = shared_file_open(directory_fd, SPANRING_PROCESS_NAME, O_RDONLY, &file);
	if (rc < 0)
		return rc;
	CLEANUP_FD int fd = file.fd;
	if (file.bytes != SPANRING_PROCESS_FILE_BYTES)
		return ERR_FOREIGN;
	struct spanring_process_header copy;
	rc = shared_file_read(fd, &copy, sizeof(copy), 0);
	if (rc < 0)
		return rc;
	rc = check_header(&copy, instance);
	if (rc < 0)
		return rc;
	const void *page = mmap(NULL, sizeof(copy), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	copy_identity(&copy, ret_identity);
	*ret_reader = (struct process_reader){.header = page, .uid = file.uid};
	ret_reader->fd = take_fd(&fd);
	return 0;
}

void process_reader_close(struct process_reader *reader) {
	if (reader->header)
		(void)munmap((void *)(uintptr_t)reader->header, sizeof(*reader->header));
	if (reader->fd >= 0)
		(void)close(reader->fd);
	reader->header = NULL;
	reader->fd = FD_NONE;
}

struct touch {
	const struct spanring_process_header *header;
	struct process_reader_counters counters;
	uint32_t sites;
	uint32_t strings;
};

static void touch_counters(void *context) {
	struct touch *touch = context;
	const struct spanring_process_header *header = touch->header;
	touch->counters.state = ring_order_state_read(&header->state);
	touch->counters.rings_made = ring_order_get(&header->rings_made);
	touch->counters.threads_untraced = ring_order_get(&header->threads_untraced);
	touch->counters.dropped_no_ring = ring_order_get(&header->dropped_no_ring);
	touch->counters.names_cut = ring_order_get(&header->names_cut);
	touch->counters.sites_overflowed = ring_order_get(&header->sites_overflowed);
	touch->counters.strings_overflowed = ring_order_get(&header->strings_overflowed);
	touch->counters.misuse = ring_order_get(&header->misuse);
	touch->counters.attributes_over_limit = ring_order_get(&header->attributes_over_limit);
	touch->counters.events_over_limit = ring_order_get(&header->events_over_limit);
	touch->counters.links_over_limit = ring_order_get(&header->links_over_limit);
	touch->counters.values_cut = ring_order_get(&header->values_cut);
	touch->counters.dropped_links = ring_order_get(&header->dropped_links);
	touch->counters.contexts_malformed = ring_order_get(&header->contexts_malformed);
	touch->counters.statistics_overflowed = ring_order_get(&header->statistics_overflowed);
	touch->counters.dropped_async = ring_order_get(&header->dropped_async);
	touch->counters.dropped_contexts = ring_order_get(&header->dropped_contexts);
	touch->counters.dropped_reentry = ring_order_get(&header->dropped_reentry);
	touch->counters.control_flags = ring_order_get(&header->control_flags);
}

static void touch_tables(void *context) {
	struct touch *touch = context;
	touch->sites = ring_order_table_read(&touch->header->site_count);
	touch->strings = ring_order_table_read(&touch->header->string_count);
}

int process_reader_counters(struct process_reader *reader, struct process_reader_counters *ret_counters) {
	struct touch touch = {.header = reader->header};
	int rc = fault_guard_run(reader->header, sizeof(*reader->header), touch_counters, &touch);
	if (rc == 0)
		*ret_counters = touch.counters;
	return rc;
}

/* An entry is looked up only if its table may have grown since the last time. */
static int tables_renew(struct process_reader *reader) {
	struct touch touch = {.header = reader->header};
	int rc = fault_guard_run(reader->header, sizeof(*reader->header), touch_tables, &touch);
	if (rc < 0)
		return rc;
	if (touch.sites > SPANRING_SITES_MAX || touch.strings > SPANRING_STRINGS_MAX || touch.sites < reader->sites ||
	    touch.strings < reader->strings)
		return ERR_DAMAGED;
	reader->sites = touch.sites;
	reader->strings = touch.strings;
	return 0;
}

int process_reader_site(struct process_reader *reader, uint32_t id, struct spanring_site_entry *ret_site) {
	if (id > reader->sites) {
		int rc = tables_renew(reader);
		if (rc < 0)
			return rc;
	}
	if (id == 0 || id > reader->sites)
		return ERR_DAMAGED;
	uint64_t offset = SPANRING_SITE_TABLE_OFFSET + (uint64_t)(id - 1) * sizeof(*ret_site);
	return shared_file_read(reader->fd, ret_site, sizeof(*ret_site), offset);
}

int process_reader_string(struct process_reader *reader, uint32_t id, char ret_text[SPANRING_NAME_BYTES_MAX + 1],
                          size_t *ret_bytes) {
	if (id > reader->strings) {
		int rc = tables_renew(reader);
		if (rc < 0)
			return rc;
	}
	if (id == 0 || id > reader->strings)
		return ERR_DAMAGED;
	struct spanring_string_entry entry;
	uint64_t offset = SPANRING_STRING_INDEX_OFFSET + (uint64_t)(id - 1) * sizeof(entry);
	int rc = shared_file_read(reader->fd, &entry, sizeof(entry), offset);
	if (rc < 0)
		return rc;
	if (entry.bytes > SPANRING_NAME_BYTES_MAX ||
	    !checked_range(entry.offset, entry.bytes, SPANRING_STRING_ARENA_BYTES))
		return ERR_DAMAGED;
	rc = shared_file_read(reader->fd, ret_text, entry.bytes, SPANRING_STRING_ARENA_OFFSET + entry.offset);
	if (rc < 0)
		return rc;
	ret_text[entry.bytes] = '\0';
	*ret_bytes = entry.bytes;
	return 0;
}

int process_reader_mapped(const struct process_reader *reader) {
	/* A read lease is granted only where nobody writes, and mapping counts. It is given back at once. */
	if (fcntl(reader->fd, F_SETLEASE, F_RDLCK) < 0)
		return errno == EAGAIN ? 1 : -errno;
	(void)fcntl(reader->fd, F_SETLEASE, F_UNLCK);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_reader.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "fault_guard.h"
#include "ring_order.h"
#include "shared_file.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define RING_INDEX_DIGITS 4u
/* No program gets there: 2^62 records take a century and more. Sums and distances of positions stay within 64 bits. */
#define RING_POSITION_MAX (UINT64_C(1) << 62)

bool ring_reader_index(const char *name, uint32_t *ret_index) {
	size_t prefix = sizeof(SPANRING_RING_PREFIX) - 1;
	if (strncmp(name, SPANRING_RING_PREFIX, prefix) != 0 || strlen(name) != prefix + RING_INDEX_DIGITS)
		return false;
	uint32_t index = 0;
	for (const char *digit = name + prefix; *digit; digit++) {
		if (*digit < '0' || *digit > '9')
			return false;
		index = index * 10 + (uint32_t)(*digit - '0');
	}
	if (index >= SPANRING_RINGS_MAX)
		return false;
	*ret_index = index;
	return true;
}

static int check_identity(const struct spanring_ring_header *header, const struct ring_reader_expect *expect) {
	if (header->magic != SPANRING_RING_MAGIC)
		return ERR_FOREIGN;
	if (header->abi_version != SPANRING_ABI_VERSION || header->features_incompat != 0)
		return ERR_NEWER;
	if (memcmp(header->instance, expect->instance, sizeof(expect->instance)) != 0 ||
	    header->ring_index != expect->ring_index)
		return ERR_FOREIGN;
	return 0;
}

/* Everything that later turns into an offset, against the constants and the size that the kernel gave. */
static bool geometry_is_sound(const struct spanring_ring_header *header, uint64_t file_bytes) {
	if (header->header_bytes != sizeof(*header) || header->stack_entries != SPANRING_DEPTH_MAX ||
	    header->stack_offset != SPANRING_RING_STACK_OFFSET || header->data_offset != SPANRING_RING_DATA_OFFSET)
		return false;
	uint64_t capacity = header->capacity_records;
	if (capacity < SPANRING_RING_BYTES_MIN / SPANRING_RECORD_BYTES ||
	    capacity > SPANRING_RING_BYTES_MAX / SPANRING_RECORD_BYTES || (capacity & (capacity - 1)) != 0)
		return false;
	uint64_t data_end = SPANRING_RING_DATA_OFFSET + capacity * SPANRING_RECORD_BYTES;
	if (file_bytes != data_end)
		return false;
	uint64_t owner_at = header->owner_word_offset - offsetof(struct spanring_ring_header, owner_mutex);
	return owner_at % sizeof(uint32_t) == 0 && owner_at < sizeof(header->owner_mutex);
}

int ring_reader_open(int directory_fd, const char *name, const struct ring_reader_expect *expect,
                     struct ring_reader *ret_reader) {
	struct shared_file file;
	int rc = shared_file_open(directory_fd, name, expect->read_only ? O_RDONLY : O_RDWR, &file);
	if (rc < 0)
		return rc;
	CLEANUP_FD int fd = file.fd;
	if (file.uid != expect->uid)
		return ERR_FOREIGN;
	struct spanring_ring_header copy;
	rc = shared_file_read(fd, &copy, sizeof(copy), 0);
	if (rc < 0)
		return rc == ERR_GONE ? ERR_FOREIGN : rc;
	rc = check_identity(&copy, expect);
	if (rc < 0)
		return rc;
	/* The tail may be ahead: records behind the head can be taken by their tags. */
	uint64_t apart = copy.head > copy.tail ? copy.head - copy.tail : copy.tail - copy.head;
	if (!geometry_is_sound(&copy, file.bytes) || copy.tail > RING_POSITION_MAX || apart > copy.capacity_records)
		return ERR_DAMAGED;
	int access = expect->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
	void *page = mmap(NULL, sizeof(copy), access, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	*ret_reader = (struct ring_reader){.header = page,
	                                   .capacity = (uint32_t)copy.capacity_records,
	                                   .owner_word_offset = copy.owner_word_offset,
	                                   .head = 0,
	                                   .tail = copy.tail};
	ret_reader->fd = take_fd(&fd);
	return 0;
}

void ring_reader_close(struct ring_reader *reader) {
	if (reader->header)
		(void)munmap(reader->header, sizeof(*reader->header));
	if (reader->fd >= 0)
		(void)close(reader->fd);
	reader->header = NULL;
	reader->fd = FD_NONE;
}

struct touch {
	struct spanring_ring_header *header;
	uint32_t owner_word_offset;
	uint64_t tail;
	uint64_t begun_open;
	uint64_t muted;
	struct ring_reader_look look;
};

static void touch_head(void *context) {
	struct touch *touch = context;
	touch->look.head = ring_order_head_read(touch->header); /* pairs with W3 */
	touch->look.flush_wanted = ring_order_flush_wanted_read(touch->header);
}

/*
 * Head first, then what was dropped or sampled out, then the word that counts what ended: so whatever the first two saw has ended in the
 * third.
 */
static void touch_all(void *context) {
	struct touch *touch = context;
	struct spanring_ring_header *header = touch->header;
	struct ring_reader_look *look = &touch->look;
	look->state = ring_order_state_read(&header->state);
	look->owner_word =
	    ring_order_get((const uint32_t *)(const void *)((const char *)header + touch->owner_word_offset));
	look->head = ring_order_head_read(header);
	look->dropped_full = ring_order_get(&header->dropped_full);
	look->dropped_depth = ring_order_get(&header->dropped_depth);
	look->dropped_attributes = ring_order_get(&header->dropped_attributes);
	look->dropped_events = ring_order_get(&header->dropped_events);
	touch->muted = ring_order_get(&header->muted);
	look->sampled_out = ring_order_get(&header->sampled_out);
	look->sampled_out_short = ring_order_get(&header->sampled_out_short);
	look->heap_allocated_bytes = ring_order_get(&header->heap_allocated_bytes);
	look->heap_freed_bytes = ring_order_get(&header->heap_freed_bytes);
	look->tid = ring_order_get(&header->tid);
	look->flush_wanted = ring_order_flush_wanted_read(header);
	touch->begun_open = ring_order_begun_open_read(header);
}

static void touch_begun_open(void *context) {
	struct touch *touch = context;
	touch->begun_open = ring_order_begun_open_read(touch->header);
}

static void touch_tail(void *context) {
	struct touch *touch = context;
	ring_order_tail_publish(touch->header, touch->tail); /* pairs with W4 */
}

static int touch_run(const struct ring_reader *reader, void (*function)(void *context), struct touch *touch) {
	touch->header = reader->header;
	touch->owner_word_offset = reader->owner_word_offset;
	return fault_guard_run(reader->header, sizeof(*reader->header), function, touch);
}

/* Never back, and never further ahead of the stored records than the ring is long. */
static int check_head(struct ring_reader *reader, uint64_t head) {
	if (head < reader->head)
		return ERR_DAMAGED;
	if (head > reader->tail && head - reader->tail > reader->capacity)
		return ERR_DAMAGED;
	reader->head = head;
	return 0;
}

int ring_reader_head(struct ring_reader *reader, uint64_t *ret_head, uint64_t *ret_flush_wanted) {
	struct touch touch = {0};
	int rc = touch_run(reader, touch_head, &touch);
	if (rc == 0)
		rc = check_head(reader, touch.look.head);
	if (rc < 0)
		return rc;
	*ret_head = touch.look.head;
	*ret_flush_wanted = touch.look.flush_wanted;
	return 0;
}

int ring_reader_look(struct ring_reader *reader, struct ring_reader_look *ret_look) {
	struct touch touch = {0};
	int rc = touch_run(reader, touch_all, &touch);
	if (rc == 0)
		rc = check_head(reader, touch.look.head);
	if (rc < 0)
		return rc;
	touch.look.begun = touch.begun_open >> SPANRING_BEGUN_SHIFT;
	touch.look.open = touch.begun_open & SPANRING_OPEN_MASK;
	if (touch.look.open > SPANRING_DEPTH_MAX || touch.look.open > touch.look.begun)
		return ERR_DAMAGED;
	/* Each muted span is all three in one: the sums are made here, once. */
	touch.look.begun += touch.muted;
	touch.look.sampled_out += touch.muted;
	*ret_look = touch.look;
	return 0;
}

int ring_reader_begun_open(const struct ring_reader *reader, uint64_t *ret_begun_open) {
	struct touch touch = {0};
	int rc = touch_run(reader, touch_begun_open, &touch);
	if (rc == 0)
		*ret_begun_open = touch.begun_open;
	return rc;
}

enum ring_reader_life ring_reader_life(const struct ring_reader_look *look) {
	if (look->owner_word & FUTEX_OWNER_DIED)
		return RING_READER_DIED;
	if (look->owner_word & FUTEX_TID_MASK)
		return RING_READER_LIVE;
	return look->state == SPANRING_RING_RETIRED ? RING_READER_RETIRED : RING_READER_UNSETTLED;
}

uint32_t ring_reader_extents(const struct ring_reader *reader, uint64_t position, uint32_t count,
                             struct ring_reader_extent ret_extents[2]) {
	uint32_t slot = (uint32_t)(position & (reader->capacity - 1));
	uint32_t first = count < reader->capacity - slot ? count : reader->capacity - slot;
	ret_extents[0] = (struct ring_reader_extent){
	    .offset = SPANRING_RING_DATA_OFFSET + (uint64_t)slot * SPANRING_RECORD_BYTES, .records = first};
	if (first == count)
		return 1;
	ret_extents[1] = (struct ring_reader_extent){.offset = SPANRING_RING_DATA_OFFSET, .records = count - first};
	return 2;
}

int ring_reader_read(const struct ring_reader *reader, uint64_t position, uint32_t count,
                     union spanring_record *ret_records) {
	struct ring_reader_extent extents[2];
	uint32_t parts = ring_reader_extents(reader, position, count, extents);
	for (uint32_t i = 0; i < parts; i++) {
		int rc = shared_file_read(reader->fd, ret_records, (size_t)extents[i].records * SPANRING_RECORD_BYTES,
		                          extents[i].offset);
		if (rc < 0)
			return rc;
		ret_records += extents[i].records;
	}
	return 0;
}

uint32_t ring_reader_valid(const struct ring_reader *reader, uint64_t position, uint32_t count,
                           const union spanring_record *records) {
	uint32_t valid = 0;
	while (valid < count && records[valid].span.tail.lap == spanring_lap_tag((position + valid) / reader->capacity))
		valid++;
	return valid;
}

int ring_reader_behind(const struct ring_reader *reader, uint64_t position, uint32_t count, bool living,
                       union spanring_record *ret_records, uint32_t *ret_count) {
	int rc = ring_reader_read(reader, position, count, ret_records);
	if (rc < 0)
		return rc;
	uint32_t valid = ring_reader_valid(reader, position, count, ret_records);
	if (living && valid > 0) {
		/*
		 * What a tag promises is visible only after every processor passed a barrier. Without one: wait for the
		 * head.
		 */
		if (syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL_EXPEDITED, 0, 0) < 0) {
			*ret_count = 0;
			return 0;
		}
		rc = ring_reader_read(reader, position, valid, ret_records);
		if (rc < 0)
			return rc;
		valid = ring_reader_valid(reader, position, valid, ret_records);
	}
	*ret_count = valid;
	return 0;
}

int ring_reader_tail_store(struct ring_reader *reader, uint64_t position) {
	struct touch touch = {.tail = position};
	int rc = touch_run(reader, touch_tail, &touch);
	if (rc == 0)
		reader->tail = position;
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "async_reader.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "fault_guard.h"
#include "ring_order.h"
#include "shared_file.h"

#include <spanring/spanring.h>

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>

#define COPY_TRIES 16u

static uint64_t file_bytes(uint32_t slots) {
	return SPANRING_ASYNC_SLOTS_OFFSET + (uint64_t)slots * sizeof(struct spanring_async_slot);
}

static int check_header(const struct spanring_async_header *header, const uint8_t *instance) {
	if (header->magic != SPANRING_ASYNC_MAGIC)
		return ERR_FOREIGN;
	if (header->abi_version != SPANRING_ABI_VERSION || header->features_incompat != 0)
		return ERR_NEWER;
	if (memcmp(header->instance, instance, SPANRING_INSTANCE_BYTES) != 0)
		return ERR_FOREIGN;
	bool sound =
	    header->header_bytes == sizeof(*header) && header->slot_bytes == sizeof(struct spanring_async_slot) &&
	    header->slots_max == SPANRING_ASYNC_SLOTS_MAX && header->slots_offset == SPANRING_ASYNC_SLOTS_OFFSET;
	return sound ? 0 : ERR_DAMAGED;
}

static int map(struct async_reader *reader, uint64_t bytes) {
	void *file = mmap(NULL, bytes, PROT_READ, MAP_SHARED, reader->fd, 0);
	if (file == MAP_FAILED)
		return -errno;
	if (reader->file)
		(void)munmap((void *)(uintptr_t)reader->file, reader->mapped_bytes);
	reader->file = file;
	reader->mapped_bytes = bytes;
	return 0;
}

int async_reader_open(int directory_fd, const uint8_t instance[SPANRING_INSTANCE_BYTES], uid_t uid,
                      struct async_reader *ret_reader) {
	struct shared_file file;
	struct spanring_async_header copy;
	int rc = shared_file_open(directory_fd, SPANRING_ASYNC_NAME, O_RDONLY, &file);
	if (rc < 0)
		return rc;
	struct async_reader reader = {.fd = file.fd};
	if (file.uid != uid || file.bytes < sizeof(copy) || file.bytes > file_bytes(SPANRING_ASYNC_SLOTS_MAX))
		rc = ERR_FOREIGN;
	if (rc == 0)
		rc = shared_file_read(file.fd, &copy, sizeof(copy), 0);
	if (rc == 0)
		rc = check_header(&copy, instance);
	if (rc == 0)
		rc = map(&reader, sizeof(copy));
	if (rc == 0)
		rc = async_reader_renew(&reader);
	if (rc < 0) {
		async_reader_close(&reader);
		return rc;
	}
	*ret_reader = reader;
	return 0;
}

void async_reader_close(struct async_reader *reader) {
	if (reader->file)
		(void)munmap((void *)(uintptr_t)reader->file, reader->mapped_bytes);
	if (reader->fd >= 0)
		(void)close(reader->fd);
	*reader = (struct async_reader){.fd = FD_NONE};
}

struct touch {
	const struct async_reader *reader;
	uint32_t first;
	uint32_t count;
	uint32_t result;
	struct spanring_async_slot *slots;
};

static const struct spanring_async_slot *slots_of(const struct touch *touch) {
	return (const void *)(touch->reader->file + file_bytes(touch->first));
}

static void touch_header(void *context) {
	struct touch *touch = context;
	const struct spanring_async_header *header = (const void *)touch->reader->file;
	touch->result = ring_order_table_read(&header->slot_count);
}

int async_reader_renew(struct async_reader *reader) {
	struct touch touch = {.reader = reader};
	int rc = fault_guard_run(reader->file, reader->mapped_bytes, touch_header, &touch);
	if (rc < 0)
		return rc;
	if (touch.result > SPANRING_ASYNC_SLOTS_MAX || touch.result < reader->slot_count)
		return ERR_DAMAGED;
	if (file_bytes(touch.result) > reader->mapped_bytes)
		rc = map(reader, file_bytes(touch.result));
	if (rc == 0)
		reader->slot_count = touch.result;
	return rc;
}

static void touch_states(void *context) {
	struct touch *touch = context;
	const struct spanring_async_slot *slots = slots_of(touch);
	for (uint32_t i = 0; i < touch->count; i++)
		touch->result += (uint32_t)ring_order_async_state_read(&slots[i]) != SPANRING_ASYNC_FREE;
}

static bool is_there(const struct async_reader *reader, uint32_t first, uint32_t count) {
	return first <= reader->slot_count && count <= reader->slot_count - first;
}

int async_reader_count(const struct async_reader *reader, uint32_t first, uint32_t count, uint32_t *ret_open) {
	struct touch touch = {.reader = reader, .first = first, .count = count};
	if (!is_there(reader, first, count))
		return ERR_DAMAGED;
	int rc = fault_guard_run(reader->file, reader->mapped_bytes, touch_states, &touch);
	if (rc == 0)
		*ret_open = touch.result;
	return rc;
}

/* A copy counts only if the state, generation included, was the same before and after. */
static void copy_slot(const struct spanring_async_slot *from, struct spanring_async_slot *to) {
	union {
		struct spanring_async_slot slot;
		uint64_t words[sizeof(struct spanring_async_slot) / sizeof(uint64_t)];
	} copy;
	for (uint32_t i = 0; i < COPY_TRIES; i++) {
		uint64_t state = ring_order_async_state_read(from); /* acquire: pairs with async_state_publish */
		if ((uint32_t)state == SPANRING_ASYNC_FREE)
			break;
		const ring_order_word *words = (const void *)from;
		for (uint32_t word = 0; word < sizeof(copy.words) / sizeof(copy.words[0]); word++)
			copy.words[word] = ring_order_get(&words[word]);
		/* The copy is complete before the word is looked at again (pair ASYNC, as a sequence lock). */
		ring_order_full_fence();
		if (ring_order_async_state_read(from) != state)
			continue;
		*to = copy.slot;
		to->state = (uint32_t)state;
		return;
	}
	to->state = SPANRING_ASYNC_FREE;
}

static void touch_slots(void *context) {
	struct touch *touch = context;
	const struct spanring_async_slot *slots = slots_of(touch);
	for (uint32_t i = 0; i < touch->count; i++)
		copy_slot(&slots[i], &touch->slots[i]);
}

int async_reader_copy(const struct async_reader *reader, uint32_t first, uint32_t count,
                      struct spanring_async_slot *ret_slots) {
	struct touch touch = {.reader = reader, .first = first, .count = count, .slots = ret_slots};
	if (!is_there(reader, first, count))
		return ERR_DAMAGED;
	return fault_guard_run(reader->file, reader->mapped_bytes, touch_slots, &touch);
}

bool async_reader_is_sound(const struct spanring_open_span *span) {
	uint8_t kind = span->tail.bits & SPANRING_BITS_KIND_MASK;
	uint8_t status = (uint8_t)(span->tail.bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
	return span->tail.type == SPANRING_RECORD_SPAN && span->span_id != 0 &&
	       (span->trace_hi | span->trace_lo) != 0 && span->tail.ref != 0 && span->tail.ref <= SPANRING_SITES_MAX &&
	       kind <= SPANRING_KIND_CONSUMER && status <= SPANRING_STATUS_ERROR;
}

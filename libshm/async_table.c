/* SPDX-License-Identifier: Apache-2.0 */
#include "async_table.h"
#include "process.h"
#include "region.h"
#include "ring_order.h"
#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#define NAME_TMP SPANRING_ASYNC_NAME SPANRING_TMP_SUFFIX

#define FILE_BYTES_MAX                                                                                                 \
	(SPANRING_ASYNC_SLOTS_OFFSET + (uint64_t)SPANRING_ASYNC_SLOTS_MAX * sizeof(struct spanring_async_slot))
#define STEP_BYTES ((uint64_t)SPANRING_ASYNC_STEP_SLOTS * sizeof(struct spanring_async_slot))
#define PLACES_BYTES ((uint64_t)SPANRING_ASYNC_SLOTS_MAX * sizeof(struct spanring__async_place))

#define OPEN UINT64_C(1)
#define ENDING UINT64_C(2)
#define USER UINT64_C(0x100)
#define USERS_MASK UINT64_C(0xffffff00)
#define STATE_MASK UINT64_C(0xffffffff)

/* --- the free list ------------------------------------------------------------------------------------------------ */

static uint64_t head_of(uint64_t before, uint32_t next) {
	return ((before >> 32) + 1) << 32 | next;
}

/* Put a chain of places, linked already, back in front. */
static void push_chain(struct spanring__async_table *table, uint32_t first, uint32_t last) {
	struct spanring__async_place *places = table->places;
	uint64_t head = __atomic_load_n(&table->free_head, __ATOMIC_RELAXED);
	do
		__atomic_store_n(&places[last].next_free, (uint32_t)head, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&table->free_head, &head, head_of(head, first + 1), true, __ATOMIC_RELEASE,
	                                    __ATOMIC_RELAXED));
}

/* As many as there are, up to count. Links read while others move the list may be old; then the head has another tag. */
static uint32_t pop(struct spanring__async_table *table, uint32_t count, uint32_t *ret_slots) {
	const struct spanring__async_place *places = table->places;
	uint64_t head = __atomic_load_n(&table->free_head, __ATOMIC_ACQUIRE);
	uint32_t taken, next;
	do {
		next = (uint32_t)head;
		for (taken = 0; taken < count && next != 0; taken++) {
			ret_slots[taken] = next - 1;
			next = __atomic_load_n(&places[next - 1].next_free, __ATOMIC_RELAXED);
		}
		if (taken == 0)
			return 0;
	} while (!__atomic_compare_exchange_n(&table->free_head, &head, head_of(head, next), true, __ATOMIC_ACQUIRE,
	                                      __ATOMIC_ACQUIRE));
	return taken;
}

/* The last one to leave a slot that is not open. */
static void free_slot(struct spanring__async_table *table, uint32_t slot) {
	uint64_t *word = &table->places[slot].word;
	uint64_t generation = __atomic_load_n(word, __ATOMIC_RELAXED) >> 32;
	__atomic_store_n(word, (uint64_t)(uint32_t)(generation + 1) << 32, __ATOMIC_RELAXED);
	push_chain(table, slot, slot);
}

/* --- the file ----------------------------------------------------------------------------------------------------- */

static void fill_header(const struct spanring__process *process, struct spanring_async_header *header) {
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	memcpy(header->instance, process->header->instance, sizeof(header->instance));
	header->slot_bytes = sizeof(struct spanring_async_slot);
	header->slots_max = SPANRING_ASYNC_SLOTS_MAX;
	header->slots_offset = SPANRING_ASYNC_SLOTS_OFFSET;
	header->magic = SPANRING_ASYNC_MAGIC;
}

/* "async.tmp" with its header, mapped as far as it may grow, then "async". */
static int make_file(struct spanring__process *process, int directory_fd) {
	struct spanring__async_table *table = &process->async;
	void *address;
	int rc = spanring__region_create_growing(directory_fd, NAME_TMP, SPANRING_ASYNC_SLOTS_OFFSET, FILE_BYTES_MAX,
	                                         &address);
	if (rc < 0)
		return rc;
	(void)madvise(address, FILE_BYTES_MAX, MADV_DONTFORK);
	fill_header(process, address);
	rc = spanring__region_publish(directory_fd, NAME_TMP, SPANRING_ASYNC_NAME);
	if (rc < 0) {
		(void)munmap(address, FILE_BYTES_MAX);
		(void)unlinkat(directory_fd, NAME_TMP, 0);
		return rc;
	}
	table->header = address;
	table->slots = (void *)((uint8_t *)address + SPANRING_ASYNC_SLOTS_OFFSET);
	return 0;
}

static int make_table(struct spanring__process *process, int directory_fd) {
	struct spanring__async_place *places = spanring__region_private(PLACES_BYTES, 1);
	if (!places)
		return -ENOMEM;
	int rc = make_file(process, directory_fd);
	if (rc < 0) {
		(void)munmap(places, PLACES_BYTES);
		return rc;
	}
	__atomic_store_n(&process->async.places, places, __ATOMIC_RELEASE);
	return 0;
}

/* All blocks of one more step; each page is touched here, not in the traced code. */
static int grow_file(const struct spanring__async_table *table, int directory_fd) {
	uint64_t from = SPANRING_ASYNC_SLOTS_OFFSET + table->slot_count * sizeof(struct spanring_async_slot);
	int rc = spanring__region_grow(directory_fd, SPANRING_ASYNC_NAME, from + STEP_BYTES);
	for (uint64_t at = 0; rc == 0 && at < STEP_BYTES; at += SPANRING_PAGE_BYTES)
		ring_order_put(&table->slots[table->slot_count + at / sizeof(struct spanring_async_slot)].end_count, 0);
	return rc;
}

static void link_step(struct spanring__async_table *table) {
	uint32_t first = table->slot_count;
	uint32_t last = first + SPANRING_ASYNC_STEP_SLOTS - 1;
	for (uint32_t i = first; i < last; i++)
		table->places[i].next_free = i + 2;
	table->slot_count = last + 1;
	ring_order_table_publish(&table->header->slot_count, table->slot_count);
	push_chain(table, first, last);
}

static int add_step(struct spanring__process *process) {
	struct spanring__async_table *table = &process->async;
	int rc = 0;
	int directory_fd = spanring__directory_open_instance(&process->directory, process->instance_name);
	if (directory_fd < 0)
		return directory_fd;
	if (!table->places)
		rc = make_table(process, directory_fd);
	if (rc == 0)
		rc = grow_file(table, directory_fd);
	(void)close(directory_fd);
	if (rc == 0)
		link_step(table);
	return rc;
}

/* True if it is worth to look at the free list again. What fails once is not tried again: that would cost each span. */
static bool grow(struct spanring__process *process) {
	struct spanring__async_table *table = &process->async;
	int saved_errno = errno, cancel;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	struct spanring__process *locked = spanring__process_lock();
	bool grown = false;
	if (locked) {
		/* Another thread may have been here while this one waited for the lock. */
		grown = (uint32_t)__atomic_load_n(&table->free_head, __ATOMIC_RELAXED) != 0;
		if (!grown && !table->is_final && process->stage == SPANRING__STAGE_ATTACHED) {
			grown = add_step(process) == 0;
			bool is_final = !grown || table->slot_count == SPANRING_ASYNC_SLOTS_MAX;
			__atomic_store_n(&table->is_final, is_final, __ATOMIC_RELAXED);
		}
		spanring__process_unlock(locked);
	}
	(void)pthread_setcancelstate(cancel, NULL);
	errno = saved_errno;
	return grown;
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

uint32_t spanring__async_table_take(struct spanring__process *process, uint32_t count, uint32_t *ret_slots) {
	struct spanring__async_table *table = &process->async;
	uint32_t taken = 0;
	for (;;) {
		if (__atomic_load_n(&table->places, __ATOMIC_ACQUIRE))
			taken += pop(table, count - taken, ret_slots + taken);
		if (taken == count || __atomic_load_n(&table->is_final, __ATOMIC_RELAXED) || !grow(process))
			return taken;
	}
}

uint32_t spanring__async_table_open(struct spanring__async_table *table, uint32_t slot) {
	uint64_t *word = &table->places[slot].word;
	uint64_t generation = __atomic_load_n(word, __ATOMIC_RELAXED) >> 32;
	__atomic_store_n(word, generation << 32 | OPEN, __ATOMIC_RELEASE);
	return (uint32_t)generation;
}

uint32_t spanring__async_table_generation(const struct spanring__async_table *table, uint32_t slot) {
	return (uint32_t)(__atomic_load_n(&table->places[slot].word, __ATOMIC_RELAXED) >> 32);
}

static bool is_same(const struct spanring_async_slot *slot, struct spanring_async span) {
	return ring_order_get(&slot->span.span_id) == span.span_id;
}

struct spanring_async_slot *spanring__async_table_use(struct spanring__async_table *table, struct spanring_async span) {
	struct spanring__async_place *places = __atomic_load_n(&table->places, __ATOMIC_ACQUIRE);
	if (!places || span.slot >= SPANRING_ASYNC_SLOTS_MAX)
		return NULL;
	uint64_t word = __atomic_load_n(&places[span.slot].word, __ATOMIC_RELAXED);
	do {
		if (word >> 32 != span.generation || !(word & OPEN) || (word & USERS_MASK) == USERS_MASK)
			return NULL;
	} while (!__atomic_compare_exchange_n(&places[span.slot].word, &word, word + USER, true, __ATOMIC_ACQUIRE,
	                                      __ATOMIC_RELAXED));
	if (is_same(&table->slots[span.slot], span))
		return &table->slots[span.slot];
	spanring__async_table_unuse(table, span.slot);
	return NULL;
}

struct spanring_async_slot *spanring__async_table_close(struct spanring__async_table *table,
                                                        struct spanring_async span) {
	struct spanring__async_place *places = __atomic_load_n(&table->places, __ATOMIC_ACQUIRE);
	if (!places || span.slot >= SPANRING_ASYNC_SLOTS_MAX)
		return NULL;
	uint64_t word = __atomic_load_n(&places[span.slot].word, __ATOMIC_ACQUIRE);
	do {
		if (word >> 32 != span.generation || !(word & OPEN) || !is_same(&table->slots[span.slot], span))
			return NULL;
	} while (!__atomic_compare_exchange_n(&places[span.slot].word, &word, (word & ~OPEN) | ENDING, true,
	                                      __ATOMIC_ACQUIRE, __ATOMIC_ACQUIRE));
	return &table->slots[span.slot];
}

static void leave(struct spanring__async_table *table, uint32_t slot, uint64_t part) {
	uint64_t before = __atomic_fetch_sub(&table->places[slot].word, part, __ATOMIC_ACQ_REL);
	if ((before & STATE_MASK) == part)
		free_slot(table, slot);
}

void spanring__async_table_unuse(struct spanring__async_table *table, uint32_t slot) {
	leave(table, slot, USER);
}

void spanring__async_table_closed(struct spanring__async_table *table, uint32_t slot) {
	leave(table, slot, ENDING);
}

uint64_t spanring__async_table_count(const struct spanring__async_table *table) {
	uint64_t count = 0;
	for (uint32_t i = 0; table->places && i < table->slot_count; i++)
		count += (__atomic_load_n(&table->places[i].word, __ATOMIC_RELAXED) & (OPEN | ENDING)) != 0;
	return count;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_cap.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#define FIXED_BYTES (UINT64_C(24) << 20)
#define SHARED_BYTES_FULL (UINT64_C(40) << 20)
#define ROWS_STEP 1024u
#define TEXT_BYTES_PER_ROW (BATCH_TEXT_BYTES_MAX / BATCH_SPANS_MAX)

uint64_t memory_cap_own_bytes(void) {
	char text[128];
	uint64_t pages;
	uint64_t resident;
	uint64_t shared;
	CLEANUP_FD int fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (got <= 0)
		return 0;
	text[got] = '\0';
	if (sscanf(text, "%" SCNu64 " %" SCNu64 " %" SCNu64, &pages, &resident, &shared) != 3 || shared > resident)
		return 0;
	return (resident - shared) * (uint64_t)sysconf(_SC_PAGESIZE);
}

void memory_cap_init(struct memory_cap *memory, uint64_t cap_bytes, uint64_t reserved_bytes) {
	uint64_t fixed = FIXED_BYTES + reserved_bytes;
	uint64_t share = cap_bytes > fixed ? cap_bytes - fixed : 0;
	if (share > SHARED_BYTES_FULL)
		share = SHARED_BYTES_FULL;
	uint32_t rows = (uint32_t)(BATCH_SPANS_MAX * share / SHARED_BYTES_FULL);
	rows -= rows % ROWS_STEP;
	if (rows < MEMORY_CAP_ROWS_MIN)
		rows = MEMORY_CAP_ROWS_MIN;
	*memory = (struct memory_cap){
	    .cap_bytes = cap_bytes, .reserved_bytes = reserved_bytes, .rows_full = rows, .rows = rows};
}

void memory_cap_change(struct memory_cap *memory, uint64_t cap_bytes) {
	uint64_t times_over = memory->times_over;
	if (cap_bytes == memory->cap_bytes)
		return;
	memory_cap_init(memory, cap_bytes, memory->reserved_bytes);
	memory->times_over = times_over;
}

bool memory_cap_look(struct memory_cap *memory) {
	memory->own_bytes = memory_cap_own_bytes();
	if (memory->own_bytes > memory->cap_bytes) {
		bool passed = !memory->over;
		memory->over = true;
		memory->times_over += passed;
		memory->rows = memory->rows / 2 > MEMORY_CAP_ROWS_MIN ? memory->rows / 2 : MEMORY_CAP_ROWS_MIN;
		(void)malloc_trim(0);
		return passed;
	}
	memory->over = false;
	if (memory->rows < memory->rows_full && memory->own_bytes < memory->cap_bytes / 4 * 3)
		memory->rows = memory->rows * 2 < memory->rows_full ? memory->rows * 2 : memory->rows_full;
	return false;
}

void memory_cap_shape(const struct memory_cap *memory, struct batch *batch) {
	uint32_t text_bytes = memory->rows * TEXT_BYTES_PER_ROW;
	if (batch->room_rows != memory->rows || memory->over)
		batch_set_room(batch, memory->rows, text_bytes, memory->over);
}

void memory_cap_note(struct memory_cap *memory, const struct batch *batch, uint64_t now_ns) {
	if (batch->span_count > MEMORY_CAP_ROWS_MIN || batch->attribute_count > MEMORY_CAP_ROWS_MIN ||
	    batch->event_count > MEMORY_CAP_ROWS_MIN || batch->link_count > MEMORY_CAP_ROWS_MIN)
		memory->large_ns = now_ns;
}

bool memory_cap_may_rest(const struct memory_cap *memory, uint64_t now_ns) {
	return memory->large_ns != 0 && now_ns - memory->large_ns >= MEMORY_CAP_REST_NS;
}

void memory_cap_rest(struct memory_cap *memory, struct batch *const *batches, size_t count) {
	for (size_t i = 0; i < count; i++) {
		uint32_t rows = batches[i]->room_rows;
		uint32_t text_bytes = batches[i]->room_text_bytes;
		batch_set_room(batches[i], 0, 0, true);
		batch_set_room(batches[i], rows, text_bytes, false);
	}
	(void)malloc_trim(0);
	memory->large_ns = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A sealed segment against changes of its pages, its cells and what is in these: nothing mends a checksum here, so what stands behind it is out of
 * reach, but all that finds rows and bytes of columns in a file is in reach, our own reader of pages as well as SQLite. Rows behind right
 * checksums are fuzz_segment's, bytes of columns fuzz_batch_decode's.
 *
 *     input := (what:u8 page:u8 at:u16 size:u8 byte[size])*
 *
 * what % 8: 0 bytes anywhere in the page, 1 another page (at) in its place, 2 the page is zeros, 3 bytes of the page's header, 4 the place of a cell
 * (at: which), 5 the first bytes of a cell: its sizes and rowid, 6 bytes of the file's header, 7 bytes further on in a cell: types and values
 */
#include "decoder/rich_file.h"
#include "decoder/store_exercise.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PAGE_BYTES 16384u
#define PAGES_MAX 256u
#define EDIT_BYTES 5u
#define INPUT_BYTES_MAX 256u
#define SPANS 40u
#define ROUNDS 20000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static struct {
	struct rich_file file;
	uint8_t *changed;
	uint8_t dirty[PAGES_MAX];
	bool ready;
} target;

static uint32_t page_count(void) {
	return (uint32_t)(target.file.count / PAGE_BYTES);
}

static void put(uint32_t page, uint32_t at, const uint8_t *bytes, size_t size) {
	if (at >= PAGE_BYTES)
		return;
	size = size < PAGE_BYTES - at ? size : PAGE_BYTES - at;
	memcpy(target.changed + (size_t)page * PAGE_BYTES + at, bytes, size);
	target.dirty[page] = 1;
}

static uint32_t get_u16(const uint8_t *at) {
	return (uint32_t)at[0] << 8 | at[1];
}

/* Where the place of cell n stands; in a page without cells in the room behind the header. */
static uint32_t place_of(const uint8_t *page, uint32_t head, uint32_t n) {
	uint32_t cells = get_u16(page + head + 3);
	uint32_t first = head + (page[head] == 2 || page[head] == 5 ? 12 : 8);
	return first + 2 * (cells ? n % cells : n % 4);
}

static void edit(uint8_t what, uint32_t page, uint32_t at, const uint8_t *bytes, size_t size) {
	static const uint8_t zeros[PAGE_BYTES];
	const uint8_t *whole = target.changed + (size_t)page * PAGE_BYTES;
	uint32_t head = page == 0 ? 100 : 0;
	uint32_t place = place_of(whole, head, at);
	uint32_t cell = place + 2 <= PAGE_BYTES ? get_u16(whole + place) : 0;
	switch (what % 8) {
	case 0:
		put(page, at % PAGE_BYTES, bytes, size);
		break;
	case 1:
		put(page, 0, target.file.bytes + (size_t)(at % page_count()) * PAGE_BYTES, PAGE_BYTES);
		break;
	case 2:
		put(page, 0, zeros, PAGE_BYTES);
		break;
	case 3:
		put(page, head + at % 12, bytes, size);
		break;
	case 4:
		put(page, place, bytes, size < 2 ? size : 2);
		break;
	case 5:
		put(page, cell, bytes, size < 9 ? size : 9);
		break;
	case 6:
		put(0, at % 100, bytes, size < 4 ? size : 4);
		break;
	default:
		put(page, cell + 2 + (at >> 8) % 40, bytes, size);
	}
}

static void write_dirty(const uint8_t *from) {
	for (uint32_t page = 0; page < page_count(); page++)
		if (target.dirty[page] && pwrite(target.file.fd, from + (size_t)page * PAGE_BYTES, PAGE_BYTES,
		                                 (off_t)page * PAGE_BYTES) != PAGE_BYTES)
			abort();
}

static void prepare(void) {
	rich_file_make(&target.file, SPANS);
	target.changed = malloc(target.file.count);
	assert_non_null(target.changed);
	assert_in_range(page_count(), 1, PAGES_MAX);
	memcpy(target.changed, target.file.bytes, target.file.count);
	target.ready = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes) {
	if (!target.ready)
		prepare();
	while (bytes >= EDIT_BYTES) {
		size_t size = data[4] < bytes - EDIT_BYTES ? data[4] : bytes - EDIT_BYTES;
		edit(data[0], data[1] % page_count(), get_u16(data + 2), data + EDIT_BYTES, size);
		data += EDIT_BYTES + size;
		bytes -= EDIT_BYTES + size;
	}
	write_dirty(target.changed);
	store_exercise(target.file.path);
	write_dirty(target.file.bytes);
	for (uint32_t page = 0; page < page_count(); page++)
		if (target.dirty[page])
			memcpy(target.changed + (size_t)page * PAGE_BYTES,
			       target.file.bytes + (size_t)page * PAGE_BYTES, PAGE_BYTES);
	memset(target.dirty, 0, sizeof(target.dirty));
	return 0;
}

#ifndef SPANRING_FUZZ
static size_t make_input(struct seed *seed, uint8_t input[INPUT_BYTES_MAX]) {
	size_t bytes = 0;
	for (uint64_t edits = 1 + seed_below(seed, 3); edits; edits--) {
		uint8_t size = (uint8_t)(1 + seed_below(seed, seed_below(seed, 4) ? 3 : 40));
		for (size_t n = 0; n < EDIT_BYTES + size; n++)
			input[bytes + n] = (uint8_t)(seed_next(seed) >> seed_below(seed, 8));
		input[bytes] = (uint8_t)seed_next(seed);
		input[bytes + 4] = size;
		bytes += EDIT_BYTES + size;
	}
	return bytes;
}

static void changed_pages_do_no_harm(void **state) {
	struct seed seed = seed_start("fuzz_pages");
	uint8_t input[INPUT_BYTES_MAX];
	(void)state;
	for (uint32_t round = 0; round < seed_rounds(ROUNDS); round++)
		(void)LLVMFuzzerTestOneInput(input, make_input(&seed, input));
	rich_file_remove(&target.file);
	free(target.changed);
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(changed_pages_do_no_harm)};
	return cmocka_run_group_tests_name("fuzz_pages", tests, NULL, NULL);
}
#endif

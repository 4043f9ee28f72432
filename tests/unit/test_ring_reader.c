/* SPDX-License-Identifier: Apache-2.0 */
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/process_reader.h"
#include "libshm/ring_reader.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define RING_FILE_BYTES (SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN)

struct fixture {
	struct agent_files files;
	struct ring_reader_expect expect;
	struct ring_reader reader;
};

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){0};
	agent_files_make(&fixture.files);
	memcpy(fixture.expect.instance, fixture.files.ring->instance, SPANRING_INSTANCE_BYTES);
	fixture.expect.uid = geteuid();
	fixture.reader.fd = -1;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	ring_reader_close(&fixture->reader);
	agent_files_remove(&fixture->files);
	return 0;
}

/* The guard goes in inside of the test: the runner puts its own handlers in place before each one. */
static int open_ring(struct fixture *fixture) {
	assert_int_equal(fault_guard_install(), 0);
	ring_reader_close(&fixture->reader);
	return ring_reader_open(fixture->files.directory_fd, AGENT_FILES_RING, &fixture->expect, &fixture->reader);
}

static void published_records_are_copied_across_the_end_of_the_ring(void **state) {
	struct fixture *fixture = *state;
	uint64_t first = AGENT_FILES_CAPACITY - 3;
	union spanring_record copies[6];
	uint64_t head;
	uint64_t wanted;
	for (uint64_t i = 0; i < 6; i++)
		agent_files_put(&fixture->files, first + i, agent_files_span(100 + i), SPANRING_RECORD_SPAN);
	fixture->files.ring->head = first + 6;
	fixture->files.ring->tail = first;
	assert_int_equal(open_ring(fixture), 0);
	assert_int_equal(ring_reader_head(&fixture->reader, &head, &wanted), 0);
	assert_int_equal(head, first + 6);
	assert_int_equal(ring_reader_read(&fixture->reader, first, 6, copies), 0);
	assert_int_equal(ring_reader_valid(&fixture->reader, first, 6, copies), 6);
	for (uint64_t i = 0; i < 6; i++)
		assert_int_equal(copies[i].span.span_id, 100 + i);
	assert_int_equal(ring_reader_tail_store(&fixture->reader, first + 6), 0);
	assert_int_equal(fixture->files.ring->tail, first + 6);
}

static void records_behind_the_head_are_those_with_the_right_tag(void **state) {
	struct fixture *fixture = *state;
	union spanring_record copies[10];
	uint32_t count;
	for (uint64_t i = 0; i < 5; i++)
		agent_files_put(&fixture->files, i, agent_files_span(1 + i), SPANRING_RECORD_SPAN);
	agent_files_put(&fixture->files, 5 + AGENT_FILES_CAPACITY, agent_files_span(9), SPANRING_RECORD_SPAN);
	assert_int_equal(open_ring(fixture), 0);
	assert_int_equal(ring_reader_behind(&fixture->reader, 0, 10, false, copies, &count), 0);
	assert_int_equal(count, 5);
	assert_int_equal(copies[4].span.span_id, 5);
	assert_int_equal(ring_reader_behind(&fixture->reader, 0, 10, true, copies, &count), 0);
	assert_int_equal(count, 5);
}

static void each_wrong_header_field_is_refused(void **state) {
	struct fixture *fixture = *state;
	struct spanring_ring_header *header = fixture->files.ring;
	const struct spanring_ring_header sound = *header;
#define REFUSED(field, value, error)                                                                                   \
	do {                                                                                                           \
		header->field = (value);                                                                               \
		assert_int_equal(open_ring(fixture), error);                                                           \
		*header = sound;                                                                                       \
	} while (0)
	REFUSED(magic, 0, ERR_FOREIGN);
	REFUSED(abi_version, SPANRING_ABI_VERSION + 1, ERR_NEWER);
	REFUSED(features_incompat, 1, ERR_NEWER);
	REFUSED(instance[3], 0xff, ERR_FOREIGN);
	REFUSED(ring_index, 1, ERR_FOREIGN);
	REFUSED(header_bytes, 64, ERR_DAMAGED);
	REFUSED(stack_entries, 1u << 30, ERR_DAMAGED);
	REFUSED(stack_offset, 0, ERR_DAMAGED);
	REFUSED(data_offset, UINT64_MAX, ERR_DAMAGED);
	REFUSED(capacity_records, 0, ERR_DAMAGED);
	REFUSED(capacity_records, 1, ERR_DAMAGED);
	REFUSED(capacity_records, AGENT_FILES_CAPACITY + 1, ERR_DAMAGED);
	REFUSED(capacity_records, AGENT_FILES_CAPACITY * 2, ERR_DAMAGED);
	REFUSED(capacity_records, UINT64_C(1) << 63, ERR_DAMAGED);
	REFUSED(owner_word_offset, 0, ERR_DAMAGED);
	REFUSED(owner_word_offset, 641, ERR_DAMAGED);
	REFUSED(owner_word_offset, UINT32_MAX - 3, ERR_DAMAGED);
	REFUSED(head, AGENT_FILES_CAPACITY + 1, ERR_DAMAGED);
	REFUSED(tail, AGENT_FILES_CAPACITY + 1, ERR_DAMAGED);
	REFUSED(tail, UINT64_MAX, ERR_DAMAGED);
	REFUSED(features_compat, 0xffff, 0);
#undef REFUSED
	assert_int_equal(open_ring(fixture), 0);
	fixture->expect.uid = geteuid() + 1;
	assert_int_equal(open_ring(fixture), ERR_FOREIGN);
}

static void a_head_that_goes_back_or_too_far_is_damage(void **state) {
	struct fixture *fixture = *state;
	struct spanring_ring_header *header = fixture->files.ring;
	struct ring_reader_look look;
	uint64_t head;
	uint64_t wanted;
	header->head = 10;
	assert_int_equal(open_ring(fixture), 0);
	assert_int_equal(ring_reader_head(&fixture->reader, &head, &wanted), 0);
	header->head = 9;
	assert_int_equal(ring_reader_head(&fixture->reader, &head, &wanted), ERR_DAMAGED);
	header->head = AGENT_FILES_CAPACITY;
	assert_int_equal(ring_reader_head(&fixture->reader, &head, &wanted), 0);
	header->head = AGENT_FILES_CAPACITY + 1;
	assert_int_equal(ring_reader_head(&fixture->reader, &head, &wanted), ERR_DAMAGED);
	header->head = UINT64_C(1) << 63;
	assert_int_equal(ring_reader_look(&fixture->reader, &look), ERR_DAMAGED);
}

static void books_are_split_and_checked(void **state) {
	struct fixture *fixture = *state;
	struct spanring_ring_header *header = fixture->files.ring;
	struct ring_reader_look look;
	assert_int_equal(open_ring(fixture), 0);
	header->begun_open = (UINT64_C(7) << SPANRING_BEGUN_SHIFT) | 3;
	header->dropped_full = 2;
	assert_int_equal(ring_reader_look(&fixture->reader, &look), 0);
	assert_int_equal(look.begun, 7);
	assert_int_equal(look.open, 3);
	assert_int_equal(look.dropped_full, 2);
	header->begun_open = (UINT64_C(7) << SPANRING_BEGUN_SHIFT) | 8;
	assert_int_equal(ring_reader_look(&fixture->reader, &look), ERR_DAMAGED);
	header->begun_open = (UINT64_C(7000) << SPANRING_BEGUN_SHIFT) | (SPANRING_DEPTH_MAX + 1);
	assert_int_equal(ring_reader_look(&fixture->reader, &look), ERR_DAMAGED);
}

static void life_is_told_from_owner_word_and_state(void **state) {
	struct fixture *fixture = *state;
	struct ring_reader_look look;
	uint32_t word;
	assert_int_equal(open_ring(fixture), 0);
#define LIFE(word_, state_, life)                                                                                      \
	do {                                                                                                           \
		word = (word_);                                                                                        \
		memcpy(fixture->files.ring->owner_mutex, &word, sizeof(word));                                         \
		fixture->files.ring->state = (state_);                                                                 \
		assert_int_equal(ring_reader_look(&fixture->reader, &look), 0);                                        \
		assert_int_equal(ring_reader_life(&look), life);                                                       \
	} while (0)
	LIFE(1234, SPANRING_RING_ACTIVE, RING_READER_LIVE);
	LIFE(1234 | FUTEX_WAITERS, SPANRING_RING_ACTIVE, RING_READER_LIVE);
	LIFE(FUTEX_OWNER_DIED, SPANRING_RING_ACTIVE, RING_READER_DIED);
	LIFE(FUTEX_OWNER_DIED, SPANRING_RING_RETIRED, RING_READER_DIED);
	LIFE(0, SPANRING_RING_RETIRED, RING_READER_RETIRED);
	LIFE(0, SPANRING_RING_ACTIVE, RING_READER_UNSETTLED);
#undef LIFE
}

static void only_a_plain_file_with_one_name_is_opened(void **state) {
	struct fixture *fixture = *state;
	int directory = fixture->files.directory_fd;
	assert_int_equal(linkat(directory, AGENT_FILES_RING, directory, "other", 0), 0);
	assert_int_equal(open_ring(fixture), ERR_FOREIGN);
	assert_int_equal(unlinkat(directory, AGENT_FILES_RING, 0), 0);
	assert_int_equal(symlinkat("other", directory, AGENT_FILES_RING), 0);
	assert_int_equal(open_ring(fixture), ERR_FOREIGN);
	assert_int_equal(unlinkat(directory, AGENT_FILES_RING, 0), 0);
	assert_int_equal(mkfifoat(directory, AGENT_FILES_RING, 0600), 0);
	assert_int_equal(open_ring(fixture), ERR_FOREIGN);
	assert_int_equal(unlinkat(directory, AGENT_FILES_RING, 0), 0);
	assert_int_equal(mkdirat(directory, AGENT_FILES_RING, 0700), 0);
	assert_int_equal(open_ring(fixture), ERR_FOREIGN);
	assert_int_equal(unlinkat(directory, AGENT_FILES_RING, AT_REMOVEDIR), 0);
	assert_int_equal(open_ring(fixture), -ENOENT);
	assert_int_equal(renameat(directory, "other", directory, AGENT_FILES_RING), 0);
	assert_int_equal(open_ring(fixture), 0);
}

static void a_file_of_the_wrong_size_is_refused(void **state) {
	struct fixture *fixture = *state;
	static const off_t sizes[] = {
	    0, 1, 4095, 4096, SPANRING_RING_DATA_OFFSET, RING_FILE_BYTES - 1, RING_FILE_BYTES + 1};
	int fd = openat(fixture->files.directory_fd, AGENT_FILES_RING, O_RDWR);
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct spanring_ring_header sound;
		assert_int_equal(pread(fd, &sound, sizeof(sound), 0), sizeof(sound));
		assert_int_equal(ftruncate(fd, sizes[i]), 0);
		assert_true(open_ring(fixture) == ERR_FOREIGN || open_ring(fixture) == ERR_DAMAGED);
		assert_int_equal(ftruncate(fd, RING_FILE_BYTES), 0);
		assert_int_equal(pwrite(fd, &sound, sizeof(sound), 0), sizeof(sound));
	}
	(void)close(fd);
	assert_int_equal(open_ring(fixture), 0);
}

static void names_of_rings_are_four_digits_in_range(void **state) {
	(void)state;
	uint32_t index = 77;
	assert_true(ring_reader_index("ring-0000", &index));
	assert_int_equal(index, 0);
	assert_true(ring_reader_index("ring-1023", &index));
	assert_int_equal(index, 1023);
	static const char *const wrong[] = {"ring-1024", "ring-9999",     "ring-000", "ring-00000",   "ring-00a0",
	                                    "ring-",     "ring-0000.tmp", "process",  "../ring-0000", "ring--001"};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_false(ring_reader_index(wrong[i], &index));
}

/*
 * A program that cuts and restores its own file while it is read: errors, never a signal, and never a record that it
 * did not write.
 */
static void a_file_cut_while_it_is_read_costs_an_error_only(void **state) {
	struct fixture *fixture = *state;
	agent_files_skip_faults();
	struct seed seed = seed_start("ring_cut");
	union spanring_record copies[64];
	assert_int_equal(open_ring(fixture), 0);
	int ready[2];
	assert_int_equal(pipe(ready), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = openat(fixture->files.directory_fd, AGENT_FILES_RING, O_RDWR);
		ssize_t told = write(ready[1], "x", 1);
		for (uint64_t i = 0; told == 1; i++)
			if (ftruncate(fd, i % 2 ? RING_FILE_BYTES
			                        : (off_t)seed_below(&seed, i % 4 ? RING_FILE_BYTES : 1)) < 0)
				break;
		_exit(1);
	}
	char byte;
	assert_int_equal(read(ready[0], &byte, 1), 1);
	uint32_t gone = 0;
	uint32_t faults = 0;
	uint32_t fine = 0;
	/* Until every outcome was seen often, however the two are scheduled. */
	for (uint32_t i = 0; (gone < 200 || faults < 200 || fine < 200) && i < 20u * 1000 * 1000; i++) {
		struct ring_reader_look look;
		int rc = ring_reader_look(&fixture->reader, &look);
		int read_rc = ring_reader_read(&fixture->reader, seed_below(&seed, AGENT_FILES_CAPACITY), 64, copies);
		int tail_rc = ring_reader_tail_store(&fixture->reader, 0);
		assert_true(rc == 0 || rc == ERR_GONE);
		assert_true(read_rc == 0 || read_rc == ERR_GONE);
		assert_true(tail_rc == 0 || tail_rc == ERR_GONE);
		gone += read_rc != 0;
		faults += rc != 0 || tail_rc != 0;
		fine += rc == 0 && read_rc == 0;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	(void)close(ready[0]);
	(void)close(ready[1]);
	assert_true(gone >= 200 && faults >= 200 && fine >= 200);
}

/* The guard must not hide a fault outside of its range: a child that makes one dies of it. */
static void a_fault_elsewhere_still_kills(void **state) {
	struct fixture *fixture = *state;
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		int fd = openat(fixture->files.directory_fd, AGENT_FILES_RING, O_RDWR);
		if (fault_guard_install() < 0 || ftruncate(fd, 0) < 0)
			_exit(2);
		*(volatile uint64_t *)&fixture->files.ring->tail = 1;
		_exit(3);
	}
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGBUS);
}

static int open_process(struct fixture *fixture, struct process_reader *reader) {
	struct process_reader_identity identity;
	return process_reader_open(fixture->files.directory_fd, fixture->expect.instance, reader, &identity);
}

static void tables_of_a_process_are_bounded(void **state) {
	struct fixture *fixture = *state;
	struct spanring_process_header *header = fixture->files.process;
	struct spanring_string_entry *index = (void *)((char *)header + SPANRING_STRING_INDEX_OFFSET);
	struct process_reader reader;
	struct spanring_site_entry site;
	char text[SPANRING_NAME_BYTES_MAX + 1];
	size_t bytes;
	assert_int_equal(open_process(fixture, &reader), 0);
	assert_int_equal(process_reader_string(&reader, 2, text, &bytes), 0);
	assert_string_equal(text, "work");
	assert_int_equal(process_reader_site(&reader, AGENT_FILES_SITE, &site), 0);
	assert_int_equal(site.line, 7);
	assert_int_equal(process_reader_string(&reader, 0, text, &bytes), ERR_DAMAGED);
	assert_int_equal(process_reader_string(&reader, 5, text, &bytes), ERR_DAMAGED);
	assert_int_equal(process_reader_site(&reader, 3, &site), ERR_DAMAGED);
	index[1].bytes = SPANRING_NAME_BYTES_MAX + 1;
	assert_int_equal(process_reader_string(&reader, 2, text, &bytes), ERR_DAMAGED);
	index[1] = (struct spanring_string_entry){.offset = SPANRING_STRING_ARENA_BYTES - 3, .bytes = 4};
	assert_int_equal(process_reader_string(&reader, 2, text, &bytes), ERR_DAMAGED);
	index[1] = (struct spanring_string_entry){.offset = UINT32_MAX, .bytes = 2};
	assert_int_equal(process_reader_string(&reader, 2, text, &bytes), ERR_DAMAGED);
	header->string_count = SPANRING_STRINGS_MAX + 1;
	assert_int_equal(process_reader_string(&reader, 6, text, &bytes), ERR_DAMAGED);
	header->string_count = 1;
	assert_int_equal(process_reader_string(&reader, 6, text, &bytes), ERR_DAMAGED);
	process_reader_close(&reader);
	header->site_table_offset = 0;
	assert_int_equal(open_process(fixture, &reader), ERR_DAMAGED);
	header->site_table_offset = SPANRING_SITE_TABLE_OFFSET;
	header->abi_version++;
	assert_int_equal(open_process(fixture, &reader), ERR_NEWER);
}

static void a_mapping_for_writing_is_seen_until_it_goes(void **state) {
	struct fixture *fixture = *state;
	struct process_reader reader;
	assert_int_equal(open_process(fixture, &reader), 0);
	int mapped = process_reader_mapped(&reader);
	if (mapped < 0)
		skip();
	assert_int_equal(mapped, 1);
	assert_int_equal(munmap(fixture->files.process, SPANRING_PROCESS_FILE_BYTES), 0);
	assert_int_equal(process_reader_mapped(&reader), 0);
	process_reader_close(&reader);
	int fd = openat(fixture->files.directory_fd, SPANRING_PROCESS_NAME, O_RDWR);
	fixture->files.process = mmap(NULL, SPANRING_PROCESS_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
	const struct CMUnitTest tests[] = {
	    TEST(published_records_are_copied_across_the_end_of_the_ring),
	    TEST(records_behind_the_head_are_those_with_the_right_tag),
	    TEST(each_wrong_header_field_is_refused),
	    TEST(a_head_that_goes_back_or_too_far_is_damage),
	    TEST(books_are_split_and_checked),
	    TEST(life_is_told_from_owner_word_and_state),
	    TEST(only_a_plain_file_with_one_name_is_opened),
	    TEST(a_file_of_the_wrong_size_is_refused),
	    TEST(names_of_rings_are_four_digits_in_range),
	    TEST(a_file_cut_while_it_is_read_costs_an_error_only),
	    TEST(a_fault_elsewhere_still_kills),
	    TEST(tables_of_a_process_are_bounded),
	    TEST(a_mapping_for_writing_is_seen_until_it_goes),
	};
	return cmocka_run_group_tests_name("ring_reader", tests, NULL, NULL);
}

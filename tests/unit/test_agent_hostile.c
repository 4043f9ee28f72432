/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that changes its files while the agent reads them, at the worst moment there is: between the look at a word and its use.
 * Every single look of the agent at shared memory is caught (support/access_trap.h), so the moments are not left to chance.
 */
#include "agent/intake/async.h"
#include "agent/intake/intake.h"
#include "agent/intake/roster.h"
#include "agent/intake/statistics.h"
#include "agent/intake/unfinished.h"
#include "agent_files.h"
#include "base/errs.h"
#include "libshm/async_reader.h"
#include "libshm/fault_guard.h"
#include "libshm/ring_stack.h"
#include "libshm/statistics_reader.h"
#include "support/access_trap.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/seed.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BLOCKS 3u
#define SLOTS 16u
#define RECORDS 40u
#define TURNS_MAX 64u
#define MOMENTS 150u         /* of a whole visit, at random */
#define ROUNDS_PER_MOMENT 3u /* of a ring alone, at every moment */
#define CUTS 1000u           /* times the 10 that nightly makes of it */

struct file {
	char *address;
	size_t bytes;
	char *sound; /* copy */
};

enum { RING, PROCESS, STATISTICS, ASYNC, FILES };

struct fixture {
	struct agent_files files;
	struct file file[FILES];
	struct seed seed;
	uint64_t moment; /* looks until the next change; 0: none */
	uint64_t looks;
	bool ring_only;
	struct log log;
	struct statistics_room room;
	struct roster roster;
	struct intake intake;
	struct producer_sink sink;
	struct clock_model clock;
	struct flush_job *job;
	struct producer *producer;
	struct feed *feed; /* NULL: the ring was refused */
};

/* --- a sound instance, put back for each round --------------------------------------------------------------------- */

static void keep(struct fixture *fixture, int file, void *address, size_t bytes) {
	fixture->file[file] = (struct file){.address = address, .bytes = bytes, .sound = malloc(bytes)};
	assert_non_null(fixture->file[file].sound);
	memcpy(fixture->file[file].sound, address, bytes);
}

static void fill(struct fixture *fixture) {
	struct agent_files *files = &fixture->files;
	struct spanring_open_span *stack = (void *)((char *)files->ring + SPANRING_RING_STACK_OFFSET);
	struct spanring_async_slot *slots = (void *)(fixture->file[ASYNC].address + SPANRING_ASYNC_SLOTS_OFFSET);
	for (uint32_t i = 0; i < RECORDS; i++)
		agent_files_put(files, i,
		                i % 4 ? agent_files_span(1 + i)
		                      : agent_files_string(i + 1, "a text of no less than thirty-two bytes", 30),
		                i % 4 ? SPANRING_RECORD_SPAN : SPANRING_RECORD_ATTRIBUTE);
	files->ring->head = RECORDS / 2; /* the rest lies behind it */
	files->ring->begun_open = (UINT64_C(32) << SPANRING_BEGUN_SHIFT) | 2;
	for (uint32_t i = 0; i < 2; i++)
		stack[i] = (struct spanring_open_span){.span_id = 900 + i,
		                                       .trace_lo = 2,
		                                       .start_ticks = 5,
		                                       .tail = {.ref = AGENT_FILES_SITE, .type = SPANRING_RECORD_SPAN}};
	for (uint32_t i = 0; i < 8; i++) {
		slots[i].span = stack[0];
		slots[i].span.span_id = 950 + i;
		slots[i].state = UINT64_C(1) << SPANRING_ASYNC_GENERATION_SHIFT | (i < 4 ? SPANRING_ASYNC_OPEN : i - 2);
	}
	files->process->flags |= SPANRING_PROCESS_HAS_MEMBARRIER;
	files->process->control_flags = SPANRING_CONTROL_STATISTICS;
}

static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){.log = {.program = "test", .level = LOG_LEVEL_ERROR}};
	agent_files_make(&fixture.files);
	fixture.file[ASYNC].address = (void *)agent_files_async(&fixture.files, SLOTS);
	fixture.file[STATISTICS].address = (void *)agent_files_statistics(&fixture.files, BLOCKS);
	fill(&fixture);
	keep(&fixture, RING, fixture.files.ring, SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN);
	keep(&fixture, PROCESS, fixture.files.process, SPANRING_PROCESS_FILE_BYTES);
	keep(&fixture, STATISTICS, fixture.file[STATISTICS].address, AGENT_FILES_STATISTICS_BYTES(BLOCKS));
	keep(&fixture, ASYNC, fixture.file[ASYNC].address, AGENT_FILES_ASYNC_BYTES(SLOTS));
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	assert_int_equal(flush_job_new(&fixture.job), 0);
	fixture.sink.batch = fixture.job->batch;
	fixture.sink.clock = &fixture.clock;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	flush_job_free(fixture->job);
	catalog_free(fixture->sink.catalog);
	for (int i = 0; i < FILES; i++)
		free(fixture->file[i].sound);
	(void)munmap(fixture->file[STATISTICS].address, fixture->file[STATISTICS].bytes);
	(void)munmap(fixture->file[ASYNC].address, fixture->file[ASYNC].bytes);
	agent_files_remove(&fixture->files);
	return 0;
}

static void restore(struct fixture *fixture) {
	for (int i = 0; i < FILES; i++)
		memcpy(fixture->file[i].address, fixture->file[i].sound, fixture->file[i].bytes);
}

/* --- a visit of the agent ------------------------------------------------------------------------------------------ */

static void meet(struct fixture *fixture) {
	struct agent_files *files = &fixture->files;
	fixture->feed = NULL;
	fixture->producer = NULL;
	assert_int_equal(roster_init(&fixture->roster), 0);
	assert_int_equal(intake_init(&fixture->intake, NULL, &fixture->roster), 0);
	assert_int_equal(statistics_init(&fixture->room, &fixture->log), 0);
	batch_clear(fixture->sink.batch);
	fixture->sink.generation++;
	if (producer_open(files->rings_fd, AGENT_FILES_NAME, 0, &fixture->producer) < 0) {
		fixture->producer = NULL;
		return;
	}
	assert_int_equal(roster_add_producer(&fixture->roster, fixture->producer), 0);
	if (feed_open(fixture->producer, AGENT_FILES_RING, 0, NULL, &fixture->feed) == 0)
		assert_int_equal(roster_add_feed(&fixture->roster, fixture->producer, fixture->feed), 0);
	else
		fixture->feed = NULL;
	if (!fixture->ring_only)
		(void)async_open(fixture->producer, &fixture->roster);
}

static void part(struct fixture *fixture) {
	roster_done(&fixture->roster);
	assert_int_equal(fixture->room.bytes, 0);
	statistics_done(&fixture->room);
	intake_done(&fixture->intake);
}

static void read_statistics(struct fixture *fixture) {
	if (fixture->ring_only)
		return;
	statistics_round(&fixture->roster);
	for (uint32_t turn = 0; statistics_turn(&fixture->room, &fixture->roster, 1000); turn++)
		assert_true(turn < TURNS_MAX);
}

static void check_rows(struct fixture *fixture, uint64_t before) {
	struct store_cursor row;
	struct feed *feed = fixture->feed;
	feed_cursor(feed, true, &row);
	assert_int_equal(row.stored_spans, fixture->sink.batch->span_count);
	assert_true(feed->taken - before <= AGENT_FILES_CAPACITY);
	assert_true(row.stored_spans + row.stored_attributes + row.stored_events + row.rejected_spans +
	                row.rejected_other <=
	            feed->taken - before + 1);
}

static void close_books(struct fixture *fixture) {
	uint64_t rows = 0;
	if (fixture->feed)
		assert_int_equal(unfinished_close(fixture->feed, &fixture->sink, &rows), 0);
	flush_job_clear_rollups(fixture->job);
	if (fixture->ring_only)
		return;
	assert_int_equal(async_add(fixture->producer, &fixture->sink, fixture->job, true, false), 0);
	assert_int_equal(statistics_hand_over(&fixture->room, fixture->producer, &fixture->sink, fixture->job, true),
	                 0);
	for (size_t i = 0; i < fixture->job->rollup_count; i++)
		assert_int_equal(store_rollup_check(&fixture->job->rollups[i]), 0);
	for (size_t i = 0; i < fixture->job->rollup_total_count; i++)
		assert_int_equal(store_rollup_total_check(&fixture->job->rollup_totals[i]), 0);
	statistics_sent(&fixture->room, fixture->producer);
}

/* All that an agent ever does with an instance, from its first look to the last books. */
static void visit(struct fixture *fixture) {
	meet(fixture);
	struct producer *producer = fixture->producer;
	if (!producer) {
		part(fixture);
		return;
	}
	uint64_t before = fixture->feed ? fixture->feed->taken : 0;
	(void)intake_published(&fixture->intake, &fixture->sink);
	(void)intake_behind(&fixture->intake, &fixture->sink, true);
	if (fixture->feed)
		feed_stored(fixture->feed, fixture->feed->stored); /* the tail is written */
	read_statistics(fixture);
	async_look(producer, UINT64_MAX / 2);
	producer->phase = PRODUCER_ENDING;
	producer->gone_ns = 9000;
	statistics_last_round(producer);
	for (uint32_t turn = 0; !producer->dry; turn++) {
		assert_true(turn < TURNS_MAX);
		(void)intake_published(&fixture->intake, &fixture->sink);
		(void)intake_behind(&fixture->intake, &fixture->sink, false);
	}
	async_settle(producer);
	read_statistics(fixture);
	if (fixture->feed)
		check_rows(fixture, before);
	close_books(fixture);
	part(fixture);
}

/* --- moments ------------------------------------------------------------------------------------------------------- */

static uint64_t hostile_value(struct seed *seed, uint64_t word) {
	static const uint64_t values[] = {0,
	                                  1,
	                                  UINT64_MAX,
	                                  UINT64_C(1) << 63,
	                                  AGENT_FILES_CAPACITY,
	                                  AGENT_FILES_CAPACITY + 1,
	                                  UINT32_MAX,
	                                  SPANRING_SITES_MAX + 1,
	                                  SPANRING_STRINGS_MAX,
	                                  UINT64_C(1) << 32};
	uint64_t pick = seed_below(seed, 14);
	if (pick < sizeof(values) / sizeof(values[0]))
		return values[pick];
	return pick == 10   ? word + 1
	       : pick == 11 ? word - 1
	       : pick == 12 ? word ^ (UINT64_C(1) << seed_below(seed, 64))
	                    : seed_next(seed);
}

/* One word somewhere: most often in the parts of a file that say where things are. */
static void change_word(struct fixture *fixture) {
	int which = fixture->ring_only ? (int)seed_below(&fixture->seed, 2) : (int)seed_below(&fixture->seed, FILES);
	struct file *file = &fixture->file[which];
	uint64_t bytes = seed_below(&fixture->seed, 4) ? 1024 : file->bytes;
	uint64_t at = seed_below(&fixture->seed, bytes / 8) * 8;
	uint64_t word;
	memcpy(&word, file->address + at, 8);
	word = hostile_value(&fixture->seed, word);
	memcpy(file->address + at, &word, 8);
}

static void at_a_look(void *context) {
	struct fixture *fixture = context;
	fixture->looks++;
	if (fixture->looks < fixture->moment || fixture->moment == 0)
		return;
	if (fixture->looks == fixture->moment || seed_below(&fixture->seed, 4) == 0)
		change_word(fixture);
}

static uint64_t visit_with_change_at(struct fixture *fixture, uint64_t moment) {
	restore(fixture);
	fixture->moment = moment;
	fixture->looks = 0;
	access_trap_arm(at_a_look, fixture);
	visit(fixture);
	access_trap_disarm();
	return fixture->looks;
}

static void skip_without_trap(void) {
	if (ACCESS_TRAP_POSSIBLE)
		return;
	print_message("skipped: single steps are for x86-64, and not under ThreadSanitizer\n");
	skip();
}

static void words_of_a_ring_change_at_every_look(void **state) {
	struct fixture *fixture = *state;
	skip_without_trap();
	fixture->seed = seed_start("hostile ring");
	assert_int_equal(fault_guard_install(), 0);
	fixture->ring_only = true;
	uint64_t looks = visit_with_change_at(fixture, 0);
	assert_true(looks > 50);
	for (uint64_t moment = 1; moment <= looks; moment++)
		for (uint32_t round = 0; round < seed_rounds(ROUNDS_PER_MOMENT); round++)
			(void)visit_with_change_at(fixture, moment);
}

static void words_of_all_files_change_at_any_look(void **state) {
	struct fixture *fixture = *state;
	skip_without_trap();
	fixture->seed = seed_start("hostile instance");
	assert_int_equal(fault_guard_install(), 0);
	uint64_t looks = visit_with_change_at(fixture, 0);
	for (uint32_t round = 0; round < seed_rounds(MOMENTS); round++)
		(void)visit_with_change_at(fixture, 1 + seed_below(&fixture->seed, looks));
}

/* --- each word once ------------------------------------------------------------------------------------------------ */

/* A word that a function may look at twice, and why that is right. */
struct again {
	int file;
	uint64_t offset;
	const char *why;
};

static bool overlap(const struct access_trap_look *a, const struct access_trap_look *b) {
	uint64_t a_bytes = a->bytes ? a->bytes : 1;
	uint64_t b_bytes = b->bytes ? b->bytes : 1;
	return a->file == b->file && !a->is_store && !b->is_store && a->offset < b->offset + b_bytes &&
	       b->offset < a->offset + a_bytes;
}

static void check_once(const char *function, const struct again *again) {
	uint32_t count;
	const struct access_trap_look *looks = access_trap_looks(&count);
	for (uint32_t i = 1; i < count; i++)
		for (uint32_t j = 0; j < i; j++) {
			if (!overlap(&looks[i], &looks[j]))
				continue;
			const struct access_trap_look *word = looks[i].bytes ? &looks[j] : &looks[i];
			if (again && word->offset % 64 == again->offset % 64 && word->offset >= again->offset)
				continue;
			fail_msg("%s looks at offset %llu twice", function, (unsigned long long)word->offset);
		}
	access_trap_forget();
}

#define ONCE(call, again)                                                                                              \
	do {                                                                                                           \
		access_trap_forget();                                                                                  \
		assert_int_equal(call, 0);                                                                             \
		check_once(#call, again);                                                                              \
	} while (0)

static void a_ring_is_looked_at_once(struct fixture *fixture, const struct ring_reader_expect *expect) {
	static const struct again begun_open = {RING, offsetof(struct spanring_ring_header, begun_open),
	                                        "a sequence lock around the stack"};
	struct ring_reader reader;
	struct ring_reader_look look;
	union spanring_record records[RECORDS];
	struct ring_stack stack;
	uint64_t head;
	uint64_t wanted;
	uint32_t count;
	ONCE(ring_reader_open(fixture->files.directory_fd, AGENT_FILES_RING, expect, &reader), NULL);
	ONCE(ring_reader_head(&reader, &head, &wanted), NULL);
	ONCE(ring_reader_look(&reader, &look), NULL);
	ONCE(ring_reader_read(&reader, 0, RECORDS, records), NULL);
	ONCE(ring_reader_behind(&reader, 0, RECORDS, false, records, &count), NULL);
	ONCE(ring_stack_read(&reader, false, 0, &stack), NULL);
	ONCE(ring_stack_read(&reader, true, 0, &stack), &begun_open);
	ONCE(ring_reader_tail_store(&reader, 0), NULL);
	ring_reader_close(&reader);
}

static void tables_are_looked_at_once(struct fixture *fixture, const struct ring_reader_expect *expect) {
	struct process_reader reader;
	struct process_reader_identity identity;
	struct process_reader_counters counters;
	struct spanring_site_entry site;
	char text[SPANRING_NAME_BYTES_MAX + 1];
	size_t bytes;
	ONCE(process_reader_open(fixture->files.directory_fd, expect->instance, &reader, &identity), NULL);
	ONCE(process_reader_counters(&reader, &counters), NULL);
	ONCE(process_reader_site(&reader, AGENT_FILES_SITE, &site), NULL);
	ONCE(process_reader_string(&reader, AGENT_FILES_STRING_KEY, text, &bytes), NULL);
	process_reader_close(&reader);
}

/* The count in the copy of a header is not used: it is asked again, in its order with what it counts. */
static void statistics_and_slots_are_looked_at_once(struct fixture *fixture, const struct ring_reader_expect *expect) {
	static const struct again block_count = {STATISTICS, offsetof(struct spanring_statistics_header, block_count),
	                                         "in the copy of the header it is not used"};
	static const struct again slot_count = {ASYNC, offsetof(struct spanring_async_header, slot_count),
	                                        "in the copy of the header it is not used"};
	static const struct again slot_state = {
	    ASYNC, SPANRING_ASYNC_SLOTS_OFFSET + offsetof(struct spanring_async_slot, state),
	    "a sequence lock around the slot"};
	struct statistics_reader statistics;
	struct async_reader async;
	struct spanring_site_statistics *block = malloc(sizeof(*block));
	struct spanring_async_slot slots[8];
	uint64_t spans;
	uint32_t open;
	assert_non_null(block);
	ONCE(statistics_reader_open(fixture->files.directory_fd, expect, &statistics), &block_count);
	ONCE(statistics_reader_block(&statistics, 0, block, &spans), NULL);
	statistics_reader_close(&statistics);
	ONCE(async_reader_open(fixture->files.directory_fd, expect->instance, expect->uid, &async), &slot_count);
	ONCE(async_reader_renew(&async), NULL);
	ONCE(async_reader_count(&async, 0, 8, &open), NULL);
	ONCE(async_reader_copy(&async, 0, 8, slots), &slot_state);
	async_reader_close(&async);
	free(block);
}

static void each_function_looks_at_a_word_once(void **state) {
	struct fixture *fixture = *state;
	struct ring_reader_expect expect = {.uid = geteuid()};
	skip_without_trap();
	memcpy(expect.instance, fixture->files.ring->instance, sizeof(expect.instance));
	assert_int_equal(fault_guard_install(), 0);
	restore(fixture);
	access_trap_arm(NULL, NULL);
	a_ring_is_looked_at_once(fixture, &expect);
	tables_are_looked_at_once(fixture, &expect);
	statistics_and_slots_are_looked_at_once(fixture, &expect);
	access_trap_disarm();
}

/* What says where things are is read when the file is opened, and never again. */
static void the_geometry_is_never_looked_at_again(void **state) {
	struct fixture *fixture = *state;
	struct stat ring;
	uint32_t count;
	skip_without_trap();
	assert_int_equal(fault_guard_install(), 0);
	restore(fixture);
	assert_int_equal(fstatat(fixture->files.directory_fd, AGENT_FILES_RING, &ring, 0), 0);
	access_trap_arm(NULL, NULL);
	visit(fixture);
	access_trap_disarm();
	const struct access_trap_look *looks = access_trap_looks(&count);
	uint32_t copies = 0;
	for (uint32_t i = 0; i < count; i++) {
		if (looks[i].file != ring.st_ino || looks[i].offset >= offsetof(struct spanring_ring_header, head))
			continue;
		if (looks[i].bytes == 0)
			fail_msg("a look at offset %llu of the header", (unsigned long long)looks[i].offset);
		copies++;
	}
	assert_int_equal(copies, 1);
	for (uint32_t i = 0; i < count; i++)
		if (looks[i].file == ring.st_ino && looks[i].is_store)
			assert_int_equal(looks[i].offset, offsetof(struct spanring_ring_header, tail));
}

/* --- no end of work ------------------------------------------------------------------------------------------------ */

static uint32_t ring_looks(struct fixture *fixture) {
	struct stat ring;
	uint32_t count;
	uint32_t of_ring = 0;
	const struct access_trap_look *looks = access_trap_looks(&count);
	assert_int_equal(fstatat(fixture->files.directory_fd, AGENT_FILES_RING, &ring, 0), 0);
	for (uint32_t i = 0; i < count; i++)
		of_ring += looks[i].file == ring.st_ino;
	return of_ring;
}

/* After this the agent takes no more than a ring's worth in a visit, and nothing ever again once the ring is in quarantine. */
static void check_bounded(struct fixture *fixture, uint64_t head, bool racing) {
	struct spanring_ring_header *header = fixture->files.ring;
	restore(fixture);
	header->head = 0;
	meet(fixture);
	assert_non_null(fixture->feed);
	header->head = head;
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		uint64_t before = fixture->intake.records_read;
		if (racing)
			header->head += AGENT_FILES_CAPACITY / 3;
		(void)intake_published(&fixture->intake, &fixture->sink);
		assert_true(fixture->intake.records_read - before <= AGENT_FILES_CAPACITY);
	}
	assert_int_equal(fixture->feed->quarantine, ERR_DAMAGED);
	assert_true(fixture->feed->taken <= AGENT_FILES_CAPACITY);
	uint64_t read = fixture->intake.records_read;
	access_trap_forget();
	header->head = 5;
	for (uint32_t turn = 0; turn < TURNS_MAX; turn++) {
		(void)intake_published(&fixture->intake, &fixture->sink);
		(void)intake_behind(&fixture->intake, &fixture->sink, true);
		(void)feed_look(fixture->feed);
		feed_stored(fixture->feed, fixture->feed->taken);
		assert_int_equal(feed_ready(fixture->feed), 0);
	}
	assert_int_equal(fixture->intake.records_read, read);
	if (ACCESS_TRAP_POSSIBLE)
		assert_int_equal(ring_looks(fixture), 0);
	part(fixture);
}

static void a_ring_that_lies_costs_a_visit_and_then_nothing(void **state) {
	struct fixture *fixture = *state;
	fixture->ring_only = true;
	assert_int_equal(fault_guard_install(), 0);
	if (ACCESS_TRAP_POSSIBLE)
		access_trap_arm(NULL, NULL);
	check_bounded(fixture, UINT64_C(1) << 63, false);
	check_bounded(fixture, UINT64_MAX, false);
	check_bounded(fixture, AGENT_FILES_CAPACITY + 1, false);
	check_bounded(fixture, AGENT_FILES_CAPACITY / 3, true);
	access_trap_disarm();
}

/* Refused as a whole: positions that no ring reaches, a tail far from its head. */
static void impossible_positions_are_refused(void **state) {
	struct fixture *fixture = *state;
	static const uint64_t positions[][2] = {{0, AGENT_FILES_CAPACITY + 1},
	                                        {UINT64_MAX, UINT64_MAX},
	                                        {UINT64_C(1) << 63, UINT64_C(1) << 63},
	                                        {5, UINT64_MAX},
	                                        {UINT64_MAX, 5}};
	fixture->ring_only = true;
	for (size_t i = 0; i < sizeof(positions) / sizeof(positions[0]); i++) {
		restore(fixture);
		fixture->files.ring->head = positions[i][0];
		fixture->files.ring->tail = positions[i][1];
		meet(fixture);
		assert_null(fixture->feed);
		part(fixture);
	}
}

/* --- files that are cut -------------------------------------------------------------------------------------------- */

static void cut_and_restore(const struct fixture *fixture, struct seed *seed, uint64_t *cuts) {
	static const char *const names[] = {AGENT_FILES_RING, SPANRING_PROCESS_NAME, SPANRING_STATISTICS_PREFIX "0000",
	                                    SPANRING_ASYNC_NAME};
	int fds[FILES];
	for (int i = 0; i < FILES; i++)
		fds[i] = openat(fixture->files.directory_fd, names[i], O_RDWR | O_CLOEXEC);
	for (;;) {
		int which = (int)seed_below(seed, FILES);
		const struct file *file = &fixture->file[which];
		/* Often below the first page: what is mapped is what faults. */
		uint64_t bytes = seed_below(seed, 2) ? 0 : seed_below(seed, file->bytes);
		if (ftruncate(fds[which], (off_t)bytes) < 0)
			_exit(1);
		__atomic_add_fetch(cuts, 1, __ATOMIC_RELEASE);
		for (uint64_t rest = seed_below(seed, 3); rest > 0; rest--)
			(void)sched_yield();
		if (ftruncate(fds[which], (off_t)file->bytes) < 0 ||
		    pwrite(fds[which], file->sound, file->bytes, 0) != (ssize_t)file->bytes)
			_exit(1);
		for (uint64_t rest = seed_below(seed, 3); rest > 0; rest--)
			(void)sched_yield();
	}
}

/* Ring, process, statistics and async file, up and down, while the agent takes what is in them. */
static void files_cut_during_a_visit_cost_errors_only(void **state) {
	struct fixture *fixture = *state;
	agent_files_skip_faults();
	fixture->seed = seed_start("hostile cut");
	assert_int_equal(fault_guard_install(), 0);
	uint64_t *cuts = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(cuts != MAP_FAILED);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		cut_and_restore(fixture, &fixture->seed, cuts);
	uint64_t wanted = seed_rounds(CUTS);
	uint32_t visits = 0;
	uint32_t met = 0;
	uint32_t quarantined = 0;
	for (; __atomic_load_n(cuts, __ATOMIC_ACQUIRE) < wanted || met < 20; visits++) {
		meet(fixture);
		for (uint32_t turn = 0; fixture->producer && turn < 8; turn++) {
			(void)intake_published(&fixture->intake, &fixture->sink);
			(void)intake_behind(&fixture->intake, &fixture->sink, true);
			if (fixture->feed)
				feed_stored(fixture->feed, fixture->feed->taken);
			read_statistics(fixture);
			async_look(fixture->producer, UINT64_MAX / 2);
			(void)process_reader_counters(&fixture->producer->reader, &fixture->producer->counters);
		}
		met += fixture->feed != NULL;
		quarantined += fixture->feed && fixture->feed->quarantine;
		part(fixture);
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status)); /* it never gave up */
	print_message("%llu cuts, %u visits, %u rings met, %u put aside\n", (unsigned long long)*cuts, visits, met,
	              quarantined);
	(void)munmap(cuts, 4096);
}

#define HOSTILE(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    HOSTILE(each_function_looks_at_a_word_once),
	    HOSTILE(the_geometry_is_never_looked_at_again),
	    HOSTILE(words_of_a_ring_change_at_every_look),
	    HOSTILE(words_of_all_files_change_at_any_look),
	    HOSTILE(a_ring_that_lies_costs_a_visit_and_then_nothing),
	    HOSTILE(impossible_positions_are_refused),
	    HOSTILE(files_cut_during_a_visit_cost_errors_only),
	};
	return cmocka_run_group_tests_name("agent_hostile", tests, NULL, NULL);
}

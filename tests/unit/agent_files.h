/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Instance directories, process files and ring files made by hand, right or wrong, for tests of the side that reads
 * them.
 */
#ifndef SPANRING_TESTS_UNIT_AGENT_FILES_H
#define SPANRING_TESTS_UNIT_AGENT_FILES_H

#include "support/scratch.h"

#include <spanring/async_abi.h>
#include <spanring/ring_abi.h>
#include <spanring/statistics_abi.h>

#define AGENT_FILES_NAME "000102030405060708090a0b0c0d0e0f"
#define AGENT_FILES_RING "ring-0000"
#define AGENT_FILES_CAPACITY (SPANRING_RING_BYTES_MIN / SPANRING_RECORD_BYTES)

/* Strings 1 "spanring.overflow", 2 "work", 3 "work.c", 4 "key"; sites 1 (overflow) and 2 ("work", "work.c", line 7). */
#define AGENT_FILES_STRING_KEY 4u
#define AGENT_FILES_SITE 2u

struct agent_files {
	struct scratch scratch;
	int rings_fd;
	int directory_fd;
	struct spanring_process_header *process; /* whole file, mapped */
	struct spanring_ring_header *ring;       /* whole file, mapped */
	union spanring_record *records;          /* of the ring */
};

/* A sound instance of this very process with one ring, empty and active. Fails the test if it cannot. */
void agent_files_make(struct agent_files *ret_files);
void agent_files_remove(struct agent_files *files);

/*
 * The other files of the instance, sound and with nothing counted: statistics of ring 0 with room for so many blocks, of which two count
 * (sites 1 and 2), and slots for async spans, all free. Mapped whole, to be unmapped by the caller.
 */
struct spanring_statistics_header *agent_files_statistics(const struct agent_files *files, uint32_t blocks);
struct spanring_async_header *agent_files_async(const struct agent_files *files, uint32_t slots);
#define AGENT_FILES_STATISTICS_BYTES(blocks)                                                                           \
	(SPANRING_STATISTICS_BLOCKS_OFFSET + (blocks) * sizeof(struct spanring_site_statistics))
#define AGENT_FILES_ASYNC_BYTES(slots) (SPANRING_ASYNC_SLOTS_OFFSET + (slots) * sizeof(struct spanring_async_slot))

/* Writes record `position` with its right lap tag; does not publish it. */
void agent_files_put(struct agent_files *files, uint64_t position, union spanring_record record, uint8_t type);

union spanring_record agent_files_span(uint64_t span_id);
union spanring_record agent_files_string(uint64_t span_id, const char *text, uint32_t bytes);

/*
 * For a test that makes the fault guard jump. Under ThreadSanitizer an atomic load is a call into its runtime, and a jump out of it
 * leaves the runtime's locks held: such a test is skipped there, with this reason.
 */
void agent_files_skip_faults(void);

#endif

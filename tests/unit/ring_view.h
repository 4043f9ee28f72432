/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A second, independent reader of ring directories for the tests of the writer: plain reads of files, written from
 * ring_abi.h alone, sharing no code with the product. And a child process to run a scenario in, since a process
 * attaches once.
 */
#ifndef SPANRING_TESTS_UNIT_RING_VIEW_H
#define SPANRING_TESTS_UNIT_RING_VIEW_H

#include "support/scratch.h"

#include <spanring/ring_abi.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/types.h>
#include <unistd.h>

/* Inside a scenario: report and leave with a status that fails the test. */
#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: scenario failed: %s\n", __FILE__, __LINE__, #condition);               \
			_exit(99);                                                                                     \
		}                                                                                                      \
	} while (0)

struct view_ring {
	struct spanring_ring_header header;
	struct spanring_open_span stack[SPANRING_DEPTH_MAX];
	uint32_t owner_word;
	uint64_t first; /* position of records[0]: the tail */
	uint64_t count; /* records with the right lap tag, from there on */
	union spanring_record *records;
};

struct view_instance {
	char name[2 * SPANRING_INSTANCE_BYTES + 1];
	uint8_t *process; /* the whole process file */
	const struct spanring_process_header *header;
	unsigned ring_count;
	struct view_ring *rings; /* by index */
};

/* The instance of this pid; NULL if there is none. Checks every field that has only one right value. */
struct view_instance *view_open(const char *directory, pid_t pid);
void view_close(struct view_instance *instance);
unsigned view_count_instances(const char *directory);

/* n-th record of this type over all rings in order; NULL if there are fewer. */
const union spanring_record *view_record(const struct view_instance *instance, uint8_t type, unsigned n);
unsigned view_count(const struct view_instance *instance, uint8_t type);
/* First SPAN record of the site with this name. */
const struct spanring_span_record *view_span(const struct view_instance *instance, const char *name);
/* First ATTRIBUTE record of a span with this key; with its ring and index. */
const struct spanring_attribute_record *view_attribute(const struct view_instance *instance, uint64_t span_id,
                                                       const char *key);
/* Whole string value, put together; bytes in ret_value, which holds SPANRING_STRING_VALUE_MAX. */
size_t view_string_value(const struct view_instance *instance, const struct spanring_attribute_record *attribute,
                         char *ret_value);
/* Interned text, zero-terminated copy in ret_text (256 bytes). Returns its length. */
size_t view_text(const struct view_instance *instance, uint32_t id, char *ret_text);
const char *view_site_name(const struct view_instance *instance, uint32_t site, char *ret_text);

static inline unsigned view_kind(const struct spanring_span_record *span) {
	return span->tail.bits & SPANRING_BITS_KIND_MASK;
}

static inline unsigned view_status(const struct spanring_span_record *span) {
	return (span->tail.bits >> SPANRING_BITS_STATUS_SHIFT) & SPANRING_BITS_STATUS_MASK;
}

/* The folders of the test that runs; made and removed around each VIEW_TEST. */
extern struct scratch view_scratch;
int view_set_up(void **state);
int view_tear_down(void **state);
/* Empty ones instead, between two rounds. */
void view_renew(void);
#define VIEW_TEST(test) cmocka_unit_test_setup_teardown(test, view_set_up, view_tear_down)

enum view_leave { VIEW_EXIT, VIEW_LEAVE_AT_ONCE };

/*
 * Run scenario in a child with SPANRING_DIR set; assert that it exits with 0. Returns its pid. VIEW_EXIT leaves through
 * exit(3), VIEW_LEAVE_AT_ONCE through _exit(2).
 */
pid_t view_run(const char *directory, void (*scenario)(void), enum view_leave leave);

#endif

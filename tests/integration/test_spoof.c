/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what a program says of itself is kept as its claim, and never takes the place of what the kernel says; nothing that belongs to the
 * agent's side of the books can be written from a ring.
 * Method: the agent stands still while real programs make real instances; then their files are changed as their owners could have changed
 * them, and the agent goes on.
 */
#include "support/all_users.h"
#include "support/cmocka.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <spanring/ring_abi.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES (2 * SCRATCH_PATH_BYTES)
#define LIAR (ALL_USERS_FIRST_UID + 1)
#define VICTIM (ALL_USERS_FIRST_UID + 2)
#define SPANS "100"

static struct child start_flood(const struct all_users *all, uint32_t uid) {
	struct child child = all_users_start(all, uid, "spanring-test-flood", (const char *[]){"1", SPANS, NULL});
	child_wait_for_line(&child, "flooded");
	return child;
}

static void kill_child(struct child *child) {
	child_signal(child, SIGKILL);
	struct child_result result = child_finish(child);
	child_result_free(&result);
}

/* A file of the only instance of that user, mapped whole. */
static void *map_file(const struct all_users *all, uint32_t uid, const char *name, size_t bytes) {
	char instance[64];
	char below[128];
	char path[PATH_BYTES];
	all_users_instance(all, uid, instance, sizeof(instance));
	(void)snprintf(below, sizeof(below), "%" PRIu32 "/%s/%s", uid, instance, name);
	all_users_path(all, below, path, sizeof(path));
	CLEANUP_FD int fd = open(path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	void *address = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(address != MAP_FAILED);
	return address;
}

static uint64_t start_time_of(pid_t pid) {
	char path[64];
	char text[1024] = "";
	unsigned long long start = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	const char *at = strrchr(text, ')');
	assert_non_null(at);
	for (int field = 2; field < 22; field++)
		at = strchr(at + 1, ' ');
	assert_int_equal(sscanf(at, " %llu", &start), 1);
	return start;
}

/* The part of `info --json` about the process with this uid, to be freed with the result. */
static struct child_result read_info(const struct all_users *all) {
	const char *argv[] = {child_program("spanring-analyze"), "info", "--json", all->session.scratch.store, NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	return result;
}

static const char *part_of(const struct child_result *info, uint32_t uid) {
	char pattern[64];
	(void)snprintf(pattern, sizeof(pattern), "\"uid\": %" PRIu32 ",", uid);
	const char *at = strstr(info->out, pattern);
	if (!at)
		fail_msg("no process of user %" PRIu32 " in %s", uid, info->out);
	return at;
}

static void must_say(const char *part, const char *key, const char *value) {
	char pattern[128];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	const char *at = strstr(part, pattern);
	assert_non_null(at);
	at += strlen(pattern);
	if (strncmp(at, value, strlen(value)) != 0)
		fail_msg("%s is %.40s, not %s", key, at, value);
}

static void another_uid_and_pid_are_kept_as_claims(void **state) {
	(void)state;
	struct all_users all;
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	child_stop(&all.session.agent);
	struct child liar = start_flood(&all, LIAR);
	struct child honest = start_flood(&all, VICTIM);
	struct spanring_process_header *header = map_file(&all, LIAR, "process", sizeof(*header));
	assert_int_equal(header->uid, LIAR);
	header->uid = 0;
	header->pid = (uint32_t)getpid(); /* root's */
	header->start_time = start_time_of(getpid());
	(void)snprintf(header->service, sizeof(header->service), "payments");
	(void)snprintf(header->resource, sizeof(header->resource), "service.instance.id=of-another,host.id=of-another");
	(void)munmap(header, sizeof(*header));
	child_signal(&all.session.agent, SIGCONT);
	all_users_wait_number(&all, LIAR, "programs", 1);
	all_users_wait_number(&all, VICTIM, "programs", 1);
	const char *ps[] = {child_program("spanring-agent"), "ps", "--json", "--system", "--rings",
	                    all.session.scratch.rings,       NULL};
	struct child_result result = child_run(ps, NULL);
	assert_int_equal(result.exit_code, 0);
	must_say(part_of(&result, LIAR), "claims_other_uid", "true");
	must_say(part_of(&result, LIAR), "claims_other_pid", "true");
	must_say(part_of(&result, VICTIM), "claims_other_uid", "false");
	child_result_free(&result);
	session_stop_agent(&all.session);
	kill_child(&liar);
	kill_child(&honest);
	result = read_info(&all);
	const char *part = part_of(&result, LIAR);
	must_say(part, "claims_other_uid", "true");
	must_say(part, "claimed_uid", "0");
	must_say(part, "claims_other_pid", "true");
	must_say(part, "spans", SPANS);
	part = part_of(&result, VICTIM);
	must_say(part, "claims_other_uid", "false");
	must_say(part, "claimed_uid", "null");
	must_say(part, "claims_other_pid", "false");
	child_result_free(&result);
	session_check_audit(&all.session);
	all_users_close(&all);
}

/* A pid that nobody has, while a thread holds the ring. */
static void a_pid_of_nobody_is_noticed(void **state) {
	(void)state;
	struct all_users all;
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	child_stop(&all.session.agent);
	struct child liar = start_flood(&all, LIAR);
	struct spanring_process_header *header = map_file(&all, LIAR, "process", sizeof(*header));
	header->start_time++;
	(void)munmap(header, sizeof(*header));
	child_signal(&all.session.agent, SIGCONT);
	all_users_wait_number(&all, LIAR, "programs", 1);
	char *status = NULL;
	for (uint32_t i = 0; i < 3000 && (!status || !strstr(status, "\"claims_other_pid\": true")); i++) {
		free(status);
		status = all_users_status(&all);
	}
	must_say(status, "claims_other_pid", "true");
	free(status);
	session_stop_agent(&all.session);
	kill_child(&liar);
	struct child_result result = read_info(&all);
	must_say(part_of(&result, LIAR), "claims_other_pid", "true");
	must_say(part_of(&result, LIAR), "claims_other_uid", "false");
	child_result_free(&result);
	all_users_close(&all);
}

/* The instance of another user, copied name and all: whoever comes second is none. */
static void the_instance_of_another_cannot_be_taken(void **state) {
	(void)state;
	struct all_users all;
	char instance[64];
	char script[512];
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	struct child honest = start_flood(&all, VICTIM);
	all_users_wait_number(&all, VICTIM, "programs", 1);
	struct child other = start_flood(&all, LIAR);
	all_users_wait_number(&all, LIAR, "programs", 1);
	all_users_instance(&all, VICTIM, instance, sizeof(instance));
	(void)snprintf(script, sizeof(script),
	               "cd \"$0\"/%u && cp -r ../%u/%s copied && chown -R %u copied && mv copied %s", LIAR, VICTIM,
	               instance, LIAR, instance);
	const char *copy[] = {"/bin/sh", "-c", script, all.session.scratch.rings, NULL};
	struct child_result result = child_run(copy, NULL);
	assert_int_equal(result.exit_code, 0);
	child_result_free(&result);
	all_users_wait_number(&all, 0, "names_refused", 1);
	kill_child(&honest);
	kill_child(&other);
	session_stop_agent(&all.session);
	session_check_audit(&all.session);
	result = read_info(&all);
	must_say(part_of(&result, VICTIM), "spans", SPANS);
	must_say(part_of(&result, LIAR), "spans", SPANS);
	child_result_free(&result);
	all_users_close(&all);
}

/* Records made up by the owner of a ring: every bit set, unknown types, the agent's own numbers. */
static void a_ring_cannot_write_what_is_the_agents(void **state) {
	(void)state;
	struct all_users all;
	all_users_open(&all);
	all_users_start_agent(&all, NULL);
	child_stop(&all.session.agent);
	struct child liar = start_flood(&all, LIAR);
	const size_t bytes = SPANRING_RING_DATA_OFFSET + SPANRING_RING_BYTES_MIN;
	struct spanring_ring_header *header = map_file(&all, LIAR, "ring-0000", bytes);
	union spanring_record *records = (void *)((char *)header + SPANRING_RING_DATA_OFFSET);
	union spanring_record forged = records[1];
	assert_int_equal(forged.span.tail.type, SPANRING_RECORD_SPAN);
	uint64_t at = 1 + strtoull(SPANS, NULL, 10);
	forged.span.span_id ^= 1;
	forged.span.tail.bits = 0xff; /* a kind and a status that do not exist, and every flag */
	records[at] = forged;
	forged.span.tail.bits = (uint8_t)(records[1].span.tail.bits | 0xe0); /* every flag a record has */
	records[at + 1] = forged;
	forged.span.tail.type = 0xff;
	records[at + 2] = forged;
	header->head = at + 3;
	header->begun_open += UINT64_C(3) << SPANRING_BEGUN_SHIFT;
	(void)munmap(header, bytes);
	child_signal(&all.session.agent, SIGCONT);
	all_users_wait_number(&all, LIAR, "programs", 1);
	kill_child(&liar);
	session_stop_agent(&all.session);
	struct stored stored;
	stored_load(all.session.scratch.store, &stored);
	assert_int_equal(stored.count, strtoull(SPANS, NULL, 10) + 1); /* the second is a span like any other */
	assert_int_equal(stored.open_count, 0);                        /* and none of them is open: the agent's word */
	stored_free(&stored);
	struct child_result result = read_info(&all);
	must_say(part_of(&result, LIAR), "claims_other_uid", "false");
	child_result_free(&result);
	/* The rings agree with what was stored of them; that nobody ended such spans is noticed by the statistics. */
	const char *audit[] = {child_program("spanring-analyze"), "audit", all.session.scratch.store, NULL};
	result = child_run(audit, NULL);
	assert_int_equal(result.exit_code, 1);
	assert_non_null(strstr(result.out, "statistics count 3 spans fewer than ended"));
	child_result_free(&result);
	all_users_close(&all);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(another_uid_and_pid_are_kept_as_claims),
	    cmocka_unit_test(a_pid_of_nobody_is_noticed),
	    cmocka_unit_test(the_instance_of_another_cannot_be_taken),
	    cmocka_unit_test(a_ring_cannot_write_what_is_the_agents),
	};
	return cmocka_run_group_tests_name("spoof", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/intake/drain.h"
#include "agent/intake/intake.h"
#include "agent/intake/roster.h"
#include "agent/users/system_rings.h"
#include "agent_files.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "support/cmocka.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tokens_are_a_seconds_worth(void **state) {
	(void)state;
	struct users users;
	struct user *user;
	assert_int_equal(users_init(&users, &(struct users_quota){.records_per_second = 1000}), 0);
	assert_int_equal(users_add(&users, 7, FD_NONE, &user), 0);
	users_begin_turn(&users, NS_PER_S);
	assert_int_equal(users_allowance(&users, user), 1000);
	users_take(user, 1000);
	users_hold_back(&users, user);
	assert_true(user->over_rate);
	assert_int_equal(user->held_back, 1);
	users_begin_turn(&users, NS_PER_S + NS_PER_S / 2);
	assert_false(user->over_rate);
	assert_int_equal(users_allowance(&users, user), 500);
	users_give_back(user, 100);
	assert_int_equal(users_allowance(&users, user), 600);
	/* Time too short for a record is not lost. */
	for (uint64_t at = 1; at <= 10; at++)
		users_begin_turn(&users, NS_PER_S + NS_PER_S / 2 + at * 200000);
	assert_int_equal(users_allowance(&users, user), 602);
	users_begin_turn(&users, 100 * NS_PER_S);
	assert_int_equal(users_allowance(&users, user), 1000);
	users_done(&users);
}

static void quotas_are_of_each_user(void **state) {
	(void)state;
	struct users users;
	struct user *one;
	struct user *other;
	struct feed *feed = (struct feed *)(uintptr_t)&users;
	assert_int_equal(users_init(&users, &(struct users_quota){.programs = 1, .rings = 2, .bytes = 1000}), 0);
	assert_int_equal(users_add(&users, 7, FD_NONE, &one), 0);
	assert_int_equal(users_add(&users, 8, FD_NONE, &other), 0);
	assert_ptr_equal(users_find(&users, 8), other);
	assert_null(users_find(&users, 9));
	one->programs = 1;
	assert_false(users_program_fits(&users, one));
	assert_true(users_program_fits(&users, other));
	assert_true(users_ring_fits(&users, one, 1000));
	assert_false(users_ring_fits(&users, one, 1001));
	assert_int_equal(users_add_feed(one, feed, 600), 0);
	assert_false(users_ring_fits(&users, one, 401));
	assert_true(users_ring_fits(&users, one, 400));
	assert_int_equal(users_add_feed(one, feed, 400), 0);
	assert_false(users_ring_fits(&users, one, 0));
	assert_true(users_ring_fits(&users, other, 1000));
	users_remove_feed(one, feed, 400);
	assert_int_equal(one->ring_bytes, 600);
	assert_true(users_ring_fits(&users, one, 400));
	users_done(&users);
}

struct fixture {
	struct agent_files files;
	struct clock_model clock;
	struct producer_sink sink;
	struct roster roster;
	struct intake intake;
	struct user *greedy;
	struct user *honest;
	struct producer *producers[2];
};

static void add_ring(struct fixture *fixture, uint32_t number, uint32_t index) {
	struct feed *feed;
	assert_int_equal(feed_open(fixture->producers[number], AGENT_FILES_RING, 0, NULL, &feed), 0);
	feed->books.ring_index = index;
	assert_int_equal(roster_add_feed(&fixture->roster, fixture->producers[number], feed), 0);
}

/* Two users whose programs have the same full ring, the one of them many times over. */
static int set_up(void **state) {
	static struct fixture fixture;
	fixture = (struct fixture){0};
	agent_files_make(&fixture.files);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(roster_init(&fixture.roster), 0);
	assert_int_equal(users_add(&fixture.roster.users, 7, FD_NONE, &fixture.greedy), 0);
	assert_int_equal(users_add(&fixture.roster.users, 8, FD_NONE, &fixture.honest), 0);
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(producer_open(fixture.files.rings_fd, AGENT_FILES_NAME, 0, &fixture.producers[i]), 0);
		fixture.producers[i]->user = i == 0 ? fixture.greedy : fixture.honest;
		assert_int_equal(roster_add_producer(&fixture.roster, fixture.producers[i]), 0);
	}
	assert_int_equal(batch_new(&fixture.sink.batch), 0);
	assert_int_equal(catalog_new(&fixture.sink.catalog), 0);
	assert_int_equal(intake_init(&fixture.intake, NULL, &fixture.roster), 0);
	fixture.intake.room_records = 2 * AGENT_FILES_CAPACITY; /* a plan of its own for each two rings */
	fixture.sink.generation = 1;
	fixture.sink.clock = &fixture.clock;
	fixture.sink.users = &fixture.roster.users;
	*state = &fixture;
	return 0;
}

static int tear_down(void **state) {
	struct fixture *fixture = *state;
	intake_done(&fixture->intake);
	roster_done(&fixture->roster);
	batch_free(fixture->sink.batch);
	catalog_free(fixture->sink.catalog);
	agent_files_remove(&fixture->files);
	return 0;
}

static void fill_ring(struct fixture *fixture) {
	for (uint64_t i = 0; i < AGENT_FILES_CAPACITY; i++)
		agent_files_put(&fixture->files, i, agent_files_span(1 + i), SPANRING_RECORD_SPAN);
	fixture->files.ring->head = AGENT_FILES_CAPACITY;
	fixture->files.ring->begun_open = (uint64_t)AGENT_FILES_CAPACITY << SPANRING_BEGUN_SHIFT;
}

/* However many full rings one user has: the other one's are taken in the same turn, and the first gets no more than a turn's worth. */
static void a_crowd_does_not_take_the_turns_of_others(void **state) {
	struct fixture *fixture = *state;
	uint32_t crowd = 2 * USERS_TURN_RECORDS / AGENT_FILES_CAPACITY;
	for (uint32_t i = 0; i < crowd; i++)
		add_ring(fixture, 0, i);
	add_ring(fixture, 1, 0);
	fill_ring(fixture);
	enum intake_end end = INTAKE_MORE;
	uint32_t turns = 0;
	/* A full batch ends a turn; the honest one comes first in the next one at the latest. */
	for (; turns < 2 && fixture->honest->records == 0; turns++) {
		users_begin_turn(&fixture->roster.users, NS_PER_S);
		end = intake_published(&fixture->intake, &fixture->sink);
		assert_true(fixture->greedy->turn_records <= USERS_TURN_RECORDS);
		if (end == INTAKE_FULL)
			batch_clear(fixture->sink.batch);
	}
	assert_int_equal(fixture->honest->records, AGENT_FILES_CAPACITY);
	assert_true(fixture->greedy->records <= (uint64_t)turns * USERS_TURN_RECORDS);
	assert_true(fixture->intake.cut || end == INTAKE_FULL);
}

/* What one turn takes of a user has an end of its own, also where the batch has room. */
static void a_turn_of_one_user_ends(void **state) {
	struct fixture *fixture = *state;
	for (uint32_t i = 0; i < 4; i++)
		add_ring(fixture, 0, i);
	add_ring(fixture, 1, 0);
	fill_ring(fixture);
	users_begin_turn(&fixture->roster.users, NS_PER_S);
	users_take(fixture->greedy, USERS_TURN_RECORDS - 2 * AGENT_FILES_CAPACITY);
	assert_int_equal(intake_published(&fixture->intake, &fixture->sink), INTAKE_MORE);
	assert_int_equal(fixture->greedy->turn_records, USERS_TURN_RECORDS);
	assert_int_equal(fixture->greedy->held_back, 0); /* it comes again at once */
	assert_true(fixture->intake.cut);
	assert_int_equal(fixture->honest->records, AGENT_FILES_CAPACITY);
	users_begin_turn(&fixture->roster.users, NS_PER_S);
	assert_int_equal(intake_published(&fixture->intake, &fixture->sink), INTAKE_MORE);
	assert_int_equal(fixture->greedy->turn_records, 2 * AGENT_FILES_CAPACITY);
	assert_false(fixture->intake.cut);
}

static void records_over_the_rate_stay_in_their_ring(void **state) {
	struct fixture *fixture = *state;
	add_ring(fixture, 0, 0);
	add_ring(fixture, 1, 0);
	fill_ring(fixture);
	fixture->roster.users.quota.records_per_second = 600;
	fixture->greedy->tokens = 600;
	fixture->honest->tokens = AGENT_FILES_CAPACITY;
	fixture->greedy->filled_ns = fixture->honest->filled_ns = NS_PER_S;
	users_begin_turn(&fixture->roster.users, NS_PER_S);
	fixture->honest->tokens = AGENT_FILES_CAPACITY;
	assert_int_equal(intake_published(&fixture->intake, &fixture->sink), INTAKE_MORE);
	assert_int_equal(fixture->greedy->records, 600);
	assert_int_equal(fixture->honest->records, AGENT_FILES_CAPACITY);
	assert_int_equal(fixture->greedy->held_back, 1);
	assert_false(fixture->intake.cut); /* nothing to be had before time passes */
	assert_int_equal(fixture->sink.batch->span_count, 600 + AGENT_FILES_CAPACITY);
}

static void names_over_the_quota_are_the_overflow_entry(void **state) {
	struct fixture *fixture = *state;
	uint32_t site = 0;
	uint32_t known = 0;
	fixture->roster.users.quota.names = 1;
	/* "work" is the one; its file and the site itself are more. */
	assert_int_equal(producer_site_id(fixture->producers[0], &fixture->sink, AGENT_FILES_SITE, &site), 0);
	assert_int_equal(site, CATALOG_OVERFLOW);
	assert_int_equal(fixture->greedy->names, 1);
	assert_int_equal(fixture->greedy->names_lost, 2);
	/* Another user has names of its own to use. */
	fixture->roster.users.quota.names = 3;
	assert_int_equal(producer_site_id(fixture->producers[1], &fixture->sink, AGENT_FILES_SITE, &known), 0);
	assert_true(known > CATALOG_OVERFLOW);
	assert_int_equal(fixture->honest->names, 2);
	assert_int_equal(fixture->honest->names_lost, 0);
}

static void names_that_are_uids(void **state) {
	(void)state;
	uint32_t uid = 1;
	static const char *const others[] = {"",           "00",         "01",          "-1",     "1x",
	                                     "4294967295", "4294967296", "99999999999", "control"};
	assert_true(system_rings_uid("0", &uid));
	assert_int_equal(uid, 0);
	assert_true(system_rings_uid("4294967294", &uid));
	assert_int_equal(uid, 4294967294u);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		assert_false(system_rings_uid(others[i], &uid));
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(tokens_are_a_seconds_worth),
	    cmocka_unit_test(quotas_are_of_each_user),
	    cmocka_unit_test_setup_teardown(a_crowd_does_not_take_the_turns_of_others, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(a_turn_of_one_user_ends, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(records_over_the_rate_stay_in_their_ring, set_up, tear_down),
	    cmocka_unit_test_setup_teardown(names_over_the_quota_are_the_overflow_entry, set_up, tear_down),
	    cmocka_unit_test(names_that_are_uids),
	};
	return cmocka_run_group_tests_name("agent_users", tests, NULL, NULL);
}

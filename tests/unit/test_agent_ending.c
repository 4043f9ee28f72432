/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ended: what is known of the command of `record` and of a process that lives on, and that nothing is guessed of others. */
#include "agent/intake/ending.h"
#include "agent/intake/producer.h"
#include "support/child.h"
#include "support/cmocka.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* The wait status of a real child that ended so. */
static int status_of(int signal_number, int exit_status) {
	int status = 0;
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		if (signal_number)
			(void)kill(getpid(), signal_number);
		_exit(exit_status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

/* Nobody has this pid. */
static struct producer gone(void) {
	struct producer producer = {.same_namespace = true,
	                            .target = {.pid = INT32_MAX, .start_time = 77, .uid = geteuid()}};
	return producer;
}

static struct ending_command command_that(bool ended, int status) {
	struct ending_command command = {.pid = INT32_MAX, .start_time = 77, .ended = ended, .status = status};
	return command;
}

static void expect(const struct producer *producer, uint32_t ending, uint32_t value) {
	assert_int_equal(producer->ending, ending);
	assert_int_equal(producer->ending_value, value);
}

static void the_command_is_waited_for(void **state) {
	(void)state;
	struct producer producer = gone();
	struct ending_command command = command_that(false, 0);
	assert_false(ending_find(&producer, &command));
	expect(&producer, STORE_ENDING_UNKNOWN, 0);
	command = command_that(true, status_of(SIGKILL, 0));
	assert_true(ending_find(&producer, &command));
	expect(&producer, STORE_ENDING_SIGNAL, SIGKILL);
	producer = gone();
	command = command_that(true, status_of(0, 42));
	assert_true(ending_find(&producer, &command));
	expect(&producer, STORE_ENDING_STATUS, 42);
}

static void nobody_else_is(void **state) {
	(void)state;
	static const struct ending_command none = {.pid = 0};
	struct ending_command command = command_that(false, 0);
	struct producer producer = gone();
	assert_true(ending_find(&producer, &none));
	producer.target.start_time++; /* its pid was given again */
	assert_true(ending_find(&producer, &command));
	producer = gone();
	producer.target.pid--;
	assert_true(ending_find(&producer, &command));
	producer = gone();
	producer.same_namespace = false; /* its pid means another process here */
	assert_true(ending_find(&producer, &command));
	producer = gone();
	producer.exited = true;
	assert_true(ending_find(&producer, &command));
	expect(&producer, STORE_ENDING_UNKNOWN, 0);
}

static void who_lives_on_is_another_program(void **state) {
	(void)state;
	static const struct ending_command none = {.pid = 0};
	struct producer producer = gone();
	producer.target.pid = (uint32_t)getpid();
	producer.target.start_time = sampler_start_time(getpid());
	assert_true(ending_find(&producer, &none));
	expect(&producer, STORE_ENDING_EXEC, 0);
	/* The same as the command that has not ended: it goes on, and nobody waits for its end. */
	struct ending_command command = {.pid = producer.target.pid, .start_time = producer.target.start_time};
	producer.ending = STORE_ENDING_UNKNOWN;
	assert_true(ending_find(&producer, &command));
	expect(&producer, STORE_ENDING_EXEC, 0);
	producer.ending = STORE_ENDING_UNKNOWN;
	producer.same_namespace = false;
	assert_true(ending_find(&producer, &none));
	expect(&producer, STORE_ENDING_UNKNOWN, 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_command_is_waited_for),
	    cmocka_unit_test(nobody_else_is),
	    cmocka_unit_test(who_lives_on_is_another_program),
	};
	return cmocka_run_group_tests_name("agent ending", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: a program whose shared memory is full of noise, and goes on being rewritten, costs its own data and nobody else anything: the agent lives,
 * other programs lose nothing, and once its ring is in quarantine the agent takes no more records from it.
 * Method: a real program stores some spans and then waits; somebody with its rights maps every file of its instance and writes random words
 * over them until the end of the story, while honest programs that wait for the store work beside it.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/cleanup.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define HONEST 3
#define TREES 3000u
#define TREES_OF_NOISE 200u
#define FILES_MAX 8u
#define WRITES_BETWEEN 3000000u /* of words of noise, between two looks at a quiet agent; times SPANRING_TEST_SCALE */
#define INSTANCE_BYTES 33u

struct noise {
	char *files[FILES_MAX];
	uint64_t bytes[FILES_MAX];
	uint32_t count;
	uint64_t *written; /* shared with the test */
};

static void map_file(struct noise *noise, int directory_fd, const char *name) {
	struct stat status;
	CLEANUP_FD int fd = openat(directory_fd, name, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0 && noise->count < FILES_MAX);
	assert_int_equal(fstat(fd, &status), 0);
	void *file = mmap(NULL, (size_t)status.st_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	assert_true(file != MAP_FAILED);
	noise->files[noise->count] = file;
	noise->bytes[noise->count++] = (uint64_t)status.st_size;
}

/* Every file of the one instance that there is. */
static void map_instance(const struct session *session, struct noise *noise, char ret_name[INSTANCE_BYTES]) {
	DIR *rings = opendir(session->scratch.rings);
	const struct dirent *entry;
	assert_non_null(rings);
	while ((entry = readdir(rings)) && strlen(entry->d_name) != INSTANCE_BYTES - 1)
		continue;
	if (!entry) {
		(void)closedir(rings);
		fail_msg("no instance");
		return;
	}
	memcpy(ret_name, entry->d_name, INSTANCE_BYTES);
	int fd = openat(dirfd(rings), entry->d_name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	(void)closedir(rings);
	DIR *instance = fdopendir(fd);
	assert_non_null(instance);
	while ((entry = readdir(instance)))
		if (entry->d_name[0] != '.')
			map_file(noise, fd, entry->d_name);
	(void)closedir(instance);
	assert_true(noise->count >= 3);
}

/* Small steps, anything, and now and then a whole page of it; the first pages, which say where things are, as often as the rest. */
static void write_for_ever(const struct noise *noise, struct seed *seed) {
	for (;;) {
		uint32_t which = (uint32_t)seed_below(seed, noise->count);
		uint64_t bytes = seed_below(seed, 2) ? 4096 : noise->bytes[which];
		uint64_t at = seed_below(seed, bytes / 8) * 8;
		uint64_t words = seed_below(seed, 64) ? 1 : 512;
		uint64_t *word = (uint64_t *)(void *)(noise->files[which] + at);
		for (; words > 0 && at + 8 <= noise->bytes[which]; words--, at += 8, word++) {
			uint64_t before = __atomic_load_n(word, __ATOMIC_RELAXED);
			uint64_t value = seed_below(seed, 4) ? seed_next(seed) : before + seed_below(seed, 3) - 1;
			__atomic_store_n(word, value, __ATOMIC_RELAXED);
			__atomic_add_fetch(noise->written, 1, __ATOMIC_RELEASE);
		}
	}
}

static pid_t start_noise(struct noise *noise, struct seed *seed) {
	noise->written = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(noise->written != MAP_FAILED);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		write_for_ever(noise, seed);
	return pid;
}

static struct child_result ask_status(const struct session *session) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                      session->scratch.rings,          NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	return result;
}

static uint64_t figure(const char *text, const char *key) {
	char pattern[64];
	uint64_t value = UINT64_MAX;
	(void)snprintf(pattern, sizeof(pattern), "\"%s\":", key);
	const char *at = strstr(text, pattern);
	assert_non_null(at);
	assert_int_equal(sscanf(at + strlen(pattern), " %" SCNu64, &value), 1);
	return value;
}

/* With the reason. */
static void wait_for_quarantine(const struct session *session, const char *instance) {
	uint64_t deadline_ns = clock_monotonic_ns() + CLOCK_WAIT_DEADLINE_NS;
	for (bool there = false; !there;) {
		struct child_result result = ask_status(session);
		const char *of_noise = strstr(result.out, instance);
		there = of_noise && figure(of_noise, "rings_quarantined") == 1;
		if (there &&
		    (!strstr(of_noise, "\"quarantine_reason\": \"") || !strstr(of_noise, "\"state\": \"quarantined\"")))
			fail_msg("no reason in the status: %s", result.out);
		child_result_free(&result);
		if (clock_monotonic_ns() > deadline_ns)
			fail_msg("the ring is not in quarantine");
	}
}

static struct child start_waiting(const struct session *session) {
	char ack[SCRATCH_PATH_BYTES + 16];
	char trees[16];
	(void)snprintf(ack, sizeof(ack), "%s/noise", session->scratch.files);
	(void)snprintf(trees, sizeof(trees), "%u", TREES_OF_NOISE);
	const uint64_t *acknowledged = session_acknowledgements(ack);
	const char *arguments[] = {"--process",     "9",   "--trees",      trees, "--ack", ack,
	                           "--flush-every", "500", "--hang-depth", "1",   NULL};
	struct child waiting = session_producer(session, arguments);
	clock_wait_for_u64(&acknowledged[15], 1);
	return waiting;
}

static void run_honest(const struct session *session, int first) {
	struct child producers[HONEST];
	char trees[16];
	(void)snprintf(trees, sizeof(trees), "%u", TREES);
	for (int i = 0; i < HONEST; i++) {
		char process[8];
		(void)snprintf(process, sizeof(process), "%d", first + i);
		const char *arguments[] = {"--process", process, "--trees", trees, "--flush-every", "1500", NULL};
		producers[i] = session_producer(session, arguments);
	}
	for (int i = 0; i < HONEST; i++) {
		struct session_counters counters = session_producer_finish(&producers[i]);
		assert_int_equal(counters.ended, TREES * STORED_SPANS_PER_TREE);
		assert_int_equal(counters.dropped_full + counters.dropped_no_ring, 0);
	}
}

/* With nobody else at work: noise goes on, and no record is taken. */
static void check_quiet(const struct session *session, const struct noise *noise) {
	struct child_result before = ask_status(session);
	uint64_t written = __atomic_load_n(noise->written, __ATOMIC_ACQUIRE);
	clock_wait_for_u64(noise->written, written + (uint64_t)seed_rounds(100) * (WRITES_BETWEEN / 100));
	struct child_result after = ask_status(session);
	assert_int_equal(figure(after.out, "records_read"), figure(before.out, "records_read"));
	/* What reads statistics does so once in its interval, whatever is in the files. */
	assert_true(
	    figure(after.out, "statistics_threads_broken") + figure(after.out, "statistics_processes_given_up") <= 2);
	child_result_free(&before);
	child_result_free(&after);
}

static void noise_costs_nobody_else_anything(void **state) {
	(void)state;
	struct seed seed = seed_start("hostile_neighbour");
	struct session session;
	struct noise noise = {.count = 0};
	char instance[INSTANCE_BYTES];
	session_open(&session);
	session_start_agent(&session);
	struct child waiting = start_waiting(&session);
	map_instance(&session, &noise, instance);
	pid_t pid = start_noise(&noise, &seed);
	run_honest(&session, 0);
	wait_for_quarantine(&session, instance);
	check_quiet(&session, &noise);
	run_honest(&session, HONEST);
	assert_int_equal(kill(pid, SIGKILL), 0);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	child_signal(&waiting, SIGKILL);
	struct child_result gone = child_finish(&waiting);
	child_result_free(&gone);
	session_stop_agent(&session);
	(void)session_check_segments(&session);
	struct stored stored;
	stored_load(session.scratch.store, &stored);
	stored_check_tree(&stored);
	for (uint64_t process = 0; process < 2 * HONEST; process++)
		assert_int_equal(stored_count_of(&stored, process, 0), TREES * STORED_SPANS_PER_TREE);
	assert_int_equal(stored_count_of(&stored, 9, 0), TREES_OF_NOISE * STORED_SPANS_PER_TREE);
	stored_free(&stored);
	for (uint32_t i = 0; i < noise.count; i++)
		(void)munmap(noise.files[i], noise.bytes[i]);
	session_close(&session);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(noise_costs_nobody_else_anything),
	};
	return cmocka_run_group_tests_name("hostile_neighbour", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows B07 and B08 (threats T6, T7): a store that cannot be written, or hangs, costs programs nothing but records, and each of those is
 * counted; the agent stays, within its memory, says what is wrong, and goes on by itself.
 * Method: real file systems of the test's own: a tmpfs without room, without inodes, read-only; a file size limit on the running agent, as a
 * quota; an ext4 on a loop device, frozen; and agents whose writes hang (support/gate_vfs.c) or fail (support/fault_vfs.h). A
 * program writes more than the rings hold, comes to its end while the store is in trouble, and then every span must be stored once or counted
 * as dropped.
 */
#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/session.h"
#include "support/stored.h"

#include "agent/commit/store_probe.h"
#include "base/clock.h"
#include "base/errs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEADLINE_NS (120 * NS_PER_S) /* ends a hang, measures nothing */
#define NEXT_TRY_NS_MAX (5 * NS_PER_S)
#define FILES_MAX 4096u
#define PATH_BYTES (SCRATCH_PATH_BYTES + 32)
#define THAW_MS 60000 /* should the test itself hang */
#define STEP_BYTES 4096u
#define BREAKER_FAILURES 5u /* of the agent, without a word */

struct place {
	struct session session;
	char disk[PATH_BYTES];
	char file[PATH_BYTES]; /* what fills the disk, or the gate */
	int fd;                /* FD_NONE, or the gate, or what thaws */
	bool is_mounted;
};

/* --- places and what happens to them ------------------------------------------------------------------------------------ */

static bool mounts_allowed;

static bool write_map(const char *path, const char *text) {
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool written = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
	if (fd >= 0)
		(void)close(fd);
	return written;
}

/* Also without being root. A file system of one's own takes files of known groups only. */
static bool own_mounts(void) {
	char users[64];
	char groups[64];
	(void)snprintf(users, sizeof(users), "0 %u 1", geteuid());
	(void)snprintf(groups, sizeof(groups), "0 %u 1", getegid());
	if (geteuid() == 0)
		return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	return unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0 && write_map("/proc/self/uid_map", users) &&
	       write_map("/proc/self/setgroups", "deny") && write_map("/proc/self/gid_map", groups) &&
	       mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool run(const char *const *argv) {
	struct child_result result = child_run(argv, NULL);
	bool worked = result.exit_code == 0;
	if (!worked)
		print_message("%s: %s", argv[0], result.err);
	child_result_free(&result);
	return worked;
}

static bool mount_tmpfs(struct place *place, const char *options) {
	place->is_mounted = mounts_allowed && mount("none", place->disk, "tmpfs", 0, options) == 0;
	return place->is_mounted;
}

static bool small_disk(struct place *place) {
	return mount_tmpfs(place, "size=32m,mode=700");
}

static bool few_inodes(struct place *place) {
	return mount_tmpfs(place, "size=32m,nr_inodes=64,mode=700");
}

static bool usual_disk(struct place *place) {
	(void)place;
	return true;
}

/* A file system that can be frozen. */
static bool loop_disk(struct place *place) {
	char image[PATH_BYTES];
	(void)snprintf(image, sizeof(image), "%s/image", place->session.scratch.files);
	const char *make[] = {"/usr/sbin/mkfs.ext4", "-q", "-F", image, NULL};
	const char *attach[] = {"/usr/bin/mount", "-o", "loop", image, place->disk, NULL};
	if (geteuid() != 0 || !mounts_allowed || access(make[0], X_OK) != 0 || access(attach[0], X_OK) != 0)
		return false;
	int fd = open(image, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0 && ftruncate(fd, 64 << 20) == 0);
	(void)close(fd);
	place->is_mounted = run(make) && run(attach);
	return place->is_mounted;
}

static void fill_with_bytes(struct place *place) {
	static const char zeros[STEP_BYTES];
	int fd = open(place->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	while (write(fd, zeros, sizeof(zeros)) > 0)
		continue;
	assert_int_equal(errno, ENOSPC);
	(void)close(fd);
}

static void free_bytes(struct place *place) {
	assert_int_equal(unlink(place->file), 0);
}

static void fill_with_files(struct place *place) {
	char path[PATH_BYTES + 16];
	assert_int_equal(mkdir(place->file, 0700), 0);
	for (unsigned i = 0; i < FILES_MAX; i++) {
		(void)snprintf(path, sizeof(path), "%s/%u", place->file, i);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
		if (fd < 0) {
			assert_int_equal(errno, ENOSPC);
			return;
		}
		(void)close(fd);
	}
	fail_msg("%s: no end of inodes", place->disk);
}

static void free_files(struct place *place) {
	scratch_remove_tree(place->file);
}

static void limit_files(const struct place *place, rlim_t bytes) {
	struct rlimit limit;
	assert_int_equal(prlimit(place->session.agent.pid, RLIMIT_FSIZE, NULL, &limit), 0);
	limit.rlim_cur = bytes < limit.rlim_max ? bytes : limit.rlim_max;
	assert_int_equal(prlimit(place->session.agent.pid, RLIMIT_FSIZE, &limit, NULL), 0);
}

static void make_quota_small(struct place *place) {
	limit_files(place, STEP_BYTES);
}

static void make_quota_large(struct place *place) {
	limit_files(place, RLIM_INFINITY);
}

/* Whatever the agent makes there from now on, it makes on a read-only file system. */
static void make_read_only(struct place *place) {
	assert_int_equal(mount("none", place->session.scratch.store, "tmpfs", MS_RDONLY, "mode=700"), 0);
}

static void make_writable(struct place *place) {
	assert_int_equal(umount(place->session.scratch.store), 0);
}

static void hang(struct place *place) {
	assert_int_equal(flock(place->fd, LOCK_EX), 0);
}

static void go_on(struct place *place) {
	assert_int_equal(flock(place->fd, LOCK_UN), 0);
}

/* Thaws when this test says so, is killed, or hangs: nobody can end a process that waits for a frozen disk. */
static void watch_frozen(int disk_fd, int pipe_fd) {
	struct pollfd end = {.fd = pipe_fd, .events = POLLIN};
	(void)signal(SIGTERM, SIG_IGN);
	(void)signal(SIGINT, SIG_IGN);
	(void)poll(&end, 1, THAW_MS);
	_exit(ioctl(disk_fd, FITHAW, 0) == 0 ? 0 : 1);
}

static pid_t watchdog;

static void freeze(struct place *place) {
	int ends[2];
	int disk_fd = open(place->disk, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(disk_fd >= 0);
	assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
	watchdog = fork();
	assert_true(watchdog >= 0);
	if (watchdog == 0) {
		(void)close(ends[1]);
		watch_frozen(disk_fd, ends[0]);
	}
	(void)close(ends[0]);
	place->fd = ends[1];
	assert_int_equal(ioctl(disk_fd, FIFREEZE, 0), 0);
	(void)close(disk_fd);
}

static void thaw(struct place *place) {
	int status;
	(void)close(place->fd);
	place->fd = -1;
	assert_int_equal(waitpid(watchdog, &status, 0), watchdog);
	assert_int_equal(status, 0);
}

static const struct trouble {
	const char *name;
	bool (*prepare)(struct place *place); /* false: not possible here */
	void (*begin)(struct place *place);
	void (*end)(struct place *place);
	const char *state;
	const char *error;
	const char *remedy;
	bool stored_before; /* there is a segment when it begins */
	bool has_gate;
} troubles[] = {
    {"full disk", small_disk, fill_with_bytes, free_bytes, "open", "a probe cannot be written", "free room", true,
     false},
    {"no inodes", few_inodes, fill_with_files, free_files, "open", "No space left", "inodes", false, false},
    {"quota", usual_disk, make_quota_small, make_quota_large, "open", "a probe cannot be written", "quota", true,
     false},
    {"read-only", small_disk, make_read_only, make_writable, "open", "Read-only", "writable", false, false},
    {"hanging writes", usual_disk, hang, go_on, "stalled", "does not come to its end", "dmesg", false, true},
    {"frozen disk", loop_disk, freeze, thaw, "stalled", "does not come to its end", "dmesg", true, false},
};

#define TROUBLES (sizeof(troubles) / sizeof(troubles[0]))

/* --- questions to the agent --------------------------------------------------------------------------------------------- */

static struct child_result ask(const struct place *place, const char *option) {
	const char *argv[] = {child_program("spanring-agent"), "status", "--rings",
	                      place->session.scratch.rings,    option,   NULL};
	struct child_result result = child_run(argv, NULL);
	if (result.exit_code != 0)
		fail_msg("status exits %d: %s", result.exit_code, result.err);
	return result;
}

static uint64_t number_of(const char *text, const char *key) {
	char pattern[64];
	(void)snprintf(pattern, sizeof(pattern), "\"%s\": ", key);
	const char *at = strstr(text, pattern);
	if (!at)
		fail_msg("no %s in the status: %s", key, text);
	return at ? strtoull(at + strlen(pattern), NULL, 10) : 0;
}

/* Wait until the agent gives this state. On the way there is always a next try soon, and memory within its cap. */
static void wait_for_state(const struct place *place, const char *state) {
	char wanted[64];
	(void)snprintf(wanted, sizeof(wanted), "\"store_state\": \"%s\"", state);
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (bool is_there = false; !is_there;) {
		struct child_result status = ask(place, "--json");
		is_there = strstr(status.out, wanted) != NULL;
		assert_true(number_of(status.out, "store_next_try_ns") < NEXT_TRY_NS_MAX);
		if (SANITIZER_SLOWDOWN == 1) /* which has memory of its own */
			assert_true(number_of(status.out, "memory_bytes") <= number_of(status.out, "memory_cap_bytes"));
		if (!is_there && clock_monotonic_ns() > deadline_ns)
			fail_msg("never \"%s\": %s", state, status.out);
		child_result_free(&status);
	}
}

/* An open breaker asks with probes, and with nothing else. */
static void check_it_is_left_alone(const struct place *place) {
	uint64_t deadline_ns = clock_monotonic_ns() + DEADLINE_NS;
	for (uint64_t probes = 0; probes == 0;) {
		struct child_result status = ask(place, "--json");
		probes = number_of(status.out, "store_probes_failed");
		assert_int_equal(number_of(status.out, "commits_failed"), BREAKER_FAILURES);
		assert_int_equal(number_of(status.out, "store_times_open"), 1);
		if (probes == 0 && clock_monotonic_ns() > deadline_ns)
			fail_msg("no probe: %s", status.out);
		child_result_free(&status);
	}
}

static void check_words(const struct place *place, const struct trouble *trouble) {
	struct child_result status = ask(place, NULL);
	const char *const words[] = {trouble->state, "since",         "why",     trouble->error,
	                             "remedy",       trouble->remedy, "next try"};
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (!strstr(status.out, words[i]))
			fail_msg("%s: no \"%s\" in the status: %s", trouble->name, words[i], status.out);
	child_result_free(&status);
}

static unsigned count_of(const char *text, const char *words) {
	unsigned count = 0;
	for (; (text = strstr(text, words)); text++)
		count++;
	return count;
}

/* One line for each change, none for a try. */
static void check_log(const struct trouble *trouble, const char *text) {
	bool is_stall = strcmp(trouble->state, "stalled") == 0;
	if (is_stall) {
		assert_int_not_equal(count_of(text, ": stalled, a commit is under way"), 0);
		assert_int_equal(count_of(text, ": stalled, "), count_of(text, "has come to its end"));
		return;
	}
	static const char *const lines[] = {"nothing is lost yet", "commits failed in a row", "works again, after"};
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (count_of(text, lines[i]) != 1)
			fail_msg("%s: \"%s\" not once: %s", trouble->name, lines[i], text);
}

/* --- the story ---------------------------------------------------------------------------------------------------------- */

static void start_agent(struct place *place, const struct trouble *trouble) {
	static const char *const options[] = {
	    "--flush-interval", "50ms", "--stall-after", "2s", "--breaker-pause", "1h", NULL};
	char gate[PATH_BYTES + 32] = "SPANRING_TEST_GATE";
	if (trouble->has_gate) {
		place->fd = open(place->file, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(place->fd >= 0);
		(void)snprintf(gate, sizeof(gate), "SPANRING_TEST_GATE=%s", place->file);
		place->session.agent_program = "spanring-test-hanging-agent";
	}
	const char *environment[] = {gate, NULL};
	session_spawn_agent(&place->session, options, environment);
	child_wait_for_line(&place->session.agent, place->session.scratch.store);
}

static struct session_counters produce(const struct place *place, const char *const *arguments) {
	struct child producer = session_producer(&place->session, arguments);
	return session_producer_finish(&producer);
}

static void stop_agent(struct place *place, const struct trouble *trouble) {
	child_signal(&place->session.agent, SIGTERM);
	struct child_result result = child_finish(&place->session.agent);
	if (result.exit_code != 0)
		fail_msg("%s: agent exits %d: %s", trouble->name, result.exit_code, result.err);
	check_log(trouble, result.err);
	child_result_free(&result);
}

static void live_through(struct place *place, const struct trouble *trouble) {
	static const char *const before[] = {"--process", "1", "--trees", "500", "--flush-every", "100", NULL};
	static const char *const during[] = {"--process", "2", "--threads", "2", "--trees", "40000", NULL};
	static const char *const after[] = {"--process", "3", "--trees", "500", "--flush-every", "100", NULL};
	struct session_counters first = {0};
	struct stored stored;
	start_agent(place, trouble);
	wait_for_state(place, "ok");
	if (trouble->stored_before)
		first = produce(place, before);
	trouble->begin(place);
	struct session_counters second = produce(place, during);
	wait_for_state(place, trouble->state);
	if (strcmp(trouble->state, "open") == 0)
		check_it_is_left_alone(place);
	check_words(place, trouble);
	trouble->end(place);
	uint64_t ended_ns = clock_monotonic_ns();
	wait_for_state(place, "ok");
	print_message("%s: the agent goes on after %.3f s\n", trouble->name,
	              (double)(clock_monotonic_ns() - ended_ns) / (double)NS_PER_S);
	struct session_counters third = produce(place, after);
	stop_agent(place, trouble);
	assert_int_equal(first.dropped_full + third.dropped_full, 0);
	assert_true(second.dropped_full > 0); /* or it was no trouble */
	stored_load(place->session.scratch.store, &stored);
	assert_int_equal(stored.count, first.ended + second.ended - second.dropped_full + third.ended);
	assert_int_equal(stored_count_of(&stored, 3, 0), third.ended);
	stored_free(&stored);
	session_check_audit(&place->session);
	(void)session_check_segments(&place->session);
}

static void open_place(struct place *ret_place) {
	*ret_place = (struct place){.fd = -1};
	struct session *session = &ret_place->session;
	session_open(session);
	(void)snprintf(ret_place->disk, sizeof(ret_place->disk), "%.500s/disk", session->scratch.files);
	assert_int_equal(mkdir(ret_place->disk, 0700), 0);
	(void)snprintf(ret_place->file, sizeof(ret_place->file), "%.520s/file", ret_place->disk);
	(void)snprintf(session->scratch.store, sizeof(session->scratch.store), "%.500s/store", ret_place->disk);
}

static void a_store_that_fails(void **state) {
	const struct trouble *trouble = *state;
	struct place place;
	open_place(&place);
	bool possible = trouble->prepare(&place);
	if (possible)
		live_through(&place, trouble);
	if (place.fd >= 0)
		(void)close(place.fd);
	if (place.is_mounted)
		assert_int_equal(umount(place.disk), 0);
	session_close(&place.session);
	if (!possible) {
		print_message("skipped: %s: no such file system may be mounted here\n", trouble->name);
		skip();
	}
}

/* A disk that fails for a while, in the middle of a segment: whether the commit is in it has to be found out each time. */
static void io_errors_in_a_row(void **state) {
	(void)state;
	static const char *const arguments[] = {"--trees", "400", "--flush-every", "50", NULL};
	static const char *const options[] = {"--durability", "full", "--flush-interval", "50ms", NULL};
	static const char *const environment[] = {"SPANRING_TEST_FAULT=eio:100:8", NULL};
	struct place place;
	struct stored stored;
	open_place(&place);
	place.session.agent_program = "spanring-test-agent";
	session_spawn_agent(&place.session, options, environment);
	child_wait_for_line(&place.session.agent, place.session.scratch.store);
	struct session_counters counters = produce(&place, arguments);
	child_signal(&place.session.agent, SIGTERM);
	struct child_result result = child_finish(&place.session.agent);
	assert_int_equal(result.exit_code, EXIT_CODE_OK);
	assert_int_not_equal(count_of(result.err, "nothing is lost yet"), 0);
	child_result_free(&result);
	stored_load(place.session.scratch.store, &stored);
	assert_int_equal(stored.count, counters.ended);
	stored_check_tree(&stored);
	stored_free(&stored);
	session_check_audit(&place.session);
	(void)session_check_segments(&place.session);
	session_close(&place.session);
}

/* What could not be stored is still there for the next agent. */
static void stopping_without_the_store(void **state) {
	(void)state;
	static const char *const arguments[] = {"--trees", "500", NULL};
	static const struct trouble quota = {.name = "stop"};
	struct place place;
	struct stored stored;
	open_place(&place);
	start_agent(&place, &quota);
	make_quota_small(&place);
	struct session_counters counters = produce(&place, arguments);
	wait_for_state(&place, "open");
	child_signal(&place.session.agent, SIGTERM);
	struct child_result result = child_finish(&place.session.agent);
	assert_int_equal(result.exit_code, EXIT_CODE_OUTPUT);
	assert_int_equal(count_of(result.err, "stopped without it"), 1);
	child_result_free(&result);
	session_collect(&place.session);
	stored_load(place.session.scratch.store, &stored);
	assert_int_equal(stored.count, counters.ended);
	stored_check_tree(&stored);
	stored_free(&stored);
	session_check_audit(&place.session);
	session_close(&place.session);
}

/* A stop tries a commit once more, whatever probes say: here a directory has the probe's name. */
static void stopping_when_the_store_is_back(void **state) {
	(void)state;
	static const char *const arguments[] = {"--trees", "500", NULL};
	static const struct trouble quota = {.name = "stop"};
	struct place place;
	struct stored stored;
	char probe[PATH_BYTES + 32];
	open_place(&place);
	start_agent(&place, &quota);
	(void)snprintf(probe, sizeof(probe), "%s/" STORE_PROBE_NAME, place.session.scratch.store);
	assert_int_equal(mkdir(probe, 0700), 0);
	make_quota_small(&place);
	struct session_counters counters = produce(&place, arguments);
	wait_for_state(&place, "open");
	make_quota_large(&place);
	session_stop_agent(&place.session);
	stored_load(place.session.scratch.store, &stored);
	assert_int_equal(stored.count, counters.ended);
	stored_free(&stored);
	session_check_audit(&place.session);
	session_close(&place.session);
}

int main(void) {
	struct CMUnitTest tests[TROUBLES + 3] = {
	    [TROUBLES] = cmocka_unit_test(stopping_without_the_store),
	    [TROUBLES + 1] = cmocka_unit_test(stopping_when_the_store_is_back),
	    [TROUBLES + 2] = cmocka_unit_test(io_errors_in_a_row),
	};
	for (size_t i = 0; i < TROUBLES; i++)
		tests[i] = (struct CMUnitTest){.name = troubles[i].name,
		                               .test_func = a_store_that_fails,
		                               .initial_state = (void *)(uintptr_t)&troubles[i]};
	mounts_allowed = own_mounts();
	return cmocka_run_group_tests_name("store_fails", tests, NULL, NULL);
}

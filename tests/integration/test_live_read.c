/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: the analyzer never writes, and what it reads beside a writing agent is a prefix of what the programs did; neither holds the other up.
 * Method: every command on a sealed store, on a read-only mount of it and on the open store of a stopped agent, with bytes, names and times compared and
 * with inotify, to which even a file that was opened for writing and closed again is an event; then one reading after the other under
 * full load, each of which must have no gap and no less than the one before.
 */
#include "support/clock_wait.h"
#include "support/cmocka.h"
#include "support/seed.h"
#include "support/session.h"
#include "support/stored.h"

#include "base/cleanup.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define READINGS 12u
#define PRODUCERS 3
#define TREES_PER_READING 1200u
#define BEAT_NS (NS_PER_S / 20)
#define BEATS 60u
#define TREES_PER_BEAT 2000u
#define WAL_BYTES_MAX (64u << 20)
#define FILES_MAX 64u
#define LINK_BYTES 1024u

/* Each with what it needs beside the store. */
static const char *const commands[][3] = {
    {"info", NULL},
    {"latency", NULL},
    {"latency", "--exact", NULL},
    {"memory", NULL},
    {"slowest", NULL},
    {"unfinished", NULL},
    {"audit", NULL},
    {"verify", NULL},
    {"info", "--json", NULL},
    {"audit", "--json", NULL},
    {"trace", "0000", NULL},
    {"errors", NULL},
    {"top", NULL},
    {"tree", NULL},
    {"flame", NULL},
    {"timeline", NULL},
    {"noisy", NULL},
    {"overhead", NULL},
    {"histogram", "*", NULL},
    {"export", "jsonl", NULL},
    {"export", "chrome", NULL},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* --- what is in the folder ----------------------------------------------------------------------------------------- */

struct entry {
	char name[NAME_MAX + 1];
	struct stat status;
	uint64_t sum;
};

struct snapshot {
	struct entry entries[FILES_MAX];
	uint32_t count;
};

static uint64_t sum_of(int directory_fd, const char *name) {
	uint64_t sum = UINT64_C(14695981039346656037);
	unsigned char piece[65536];
	CLEANUP_FD int fd = openat(directory_fd, name, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	for (ssize_t got; (got = read(fd, piece, sizeof(piece))) > 0;)
		for (ssize_t i = 0; i < got; i++)
			sum = (sum ^ piece[i]) * UINT64_C(1099511628211);
	return sum;
}

static int by_name(const void *a, const void *b) {
	return strcmp(((const struct entry *)a)->name, ((const struct entry *)b)->name);
}

/* SQLite's table of locks beside an open segment is not data: whoever reads takes a lock in it. */
static bool is_lock_table(const char *name) {
	return strstr(name, "-shm") != NULL;
}

static void look(const char *store, struct snapshot *ret_snapshot) {
	DIR *folder = opendir(store);
	const struct dirent *found;
	assert_non_null(folder);
	memset(ret_snapshot, 0, sizeof(*ret_snapshot));
	while ((found = readdir(folder))) {
		struct entry *entry = &ret_snapshot->entries[ret_snapshot->count];
		if (found->d_name[0] == '.')
			continue;
		assert_true(++ret_snapshot->count < FILES_MAX);
		(void)snprintf(entry->name, sizeof(entry->name), "%s", found->d_name);
		assert_int_equal(fstatat(dirfd(folder), entry->name, &entry->status, 0), 0);
		entry->sum = is_lock_table(entry->name) ? 0 : sum_of(dirfd(folder), entry->name);
	}
	(void)closedir(folder);
	qsort(ret_snapshot->entries, ret_snapshot->count, sizeof(struct entry), by_name);
}

static void check_same(const struct snapshot *before, const struct snapshot *after) {
	assert_int_equal(before->count, after->count);
	for (uint32_t i = 0; i < before->count; i++) {
		const struct entry *a = &before->entries[i];
		const struct entry *b = &after->entries[i];
		assert_string_equal(a->name, b->name);
		if (is_lock_table(a->name))
			continue;
		if (a->sum != b->sum || a->status.st_size != b->status.st_size ||
		    a->status.st_ino != b->status.st_ino || a->status.st_mode != b->status.st_mode ||
		    a->status.st_mtim.tv_sec != b->status.st_mtim.tv_sec ||
		    a->status.st_mtim.tv_nsec != b->status.st_mtim.tv_nsec)
			fail_msg("%s has changed", a->name);
	}
}

static int watch(const char *store) {
	int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	assert_true(inotify_add_watch(fd, store,
	                              IN_MODIFY | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_ATTRIB | IN_MOVE) >= 0);
	return fd;
}

/* SQLite opens a write-ahead log with the right to write, and as root gives it its owner again; to write is another event. */
static bool is_allowed(const struct inotify_event *event) {
	if (strstr(event->name, "-wal"))
		return (event->mask & ~(uint32_t)(IN_CLOSE_WRITE | IN_ATTRIB)) == 0;
	return is_lock_table(event->name) && (event->mask & (IN_CREATE | IN_DELETE)) == 0;
}

static void check_nothing_written(int inotify_fd, const char *command) {
	_Alignas(struct inotify_event) char events[16384];
	ssize_t got = read(inotify_fd, events, sizeof(events));
	for (ssize_t at = 0; at < got;) {
		const struct inotify_event *event = (const void *)(events + at);
		if (event->len == 0 || !is_allowed(event))
			fail_msg("%s: event %x on %s", command, event->mask, event->len ? event->name : "the store");
		at += (ssize_t)(sizeof(*event) + event->len);
	}
}

/* --- commands ------------------------------------------------------------------------------------------------------ */

static struct child_result ask(const char *const *wrap, const char *const *words, const char *store) {
	const char *argv[12];
	int count = 0;
	for (; wrap && wrap[count]; count++)
		argv[count] = wrap[count];
	argv[count++] = child_program("spanring-analyze");
	for (int i = 0; words[i]; i++)
		argv[count++] = words[i];
	argv[count++] = store;
	argv[count] = NULL;
	return child_run(argv, NULL);
}

static void ask_all(const char *store) {
	struct snapshot *before = malloc(sizeof(*before));
	struct snapshot *after = malloc(sizeof(*after));
	assert_true(before && after);
	look(store, before);
	CLEANUP_FD int inotify_fd = watch(store);
	for (size_t i = 0; i < COMMANDS; i++) {
		struct child_result result = ask(NULL, commands[i], store);
		if (result.exit_code > 1) /* 1: no such trace */
			fail_msg("%s exits %d: %s", commands[i][0], result.exit_code, result.err);
		child_result_free(&result);
		check_nothing_written(inotify_fd, commands[i][0]);
	}
	look(store, after);
	check_same(before, after);
	free(before);
	free(after);
}

static void store_some(struct session *session) {
	const char *arguments[] = {"--trees", "500", "--flush-every", "100", NULL};
	struct child producer = session_producer(session, arguments);
	(void)session_producer_finish(&producer);
}

static void commands_write_nothing_into_a_sealed_store(void **state) {
	(void)state;
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	store_some(&session);
	session_stop_agent(&session);
	ask_all(session.scratch.store);
	session_close(&session);
}

/* The same answers where writing is impossible. */
static void commands_need_no_right_to_write(void **state) {
	(void)state;
	static const char script[] = "mount --bind \"$1\" \"$1\" && mount -o remount,bind,ro \"$1\" && "
	                             "! touch \"$1/x\" 2>/dev/null && shift && exec \"$@\"";
	struct session session;
	session_open(&session);
	session_start_agent(&session);
	store_some(&session);
	session_stop_agent(&session);
	const char *store = session.scratch.store;
	const char *as_root[] = {"/usr/bin/unshare", "--mount", "/bin/sh", "-c", script, "sh", store, NULL};
	bool possible = geteuid() == 0;
	for (size_t i = 0; i < COMMANDS && possible; i++) {
		struct child_result here = ask(NULL, commands[i], store);
		struct child_result there = ask(as_root, commands[i], store);
		possible = !strstr(there.err, "unshare:") && !strstr(there.err, "mount:");
		if (possible) {
			assert_int_equal(there.exit_code, here.exit_code);
			assert_string_equal(there.out, here.out);
		}
		child_result_free(&here);
		child_result_free(&there);
	}
	session_close(&session);
	if (!possible) {
		print_message("skipped: no mounts of one's own here\n");
		skip();
	}
}

/* Descriptors of the agent on a segment that it may write through. */
static uint32_t writing_descriptors(pid_t pid, uint32_t *ret_segments) {
	char path[64];
	uint32_t writing = 0;
	(void)snprintf(path, sizeof(path), "/proc/%d/fd", (int)pid);
	DIR *folder = opendir(path);
	const struct dirent *entry;
	assert_non_null(folder);
	*ret_segments = 0;
	while ((entry = readdir(folder))) {
		char target[LINK_BYTES];
		struct stat status;
		ssize_t bytes = readlinkat(dirfd(folder), entry->d_name, target, sizeof(target) - 1);
		if (bytes < 4)
			continue;
		target[bytes] = '\0';
		if (!strstr(target, "/segment-") || strcmp(target + bytes - 3, ".db") != 0)
			continue;
		(*ret_segments)++;
		/* The link itself has the rights of the descriptor. */
		assert_int_equal(fstatat(dirfd(folder), entry->d_name, &status, AT_SYMLINK_NOFOLLOW), 0);
		writing += (status.st_mode & S_IWUSR) != 0;
	}
	(void)closedir(folder);
	return writing;
}

static void an_open_segment_has_one_writer_and_readers_that_only_read(void **state) {
	(void)state;
	struct session session;
	uint32_t segments;
	session_open(&session);
	session_start_agent(&session);
	store_some(&session);
	/* Stopped, so that whatever happens to the store is the analyzer's doing. */
	child_stop(&session.agent);
	assert_int_equal(writing_descriptors(session.agent.pid, &segments), 1);
	assert_int_equal(segments, 1);
	ask_all(session.scratch.store);
	child_signal(&session.agent, SIGCONT);
	session_stop_agent(&session);
	session_check_audit(&session);
	session_close(&session);
}

/* --- beside a writing agent ---------------------------------------------------------------------------------------- */

/* What is there of each process is everything up to some moment: no number is missing before the last one. */
static uint64_t check_prefix(const struct session *session, uint64_t at_least[PRODUCERS]) {
	struct stored stored;
	uint64_t ends[PRODUCERS] = {0};
	uint64_t total = 0;
	stored_load(session->scratch.store, &stored);
	stored_check_tree(&stored);
	for (size_t i = 0; i < stored.count; i++) {
		uint64_t process = stored.spans[i].seq >> 56;
		if (stored.spans[i].open)
			continue;
		assert_true(process < PRODUCERS);
		uint64_t end = stored_end_order(stored.spans[i].seq) + 1;
		ends[process] = end > ends[process] ? end : ends[process];
	}
	for (uint64_t process = 0; process < PRODUCERS; process++) {
		uint64_t count = stored_count_of(&stored, process, 0);
		if (count != ends[process] || count < at_least[process])
			fail_msg("process %" PRIu64 ": %" PRIu64 " spans, the last is number %" PRIu64 ", and %" PRIu64
			         " were there before",
			         process, count, ends[process], at_least[process]);
		at_least[process] = count;
		total += count;
	}
	stored_free(&stored);
	return total;
}

static void check_wal(const char *store) {
	DIR *folder = opendir(store);
	const struct dirent *entry;
	assert_non_null(folder);
	while ((entry = readdir(folder))) {
		struct stat status;
		if (strstr(entry->d_name, "-wal") && fstatat(dirfd(folder), entry->d_name, &status, 0) == 0)
			assert_true(status.st_size <= (off_t)WAL_BYTES_MAX);
	}
	(void)closedir(folder);
}

static bool any_runs(const struct child producers[PRODUCERS]) {
	for (int i = 0; i < PRODUCERS; i++) {
		siginfo_t info = {.si_pid = 0};
		assert_int_equal(waitid(P_PID, (id_t)producers[i].pid, &info, WEXITED | WNOHANG | WNOWAIT), 0);
		if (info.si_pid == 0)
			return true;
	}
	return false;
}

static void each_reading_under_load_is_a_prefix(void **state) {
	(void)state;
	static const char *const questions[][3] = {{"latency", "--exact", NULL}, {"info", NULL}, {"slowest", NULL}};
	struct session session;
	struct child producers[PRODUCERS];
	char trees[24];
	uint64_t at_least[PRODUCERS] = {0};
	uint64_t total = 0;
	uint64_t grown = 0;
	unsigned readings = seed_rounds(READINGS);
	session_open(&session);
	session.agent_program = "spanring-test-agent";
	session_start_agent(&session);
	(void)snprintf(trees, sizeof(trees), "%u", readings * TREES_PER_READING);
	for (int i = 0; i < PRODUCERS; i++) {
		char process[8];
		(void)snprintf(process, sizeof(process), "%d", i);
		const char *arguments[] = {"--process", process, "--trees", trees, "--flush-every", "4000", NULL};
		producers[i] = session_producer(&session, arguments);
	}
	unsigned reading = 0;
	for (; reading < readings || any_runs(producers); reading++) {
		struct child_result result =
		    ask(NULL, questions[reading % (sizeof(questions) / sizeof(questions[0]))], session.scratch.store);
		if (result.exit_code != 0)
			fail_msg("exit code %d: %s", result.exit_code, result.err);
		child_result_free(&result);
		uint64_t now = check_prefix(&session, at_least);
		grown += now > total;
		total = now;
		check_wal(session.scratch.store);
	}
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(session_producer_finish(&producers[i]).dropped_full, 0);
	session_stop_agent(&session);
	assert_int_equal(check_prefix(&session, at_least),
	                 (uint64_t)PRODUCERS * readings * TREES_PER_READING * STORED_SPANS_PER_TREE);
	session_check_audit(&session);
	print_message("%u readings, the store had grown at %" PRIu64 " of them\n", reading, grown);
	session_close(&session);
}

/* Beats that passed while a reading took longer are left out: a machine with other things to do is no failure. */
static void wait_for_beat(uint64_t begun_ns, unsigned *beat) {
	uint64_t now_ns = clock_monotonic_ns();
	uint64_t passed = (now_ns - begun_ns) / BEAT_NS;
	*beat = passed > *beat ? (unsigned)passed + 1 : *beat + 1;
	uint64_t due_ns = begun_ns + *beat * BEAT_NS;
	clock_wait_ns(due_ns > now_ns ? due_ns - now_ns : 0);
}

/* How long programs take for their spans, with and without somebody who asks 20 times a second; none of the two loses one. */
static uint64_t store_under_readings(unsigned beats, unsigned *ret_readings) {
	struct session session;
	struct child producers[PRODUCERS];
	char trees[24];
	uint64_t at_least[PRODUCERS] = {0};
	bool reads = *ret_readings > 0;
	*ret_readings = 0;
	session_open(&session);
	session.agent_program = "spanring-test-agent";
	session_start_agent(&session);
	(void)snprintf(trees, sizeof(trees), "%u", beats * TREES_PER_BEAT);
	uint64_t begun_ns = clock_monotonic_ns();
	for (int i = 0; i < PRODUCERS; i++) {
		char process[8];
		(void)snprintf(process, sizeof(process), "%d", i);
		const char *arguments[] = {"--process", process, "--trees", trees, "--flush-every", "4000", NULL};
		producers[i] = session_producer(&session, arguments);
	}
	for (unsigned beat = 0; reads && any_runs(producers); wait_for_beat(begun_ns, &beat)) {
		static const char *const words[] = {"latency", "--json", NULL};
		struct child_result result = ask(NULL, words, session.scratch.store);
		if (result.exit_code != 0)
			fail_msg("exit code %d: %s", result.exit_code, result.err);
		child_result_free(&result);
		check_wal(session.scratch.store);
		(*ret_readings)++;
	}
	for (int i = 0; i < PRODUCERS; i++)
		assert_int_equal(session_producer_finish(&producers[i]).dropped_full, 0);
	uint64_t took_ns = clock_monotonic_ns() - begun_ns;
	session_stop_agent(&session);
	assert_int_equal(check_prefix(&session, at_least),
	                 (uint64_t)PRODUCERS * beats * TREES_PER_BEAT * STORED_SPANS_PER_TREE);
	session_check_audit(&session);
	session_close(&session);
	return took_ns;
}

static void twenty_readings_a_second(void **state) {
	(void)state;
	unsigned beats = seed_rounds(BEATS);
	unsigned none = 0;
	unsigned readings = 1;
	uint64_t alone_ns = store_under_readings(beats, &none);
	uint64_t read_ns = store_under_readings(beats, &readings);
	print_message("%u readings at 20 Hz; storing took %.2f s, and %.2f s beside them\n", readings,
	              (double)alone_ns / 1e9, (double)read_ns / 1e9);
	assert_true(readings > 0);
}

static void the_version_names_the_library_of_the_store(void **state) {
	(void)state;
	const char *argv[] = {child_program("spanring-analyze"), "--version", NULL};
	struct child_result result = child_run(argv, NULL);
	assert_int_equal(result.exit_code, 0);
	assert_non_null(strstr(result.out, "SQLite 3."));
	child_result_free(&result);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(commands_write_nothing_into_a_sealed_store),
	    cmocka_unit_test(commands_need_no_right_to_write),
	    cmocka_unit_test(an_open_segment_has_one_writer_and_readers_that_only_read),
	    cmocka_unit_test(each_reading_under_load_is_a_prefix),
	    cmocka_unit_test(twenty_readings_a_second),
	    cmocka_unit_test(the_version_names_the_library_of_the_store),
	};
	return cmocka_run_group_tests_name("live_read", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B11 (threat T8): where tracing is impossible a program says and does the same, byte for byte, as when it is not traced, and the
 * library can name one reason, counted.
 * Method: one program in many surroundings: its output and its status are compared with those of a run with tracing switched off. Full, tiny
 * and read-only file systems are real ones, mounted in a namespace of the child's own; where that is not allowed, those are skipped.
 * (unit.writer_environment looks at each call of the library in the same places.)
 */
#include "support/child.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/scratch.h"

#include "unit/ring_view.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define EXIT_CODE 7
#define OUTPUT_BYTES 4096u
#define LINES 20u

static struct scene { struct spanring_counters counters; } * scene;

/* --- the program ------------------------------------------------------------------------------------------------------ */

static void *second_thread(void *argument) {
	SPANRING_SPAN(span, "second thread");
	*(int *)argument = errno;
	return NULL;
}

static void program(void) {
	int thread_errno = -1;
	pthread_t thread;
	for (unsigned i = 0; i < LINES; i++) {
		errno = 0;
		SPANRING_SPAN(span, "line");
		SPANRING_SET_U64(span, "number", i);
		SPANRING_EVENT(span, "event");
		(void)printf("line %u, errno %d\n", i, errno);
	}
	if (pthread_create(&thread, NULL, second_thread, &thread_errno) == 0)
		(void)pthread_join(thread, NULL);
	(void)printf("second thread: errno %d\n", thread_errno);
	spanring_counters_read(&scene->counters);
	exit(EXIT_CODE);
}

/* --- the surroundings ------------------------------------------------------------------------------------------------- */

static struct scratch scratch;
static bool mounts_allowed;

static void limit(int resource, rlim_t value) {
	const struct rlimit limits = {value, value};
	CHECK(setrlimit((__rlimit_resource_t)resource, &limits) == 0);
}

static bool own_mounts(void) {
	char map[64];
	uid_t uid = geteuid();
	if (uid == 0)
		return unshare(CLONE_NEWNS) == 0 && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
	if (unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0)
		return false;
	int fd = open("/proc/self/uid_map", O_WRONLY);
	int length = snprintf(map, sizeof(map), "0 %u 1", uid);
	bool mapped = fd >= 0 && write(fd, map, (size_t)length) == length;
	if (fd >= 0)
		(void)close(fd);
	return mapped && mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static void mount_rings(unsigned long flags, const char *options) {
	CHECK(own_mounts() && mount("none", scratch.rings, "tmpfs", flags, options) == 0);
}

static void full_file_system(void) {
	mount_rings(0, "size=64k,mode=700");
}

static void full_after_the_process_file(void) {
	mount_rings(0, "size=500k,mode=700");
}

static void no_inodes(void) {
	mount_rings(0, "nr_inodes=1,mode=700");
}

static void read_only(void) {
	mount_rings(MS_RDONLY, "mode=700");
}

static void small_files(void) {
	limit(RLIMIT_FSIZE, 0);
}

static void few_descriptors(void) {
	limit(RLIMIT_NOFILE, 3);
}

static void no_locked_memory(void) {
	limit(RLIMIT_MEMLOCK, 0);
}

static void little_memory(void) {
	/* What is mapped now, the stack of the second thread, and not a ring beyond. */
	setenv("SPANRING_RING_BYTES", "67108864", 1);
	limit(RLIMIT_AS, 48u << 20);
}

static void missing_directory(void) {
	setenv("SPANRING_DIR", "/nowhere/at/all", 1);
}

static void file_for_directory(void) {
	setenv("SPANRING_DIR", "/dev/null", 1);
}

static void forbidden_directory(void) {
	CHECK(chmod(scratch.rings, 0777) == 0);
}

static void nothing_special(void) {
	CHECK(chmod(scratch.rings, 0700) == 0);
}

static const struct place {
	const char *name;
	void (*enter)(void);
	uint32_t reason;
	enum {
		NEEDS_NOTHING,
		NEEDS_MOUNTS,
		NEEDS_NO_SANITIZER
	} needs; /* which opens files and maps memory of its own */
} places[] = {
    {"full file system", full_file_system, SPANRING_REASON_SPACE, NEEDS_MOUNTS},
    {"full after the process file", full_after_the_process_file, SPANRING_REASON_SPACE, NEEDS_MOUNTS},
    {"no inodes", no_inodes, SPANRING_REASON_SPACE, NEEDS_MOUNTS},
    {"read-only", read_only, SPANRING_REASON_DIRECTORY, NEEDS_MOUNTS},
    {"RLIMIT_FSIZE", small_files, SPANRING_REASON_SPACE, NEEDS_NOTHING},
    {"RLIMIT_NOFILE=3", few_descriptors, SPANRING_REASON_SYSTEM, NEEDS_NO_SANITIZER},
    {"RLIMIT_MEMLOCK", no_locked_memory, SPANRING_REASON_NONE, NEEDS_NOTHING},
    {"RLIMIT_AS", little_memory, SPANRING_REASON_SPACE, NEEDS_NO_SANITIZER},
    {"missing directory", missing_directory, SPANRING_REASON_DIRECTORY, NEEDS_NOTHING},
    {"file for a directory", file_for_directory, SPANRING_REASON_DIRECTORY, NEEDS_NOTHING},
    {"directory open to all", forbidden_directory, SPANRING_REASON_DIRECTORY, NEEDS_NOTHING},
    {"nothing special", nothing_special, SPANRING_REASON_NONE, NEEDS_NOTHING},
};

/* --- comparison --------------------------------------------------------------------------------------------------------- */

struct outcome {
	int status;
	size_t bytes;
	char text[OUTPUT_BYTES];
};

static void run(const struct place *place, bool traced, struct outcome *ret_outcome) {
	int out[2];
	memset(ret_outcome, 0, sizeof(*ret_outcome));
	memset(scene, 0, sizeof(*scene));
	assert_int_equal(pipe2(out, O_CLOEXEC), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", scratch.rings, 1);
		setenv("SPANRING_DISABLED", traced ? "0" : "1", 1);
		(void)dup2(out[1], STDOUT_FILENO);
		(void)dup2(out[1], STDERR_FILENO); /* not a word more there, either */
		place->enter();
		program();
	}
	(void)close(out[1]);
	for (ssize_t got = 1; got > 0 && ret_outcome->bytes < OUTPUT_BYTES; ret_outcome->bytes += (size_t)got) {
		got = read(out[0], ret_outcome->text + ret_outcome->bytes, OUTPUT_BYTES - ret_outcome->bytes);
		assert_true(got >= 0);
	}
	(void)close(out[0]);
	assert_int_equal(waitpid(pid, &ret_outcome->status, 0), pid);
}

static void check_place(const struct place *place) {
	struct outcome plain, traced;
	scratch_make(&scratch);
	run(place, false, &plain);
	run(place, true, &traced);
	if (!WIFEXITED(plain.status) || WEXITSTATUS(plain.status) != EXIT_CODE)
		fail_msg("%s: status %x untraced", place->name, (unsigned)plain.status);
	if (traced.status != plain.status || traced.bytes != plain.bytes ||
	    memcmp(traced.text, plain.text, plain.bytes) != 0)
		fail_msg("%s: status %x, not %x; output: %.*s", place->name, (unsigned)traced.status,
		         (unsigned)plain.status, (int)traced.bytes, traced.text);
	if (scene->counters.reason != place->reason)
		fail_msg("%s: reason \"%s\"", place->name, spanring_reason_text(scene->counters.reason));
	assert_int_equal(scene->counters.open, 0);
	assert_int_equal(scene->counters.misuse, 0);
	if (place->reason == SPANRING_REASON_NONE)
		assert_int_equal(scene->counters.begun, LINES + 1u);
	else /* a process file without room for rings counts what it refuses */
		assert_int_equal(scene->counters.begun, scene->counters.dropped_no_ring);
	scratch_remove(&scratch);
}

static void test_matrix(void **state) {
	(void)state;
	unsigned left_out = 0;
	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		if ((places[i].needs == NEEDS_MOUNTS && !mounts_allowed) ||
		    (places[i].needs == NEEDS_NO_SANITIZER && SANITIZER_SLOWDOWN > 1))
			left_out++;
		else
			check_place(&places[i]);
	}
	if (left_out > 0)
		(void)fprintf(stderr, "%u places left out: no mounts allowed, or a sanitizer's own memory\n", left_out);
}

static bool can_mount(void) {
	int status;
	pid_t pid = child_fork();
	if (pid == 0)
		_exit(own_mounts() && mount("none", "/tmp", "tmpfs", 0, "size=64k") == 0 ? 0 : 1);
	return pid > 0 && waitpid(pid, &status, 0) == pid && status == 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_matrix)};
	scene = mmap(NULL, sizeof(*scene), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (scene == MAP_FAILED)
		return 1;
	mounts_allowed = can_mount();
	return cmocka_run_group_tests_name("host_environment", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Surroundings that make tracing impossible, or odd: the program goes on as if it were not traced, errno included, and can
 * ask for the reason. Full and read-only file systems are real ones, mounted in a namespace of the child's own; where the
 * machine does not allow that, those tests are skipped.
 */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/child.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <spanring/spanring.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

static char path[2 * SCRATCH_PATH_BYTES];

static const char *below(const char *directory, const char *name) {
	(void)snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static uint32_t wanted_reason;

/* Every call is made, errno is ours before and after, and nothing is recorded. */
static void untraced(void) {
	struct spanring_counters counters;
	errno = EBADF;
	SPANRING_BEGIN(span, "untraced");
	CHECK(errno == EBADF);
	CHECK(span.span_id == 0);
	SPANRING_SET_STRING(span, "key", "value");
	SPANRING_EVENT(span, "event");
	spanring_set_status(span, SPANRING_STATUS_ERROR, "text");
	spanring_end(span);
	SPANRING_BEGIN(again, "again");
	CHECK(again.span_id == 0);
	CHECK(spanring_flush(1) == 0);
	spanring_counters_read(&counters);
	CHECK(errno == EBADF);
	CHECK(counters.reason == wanted_reason);
	CHECK(counters.open == 0 && counters.misuse == 0);
	spanring_shutdown();
	CHECK(errno == EBADF);
}

static void traced(void) {
	struct spanring_counters counters;
	errno = EBADF;
	SPANRING_BEGIN(span, "traced");
	CHECK(errno == EBADF && span.span_id != 0);
	SPANRING_SET_U64(span, "key", 1);
	spanring_end(span);
	spanring_counters_read(&counters);
	CHECK(errno == EBADF && counters.begun == 1 && counters.reason == SPANRING_REASON_NONE);
}

static void expect_untraced(const char *directory, uint32_t reason) {
	wanted_reason = reason;
	(void)view_run(directory, untraced, VIEW_EXIT);
}

static void test_bad_directories(void **state) {
	(void)state;
	char target[SCRATCH_PATH_BYTES + 16], longer[3000];
	expect_untraced(below(view_scratch.rings, "missing/missing"), SPANRING_REASON_DIRECTORY);
	int fd = open(below(view_scratch.rings, "file"), O_CREAT | O_WRONLY, 0600);
	assert_true(fd >= 0);
	close(fd);
	expect_untraced(path, SPANRING_REASON_DIRECTORY);
	(void)snprintf(target, sizeof(target), "%s/target", view_scratch.rings);
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(symlink(target, below(view_scratch.rings, "link")), 0);
	expect_untraced(path, SPANRING_REASON_DIRECTORY);
	expect_untraced(below(view_scratch.rings, "link//"), SPANRING_REASON_DIRECTORY);
	assert_int_equal(view_count_instances(target), 0);
	assert_int_equal(mkdir(below(view_scratch.rings, "open to all"), 0700), 0);
	assert_int_equal(chmod(path, 0777), 0);
	expect_untraced(path, SPANRING_REASON_DIRECTORY);
	memset(longer, 'd', sizeof(longer) - 1);
	longer[0] = '/';
	longer[sizeof(longer) - 1] = '\0';
	expect_untraced(longer, SPANRING_REASON_DIRECTORY);
}

static void test_directory_is_made(void **state) {
	(void)state;
	struct stat status;
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, traced, VIEW_EXIT)));
	(void)view_run(below(view_scratch.rings, "made///"), traced, VIEW_EXIT);
	assert_int_equal(stat(below(view_scratch.rings, "made"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0700);
	assert_int_equal(view_count_instances(path), 1);
	assert_int_equal(stat(below(view_scratch.rings, "made/control"), &status), 0);
	assert_int_equal(status.st_size, sizeof(struct spanring_control));
}

static void *traced_thread(void *argument) {
	(void)argument;
	SPANRING_SPAN(span, "elsewhere");
	CHECK(span.span_id != 0);
	return NULL;
}

static void relative(void) {
	pthread_t thread;
	CHECK(chdir(view_scratch.rings) == 0);
	setenv("SPANRING_DIR", "relative", 1);
	SPANRING_BEGIN(span, "here");
	CHECK(chdir("/") == 0);
	CHECK(pthread_create(&thread, NULL, traced_thread, NULL) == 0 && pthread_join(thread, NULL) == 0);
	spanring_end(span);
}

static void test_relative_directory(void **state) {
	(void)state;
	pid_t pid = view_run(view_scratch.rings, relative, VIEW_EXIT);
	struct view_instance *view = view_open(below(view_scratch.rings, "relative"), pid);
	assert_int_equal(view->ring_count, 2);
	view_close(view);
}

static void test_foreign_control_file(void **state) {
	(void)state;
	int fd = open(below(view_scratch.rings, "control"), O_CREAT | O_WRONLY, 0600);
	assert_int_equal(write(fd, "not ours", 8), 8);
	expect_untraced(view_scratch.rings, SPANRING_REASON_DIRECTORY);
	assert_int_equal(ftruncate(fd, 4096), 0);
	expect_untraced(view_scratch.rings, SPANRING_REASON_DIRECTORY);
	close(fd);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	expect_untraced(view_scratch.rings, SPANRING_REASON_DIRECTORY);
}

static int hold_agent_lock(void) {
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(below(view_scratch.rings, "control"), O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	return fd;
}

static void test_unattended_instances(void **state) {
	(void)state;
	char name[40];
	(void)view_run(view_scratch.rings, traced, VIEW_EXIT);
	for (unsigned i = 0; i < 1000; i++) {
		(void)snprintf(name, sizeof(name), "%032x", i);
		assert_int_equal(mkdir(below(view_scratch.rings, name), 0700), 0);
	}
	expect_untraced(view_scratch.rings, SPANRING_REASON_LIMIT);
	int agent = hold_agent_lock();
	(void)view_run(view_scratch.rings, traced, VIEW_EXIT);
	close(agent);
	expect_untraced(view_scratch.rings, SPANRING_REASON_LIMIT);
}

static void test_unattended_bytes(void **state) {
	(void)state;
	assert_int_equal(mkdir(below(view_scratch.rings, "00000000000000000000000000000000"), 0700), 0);
	int fd = open(below(view_scratch.rings, "00000000000000000000000000000000/ring-0000"), O_CREAT | O_RDWR, 0600);
	if (posix_fallocate(fd, 0, 255 << 20) != 0) {
		close(fd);
		skip();
	}
	/* Room for the process file, not for a ring. */
	wanted_reason = SPANRING_REASON_LIMIT;
	(void)view_run(view_scratch.rings, untraced, VIEW_EXIT);
	assert_int_equal(posix_fallocate(fd, 0, 257 << 20), 0);
	expect_untraced(view_scratch.rings, SPANRING_REASON_LIMIT);
	assert_int_equal(view_count_instances(view_scratch.rings), 2);
	close(fd);
}

static void small_files(void) {
	CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){100000, 100000}) == 0);
	untraced();
}

static void tiny_files(void) {
	CHECK(setrlimit(RLIMIT_FSIZE, &(struct rlimit){0, 0}) == 0);
	untraced();
}

static void few_descriptors(void) {
	CHECK(setrlimit(RLIMIT_NOFILE, &(struct rlimit){3, 3}) == 0);
	untraced();
}

static void test_resource_limits(void **state) {
	(void)state;
	wanted_reason = SPANRING_REASON_SPACE;
	(void)view_run(view_scratch.rings, small_files, VIEW_LEAVE_AT_ONCE);
	(void)view_run(view_scratch.rings, tiny_files, VIEW_LEAVE_AT_ONCE);
	wanted_reason = SPANRING_REASON_SYSTEM;
	(void)view_run(view_scratch.rings, few_descriptors, VIEW_LEAVE_AT_ONCE);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
}

static void write_text(const char *file, const char *text) {
	int fd = open(file, O_WRONLY);
	if (fd >= 0) {
		CHECK(write(fd, text, strlen(text)) >= 0);
		close(fd);
	}
}

static bool own_mounts(void) {
	char text[64];
	uid_t uid = geteuid();
	if (uid == 0 ? unshare(CLONE_NEWNS) : unshare(CLONE_NEWUSER | CLONE_NEWNS))
		return false;
	if (uid != 0) {
		(void)snprintf(text, sizeof(text), "0 %u 1", uid);
		write_text("/proc/self/uid_map", text);
	}
	return mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

static bool mounts_are_allowed(void) {
	int status;
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(own_mounts() && mount("none", view_scratch.rings, "tmpfs", 0, "size=64k") == 0 ? 0 : 1);
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static const char *mount_options;
static unsigned long mount_flags;

static void on_own_mount(void) {
	CHECK(own_mounts());
	CHECK(mount("none", view_scratch.rings, "tmpfs", mount_flags, mount_options) == 0);
	untraced();
}

static void test_file_system_limits(void **state) {
	(void)state;
	static const struct {
		const char *options;
		unsigned long flags;
		uint32_t reason;
	} cases[] = {
	    {"size=64k,mode=700", 0, SPANRING_REASON_SPACE},    /* no room for the process file */
	    {"size=400k,mode=700", 0, SPANRING_REASON_SPACE},   /* none for a ring */
	    {"nr_inodes=1,mode=700", 0, SPANRING_REASON_SPACE}, /* none for a name */
	    {"nr_inodes=4,mode=700", 0, SPANRING_REASON_SPACE}, /* none for the ring's name */
	    {"mode=700", MS_RDONLY, SPANRING_REASON_DIRECTORY},
	};
	if (!mounts_are_allowed())
		skip();
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		mount_options = cases[i].options;
		mount_flags = cases[i].flags;
		wanted_reason = cases[i].reason;
		(void)view_run(view_scratch.rings, on_own_mount, VIEW_EXIT);
	}
}

/* An empty SPANRING_DIR counts as absent. Not on the machine's own default directory: /dev/shm is mounted over first. */
static void default_directory(void) {
	char name[64];
	CHECK(own_mounts());
	CHECK(mount("none", "/dev/shm", "tmpfs", 0, "mode=1777") == 0);
	setenv("SPANRING_DIR", "", 1);
	traced();
	(void)snprintf(name, sizeof(name), "/dev/shm/spanring-%u", geteuid());
	CHECK(view_count_instances(name) == 1);
}

static void test_default_directory(void **state) {
	(void)state;
	if (!mounts_are_allowed())
		skip();
	(void)view_run(view_scratch.rings, default_directory, VIEW_EXIT);
}

static struct view_instance *run_with(const char *name, const char *value) {
	setenv(name, value, 1);
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, traced, VIEW_EXIT));
	unsetenv(name);
	assert_non_null(view);
	return view;
}

static void test_ring_bytes(void **state) {
	(void)state;
	static const struct {
		const char *text;
		uint64_t bytes;
	} cases[] = {
	    {"banana", SPANRING_RING_BYTES_DEFAULT},
	    {"", SPANRING_RING_BYTES_DEFAULT},
	    {"-65536", SPANRING_RING_BYTES_DEFAULT},
	    {"100000", SPANRING_RING_BYTES_DEFAULT},
	    {"32768", SPANRING_RING_BYTES_DEFAULT},
	    {"134217728", SPANRING_RING_BYTES_DEFAULT},
	    {"18446744073709617152", SPANRING_RING_BYTES_DEFAULT},
	    {"65536", 65536},
	    {"4194304", 4194304},
	};
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct view_instance *view = run_with("SPANRING_RING_BYTES", cases[i].text);
		assert_int_equal(view->rings[0].header.capacity_records * SPANRING_RECORD_BYTES, cases[i].bytes);
		view_close(view);
	}
}

static void expect_disabled(const char *name, const char *value) {
	setenv(name, value, 1);
	expect_untraced(view_scratch.rings, SPANRING_REASON_DISABLED);
	unsetenv(name);
	assert_int_equal(view_count_instances(view_scratch.rings), 0);
}

static void test_switched_off(void **state) {
	(void)state;
	expect_disabled("SPANRING_DISABLED", "1");
	expect_disabled("SPANRING_DISABLED", "true");
	expect_disabled("OTEL_SDK_DISABLED", "TRUE");
	view_close(run_with("SPANRING_DISABLED", "0"));
	view_close(run_with("OTEL_SDK_DISABLED", "no"));
}

static void test_clock(void **state) {
	(void)state;
	struct view_instance *view = run_with("SPANRING_CLOCK", "monotonic");
	assert_int_equal(view->header->clock_kind, SPANRING_CLOCK_MONOTONIC);
	assert_true(view->header->anchor_ticks + 1000000000u > view->header->anchor_monotonic_ns);
	assert_true(view_span(view, "traced")->start_ticks >= view->header->anchor_ticks);
	view_close(view);
	view = run_with("SPANRING_CLOCK", "sundial");
	assert_in_range(view->header->clock_kind, SPANRING_CLOCK_MONOTONIC, SPANRING_CLOCK_CNTVCT);
	assert_true(view->header->anchor_wall_ns > view->header->anchor_monotonic_ns);
	view_close(view);
}

static void expect_service(const char *name, const char *value, const char *service) {
	struct view_instance *view = run_with(name, value);
	assert_string_equal(view->header->service, service);
	view_close(view);
}

static void test_identity(void **state) {
	(void)state;
	static const uint8_t zeros[16];
	expect_service("OTEL_SERVICE_NAME", "shop", "shop");
	expect_service("OTEL_SERVICE_NAME", "", "test_writer_environment");
	expect_service("OTEL_RESOURCE_ATTRIBUTES", "host.name=h, service.name = a%20b%2Cc ,x=y", "a b,c");
	expect_service("OTEL_RESOURCE_ATTRIBUTES", "service.name=100%", "100%");
	expect_service("OTEL_RESOURCE_ATTRIBUTES", ",,=,service.name=,my.service.name=z", "test_writer_environment");
	struct view_instance *view = run_with("NOTHING", "");
	assert_string_equal(view->header->service, "test_writer_environment");
	assert_non_null(strstr(view->header->executable, "test_writer_environment"));
	assert_non_null(strstr(view->header->command, "test_writer_environment"));
	assert_int_equal(view->header->ppid, getpid());
	assert_true(view->header->start_time != 0 && view->header->pid_namespace != 0);
	assert_memory_not_equal(view->header->boot_id, zeros, sizeof(zeros));
	view_close(view);
}

/* The agent's switch: no new spans, but those that are open end. */
static void switched(void) {
	struct spanring_process_header *header;
	SPANRING_BEGIN(open, "open");
	CHECK(*spanring__enabled == 1);
	header = (void *)((uint8_t *)(uintptr_t)spanring__enabled - offsetof(struct spanring_process_header, enabled));
	CHECK(header->magic == SPANRING_PROCESS_MAGIC);
	__atomic_store_n(&header->enabled, 0, __ATOMIC_RELAXED);
	SPANRING_BEGIN(off, "off");
	static struct spanring_site site = SPANRING_SITE_INIT("off", SPANRING_KIND_INTERNAL);
	CHECK(off.span_id == 0 && spanring_begin_site(&site).span_id == 0);
	spanring_end(open);
	__atomic_store_n(&header->enabled, 1, __ATOMIC_RELAXED);
	SPANRING_BEGIN(on, "on");
	CHECK(on.span_id != 0);
	spanring_end(on);
}

static void test_enabled_word(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, switched, VIEW_EXIT));
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 2);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_bad_directories),
	    VIEW_TEST(test_directory_is_made),
	    VIEW_TEST(test_relative_directory),
	    VIEW_TEST(test_foreign_control_file),
	    VIEW_TEST(test_unattended_instances),
	    VIEW_TEST(test_unattended_bytes),
	    VIEW_TEST(test_resource_limits),
	    VIEW_TEST(test_file_system_limits),
	    VIEW_TEST(test_default_directory),
	    VIEW_TEST(test_ring_bytes),
	    VIEW_TEST(test_switched_off),
	    VIEW_TEST(test_clock),
	    VIEW_TEST(test_identity),
	    VIEW_TEST(test_enabled_word),
	};
	return cmocka_run_group_tests_name("writer environment", tests, NULL, NULL);
}

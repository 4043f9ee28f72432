/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names in a directory of somebody else: whatever stands there, also if it changes while it is opened, only a plain file with one name is
 * ever opened. The kernel tells of every opening of the baits (inotify), so "not opened" is more than "not used".
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "libshm/shared_file.h"
#include "support/child.h"
#include "support/cmocka.h"
#include "support/scratch.h"
#include "support/seed.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define RACES 2000u
#define NAME "ring-0000"
#define BAITS 6u

struct place {
	struct scratch scratch;
	int fd;
	int inotify_fd;
	ino_t sound;
};

static const char *const baits[BAITS] = {"link", "hard", "pipe", "socket", "folder", "device"};

static void in(const struct place *place, const char *name, char path[2 * SCRATCH_PATH_BYTES]) {
	(void)snprintf(path, 2 * SCRATCH_PATH_BYTES, "%s/%s", place->scratch.rings, name);
}

static void make_file(const struct place *place, const char *name) {
	CLEANUP_FD int fd = openat(place->fd, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, "secret", 6), 6);
}

static void make_socket(const struct place *place, const char *name) {
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	CLEANUP_FD int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", place->scratch.rings, name) <
	            (int)sizeof(address.sun_path));
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof(address)), 0);
}

static void make_baits(struct place *place) {
	make_file(place, "behind the link");
	make_file(place, "other name");
	assert_int_equal(symlinkat("behind the link", place->fd, "link"), 0);
	assert_int_equal(linkat(place->fd, "other name", place->fd, "hard", 0), 0);
	assert_int_equal(mkfifoat(place->fd, "pipe", 0600), 0);
	make_socket(place, "socket");
	assert_int_equal(mkdirat(place->fd, "folder", 0700), 0);
	/* The null device; where devices cannot be made, another pipe. */
	if (mknodat(place->fd, "device", S_IFCHR | 0600, makedev(1, 3)) < 0)
		assert_int_equal(mkfifoat(place->fd, "device", 0600), 0);
}

static int set_up(void **state) {
	static struct place place;
	static const char *const watched[] = {"behind the link", "other name", "pipe", "folder", "device"};
	struct stat status;
	scratch_make(&place.scratch);
	place.fd = open(place.scratch.rings, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	make_baits(&place);
	make_file(&place, NAME);
	assert_int_equal(fstatat(place.fd, NAME, &status, 0), 0);
	place.sound = status.st_ino;
	place.inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++) {
		char path[2 * SCRATCH_PATH_BYTES];
		in(&place, watched[i], path);
		assert_true(inotify_add_watch(place.inotify_fd, path, IN_OPEN | IN_ACCESS | IN_MODIFY) >= 0);
	}
	*state = &place;
	return 0;
}

static int tear_down(void **state) {
	struct place *place = *state;
	(void)close(place->fd);
	(void)close(place->inotify_fd);
	scratch_remove(&place->scratch);
	return 0;
}

static void check_no_bait_taken(const struct place *place) {
	_Alignas(struct inotify_event) char events[4096];
	assert_int_equal(read(place->inotify_fd, events, sizeof(events)), -1);
	assert_int_equal(errno, EAGAIN);
}

static void only_a_plain_file_with_one_name_is_opened(void **state) {
	struct place *place = *state;
	struct shared_file file;
	for (uint32_t i = 0; i < BAITS; i++) {
		if (shared_file_open(place->fd, baits[i], O_RDWR, &file) != ERR_FOREIGN)
			fail_msg("%s is opened", baits[i]);
	}
	assert_int_equal(shared_file_open(place->fd, "folder/x", O_RDONLY, &file), ERR_FOREIGN);
	assert_int_equal(shared_file_open(place->fd, "../x", O_RDONLY, &file), ERR_FOREIGN);
	assert_int_equal(shared_file_open(place->fd, "nothing", O_RDONLY, &file), -ENOENT);
	check_no_bait_taken(place);
	assert_int_equal(shared_file_open(place->fd, NAME, O_RDONLY, &file), 0);
	assert_int_equal(file.bytes, 6);
	(void)close(file.fd);
}

static void names_of_any_bytes_are_only_names(void **state) {
	struct place *place = *state;
	struct shared_file file;
	char longest[NAME_MAX + 1];
	memset(longest, 'x', NAME_MAX);
	longest[NAME_MAX] = '\0';
	const char *const names[] = {longest, "a\nb", "\x1b[31m", "\xff\xfe", " ", "-rf"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		make_file(place, names[i]);
		assert_int_equal(shared_file_open(place->fd, names[i], O_RDONLY, &file), 0);
		(void)close(file.fd);
	}
	assert_int_equal(shared_file_open(place->fd, "", O_RDONLY, &file), -ENOENT);
}

/* The baits take the place of the file, one after the other, for as long as the test runs. */
static void exchange_for_ever(const struct place *place, struct seed *seed, uint64_t *exchanges) {
	for (;;) {
		const char *bait = baits[seed_below(seed, BAITS)];
		for (int back = 0; back < 2; back++)
			if (renameat2(place->fd, NAME, place->fd, bait, RENAME_EXCHANGE) < 0)
				_exit(1);
		__atomic_add_fetch(exchanges, 1, __ATOMIC_RELEASE);
	}
}

static void a_name_that_changes_is_never_another_file(void **state) {
	struct place *place = *state;
	struct seed seed = seed_start("shared_file race");
	uint64_t *exchanges = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(exchanges != MAP_FAILED);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0)
		exchange_for_ever(place, &seed, exchanges);
	uint64_t opened = 0;
	uint64_t refused = 0;
	uint64_t wanted = seed_rounds(RACES);
	while (__atomic_load_n(exchanges, __ATOMIC_ACQUIRE) < wanted || opened < 100 || refused < 100) {
		struct shared_file file;
		struct stat status;
		int rc = shared_file_open(place->fd, NAME, O_RDWR, &file);
		if (rc < 0) {
			assert_int_equal(rc, ERR_FOREIGN);
			refused++;
			continue;
		}
		assert_int_equal(fstat(file.fd, &status), 0);
		assert_int_equal(status.st_ino, place->sound);
		(void)close(file.fd);
		opened++;
	}
	assert_int_equal(kill(pid, SIGKILL), 0);
	int status;
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status));
	check_no_bait_taken(place);
	print_message("%llu exchanges, %llu times opened, %llu refused\n", (unsigned long long)*exchanges,
	              (unsigned long long)opened, (unsigned long long)refused);
	(void)munmap(exchanges, 4096);
}

#define PLACE_TEST(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void) {
	const struct CMUnitTest tests[] = {
	    PLACE_TEST(only_a_plain_file_with_one_name_is_opened),
	    PLACE_TEST(names_of_any_bytes_are_only_names),
	    PLACE_TEST(a_name_that_changes_is_never_another_file),
	};
	return cmocka_run_group_tests_name("shared_file", tests, NULL, NULL);
}

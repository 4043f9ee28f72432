/* SPDX-License-Identifier: Apache-2.0 */
#include "doorbell.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/ring_order.h"
#include "libshm/shared_file.h"
#include "libshm/system_directory.h"
#include "loop.h"

#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <spanring/ring_abi.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define QUEUE_TRIES 64 /* times to let the thread run before giving up on it for now */
/* Bounds the damage of anything that keeps a wake away from the thread, and of a page that was cut off under it. */
#define WAIT_SECONDS 1

#define LOCK_NAME "agent.lock"
#define SQUATTERS_MAX 8u /* removed before giving up on a name */

struct doorbell {
	int control_fd;
	int lock_fd; /* of_system: not the control file */
	int event_fd;
	struct spanring_control *page; /* programs of this directory can cut the file: touched under the guard */
	uint32_t word;                 /* value of the bell, which nobody changes */
	bool asleep;
	struct loop *loop; /* waits on the word; NULL: the thread does */
	pthread_t thread;
	bool thread_runs;
	sem_t arm;
	uint32_t armed;    /* atomic: the thread was told to wait and has not reported since */
	uint32_t stopping; /* atomic */
};

static int create_control(int rings_fd, bool of_system) {
	char name[64];
	(void)snprintf(name, sizeof(name), "%s-agent-%ld%s", SPANRING_CONTROL_NAME, (long)getpid(),
	               SPANRING_TMP_SUFFIX);
	(void)unlinkat(rings_fd, name, 0);
	CLEANUP_FD int fd = openat(rings_fd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	struct spanring_control page = {.magic = SPANRING_CONTROL_MAGIC, .abi_version = SPANRING_ABI_VERSION};
	int rc = -posix_fallocate(fd, 0, sizeof(page));
	if (rc == 0 && pwrite(fd, &page, sizeof(page), 0) != (ssize_t)sizeof(page))
		rc = -EIO;
	if (rc == 0 && of_system && fchmod(fd, 0644) < 0)
		rc = -errno;
	/* The first one wins, program or agent; the loser uses what is there. */
	if (rc == 0 && linkat(rings_fd, name, rings_fd, SPANRING_CONTROL_NAME, 0) < 0 && errno != EEXIST)
		rc = -errno;
	(void)unlinkat(rings_fd, name, 0);
	return rc;
}

/* A file that anybody may have put there before us: ours, or removed, which the owner of the directory may. */
static int open_own(int rings_fd, const char *name, struct shared_file *ret_file) {
	struct stat status;
	CLEANUP_FD int fd = openat(rings_fd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	bool ours = fd >= 0 && fstat(fd, &status) == 0 && system_directory_control_is_right(&status, geteuid());
	if (!ours) {
		if (fd < 0 && errno == ENOENT)
			return -ENOENT;
		if (unlinkat(rings_fd, name, 0) < 0 && unlinkat(rings_fd, name, AT_REMOVEDIR) < 0)
			return -errno;
		return -ENOENT;
	}
	*ret_file = (struct shared_file){.bytes = (uint64_t)status.st_size, .uid = status.st_uid};
	ret_file->fd = take_fd(&fd);
	return 0;
}

static int open_or_create(int rings_fd, bool of_system, struct shared_file *ret_file) {
	int rc = -ENOENT;
	for (uint32_t i = 0; i < SQUATTERS_MAX && rc == -ENOENT; i++) {
		rc = of_system ? open_own(rings_fd, SPANRING_CONTROL_NAME, ret_file)
		               : shared_file_open(rings_fd, SPANRING_CONTROL_NAME, O_RDWR, ret_file);
		int made = rc == -ENOENT ? create_control(rings_fd, of_system) : 0;
		if (made < 0)
			return made;
	}
	return rc;
}

static int open_control(int rings_fd, bool of_system, struct doorbell *bell) {
	struct shared_file file;
	int rc = open_or_create(rings_fd, of_system, &file);
	if (rc < 0)
		return rc;
	bell->control_fd = file.fd;
	struct spanring_control copy;
	if (file.bytes != sizeof(copy) || shared_file_read(file.fd, &copy, sizeof(copy), 0) < 0 ||
	    copy.magic != SPANRING_CONTROL_MAGIC)
		return ERR_FOREIGN;
	if (copy.abi_version != SPANRING_ABI_VERSION)
		return ERR_NEWER;
	bell->word = copy.bell;
	void *page = mmap(NULL, sizeof(copy), PROT_READ | PROT_WRITE, MAP_SHARED, file.fd, 0);
	if (page == MAP_FAILED)
		return -errno;
	bell->page = page;
	return 0;
}

static void touch_owner(void *context) {
	struct doorbell *bell = context;
	ring_order_put(&bell->page->asleep, 0);
	ring_order_put(&bell->page->agent_pid, (uint32_t)getpid());
	ring_order_put(&bell->page->agent_epoch, ring_order_get(&bell->page->agent_epoch) + 1);
}

/* Nobody else can open this one, so nobody else can hold its lock. */
static int open_lock(int rings_fd, struct doorbell *bell) {
	for (uint32_t i = 0; i < SQUATTERS_MAX; i++) {
		struct shared_file file;
		int fd = openat(rings_fd, LOCK_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0 && errno != EEXIST)
			return -errno;
		if (fd >= 0)
			(void)close(fd);
		int rc = open_own(rings_fd, LOCK_NAME, &file);
		if (rc == 0)
			bell->lock_fd = file.fd;
		if (rc != -ENOENT)
			return rc;
	}
	return -EBUSY;
}

static int take_lock(struct doorbell *bell, uint32_t *ret_holder_pid) {
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	if (fcntl(bell->lock_fd >= 0 ? bell->lock_fd : bell->control_fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES)
			return -errno;
		struct spanring_control copy = {0};
		(void)shared_file_read(bell->control_fd, &copy, sizeof(copy), 0);
		*ret_holder_pid = copy.agent_pid;
		return ERR_HELD;
	}
	/* What tells programs that an agent is there. Somebody's read lock may stand in its way: then they are careful for nothing. */
	if (bell->lock_fd >= 0)
		(void)fcntl(bell->control_fd, F_OFD_SETLK, &lock);
	return fault_guard_run(bell->page, sizeof(*bell->page), touch_owner, bell);
}

static void *wait_for_rings(void *context) {
	struct doorbell *bell = context;
	const uint64_t one = 1;
	for (;;) {
		while (sem_wait(&bell->arm) < 0)
			;
		long rc = -1;
		while (rc < 0 && !__atomic_load_n(&bell->stopping, __ATOMIC_ACQUIRE)) {
			struct timespec limit = {.tv_sec = WAIT_SECONDS};
			rc = syscall(SYS_futex, &bell->page->bell, FUTEX_WAIT, bell->word, &limit, NULL, 0);
			if (rc < 0 && errno != ETIMEDOUT && errno != EINTR)
				break; /* the page is gone, or the word changed: the loop goes on by its timer */
		}
		if (__atomic_load_n(&bell->stopping, __ATOMIC_ACQUIRE))
			return NULL;
		if (rc < 0)
			continue; /* stays "armed" and out of the queue */
		__atomic_store_n(&bell->armed, 0, __ATOMIC_RELEASE);
		ssize_t written = write(bell->event_fd, &one, sizeof(one));
		(void)written; /* fails only when full, and then it is readable */
	}
}

static int start_thread(struct doorbell *bell) {
	bell->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (bell->event_fd < 0)
		return -errno;
	int rc = -pthread_create(&bell->thread, NULL, wait_for_rings, bell);
	bell->thread_runs = rc == 0;
	return rc;
}

int doorbell_open(int rings_fd, bool of_system, struct loop *loop, struct doorbell **ret_bell,
                  uint32_t *ret_holder_pid) {
	struct doorbell *bell = calloc(1, sizeof(*bell));
	if (!bell)
		return -ENOMEM;
	bell->control_fd = FD_NONE;
	bell->lock_fd = FD_NONE;
	bell->event_fd = FD_NONE;
	bell->loop = loop_has_futex(loop) ? loop : NULL;
	(void)sem_init(&bell->arm, 0, 0);
	int rc = open_control(rings_fd, of_system, bell);
	if (rc == 0 && of_system)
		rc = open_lock(rings_fd, bell);
	if (rc == 0)
		rc = take_lock(bell, ret_holder_pid);
	if (rc == 0 && !bell->loop)
		rc = start_thread(bell);
	if (rc < 0) {
		doorbell_close(bell);
		return rc;
	}
	*ret_bell = bell;
	return 0;
}

void doorbell_close(struct doorbell *bell) {
	if (!bell)
		return;
	doorbell_awake(bell);
	if (bell->thread_runs) {
		__atomic_store_n(&bell->stopping, 1, __ATOMIC_RELEASE);
		(void)sem_post(&bell->arm);
		(void)syscall(SYS_futex, &bell->page->bell, FUTEX_WAKE, INT32_MAX, NULL, NULL, 0);
		(void)pthread_join(bell->thread, NULL);
	}
	(void)sem_destroy(&bell->arm);
	if (bell->page)
		(void)munmap(bell->page, sizeof(*bell->page));
	if (bell->event_fd >= 0)
		(void)close(bell->event_fd);
	if (bell->control_fd >= 0)
		(void)close(bell->control_fd); /* gives up the lock */
	if (bell->lock_fd >= 0)
		(void)close(bell->lock_fd);
	free(bell);
}

int doorbell_fd(const struct doorbell *bell) {
	return bell->event_fd;
}

void doorbell_clear(struct doorbell *bell) {
	uint64_t rings;
	if (bell->event_fd < 0)
		return;
	ssize_t got = read(bell->event_fd, &rings, sizeof(rings));
	(void)got;
}

/*
 * Is the thread in the futex queue? Moving at most one waiter from the word to the same word counts it and changes
 * nothing.
 */
static bool thread_waits(struct doorbell *bell) {
	for (int i = 0; i < QUEUE_TRIES; i++) {
		long moved =
		    syscall(SYS_futex, &bell->page->bell, FUTEX_CMP_REQUEUE, 0, 1L, &bell->page->bell, bell->word);
		if (moved != 0)
			return moved > 0;
		(void)sched_yield();
	}
	return false;
}

static void touch_asleep(void *context) {
	ring_order_put(&((struct doorbell *)context)->page->asleep, 1);
}

static void touch_awake(void *context) {
	ring_order_put(&((struct doorbell *)context)->page->asleep, 0);
}

static bool arm_thread(struct doorbell *bell) {
	if (__atomic_exchange_n(&bell->armed, 1, __ATOMIC_ACQ_REL) == 0)
		(void)sem_post(&bell->arm);
	return thread_waits(bell);
}

static bool arm_loop(const struct doorbell *bell) {
	return loop_arm_futex(bell->loop, LOOP_BELL, &bell->page->bell, bell->word) == 0;
}

bool doorbell_sleep(struct doorbell *bell) {
	if (bell->loop ? !arm_loop(bell) : !arm_thread(bell))
		return false;
	if (fault_guard_run(bell->page, sizeof(*bell->page), touch_asleep, bell) < 0)
		return false;
	bell->asleep = true;
	ring_order_full_fence();
	return true;
}

void doorbell_awake(struct doorbell *bell) {
	if (!bell->asleep)
		return;
	bell->asleep = false;
	(void)fault_guard_run(bell->page, sizeof(*bell->page), touch_awake, bell);
}

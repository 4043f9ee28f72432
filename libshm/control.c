/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bell. The agent stores asleep = 1, fences, looks at all heads once more, then waits on `bell`. A writer stores its
 * head, fences, looks at asleep. Whoever comes second sees the other (pair BELL in ring_order.h), so no wake-up is lost. A
 * wake that meets nobody is harmless. The program has the page read-only: FUTEX_WAKE needs no more.
 */
#include "control.h"
#include "ids.h"
#include "region.h"
#include "ring_order.h"
#include "system_directory.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Complete under another name first; whoever loses the race to the final one uses the winner's. */
static int control_create(int directory_fd) {
	struct spanring_control *page;
	char name[48];
	uint64_t nonce;
	void *address;
	int rc;
	spanring__ids_random(&nonce, sizeof(nonce));
	(void)snprintf(name, sizeof(name), "%s-%016llx%s", SPANRING_CONTROL_NAME, (unsigned long long)nonce,
	               SPANRING_TMP_SUFFIX);
	rc = spanring__region_create(directory_fd, name, sizeof(*page), &address);
	if (rc < 0)
		return rc;
	page = address;
	page->abi_version = SPANRING_ABI_VERSION;
	page->magic = SPANRING_CONTROL_MAGIC;
	(void)munmap(address, sizeof(*page));
	if (linkat(directory_fd, name, directory_fd, SPANRING_CONTROL_NAME, 0) < 0 && errno != EEXIST)
		rc = -errno;
	(void)unlinkat(directory_fd, name, 0);
	return rc;
}

/* One page for all users stands beside their directories, and is only the agent's to change or cut. */
static int control_open(const struct spanring__directory *directory, int directory_fd) {
	const char *name = directory->of_system ? "../" SPANRING_CONTROL_NAME : SPANRING_CONTROL_NAME;
	struct stat status, above;
	int fd = openat(directory_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (!directory->of_system)
		return fd;
	if (fstat(fd, &status) == 0 && fstatat(directory_fd, "..", &above, 0) == 0 &&
	    system_directory_control_is_right(&status, above.st_uid))
		return fd;
	(void)close(fd);
	return -EPERM;
}

/* Private memory: no agent, thus never asleep. */
static int control_make_private(const struct spanring_control **ret_control) {
	*ret_control = spanring__region_private(sizeof(**ret_control), 0);
	return *ret_control ? 0 : -ENOMEM;
}

int spanring__control_map(const struct spanring__directory *directory, int directory_fd,
                          const struct spanring_control **ret_control) {
	if (directory_fd == SPANRING__REGION_PRIVATE)
		return control_make_private(ret_control);
	struct stat status;
	const struct spanring_control *control = NULL;
	int rc = 0;
	int fd = control_open(directory, directory_fd);
	if (fd == -ENOENT && !directory->of_system) {
		rc = control_create(directory_fd);
		if (rc < 0)
			return rc;
		fd = control_open(directory, directory_fd);
	}
	if (fd < 0)
		return fd;
	if (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size < (off_t)sizeof(*control)) {
		rc = -EMEDIUMTYPE;
		goto out;
	}
	control = mmap(NULL, sizeof(*control), PROT_READ, MAP_SHARED, fd, 0);
	if (control == MAP_FAILED) {
		rc = -errno;
		goto out;
	}
	if (control->magic != SPANRING_CONTROL_MAGIC || control->abi_version != SPANRING_ABI_VERSION) {
		(void)munmap((void *)(uintptr_t)control, sizeof(*control));
		rc = -EMEDIUMTYPE;
		goto out;
	}
	(void)madvise((void *)(uintptr_t)control, sizeof(*control), MADV_DONTFORK);
	*ret_control = control;
out:
	(void)close(fd);
	return rc;
}

/* Asks for a write lock of somebody's: anybody who may read the page could hold a read lock. */
bool spanring__control_attended(const struct spanring__directory *directory, int directory_fd) {
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	int fd = control_open(directory, directory_fd);
	if (fd < 0)
		return false;
	bool attended = fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	(void)close(fd);
	return attended;
}

void spanring__control_ring(const struct spanring_control *control) {
	ring_order_full_fence();
	if (ring_order_get(&control->asleep) != 1)
		return;
	int saved_errno = errno;
	(void)syscall(SYS_futex, &control->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	errno = saved_errno;
}

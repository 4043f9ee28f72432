/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What somebody can do to a control page that it can only read: ringer FILE rings its bell without end, ringer FILE lock holds a read lock
 * on it. Says "ringing" or "holding" on standard error.
 */
#include <spanring/ring_abi.h>

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int fd = argc >= 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 2;
	const struct spanring_control *page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 1;
	struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
	if (argc > 2 && fcntl(fd, F_OFD_SETLK, &lock) < 0)
		return 1;
	(void)fprintf(stderr, argc > 2 ? "holding\n" : "ringing\n");
	while (argc > 2)
		(void)pause();
	for (;;)
		(void)syscall(SYS_futex, &page->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Rings the bell of a control page, which it can only read, without end: ringer FILE. Says "ringing" on standard error. */
#include <spanring/ring_abi.h>

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
	int fd = argc == 2 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return 2;
	const struct spanring_control *page = mmap(NULL, sizeof(*page), PROT_READ, MAP_SHARED, fd, 0);
	if (page == MAP_FAILED)
		return 1;
	(void)fprintf(stderr, "ringing\n");
	for (;;)
		(void)syscall(SYS_futex, &page->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include "cleanup.h"
#include "text.h"

#include <fcntl.h>
#include <time.h>

static uint64_t read_clock(clockid_t id) {
	struct timespec now = {0};
	(void)clock_gettime(id, &now); /* fails only for a clock that does not exist */
	return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

uint64_t clock_monotonic_ns(void) {
	return read_clock(CLOCK_MONOTONIC);
}

uint64_t clock_wall_ns(void) {
	return read_clock(CLOCK_REALTIME);
}

uint64_t clock_process_cpu_ns(void) {
	return read_clock(CLOCK_PROCESS_CPUTIME_ID);
}

uint64_t clock_thread_cpu_ns(void) {
	return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

int clock_boot_id(uint8_t ret_boot_id[16]) {
	char line[64] = {0};
	CLEANUP_FD int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ssize_t got = read(fd, line, sizeof(line) - 1);
	if (got < 0)
		return -errno;
	return text_hex_decode(line, ret_boot_id, 16) ? 0 : -EIO;
}

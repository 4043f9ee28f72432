/* SPDX-License-Identifier: Apache-2.0 */
#include "timed_child.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STATUS_NOT_FOUND 127

static void become(const char *const *arguments, const char *input) {
	int read_fd = open(input ? input : "/dev/null", O_RDONLY | O_CLOEXEC);
	int write_fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (read_fd >= 0 && write_fd >= 0 && dup2(read_fd, STDIN_FILENO) >= 0 && dup2(write_fd, STDOUT_FILENO) >= 0)
		(void)execvp(arguments[0], (char *const *)arguments);
	_exit(STATUS_NOT_FOUND);
}

static uint64_t ns_of(struct timeval time) {
	return (uint64_t)time.tv_sec * NS_PER_S + (uint64_t)time.tv_usec * NS_PER_US;
}

int timed_child_run(const char *const *arguments, const char *input, struct timed_child *ret_child) {
	struct rusage usage;
	int status;
	uint64_t from_ns = clock_monotonic_ns();
	pid_t pid = fork();
	if (pid == 0)
		become(arguments, input);
	if (pid < 0)
		return -errno;
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			return -errno;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND ? -ENOENT : -ECHILD;
	ret_child->wall_ns = clock_monotonic_ns() - from_ns;
	ret_child->cpu_ns = ns_of(usage.ru_utime) + ns_of(usage.ru_stime);
	ret_child->peak_bytes = (uint64_t)usage.ru_maxrss * 1024;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* The processor's counter, and what the kernel allows: asked for, not guessed from a version. */
#include "doctor.h"

#include "base/cleanup.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <linux/membarrier.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define AREA "machine"

static bool has_word(const char *line, const char *word) {
	size_t bytes = strlen(word);
	for (const char *at = strstr(line, word); at; at = strstr(at + 1, word))
		if (at > line && (at[-1] == ' ' || at[-1] == '\t') &&
		    (at[bytes] == ' ' || at[bytes] == '\n' || at[bytes] == 0))
			return true;
	return false;
}

/* The flags line of the first processor that /proc/cpuinfo tells of; NULL where there is none. */
static char *read_flags(void) {
	CLEANUP_FILE FILE *file = fopen("/proc/cpuinfo", "re");
	char *line = NULL;
	size_t room = 0;
	while (file && getline(&line, &room, file) > 0)
		if (strncmp(line, "flags", 5) == 0)
			return line;
	free(line);
	return NULL;
}

static void look_at_counter(struct doctor *doctor) {
#if defined(__x86_64__)
	CLEANUP_FREE char *flags = read_flags();
	if (flags && has_word(flags, "constant_tsc") && has_word(flags, "nonstop_tsc"))
		doctor_say(doctor, FINDING_OK, AREA, "counter", "",
		           "the time stamp counter runs at one rate: a span reads it directly");
	else
		doctor_say(
		    doctor, FINDING_WARNING, AREA, "counter",
		    "pick a machine type whose processor has constant_tsc and nonstop_tsc, if spans are to cost less",
		    "the time stamp counter may change its rate: spans ask the kernel for the time, which costs several "
		    "times as much");
#elif defined(__aarch64__)
	doctor_say(doctor, FINDING_OK, AREA, "counter", "",
	           "the generic timer runs at one rate: a span reads it directly");
	(void)has_word;
	(void)read_flags;
#else
	doctor_say(doctor, FINDING_WARNING, AREA, "counter", "", "spans ask the kernel for the time on this processor");
	(void)has_word;
	(void)read_flags;
#endif
}

static void look_at_cores(struct doctor *doctor) {
	cpu_set_t set;
	int cores = sched_getaffinity(0, sizeof(set), &set) == 0 ? CPU_COUNT(&set) : 1;
	if (cores > 1)
		doctor_say(doctor, FINDING_OK, AREA, "cores", "", "%d", cores);
	else
		doctor_say(doctor, FINDING_NOTE, AREA, "cores", "",
		           "1: the agent takes its time from the traced programs; rings fill while it has none");
}

static void look_at_io_uring(struct doctor *doctor) {
	struct io_uring_params params = {.flags = IORING_SETUP_R_DISABLED};
	long fd = syscall(SYS_io_uring_setup, 2, &params);
	if (fd >= 0) {
		(void)close((int)fd);
		doctor_say(doctor, FINDING_OK, AREA, "io_uring", "", "allowed");
		return;
	}
	doctor_say(doctor, FINDING_NOTE, AREA, "io_uring",
	           errno == ENOSYS ? "use a kernel of 5.10 or newer, if you want it"
	                           : "allow it in the seccomp profile of the container, or by sysctl "
	                             "kernel.io_uring_disabled=0, if you want it",
	           "refused (%s): the agent reads rings with poll and pread instead, with the same results",
	           strerror(errno));
}

static void look_at_membarrier(struct doctor *doctor) {
	long commands = syscall(SYS_membarrier, MEMBARRIER_CMD_QUERY, 0, 0);
	if (commands > 0 && (commands & MEMBARRIER_CMD_GLOBAL_EXPEDITED))
		doctor_say(doctor, FINDING_OK, AREA, "membarrier", "", "allowed");
	else
		doctor_say(doctor, FINDING_NOTE, AREA, "membarrier",
		           "allow membarrier in the seccomp profile of the container",
		           "refused: the last spans of a thread that fell silent are stored when it goes on or ends");
}

void doctor_look_at_machine(struct doctor *doctor) {
	look_at_counter(doctor);
	look_at_cores(doctor);
	look_at_io_uring(doctor);
	look_at_membarrier(doctor);
}

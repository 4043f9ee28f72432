/* SPDX-License-Identifier: Apache-2.0 */
/* Limits that this shell gives to what it starts. */
#include "doctor.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <spanring/ring_abi.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#define AREA "limits"
#define DESCRIPTORS_MIN 1024u /* the agent holds one for a ring or two */
#define CGROUP_MEMORY_MIN (UINT64_C(64) << 20)

static void look_at_descriptors(struct doctor *doctor) {
	struct rlimit limit;
	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return;
	if (limit.rlim_cur >= DESCRIPTORS_MIN)
		doctor_say(doctor, FINDING_OK, AREA, "descriptors", "", "%" PRIu64 " a process",
		           (uint64_t)limit.rlim_cur);
	else
		doctor_say(doctor, FINDING_WARNING, AREA, "descriptors",
		           "raise it (ulimit -n 4096; LimitNOFILE= in a unit) before the agent starts",
		           "only %" PRIu64 " a process: an agent started from here can serve few rings",
		           (uint64_t)limit.rlim_cur);
}

static void look_at_file_size(struct doctor *doctor) {
	char text[UNITS_TEXT_BYTES];
	struct rlimit limit;
	if (getrlimit(RLIMIT_FSIZE, &limit) != 0)
		return;
	if (limit.rlim_cur == RLIM_INFINITY)
		doctor_say(doctor, FINDING_OK, AREA, "file size", "", "unlimited");
	else
		doctor_say(doctor, limit.rlim_cur < 2 * SPANRING_RING_BYTES_DEFAULT ? FINDING_PROBLEM : FINDING_NOTE,
		           AREA, "file size", "ulimit -f unlimited, or a SPANRING_RING_BYTES that fits",
		           "at most %s: a larger ring, or segment of a store, cannot be made",
		           units_format_bytes((double)limit.rlim_cur, text));
}

static void look_at_cgroup(struct doctor *doctor) {
	char text[UNITS_TEXT_BYTES];
	uint64_t bytes = 0;
	CLEANUP_FILE FILE *file = fopen("/sys/fs/cgroup/memory.max", "re");
	if (!file || fscanf(file, "%" SCNu64, &bytes) != 1)
		return; /* no limit, or none that can be seen */
	if (bytes >= CGROUP_MEMORY_MIN)
		doctor_say(doctor, FINDING_OK, AREA, "memory", "", "%s for this control group",
		           units_format_bytes((double)bytes, text));
	else
		doctor_say(doctor, FINDING_WARNING, AREA, "memory",
		           "start the agent with --memory-cap 32MiB, and programs with a smaller SPANRING_RING_BYTES",
		           "only %s for this control group, and rings count in it",
		           units_format_bytes((double)bytes, text));
}

void doctor_look_at_limits(struct doctor *doctor) {
	look_at_descriptors(doctor);
	look_at_file_size(doctor);
	look_at_cgroup(doctor);
}

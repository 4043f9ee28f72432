/* SPDX-License-Identifier: Apache-2.0 */
/* The store that was named: can it be read, and is there room beside it? */
#include "doctor.h"

#include "base/units.h"
#include "libstore/reader.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/statvfs.h>

#define AREA "store"
#define SPACE_MIN (UINT64_C(256) << 20)

static void look_at_space(struct doctor *doctor) {
	char text[UNITS_TEXT_BYTES];
	struct statvfs system;
	if (statvfs(doctor->store, &system) != 0)
		return;
	uint64_t free_bytes = (uint64_t)system.f_bavail * system.f_frsize;
	(void)units_format_bytes((double)free_bytes, text);
	if (free_bytes < SPACE_MIN)
		doctor_say(doctor, FINDING_WARNING, AREA, "space",
		           "make room, or let the agent keep less: --retain-bytes, --retain-age",
		           "only %s left beside it", text);
	else
		doctor_say(doctor, FINDING_OK, AREA, "space", "", "%s left beside it", text);
}

void doctor_look_at_store(struct doctor *doctor) {
	char text[DOCTOR_TEXT_BYTES];
	struct store_reader *reader = NULL;
	size_t damaged = 0;
	if (!doctor->store)
		return;
	int rc = store_reader_open(doctor->store, &reader, text, sizeof(text));
	if (rc < 0) {
		doctor_say(doctor, FINDING_PROBLEM, AREA, "reading", "", "%s", text);
		return;
	}
	const struct store_damage *damage = store_reader_damage(reader, &damaged);
	for (size_t i = 0; i < damaged; i++)
		doctor_say(doctor, FINDING_PROBLEM, AREA, "reading", "", "%s: %s", damage[i].file, damage[i].text);
	const struct store_overview *overview = store_reader_overview(reader);
	uint64_t spans = 0;
	for (size_t i = 0; i < overview->segment_count; i++)
		spans += overview->segments[i].spans;
	if (damaged == 0)
		doctor_say(doctor, FINDING_OK, AREA, "reading", "",
		           "%.200s: %zu segments, %s spans (not verified: spanring-analyze verify reads every row)",
		           doctor->store, overview->segment_count, units_format_count(spans, text));
	store_reader_close(reader);
	look_at_space(doctor);
}

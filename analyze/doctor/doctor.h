/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What doctor finds out: one finding for each thing that tracing needs here, with the remedy where there is something to do. Each
 * area is a file that looks for itself and says what it saw; nothing is changed by looking.
 */
#ifndef SPANRING_ANALYZE_DOCTOR_H
#define SPANRING_ANALYZE_DOCTOR_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define DOCTOR_FINDINGS_MAX 64u
#define DOCTOR_TEXT_BYTES 512u

enum finding_state {
	FINDING_OK,
	FINDING_NOTE,    /* works; good to know */
	FINDING_WARNING, /* works, but not as well as it could */
	FINDING_PROBLEM  /* something will not work */
};

struct finding {
	enum finding_state state;
	const char *area;
	const char *check;
	char text[DOCTOR_TEXT_BYTES];
	char remedy[DOCTOR_TEXT_BYTES]; /* "": there is nothing to do */
};

struct doctor {
	char rings[PATH_MAX];
	bool rings_are_given; /* by SPANRING_DIR or the command line */
	const char *store;    /* NULL: none was named */
	struct finding findings[DOCTOR_FINDINGS_MAX];
	uint32_t finding_count;
};

/* One more finding; beyond DOCTOR_FINDINGS_MAX they are left out. area and check stay valid, the texts are copied; remedy may be "". */
__attribute__((format(printf, 6, 7))) void doctor_say(struct doctor *doctor, enum finding_state state, const char *area,
                                                      const char *check, const char *remedy, const char *format, ...);

void doctor_look_at_machine(struct doctor *doctor);
void doctor_look_at_limits(struct doctor *doctor);
void doctor_look_at_environment(struct doctor *doctor);
void doctor_look_at_library(struct doctor *doctor);
void doctor_look_at_rings(struct doctor *doctor);
void doctor_look_at_agent(struct doctor *doctor);
void doctor_look_at_store(struct doctor *doctor);

#endif

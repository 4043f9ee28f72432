/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Variables that programs started from here would see. A wrong value never stops a traced program, which goes on with the usual one and
 * says nothing: so it is said here.
 */
#include "doctor.h"

#include "base/suggest.h"

#include <spanring/ring_abi.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define AREA "environment"
#define OWN_PREFIX "SPANRING_"
#define AGENT_PREFIX "SPANRING_AGENT_" /* the agent itself refuses what it does not know */

static const char *const known[] = {"SPANRING_CLOCK",      "SPANRING_CONFIG",       "SPANRING_DIR",
                                    "SPANRING_DISABLED",   "SPANRING_DURATION_MIN", "SPANRING_RING_BYTES",
                                    "SPANRING_STATISTICS", "SPANRING_STORE",        "SPANRING_TEST_MODE"};
#define KNOWN_COUNT (sizeof(known) / sizeof(known[0]))

static const char *const samplers[] = {"always_on",
                                       "always_off",
                                       "traceidratio",
                                       "parentbased_always_on",
                                       "parentbased_always_off",
                                       "parentbased_traceidratio"};
#define SAMPLER_COUNT (sizeof(samplers) / sizeof(samplers[0]))

static bool is_one_of(const char *word, const char *const *words, size_t count) {
	for (size_t i = 0; i < count; i++)
		if (strcmp(word, words[i]) == 0)
			return true;
	return false;
}

static void look_at_name(struct doctor *doctor, const char *name) {
	if (strncmp(name, AGENT_PREFIX, strlen(AGENT_PREFIX)) == 0 || is_one_of(name, known, KNOWN_COUNT))
		return;
	const char *nearest = suggest_nearest(name, known, KNOWN_COUNT);
	char remedy[DOCTOR_TEXT_BYTES] = "unset it";
	if (nearest)
		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest);
	doctor_say(doctor, FINDING_WARNING, AREA, "name", remedy, "%.80s means nothing to Spanring", name);
}

static void look_at_names(struct doctor *doctor) {
	for (char **variable = environ; *variable; variable++) {
		char name[128];
		const char *equals = strchr(*variable, '=');
		if (strncmp(*variable, OWN_PREFIX, strlen(OWN_PREFIX)) != 0 || !equals || equals[1] == 0)
			continue; /* an empty one is as good as none */
		(void)snprintf(name, sizeof(name), "%.*s", (int)(equals - *variable < 127 ? equals - *variable : 127),
		               *variable);
		look_at_name(doctor, name);
	}
}

static void look_at_switches(struct doctor *doctor) {
	static const char *const switches[] = {"SPANRING_DISABLED", "OTEL_SDK_DISABLED"};
	for (size_t i = 0; i < sizeof(switches) / sizeof(switches[0]); i++) {
		const char *value = getenv(switches[i]);
		if (value && (strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0))
			doctor_say(doctor, FINDING_WARNING, AREA, switches[i], "unset it to trace",
			           "is %.40s: programs started from here record nothing", value);
	}
}

static void look_at_sampler(struct doctor *doctor) {
	const char *value = getenv("OTEL_TRACES_SAMPLER");
	if (!value || !*value || is_one_of(value, samplers, SAMPLER_COUNT))
		return;
	const char *nearest = suggest_nearest(value, samplers, SAMPLER_COUNT);
	char remedy[DOCTOR_TEXT_BYTES] =
	    "always_on, always_off, traceidratio, or one of them with parentbased_ before it";
	if (nearest)
		(void)snprintf(remedy, sizeof(remedy), "did you mean %s?", nearest);
	doctor_say(doctor, FINDING_WARNING, AREA, "OTEL_TRACES_SAMPLER", remedy,
	           "is %.60s, which is no sampler: every trace is kept", value);
}

static void look_at_ring_bytes(struct doctor *doctor) {
	const char *value = getenv("SPANRING_RING_BYTES");
	char *end = NULL;
	if (!value || !*value)
		return;
	errno = 0;
	unsigned long long bytes = strtoull(value, &end, 10);
	bool is_right = errno == 0 && *end == 0 && *value >= '0' && *value <= '9' && bytes >= SPANRING_RING_BYTES_MIN &&
	                bytes <= SPANRING_RING_BYTES_MAX && (bytes & (bytes - 1)) == 0;
	if (!is_right)
		doctor_say(doctor, FINDING_WARNING, AREA, "SPANRING_RING_BYTES",
		           "give a power of two in bytes, like 4194304",
		           "is %.40s, which is no size of a ring (a power of two from %" PRIu64 " to %" PRIu64
		           "): rings have the usual size",
		           value, (uint64_t)SPANRING_RING_BYTES_MIN, (uint64_t)SPANRING_RING_BYTES_MAX);
}

void doctor_look_at_environment(struct doctor *doctor) {
	uint32_t before = doctor->finding_count;
	look_at_names(doctor);
	look_at_switches(doctor);
	look_at_sampler(doctor);
	look_at_ring_bytes(doctor);
	if (doctor->finding_count == before)
		doctor_say(doctor, FINDING_OK, AREA, "variables", "", "none that is misspelt or switches tracing off");
}

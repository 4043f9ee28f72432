/* SPDX-License-Identifier: Apache-2.0 */
#include "soak_options.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "soak_crew.h"

#include <stdlib.h>
#include <string.h>

#define DURATION_NS_MAX (UINT64_C(30) * 24 * 3600 * NS_PER_S)
#define INTERVAL_NS_MIN (100 * NS_PER_MS)
#define RATE_MAX 10000000u
#define PART_BYTES 32u

static int take_time(const char *text, uint64_t min_ns, uint64_t max_ns, uint64_t *ret_ns) {
	int rc = units_parse_duration(text, ret_ns);
	return rc < 0 || *ret_ns < min_ns || *ret_ns > max_ns ? -EINVAL : 0;
}

static int take_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number) {
	char *end = NULL;
	errno = 0;
	*ret_number = strtoull(text, &end, 10);
	return errno || *end || *text < '0' || *text > '9' || *ret_number < min || *ret_number > max ? -EINVAL : 0;
}

/* "5s..60s" */
static int take_life(const char *text, struct soak_plan *plan) {
	char low[PART_BYTES];
	const char *dots = strstr(text, "..");
	size_t bytes = dots ? (size_t)(dots - text) : PART_BYTES;
	if (bytes >= sizeof(low))
		return -EINVAL;
	memcpy(low, text, bytes);
	low[bytes] = 0;
	int rc = take_time(low, INTERVAL_NS_MIN, DURATION_NS_MAX, &plan->life_min_ns);
	if (rc == 0)
		rc = take_time(dots + 2, plan->life_min_ns, DURATION_NS_MAX, &plan->life_max_ns);
	return rc;
}

int soak_options_take(int option, const char *value, const struct log *log, struct soak_plan *plan) {
	int rc = -EINVAL;
	const char *what = NULL;
	switch (option) {
	case SOAK_OPTIONS_DURATION:
		what = "--duration takes a time from 1s to 30d, such as 30m";
		rc = take_time(value, NS_PER_S, DURATION_NS_MAX, &plan->duration_ns);
		break;
	case SOAK_OPTIONS_RATE:
		what = "--rate takes spans per second, 100 to 10000000";
		rc = take_number(value, 100, RATE_MAX, &plan->rate);
		break;
	case SOAK_OPTIONS_PROGRAMS:
		what = "--programs takes 2 to 64";
		rc = take_number(value, 2, SOAK_PROGRAMS_MAX, &plan->programs);
		break;
	case SOAK_OPTIONS_LIFE:
		what = "--life takes two times, such as 5s..60s";
		rc = take_life(value, plan);
		break;
	case SOAK_OPTIONS_INTERVAL:
		what = "--interval takes a time from 100ms to 30d";
		rc = take_time(value, INTERVAL_NS_MIN, DURATION_NS_MAX, &plan->interval_ns);
		break;
	case SOAK_OPTIONS_CSV:
		plan->csv = value;
		return 0;
	default:
		return -EINVAL;
	}
	if (rc < 0)
		log_error(log, "%s, not %s", what, value);
	return rc;
}

static void usual(uint64_t *value, uint64_t given) {
	if (*value == 0)
		*value = given;
}

int soak_options_finish(const struct log *log, bool is_quick, struct soak_plan *plan) {
	usual(&plan->duration_ns, (is_quick ? 10 : 1800) * NS_PER_S);
	usual(&plan->interval_ns, is_quick ? 500 * NS_PER_MS : 10 * NS_PER_S);
	usual(&plan->rate, 10000);
	usual(&plan->programs, 6);
	usual(&plan->life_min_ns, (is_quick ? 1 : 5) * NS_PER_S);
	usual(&plan->life_max_ns, (is_quick ? 3 : 60) * NS_PER_S);
	if (plan->interval_ns <= plan->duration_ns)
		return 0;
	log_error(log, "--interval is longer than --duration: nothing would be seen");
	return -EINVAL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "time_point.h"

#include "base/clock.h"
#include "base/units.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* Exactly `count` digits at *text, which moves past them. */
static bool digits(const char **text, int count, int *ret_value) {
	int value = 0;
	for (int i = 0; i < count; i++) {
		char c = (*text)[i];
		if (c < '0' || c > '9')
			return false;
		value = value * 10 + (c - '0');
	}
	*text += count;
	*ret_value = value;
	return true;
}

static bool literal(const char **text, char c) {
	if (**text != c)
		return false;
	(*text)++;
	return true;
}

static uint64_t fraction_ns(const char **text) {
	uint64_t ns = 0;
	uint64_t unit = NS_PER_S / 10;
	for (; **text >= '0' && **text <= '9'; (*text)++, unit /= 10)
		ns += (uint64_t)(**text - '0') * unit;
	return ns;
}

/* "Z", "+01:00" or nothing. */
static bool zone(const char **text, long *ret_offset_s) {
	int hours = 0;
	int minutes = 0;
	*ret_offset_s = 0;
	if (**text == 0)
		return true;
	if (literal(text, 'Z') || literal(text, 'z'))
		return true;
	bool west = **text == '-';
	if (!literal(text, '+') && !literal(text, '-'))
		return false;
	if (!digits(text, 2, &hours) || !literal(text, ':') || !digits(text, 2, &minutes) || hours > 23 || minutes > 59)
		return false;
	*ret_offset_s = (west ? -1L : 1L) * (hours * 3600L + minutes * 60L);
	return true;
}

static bool clock_of_day(const char **text, struct tm *parts, uint64_t *ret_ns) {
	if (!digits(text, 2, &parts->tm_hour) || !literal(text, ':') || !digits(text, 2, &parts->tm_min))
		return false;
	if (literal(text, ':') && !digits(text, 2, &parts->tm_sec))
		return false;
	if (literal(text, '.'))
		*ret_ns = fraction_ns(text);
	return parts->tm_hour < 24 && parts->tm_min < 60 && parts->tm_sec < 61;
}

static int parse_absolute(const char *text, uint64_t *ret_wall_ns) {
	struct tm parts = {0};
	uint64_t ns = 0;
	long offset_s = 0;
	if (!digits(&text, 4, &parts.tm_year) || !literal(&text, '-') || !digits(&text, 2, &parts.tm_mon) ||
	    !literal(&text, '-') || !digits(&text, 2, &parts.tm_mday))
		return -EINVAL;
	if (literal(&text, 'T') || literal(&text, 't') || literal(&text, ' ')) {
		if (!clock_of_day(&text, &parts, &ns))
			return -EINVAL;
	}
	if (!zone(&text, &offset_s) || *text != 0)
		return -EINVAL;
	if (parts.tm_year < 1970 || parts.tm_year > 2500 || parts.tm_mon < 1 || parts.tm_mon > 12)
		return -EINVAL;
	int day = parts.tm_mday;
	int month = parts.tm_mon;
	parts.tm_year -= 1900;
	parts.tm_mon -= 1;
	time_t seconds = timegm(&parts) - offset_s;
	/* timegm turns the 31st of a short month into the next month: refuse what it had to repair */
	if (parts.tm_mday != day || parts.tm_mon != month - 1 || seconds < 0)
		return -EINVAL;
	*ret_wall_ns = (uint64_t)seconds * NS_PER_S + ns;
	return 0;
}

int time_point_parse(const char *text, uint64_t now_wall_ns, uint64_t *ret_wall_ns) {
	uint64_t ago_ns = 0;
	if (units_parse_duration(text, &ago_ns) == 0) {
		if (ago_ns > now_wall_ns)
			return -EINVAL;
		*ret_wall_ns = now_wall_ns - ago_ns;
		return 0;
	}
	return parse_absolute(text, ret_wall_ns);
}

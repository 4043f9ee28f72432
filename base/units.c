/* SPDX-License-Identifier: Apache-2.0 */
#include "units.h"

#include "clock.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct unit {
	const char *name;
	double factor;
};

static const struct unit duration_units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
                                             {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};

static const struct unit byte_units[] = {
    {"", 1},          {"B", 1},          {"K", 1024},         {"KiB", 1024},          {"M", 1048576},
    {"MiB", 1048576}, {"G", 1073741824}, {"GiB", 1073741824}, {"T", 1099511627776.0}, {"TiB", 1099511627776.0}};

static int parse(const char *text, const struct unit *units, size_t count, uint64_t *ret_value) {
	char *end = NULL;
	if (*text < '0' || *text > '9')
		return -EINVAL;
	double number = strtod(text, &end);
	while (*end == ' ')
		end++;
	if (number == 0 && *end == 0) {
		*ret_value = 0;
		return 0;
	}
	for (size_t i = 0; i < count; i++) {
		double value = number * units[i].factor;
		if (strcmp(end, units[i].name) != 0)
			continue;
		if (!isfinite(value) || value >= 9.2e18)
			return -EINVAL;
		*ret_value = (uint64_t)(value + 0.5);
		return 0;
	}
	return -EINVAL;
}

int units_parse_duration(const char *text, uint64_t *ret_ns) {
	return parse(text, duration_units, sizeof(duration_units) / sizeof(duration_units[0]), ret_ns);
}

int units_parse_bytes(const char *text, uint64_t *ret_bytes) {
	return parse(text, byte_units, sizeof(byte_units) / sizeof(byte_units[0]), ret_bytes);
}

/* Decimals that leave at least three significant digits. */
static int decimals(double value) {
	double size = fabs(value);
	return size >= 99.95 ? 1 : size >= 9.995 ? 2 : 3;
}

const char *units_format_duration(double ns, char ret_text[UNITS_TEXT_BYTES]) {
	static const struct unit steps[] = {{"us", 1e3}, {"ms", 1e6}, {"s", 1e9}, {"min", 60e9}, {"h", 3600e9}};
	double size = fabs(ns);
	if (size < 999.5) {
		(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.0f ns", ns);
		return ret_text;
	}
	size_t step = 0;
	while (step + 1 < sizeof(steps) / sizeof(steps[0]) && size >= 0.99995 * steps[step + 1].factor)
		step++;
	double value = ns / steps[step].factor;
	(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.*f %s", decimals(value), value, steps[step].name);
	return ret_text;
}

const char *units_format_bytes(double bytes, char ret_text[UNITS_TEXT_BYTES]) {
	static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
	size_t step = 0;
	double value = bytes;
	while (fabs(value) >= 1023.95 && step + 1 < sizeof(names) / sizeof(names[0])) {
		value /= 1024;
		step++;
	}
	(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%.*f %s", step == 0 ? 0 : decimals(value) - 1, value, names[step]);
	return ret_text;
}

const char *units_format_count(uint64_t count, char ret_text[UNITS_TEXT_BYTES]) {
	char digits[24];
	int length = snprintf(digits, sizeof(digits), "%" PRIu64, count);
	size_t out = 0;
	for (int i = 0; i < length; i++) {
		if (i > 0 && (length - i) % 3 == 0)
			ret_text[out++] = ',';
		ret_text[out++] = digits[i];
	}
	ret_text[out] = 0;
	return ret_text;
}

const char *units_format_wall(uint64_t wall_ns, char ret_text[UNITS_TEXT_BYTES]) {
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm parts = {0};
	char date[24];
	(void)gmtime_r(&seconds, &parts);
	(void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &parts);
	(void)snprintf(ret_text, UNITS_TEXT_BYTES, "%s.%03uZ", date, (unsigned)(wall_ns % NS_PER_S / NS_PER_MS));
	return ret_text;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "sampling.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DIGITS_MAX 18u /* significant ones; 10^18 is below 2^63 and, divided by a power of ten, good to the last bits */
#define EXPONENT_MAX 400
#define DURATION_NS_MAX 9.2e18

static const struct sampler {
	const char *name;
	uint32_t sampler;
	uint32_t flags;
} samplers[] = {{"always_on", SPANRING_SAMPLER_ALWAYS_ON, 0},
                {"always_off", SPANRING_SAMPLER_ALWAYS_OFF, 0},
                {"traceidratio", SPANRING_SAMPLER_TRACEIDRATIO, 0},
                {"parentbased_always_on", SPANRING_SAMPLER_ALWAYS_ON, SPANRING_CONTROL_PARENT_BASED},
                {"parentbased_always_off", SPANRING_SAMPLER_ALWAYS_OFF, SPANRING_CONTROL_PARENT_BASED},
                {"parentbased_traceidratio", SPANRING_SAMPLER_TRACEIDRATIO, SPANRING_CONTROL_PARENT_BASED}};

#define SAMPLERS (sizeof(samplers) / sizeof(samplers[0]))

static const struct sampler *sampler_find(const char *name) {
	for (size_t i = 0; i < SAMPLERS; i++)
		if (strcasecmp(samplers[i].name, name) == 0)
			return &samplers[i];
	return NULL;
}

static bool is_digit(char c) {
	return c >= '0' && c <= '9';
}

static double scaled(uint64_t digits, int exponent) {
	double power = 1;
	for (int i = exponent < 0 ? -exponent : exponent; i > 0; i--)
		power *= 10;
	return exponent < 0 ? (double)digits / power : (double)digits * power;
}

/* "e-3": the exponent, added. An 'e' that no number follows is not ours to read. */
static const char *read_exponent(const char *text, int *exponent) {
	if (*text != 'e' && *text != 'E')
		return text;
	const char *at = text + 1;
	int value = 0;
	bool negative = *at == '-';
	if (*at == '-' || *at == '+')
		at++;
	if (!is_digit(*at))
		return text;
	for (; is_digit(*at); at++)
		value = value < EXPONENT_MAX ? value * 10 + (*at - '0') : EXPONENT_MAX;
	*exponent += negative ? -value : value;
	return at;
}

/* A decimal number without a sign; strtod would ask the locale. What follows it, NULL if there is none. */
static const char *read_number(const char *text, double *ret_number) {
	uint64_t digits = 0;
	unsigned used = 0;
	int exponent = 0;
	bool any = false;
	bool point = false;
	for (;; text++) {
		if (*text == '.' && !point) {
			point = true;
			continue;
		}
		if (!is_digit(*text))
			break;
		any = true;
		if (used < DIGITS_MAX) {
			digits = digits * 10 + (uint64_t)(*text - '0');
			used += digits != 0;
			exponent -= point;
		} else if (!point) {
			exponent++;
		}
		if (exponent > EXPONENT_MAX || exponent < -EXPONENT_MAX)
			return NULL;
	}
	if (!any)
		return NULL;
	text = read_exponent(text, &exponent);
	*ret_number = digits == 0 ? 0 : scaled(digits, exponent);
	return text;
}

bool spanring__sampling_ratio(const char *text, uint64_t *ret_threshold) {
	double ratio;
	const char *rest = text ? read_number(text, &ratio) : NULL;
	if (!rest || *rest || !(ratio <= 1))
		return false;
	*ret_threshold = (uint64_t)(ratio * (double)SPANRING__SAMPLING_ALL);
	return true;
}

bool spanring__sampling_duration(const char *text, uint64_t *ret_ns) {
	static const struct unit {
		const char *name;
		double ns;
	} units[] = {{"ns", 1},   {"us", 1e3},   {"ms", 1e6},   {"s", 1e9},
	             {"m", 60e9}, {"min", 60e9}, {"h", 3600e9}, {"d", 86400e9}};
	double number;
	const char *rest = text && is_digit(*text) ? read_number(text, &number) : NULL;
	if (!rest)
		return false;
	while (*rest == ' ')
		rest++;
	if (number == 0 && !*rest) {
		*ret_ns = 0;
		return true;
	}
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		double ns = number * units[i].ns;
		if (strcmp(rest, units[i].name) != 0)
			continue;
		if (!(ns < DURATION_NS_MAX))
			return false;
		*ret_ns = (uint64_t)(ns + 0.5);
		return true;
	}
	return false;
}

bool spanring__sampling_has_ratio(const char *name) {
	const struct sampler *sampler = sampler_find(name);
	return sampler && sampler->sampler == SPANRING_SAMPLER_TRACEIDRATIO;
}

bool spanring__sampling_set(struct spanring__sampling *sampling, const char *name, const char *argument) {
	const struct sampler *sampler = name ? sampler_find(name) : NULL;
	uint64_t threshold = SPANRING__SAMPLING_ALL;
	if (!sampler)
		return false;
	if (sampler->sampler == SPANRING_SAMPLER_ALWAYS_OFF)
		threshold = 0;
	else if (sampler->sampler == SPANRING_SAMPLER_TRACEIDRATIO && argument &&
	         !spanring__sampling_ratio(argument, &threshold))
		return false;
	sampling->sampler = sampler->sampler;
	sampling->flags = (sampling->flags & ~SPANRING_CONTROL_PARENT_BASED) | sampler->flags;
	sampling->threshold = threshold;
	return true;
}

const char *spanring__sampling_name(const struct spanring__sampling *sampling) {
	for (size_t i = 0; i < SAMPLERS; i++)
		if (samplers[i].sampler == sampling->sampler &&
		    samplers[i].flags == (sampling->flags & SPANRING_CONTROL_PARENT_BASED))
			return samplers[i].name;
	return "unknown";
}

static bool is_on(const char *text, bool otherwise) {
	if (!text)
		return otherwise;
	if (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0)
		return true;
	return !(strcasecmp(text, "false") == 0 || strcmp(text, "0") == 0) && otherwise;
}

void spanring__sampling_choose(struct spanring__sampling *ret_sampling) {
	const char *name = getenv("OTEL_TRACES_SAMPLER");
	*ret_sampling =
	    (struct spanring__sampling){.flags = SPANRING_CONTROL_PARENT_BASED, .threshold = SPANRING__SAMPLING_ALL};
	if (is_on(getenv("SPANRING_STATISTICS"), true))
		ret_sampling->flags |= SPANRING_CONTROL_STATISTICS;
	/* A ratio that is none is absent, the name beside it is not. */
	if (!spanring__sampling_set(ret_sampling, name, getenv("OTEL_TRACES_SAMPLER_ARG")))
		(void)spanring__sampling_set(ret_sampling, name, NULL);
	if (!spanring__sampling_duration(getenv("SPANRING_DURATION_MIN"), &ret_sampling->duration_min_ns))
		ret_sampling->duration_min_ns = 0;
}

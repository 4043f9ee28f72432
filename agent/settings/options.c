/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "agent/commands/view.h"
#include "agent/service/sandbox.h"
#include "agent/tail/tail_choice.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"
#include "config.h"
#include "libshm/sampling.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum options_id options_find(const char *name) {
	uint32_t id = 0;
	while (id < OPTIONS_COUNT && strcmp(options_table[id].name, name) != 0)
		id++;
	return (enum options_id)id;
}

const char *options_nearest(const char *typed) {
	const char *names[OPTIONS_COUNT];
	size_t count = 0;
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		if (options_table[id].section)
			names[count++] = options_table[id].name;
	return suggest_nearest(typed, names, count);
}

struct step {
	const char *name;
	uint64_t factor;
};

/* With the largest unit that leaves a whole number. */
static void whole_text(uint64_t value, const struct step *steps, size_t count, char *ret_text, size_t text_bytes) {
	size_t step = 0;
	while (step + 1 < count && value % steps[step].factor != 0)
		step++;
	(void)snprintf(ret_text, text_bytes, "%" PRIu64 "%s", value / steps[step].factor, steps[step].name);
}

static void value_text(enum options_type type, uint64_t value, char *ret_text, size_t text_bytes) {
	static const struct step times[] = {{"h", 3600 * NS_PER_S}, {"m", 60 * NS_PER_S}, {"s", NS_PER_S},
	                                    {"ms", NS_PER_MS},      {"us", 1000},         {"ns", 1}};
	static const struct step sizes[] = {
	    {"GiB", UINT64_C(1) << 30}, {"MiB", UINT64_C(1) << 20}, {"KiB", 1024}, {"", 1}};
	static const struct step numbers[] = {{"", 1}};
	if (value == 0 || type == OPTIONS_NUMBER || type == OPTIONS_NUMBER_OR_NONE)
		whole_text(value, numbers, 1, ret_text, text_bytes);
	else if (type == OPTIONS_BYTES || type == OPTIONS_BYTES_OR_NONE)
		whole_text(value, sizes, sizeof(sizes) / sizeof(sizes[0]), ret_text, text_bytes);
	else
		whole_text(value, times, sizeof(times) / sizeof(times[0]), ret_text, text_bytes);
}

const char *options_bounds(enum options_id id, char ret_text[OPTIONS_WHY_BYTES]) {
	const struct options_entry *entry = &options_table[id];
	char low[UNITS_TEXT_BYTES];
	char high[UNITS_TEXT_BYTES];
	ret_text[0] = '\0';
	if (entry->max == 0)
		return ret_text;
	value_text(entry->type, entry->min, low, sizeof(low));
	value_text(entry->type, entry->max, high, sizeof(high));
	(void)snprintf(ret_text, OPTIONS_WHY_BYTES, "%s to %s", low, high);
	return ret_text;
}

static int parse_number(const char *text, uint64_t *ret_value) {
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return -EINVAL;
	return sscanf(text, "%" SCNu64, ret_value) == 1 ? 0 : -EINVAL;
}

static int set_amount(enum options_id id, const char *text, void *place, char *ret_why) {
	const struct options_entry *entry = &options_table[id];
	char bounds[OPTIONS_WHY_BYTES];
	uint64_t value = 0;
	bool is_number = entry->type == OPTIONS_NUMBER || entry->type == OPTIONS_NUMBER_OR_NONE;
	bool or_none = entry->type == OPTIONS_DURATION_OR_NEVER || entry->type == OPTIONS_BYTES_OR_NONE ||
	               entry->type == OPTIONS_NUMBER_OR_NONE;
	bool is_size = entry->type == OPTIONS_BYTES || entry->type == OPTIONS_BYTES_OR_NONE;
	int rc = is_number ? parse_number(text, &value)
	         : is_size ? units_parse_bytes(text, &value)
	                   : units_parse_duration(text, &value);
	bool never = rc == 0 && value == 0 && or_none;
	if (rc < 0 || (!never && (value < entry->min || value > entry->max))) {
		const char *noun = is_number ? "a number" : is_size ? "a size" : "a time";
		const char *example = is_number ? "512" : is_size ? "64MiB" : "500ms";
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "give %s from %s, such as %s%s", noun,
		               options_bounds(id, bounds), example, or_none ? ", or 0 for never" : "");
		return -EINVAL;
	}
	memcpy(place, &value, sizeof(value));
	return 0;
}

static int set_choice(const char *text, const char *const *choices, void *place, char *ret_why) {
	uint32_t count = 0;
	for (; choices[count]; count++) {
		if (strcmp(choices[count], text) != 0)
			continue;
		memcpy(place, &count, sizeof(count));
		return 0;
	}
	const char *nearest = suggest_nearest(text, choices, count);
	size_t at = 0;
	at += (size_t)snprintf(ret_why, OPTIONS_WHY_BYTES, "give ");
	for (uint32_t i = 0; i < count && at < OPTIONS_WHY_BYTES; i++)
		at += (size_t)snprintf(ret_why + at, OPTIONS_WHY_BYTES - at, "%s%s",
		                       i == 0          ? ""
		                       : i + 1 < count ? ", "
		                                       : " or ",
		                       choices[i]);
	if (nearest && at < OPTIONS_WHY_BYTES)
		(void)snprintf(ret_why + at, OPTIONS_WHY_BYTES - at, "; did you mean %s?", nearest);
	return -EINVAL;
}

static int set_path(const char *text, char *place, char *ret_why) {
	size_t bytes = strlen(text);
	if (bytes == 0 || bytes >= PATH_MAX) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "%s; give a path",
		               bytes == 0 ? "empty path" : "path too long");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_share(const char *text, char *place, char *ret_why) {
	uint64_t threshold;
	size_t bytes = strlen(text);
	bool right = bytes < OPTIONS_RATIO_BYTES &&
	             (strcmp(text, OPTIONS_RATIO_OWN) == 0 || spanring__sampling_ratio(text, &threshold));
	if (!right) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give a number from 0 to 1, such as 0.01, or " OPTIONS_RATIO_OWN
		               " for what each program has chosen");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_address(const char *text, char *place, char *ret_why) {
	struct metrics_address address;
	const char *why;
	if (metrics_address_parse(text, &address, &why) < 0) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "%s", why);
		return -EINVAL;
	}
	memcpy(place, text, strlen(text) + 1);
	return 0;
}

static int set_tail_share(const char *text, char *place, char *ret_why) {
	struct tail_rules rules;
	size_t bytes = strlen(text);
	if (bytes >= OPTIONS_RATIO_BYTES || !tail_choice_set_ratio(&rules, text)) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give 0, or a number from " TAIL_RATIO_MIN " to 1, such as 0.1");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_slowness(const char *text, char *place, char *ret_why) {
	struct tail_rules rules;
	size_t bytes = strlen(text);
	if (bytes >= OPTIONS_RATIO_BYTES || !tail_choice_set_slow(&rules, text)) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give a percentile such as p99, a time such as 250ms, or never");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_switch(const char *text, void *place, char *ret_why) {
	static const char *const words[] = {"no", "yes", NULL};
	uint32_t number = 0;
	int rc = set_choice(text, words, &number, ret_why);
	bool on = number == 1;
	if (rc == 0)
		memcpy(place, &on, sizeof(on));
	return rc;
}

int options_set(enum options_id id, const char *text, struct config *config, char ret_why[OPTIONS_WHY_BYTES]) {
	const struct options_entry *entry = &options_table[id];
	void *place = (char *)config + entry->place;
	switch (entry->type) {
	case OPTIONS_PATH:
		return set_path(text, place, ret_why);
	case OPTIONS_CHOICE:
		return set_choice(text, entry->choices, place, ret_why);
	case OPTIONS_SHARE:
		return set_share(text, place, ret_why);
	case OPTIONS_ADDRESS:
		return set_address(text, place, ret_why);
	case OPTIONS_TAIL_SHARE:
		return set_tail_share(text, place, ret_why);
	case OPTIONS_SLOWNESS:
		return set_slowness(text, place, ret_why);
	case OPTIONS_SWITCH:
		return set_switch(text, place, ret_why);
	default:
		return set_amount(id, text, place, ret_why);
	}
}

const char *options_text(enum options_id id, const struct config *config, char *ret_text, size_t text_bytes) {
	const struct options_entry *entry = &options_table[id];
	const void *place = (const char *)config + entry->place;
	uint64_t value = 0;
	uint32_t number = 0;
	bool on = false;
	switch (entry->type) {
	case OPTIONS_PATH:
	case OPTIONS_SHARE:
	case OPTIONS_ADDRESS:
	case OPTIONS_TAIL_SHARE:
	case OPTIONS_SLOWNESS:
		(void)snprintf(ret_text, text_bytes, "%s", (const char *)place);
		break;
	case OPTIONS_CHOICE:
		memcpy(&number, place, sizeof(number));
		(void)snprintf(ret_text, text_bytes, "%s", entry->choices[number]);
		break;
	case OPTIONS_SWITCH:
		memcpy(&on, place, sizeof(on));
		(void)snprintf(ret_text, text_bytes, "%s", on ? "yes" : "no");
		break;
	default:
		memcpy(&value, place, sizeof(value));
		value_text(entry->type, value, ret_text, text_bytes);
		break;
	}
	return ret_text;
}

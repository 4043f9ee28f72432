/* SPDX-License-Identifier: Apache-2.0 */
#include "gates.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define LINE_BYTES 512u

static char *trimmed(char *text) {
	text += strspn(text, " \t");
	size_t bytes = strlen(text);
	while (bytes > 0 && strchr(" \t\r\n", text[bytes - 1]))
		text[--bytes] = 0;
	return text;
}

static bool keep(char *ret_text, const char *text) {
	return *text && (size_t)snprintf(ret_text, RESULT_NAME_BYTES, "%s", text) < RESULT_NAME_BYTES;
}

/* "command: gate = good red-flag" */
static int take_line(char *line, struct gate_override *ret_override) {
	char *colon = strchr(line, ':');
	char *equals = colon ? strchr(colon, '=') : NULL;
	if (!equals)
		return -EINVAL;
	*colon = *equals = 0;
	char *good = trimmed(equals + 1);
	char *red_flag = good + strcspn(good, " \t");
	if (*red_flag)
		*red_flag++ = 0;
	bool right = keep(ret_override->command, trimmed(line)) && keep(ret_override->name, trimmed(colon + 1)) &&
	             keep(ret_override->good, good) && keep(ret_override->red_flag, trimmed(red_flag));
	return right ? 0 : -EINVAL;
}

int gates_read(const char *path, struct gates *ret_gates, char ret_text[RESULT_TEXT_BYTES]) {
	char line[LINE_BYTES];
	CLEANUP_FILE FILE *file = fopen(path, "re");
	*ret_gates = (struct gates){.count = 0};
	if (!file) {
		(void)snprintf(ret_text, RESULT_TEXT_BYTES, "%.300s: %s: give a file of gates", path, strerror(errno));
		return -errno;
	}
	for (uint32_t number = 1; fgets(line, sizeof(line), file); number++) {
		const char *text = trimmed(line);
		if (!*text || *text == '#')
			continue;
		struct gate_override *override = &ret_gates->overrides[ret_gates->count];
		override->line = number;
		if (ret_gates->count == GATES_MAX - 1 || take_line(line, override) < 0) {
			(void)snprintf(
			    ret_text, RESULT_TEXT_BYTES,
			    "%.300s:%u: give \"command: gate = good red-flag\", like quick: overhead ratio = 1.2 1.5",
			    path, number);
			return -EINVAL;
		}
		ret_gates->count++;
	}
	return 0;
}

static int take_level(const char *text, const char *unit, double *ret_level) {
	uint64_t number;
	char *end;
	double level = strtod(text, &end);
	if (end != text && *end == 0 && isfinite(level)) {
		*ret_level = level;
		return 0;
	}
	int rc = strcmp(unit, "ns") == 0      ? units_parse_duration(text, &number)
	         : strcmp(unit, "bytes") == 0 ? units_parse_bytes(text, &number)
	                                      : -EINVAL;
	if (rc == 0)
		*ret_level = (double)number;
	return rc;
}

int gates_apply(struct gates *gates, const char *command, struct result_gate *gate) {
	for (uint32_t i = 0; i < gates->count; i++) {
		struct gate_override *override = &gates->overrides[i];
		if (strcmp(override->command, command) != 0 || strcmp(override->name, gate->name) != 0)
			continue;
		override->used = true;
		int rc = take_level(override->good, gate->unit, &gate->good);
		return rc < 0 ? rc : take_level(override->red_flag, gate->unit, &gate->red_flag);
	}
	return 0;
}

const struct gate_override *gates_unused(const struct gates *gates) {
	for (uint32_t i = 0; i < gates->count; i++)
		if (!gates->overrides[i].used)
			return &gates->overrides[i];
	return NULL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "result.h"

#include "base/clock.h"
#include "base/errs.h"

#include <spanring/version.h>

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

const char *const result_formats[] = {
    [RESULT_TEXT] = "text", [RESULT_JSON] = "json", [RESULT_CSV] = "csv", [RESULT_MARKDOWN] = "markdown", NULL};

struct result *result_new(const char *command) {
	struct result *result = calloc(1, sizeof(*result));
	if (!result)
		return NULL;
	(void)snprintf(result->command, sizeof(result->command), "%s", command);
	(void)snprintf(result->version, sizeof(result->version), "%s", SPANRING_VERSION_STRING);
	result->time_wall_ns = clock_wall_ns();
	machine_look(&result->machine);
	machine_fingerprint(&result->machine, result->fingerprint);
	return result;
}

void result_free(struct result *result) {
	if (!result)
		return;
	for (uint32_t i = 0; i < result->row_count; i++)
		free(result->rows[i]);
	free(result);
}

struct result_row *result_row(struct result *result, const char *name, const char *unit,
                              enum result_direction direction) {
	struct result_row *row = result->row_count < RESULT_ROWS_MAX ? calloc(1, sizeof(*row)) : NULL;
	if (!row)
		return NULL;
	(void)snprintf(row->name, sizeof(row->name), "%s", name);
	(void)snprintf(row->unit, sizeof(row->unit), "%s", unit);
	row->direction = direction;
	result->rows[result->row_count++] = row;
	return row;
}

const struct result_row *result_find(const struct result *result, const char *name) {
	for (uint32_t i = 0; i < result->row_count; i++)
		if (strcmp(result->rows[i]->name, name) == 0)
			return result->rows[i];
	return NULL;
}

void result_fact(struct result *result, const char *key, const char *format, ...) {
	va_list arguments;
	if (result->fact_count == RESULT_FACTS_MAX)
		return;
	struct result_fact *fact = &result->facts[result->fact_count++];
	(void)snprintf(fact->key, sizeof(fact->key), "%s", key);
	va_start(arguments, format);
	(void)vsnprintf(fact->value, sizeof(fact->value), format, arguments);
	va_end(arguments);
}

void result_gate(struct result *result, const struct result_gate *gate) {
	if (result->gate_count < RESULT_GATES_MAX)
		result->gates[result->gate_count++] = *gate;
}

enum result_state result_gate_state(const struct result_gate *gate) {
	double sign = gate->higher_is_better ? -1 : 1;
	if (isnan(gate->value) || sign * gate->value >= sign * gate->red_flag)
		return RESULT_RED_FLAG;
	return sign * gate->value > sign * gate->good ? RESULT_WARNING : RESULT_GOOD;
}

const char *result_state_text(enum result_state state) {
	static const char *const words[] = {
	    [RESULT_GOOD] = "good", [RESULT_WARNING] = "warning", [RESULT_RED_FLAG] = "red flag"};
	return words[state];
}

int result_exit_code(const struct result *result) {
	for (uint32_t i = 0; i < result->gate_count; i++)
		if (result_gate_state(&result->gates[i]) == RESULT_RED_FLAG)
			return EXIT_CODE_FAILED;
	return EXIT_CODE_OK;
}

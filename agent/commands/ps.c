/* SPDX-License-Identifier: Apache-2.0 */
#include "ps.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "ctl.h"
#include "ps_list.h"

#include <inttypes.h>
#include <string.h>

#define CELL_BYTES 2048u
#define SERVICE_COLUMNS 16u
#define COMMAND_COLUMNS 48u
#define USER_COLUMNS 8

/* Text of the program's, safe for a terminal, cut and padded to so many columns. */
static void print_cell(const char *text, size_t columns, bool padded) {
	char cell[CELL_BYTES];
	size_t bytes = text_printable(text, strlen(text), cell, sizeof(cell));
	while (bytes > 0 && text_columns(cell) > columns) {
		do
			bytes--;
		while (bytes > 0 && ((uint8_t)cell[bytes] & 0xc0) == 0x80);
		cell[bytes] = '\0';
	}
	size_t used = text_columns(cell);
	(void)printf("%s%*s", cell, padded ? (int)(columns - used) : 0, "");
}

static void print_row(const struct ps_row *row, bool with_user) {
	char begun[UNITS_TEXT_BYTES];
	char dropped[UNITS_TEXT_BYTES];
	char sampler[CTL_SAMPLER_TEXT_BYTES];
	char user[32];
	(void)snprintf(user, sizeof(user), "%" PRIu32 "%s", row->uid, row->claim ? "!" : "");
	(void)printf("%-7" PRIu32 " %.8s ", row->pid, row->instance);
	if (with_user)
		(void)printf("%-*s ", USER_COLUMNS, user);
	print_cell(row->service, SERVICE_COLUMNS, true);
	(void)printf(" %-7s %-3s %5" PRIu32 " %13s %10s %-30s ", ps_state_text(row->state),
	             row->control.enabled ? "on" : "off", row->rings, units_format_count(row->begun, begun),
	             units_format_count(row->dropped, dropped), ctl_sampler_text(&row->control, sampler));
	print_cell(row->command, COMMAND_COLUMNS, false);
	(void)printf("\n");
}

static void print_table(const struct config *config, const struct ps_list *list) {
	if (list->count == 0) {
		(void)printf("no traced process at %s\n", config->rings);
		return;
	}
	(void)printf("%-7s %-8s ", "PID", "INSTANCE");
	if (config->system)
		(void)printf("%-*s ", USER_COLUMNS, "UID");
	(void)printf("%-*s %-7s %-3s %5s %13s %10s %-30s %s\n", (int)SERVICE_COLUMNS, "SERVICE", "STATE", "ON", "RINGS",
	             "BEGUN", "DROPPED", "SAMPLER", "COMMAND");
	for (uint32_t i = 0; i < list->count; i++)
		print_row(&list->rows[i], config->system);
}

static void write_row(struct json *json, const struct ps_row *row) {
	json_open(json, NULL, '{');
	json_u64(json, "pid", row->pid);
	json_text(json, "instance", row->instance);
	json_text(json, "service", row->service);
	json_text(json, "command", row->command);
	json_u64(json, "uid", row->uid);
	json_bool(json, "claims_other_uid", (row->claim & STORE_CLAIM_UID) != 0);
	json_bool(json, "claims_other_pid", (row->claim & STORE_CLAIM_PID) != 0);
	json_text(json, "state", ps_state_text(row->state));
	json_u64(json, "rings", row->rings);
	json_u64(json, "begun", row->begun);
	json_u64(json, "open", row->open);
	json_u64(json, "dropped", row->dropped);
	ctl_write_state(json, &row->control);
	json_close(json);
}

static void write_document(const struct config *config, const struct ps_list *list) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "ps/1");
	json_text(&json, "ring_directory", config->rings);
	json_u64(&json, "names_refused", list->foreign + list->refused);
	json_open(&json, "process_list", '[');
	for (uint32_t i = 0; i < list->count; i++)
		write_row(&json, &list->rows[i]);
	json_close(&json);
	json_close(&json);
}

int ps_command(const struct config *config, const struct log *log) {
	CLEANUP(ps_list_close) struct ps_list list;
	int code = ps_list_read(config, log, &list);
	if (code != 0)
		return code;
	if (config->json)
		write_document(config, &list);
	else
		print_table(config, &list);
	if (fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return list.refused ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

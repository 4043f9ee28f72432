/* SPDX-License-Identifier: Apache-2.0 */
/* sql: one SELECT over the tables of a store (docs/sql.md), as table, CSV or JSON. Rows are printed as they come. */
#include "analyze/command.h"
#include "analyze/terminal/csv.h"
#include "analyze/terminal/interrupt.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"
#include "sql/quantile_functions.h"
#include "sql/session.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_DEFAULT_BYTES (UINT64_C(64) << 20)
#define MEMORY_MIN_BYTES (UINT64_C(4) << 20)
#define MEMORY_MAX_BYTES (UINT64_C(1) << 40)
#define TABLE_ROWS_MAX 5000u /* that are held to find widths; then a new table begins */
#define DAMAGE_MAX 1000u
#define CELL_BYTES 64u

_Static_assert(SESSION_COLUMNS_MAX <= TABLE_COLUMNS_MAX, "a table has room for all columns of an answer");

static const char help[] = "  spanring-analyze sql STORE 'SELECT name, count(*), p99(duration_ns) FROM spans\n"
                           "                              GROUP BY name ORDER BY 3 DESC LIMIT 10'\n"
                           "  spanring-analyze sql STORE --csv - < question.sql > answer.csv\n"
                           "  spanring-analyze sql STORE --json --deadline 30s 'SELECT * FROM losses'\n"
                           "\n"
                           "One SELECT over the tables spans, attributes, events, links, processes,\n"
                           "memory_samples, site_stats and losses; \"-\" reads it from standard input.\n"
                           "quantile(x, q), p50(x), p90(x), p95(x) and p99(x) are percentiles. docs/sql.md\n"
                           "has the columns. Anything but reading is refused.\n"
                           "\n"
                           "Options\n"
                           "  --csv            comma-separated values with a header line\n"
                           "  --deadline D     give up after this time, like 30s\n"
                           "  --memory SIZE    of SQLite, like 256MiB (default 64MiB); beyond it sorting goes to\n"
                           "                   temporary files, and what cannot is an error\n";

struct answer {
	const struct context *context;
	struct session *session;
	unsigned columns;
	struct json json;
	struct table table;
	struct table_column titles[SESSION_COLUMNS_MAX];
	size_t table_rows;
	char *damage[DAMAGE_MAX];
	size_t damage_count;
	bool begun;
};

/* Each pass over the store finds the same damage again. */
static void keep_damage(void *context, const char *text) {
	struct answer *answer = context;
	for (size_t i = 0; i < answer->damage_count; i++)
		if (strcmp(answer->damage[i], text) == 0)
			return;
	if (answer->damage_count == DAMAGE_MAX)
		return;
	answer->damage[answer->damage_count] = strdup(text);
	answer->damage_count += answer->damage[answer->damage_count] != NULL;
}

static char *hex_of(const struct session_cell *cell) {
	char *text = malloc(2 * cell->bytes + 1);
	if (text)
		text_hex_encode((const uint8_t *)cell->text, cell->bytes, text);
	return text;
}

static const char *number_of(const struct session_cell *cell, char text[CELL_BYTES]) {
	if (cell->type == SESSION_WHOLE)
		(void)snprintf(text, CELL_BYTES, "%" PRId64, cell->whole);
	else
		(void)snprintf(text, CELL_BYTES, "%.15g", cell->real);
	return text;
}

static int print_csv_row(const struct answer *answer) {
	struct csv csv = {.out = stdout};
	for (unsigned i = 0; i < answer->columns; i++) {
		struct session_cell cell;
		char number[CELL_BYTES];
		session_cell(answer->session, i, &cell);
		CLEANUP_FREE char *hex = cell.type == SESSION_BLOB ? hex_of(&cell) : NULL;
		if (cell.type == SESSION_BLOB && !hex)
			return -ENOMEM;
		if (cell.type == SESSION_TEXT)
			csv_text(&csv, cell.text, cell.bytes);
		else if (cell.type == SESSION_NULL)
			csv_number(&csv, "");
		else
			csv_number(&csv, hex ? hex : number_of(&cell, number));
	}
	csv_end(&csv);
	return 0;
}

static int print_json_row(struct answer *answer) {
	json_open(&answer->json, NULL, '[');
	for (unsigned i = 0; i < answer->columns; i++) {
		struct session_cell cell;
		session_cell(answer->session, i, &cell);
		CLEANUP_FREE char *hex = cell.type == SESSION_BLOB ? hex_of(&cell) : NULL;
		if (cell.type == SESSION_NULL)
			json_null(&answer->json, NULL);
		else if (cell.type == SESSION_WHOLE)
			json_i64(&answer->json, NULL, cell.whole);
		else if (cell.type == SESSION_REAL)
			json_f64(&answer->json, NULL, cell.real);
		else if (cell.type == SESSION_TEXT)
			json_text_n(&answer->json, NULL, cell.text, cell.bytes);
		else
			json_text(&answer->json, NULL, hex ? hex : "");
	}
	json_close(&answer->json);
	return 0;
}

/* The first text column is the one that is cut; numbers stand to the right, as in the first row. */
static void begin_table(struct answer *answer) {
	unsigned flexible = answer->columns;
	for (unsigned i = 0; i < answer->columns; i++) {
		struct session_cell cell;
		session_cell(answer->session, i, &cell);
		answer->titles[i].title = session_title(answer->session, i);
		answer->titles[i].right = cell.type == SESSION_WHOLE || cell.type == SESSION_REAL;
		answer->titles[i].rank = i;
		if (flexible == answer->columns && cell.type == SESSION_TEXT)
			flexible = i;
	}
	answer->table = table_begin(answer->titles, answer->columns, flexible < answer->columns ? flexible : 0, 16);
}

static int end_table(struct answer *answer) {
	int rc = answer->table_rows > 0 ? table_print(&answer->table, &answer->context->terminal, stdout) : 0;
	table_done(&answer->table);
	answer->table_rows = 0;
	return rc;
}

static int add_table_row(struct answer *answer) {
	if (answer->table_rows == 0)
		begin_table(answer);
	for (unsigned i = 0; i < answer->columns; i++) {
		struct session_cell cell;
		char number[CELL_BYTES];
		session_cell(answer->session, i, &cell);
		CLEANUP_FREE char *hex = cell.type == SESSION_BLOB ? hex_of(&cell) : NULL;
		if (cell.type == SESSION_WHOLE || cell.type == SESSION_REAL)
			table_cell(&answer->table, STYLE_PLAIN, number_of(&cell, number));
		else
			table_cell(&answer->table, STYLE_PLAIN, hex ? hex : cell.text);
	}
	return ++answer->table_rows == TABLE_ROWS_MAX ? end_table(answer) : 0;
}

static void begin_output(struct answer *answer) {
	const struct options *options = answer->context->options;
	answer->columns = session_columns(answer->session);
	answer->begun = true;
	if (options->json) {
		answer->json = json_begin(stdout);
		json_open(&answer->json, NULL, '{');
		json_text(&answer->json, "schema", "sql/1");
		json_open(&answer->json, "columns", '[');
		for (unsigned i = 0; i < answer->columns; i++)
			json_text(&answer->json, NULL, session_title(answer->session, i));
		json_close(&answer->json);
		json_open(&answer->json, "rows", '[');
	} else if (options->csv) {
		struct csv csv = {.out = stdout};
		for (unsigned i = 0; i < answer->columns; i++) {
			const char *title = session_title(answer->session, i);
			csv_text(&csv, title, strlen(title));
		}
		csv_end(&csv);
	}
}

static int end_output(struct answer *answer, bool complete) {
	if (answer->context->options->json) {
		json_close(&answer->json);
		json_bool(&answer->json, "complete", complete && answer->damage_count == 0);
		json_close(&answer->json);
	}
	return end_table(answer);
}

static int print_row(struct answer *answer) {
	if (answer->context->options->json)
		return print_json_row(answer);
	return answer->context->options->csv ? print_csv_row(answer) : add_table_row(answer);
}

static int code_of(int error) {
	if (error == SESSION_MISTAKE || error == SESSION_FORBIDDEN)
		return EXIT_CODE_USAGE;
	return error == SESSION_INTERRUPTED ? EXIT_CODE_INTERRUPTED : EXIT_CODE_FAILED;
}

static int print_answer(struct answer *answer, const char *sql) {
	const struct log *log = &answer->context->log;
	char text[SESSION_TEXT_BYTES] = "";
	uint64_t rows = 0;
	int rc = session_prepare(answer->session, sql, text);
	if (rc == 0) {
		begin_output(answer);
		while ((rc = session_next(answer->session, text)) == 1 && !ferror(stdout)) {
			rows++;
			rc = print_row(answer);
			if (rc)
				break;
		}
		if (rc == 1)
			rc = 0; /* nobody can be told the rest; main says why */
	}
	int ended = answer->begun ? end_output(answer, rc == 0) : 0;
	if (rc == 0)
		rc = ended;
	if (rc) {
		log_error(log, "sql: %s", text[0] ? text : strerror(-rc));
		return code_of(rc);
	}
	if (rows == 0 && !answer->context->options->json)
		log_info(log, "no row");
	if (session_binned(answer->session))
		log_info(log, "percentiles of more than %u values are within %g %%: quantile_error(x) tells which",
		         QUANTILE_VALUES_MAX, 100 * QUANTILE_BINNED_ERROR);
	return EXIT_CODE_OK;
}

/* The statement: the word, or all of standard input. NULL after a message. */
static char *read_statement(const struct context *context) {
	const char *word = context->options->sql;
	if (strcmp(word, "-") != 0)
		return strdup(word);
	char *text = malloc(SESSION_SQL_BYTES_MAX + 1);
	size_t bytes = text ? fread(text, 1, SESSION_SQL_BYTES_MAX, stdin) : 0;
	if (!text || ferror(stdin) || bytes == SESSION_SQL_BYTES_MAX || memchr(text, 0, bytes)) {
		log_error(&context->log, "sql: standard input is no statement: give text of less than 1 MiB");
		free(text);
		return NULL;
	}
	text[bytes] = 0;
	return text;
}

static int run_session(const struct context *context, const char *sql, uint64_t memory_bytes) {
	char text[SESSION_TEXT_BYTES] = "";
	struct answer *answer CLEANUP_FREE = calloc(1, sizeof(*answer));
	if (!answer)
		return EXIT_CODE_FAILED;
	answer->context = context;
	struct session_options options = {.deadline_ns = context->options->deadline_ns,
	                                  .memory_bytes = memory_bytes,
	                                  .is_interrupted = interrupt_wanted,
	                                  .on_damage = keep_damage,
	                                  .context = answer};
	int error = session_open(context->options->store, &options, &answer->session, text);
	int code = error == -ENOMEM ? EXIT_CODE_FAILED : EXIT_CODE_INPUT;
	if (error)
		log_error(&context->log, "%s", text[0] ? text : strerror(-error));
	else
		code = print_answer(answer, sql);
	session_close(answer->session);
	for (size_t i = 0; i < answer->damage_count; i++) {
		log_error(&context->log, "%s", answer->damage[i]);
		free(answer->damage[i]);
	}
	return answer->damage_count > 0 && code != EXIT_CODE_INTERRUPTED && code != EXIT_CODE_USAGE ? EXIT_CODE_INPUT
	                                                                                            : code;
}

static int run(const struct context *context) {
	const struct options *options = context->options;
	uint64_t memory_bytes = options->memory_bytes ? options->memory_bytes : MEMORY_DEFAULT_BYTES;
	if (options->json && options->csv) {
		log_error(&context->log, "sql: --json or --csv, not both");
		return EXIT_CODE_USAGE;
	}
	if (memory_bytes < MEMORY_MIN_BYTES || memory_bytes > MEMORY_MAX_BYTES) {
		log_error(&context->log, "sql: --memory: give 4MiB to 1TiB");
		return EXIT_CODE_USAGE;
	}
	char *sql CLEANUP_FREE = read_statement(context);
	if (!sql)
		return EXIT_CODE_USAGE;
	return run_session(context, sql, memory_bytes);
}

const struct command command_sql = {
    .name = "sql",
    .summary = "one SELECT over the store: table, CSV or JSON",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_SQL,
    .run = run,
};

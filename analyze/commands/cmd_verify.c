/* SPDX-License-Identifier: Apache-2.0 */
/* verify: is every byte of the store what was written? */
#include "analyze/command.h"
#include "analyze/query.h"
#include "analyze/terminal/interrupt.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

static const char help[] = "  spanring-analyze verify STORE\n"
                           "  spanring-analyze verify STORE --quiet && echo sound\n"
                           "\n"
                           "Reads everything: SQLite's own integrity check, every checksum, every row\n"
                           "decoded, the counts of each sealed segment. One verdict per file; exit 0 when\n"
                           "all are sound, 3 when any is not. Nothing is repaired or written: the other\n"
                           "commands leave out what is damaged and say so.\n";

struct verification {
	const struct query *query;
	const struct store_damage *damage;
	size_t damage_count;
};

static const struct store_damage *damage_of(const struct verification *verification, const char *file) {
	for (size_t i = 0; i < verification->damage_count; i++)
		if (strcmp(verification->damage[i].file, file) == 0)
			return &verification->damage[i];
	return NULL;
}

static bool is_segment(const struct verification *verification, const char *file) {
	const struct store_overview *overview = verification->query->overview;
	for (size_t i = 0; i < overview->segment_count; i++)
		if (strcmp(overview->segments[i].file, file) == 0)
			return true;
	return false;
}

static void print_json(const struct verification *verification) {
	const struct store_overview *overview = verification->query->overview;
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "verify/1");
	json_bool(&json, "sound", verification->damage_count == 0);
	json_open(&json, "files", '[');
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		const struct store_damage *damage = damage_of(verification, segment->file);
		json_open(&json, NULL, '{');
		json_text(&json, "file", segment->file);
		json_bool(&json, "sound", damage == NULL);
		json_bool(&json, "sealed", segment->sealed);
		json_u64(&json, "batches", segment->batches);
		json_u64(&json, "spans", segment->spans);
		json_close(&json);
	}
	for (size_t i = 0; i < verification->damage_count; i++) {
		if (is_segment(verification, verification->damage[i].file))
			continue;
		json_open(&json, NULL, '{');
		json_text(&json, "file", verification->damage[i].file);
		json_bool(&json, "sound", false);
		json_close(&json);
	}
	json_close(&json);
	json_open(&json, "damage", '[');
	for (size_t i = 0; i < verification->damage_count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "file", verification->damage[i].file);
		json_text(&json, "text", verification->damage[i].text);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static const char *base_name(const char *file) {
	const char *slash = strrchr(file, '/');
	return slash ? slash + 1 : file;
}

static int print_table(const struct verification *verification) {
	static const struct table_column columns[] = {
	    {"file", false, 0}, {"verdict", false, 0}, {"state", false, 2}, {"batches", true, 3}, {"spans", true, 1}};
	const struct store_overview *overview = verification->query->overview;
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 0, 24);
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		bool sound = damage_of(verification, segment->file) == NULL;
		table_cell(&table, STYLE_PLAIN, base_name(segment->file));
		table_cell(&table, sound ? STYLE_GREEN : STYLE_RED, sound ? "sound" : "DAMAGED");
		table_cell(&table, STYLE_PLAIN, segment->sealed ? "sealed" : "open");
		table_count(&table, STYLE_PLAIN, segment->batches);
		table_count(&table, STYLE_PLAIN, segment->spans);
	}
	for (size_t i = 0; i < verification->damage_count; i++) {
		if (is_segment(verification, verification->damage[i].file))
			continue;
		table_cell(&table, STYLE_PLAIN, base_name(verification->damage[i].file));
		table_cell(&table, STYLE_RED, "UNREADABLE");
		table_cell(&table, STYLE_PLAIN, "");
		table_cell(&table, STYLE_PLAIN, "-");
		table_cell(&table, STYLE_PLAIN, "-");
	}
	return table.cell_count ? table_print(&table, &verification->query->context->terminal, stdout) : 0;
}

static int show_progress(void *context, uint64_t done, uint64_t total) {
	progress_update(context, done, total);
	return interrupt_wanted() ? -ECANCELED : 0;
}

static int run(const struct context *context) {
	struct query query;
	int code = query_open(&query, context);
	if (code != EXIT_CODE_OK)
		return code;
	struct progress progress = progress_begin("verifying", context->options->quiet);
	int rc = store_reader_verify(query.reader, show_progress, &progress);
	progress_end(&progress);
	if (rc == -ECANCELED) {
		query_close(&query);
		return EXIT_CODE_INTERRUPTED;
	}
	struct verification verification = {.query = &query};
	verification.damage = store_reader_damage(query.reader, &verification.damage_count);
	bool named = verification.damage_count > 0;
	(void)query_store_is_empty(&query);
	if (context->options->json)
		print_json(&verification);
	else if (print_table(&verification) != 0)
		rc = -ENOMEM;
	code = rc != 0 && !named ? command_failed(context, rc, "verifying") : EXIT_CODE_OK;
	code = query_finish(&query, code);
	query_close(&query);
	return code;
}

const struct command command_verify = {
    .name = "verify",
    .summary = "check every checksum and every row of a store",
    .help = help,
    .takes.allowed = OPTIONS_COMMON,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* The critical path of a trace, piece by piece: when, how long, which span, and where nothing ran. */
#include "trace_view.h"

#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static double share_of(const struct critical_path *path, uint64_t ns) {
	return path->trace_ns ? 100 * (double)ns / (double)path->trace_ns : 0;
}

static void add_row(struct table *table, const struct trace_view *view, uint64_t start_ns, uint64_t ns,
                    const char *name, const char *service) {
	char text[UNITS_TEXT_BYTES];
	char share[16];
	(void)snprintf(share, sizeof(share), "%.1f %%", share_of(view->path, ns));
	table_cell(table, STYLE_PLAIN, units_format_duration((double)start_ns, text));
	table_duration(table, (double)ns);
	table_cell(table, STYLE_PLAIN, share);
	table_cell(table, name ? STYLE_PLAIN : STYLE_DIM, name ? name : "(no span)");
	table_cell(table, STYLE_PLAIN, service);
}

static void add_piece(struct table *table, const struct trace_view *view, uint64_t first_ns,
                      const struct critical_piece *piece) {
	const struct trace_span *span = &view->trace->spans[piece->span];
	const struct store_overview *overview = view->query->overview;
	const char *service = span->process && span->process <= overview->process_count
	                          ? overview->processes[span->process - 1].service
	                          : "";
	add_row(table, view, piece->start_ns - first_ns, piece->end_ns - piece->start_ns,
	        query_name_text(view->query, span->name), service);
}

int trace_view_print_path(const struct trace_view *view, FILE *out) {
	static const struct table_column columns[] = {
	    {"start", true, 2}, {"on path", true, 0}, {"share", true, 1}, {"span", false, 0}, {"service", false, 3}};
	const struct critical_path *path = view->path;
	const struct terminal *terminal = &view->query->context->terminal;
	struct table table CLEANUP(table_done) = table_begin(columns, sizeof(columns) / sizeof(columns[0]), 3, 12);
	uint64_t first_ns = UINT64_MAX;
	char text[2][UNITS_TEXT_BYTES];
	for (uint32_t i = 0; i < view->trace->span_count; i++)
		if (view->trace->spans[i].tree.start_ns < first_ns)
			first_ns = view->trace->spans[i].tree.start_ns;
	uint64_t at_ns = first_ns;
	for (uint32_t i = 0; i < path->piece_count; i++) {
		if (path->pieces[i].start_ns > at_ns)
			add_row(&table, view, at_ns - first_ns, path->pieces[i].start_ns - at_ns, NULL, "");
		add_piece(&table, view, first_ns, &path->pieces[i]);
		at_ns = path->pieces[i].end_ns;
	}
	int rc = table_print(&table, terminal, out);
	if (rc != 0)
		return rc;
	(void)fputc('\n', out);
	terminal_note(terminal, out, STYLE_DIM, "%s of %s (%.1f %%): what the end of the trace waited for",
	              units_format_duration((double)path->path_ns, text[0]),
	              units_format_duration((double)path->trace_ns, text[1]), share_of(path, path->path_ns));
	return 0;
}

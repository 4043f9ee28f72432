/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     GET /users                      0 ns  12.34 ms  ██████████████████████████
 *     ├ authenticate               210 us  1.002 ms  ██
 *     │   user.id = 4711
 *     └ ! query                   1.30 ms  10.90 ms     ███████████████████████
 *         db.statement = SELECT ...
 *         @ 3.10 ms retry
 *         -> trace 4bf9... span 00f0...          (a link)
 *
 * Bars are solid where the critical path is in the span, and light elsewhere.
 *
 * Names take what the widest needs, at most what is left beside the figures and a bar of a quarter of the width; below BAR_WIDTH_MIN columns
 * there is no bar. Deep levels are drawn with INDENT_LEVELS_MAX levels at most.
 */
#include "trace_view.h"

#include "analyze/kernels/ending_text.h"
#include "analyze/kernels/fit.h"

#include "base/cleanup.h"
#include "base/text.h"
#include "base/units.h"

#include <spanring/spanring.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define INDENT_COLUMNS ((size_t)2)
#define INDENT_LEVELS_MAX 12u
#define FIGURE_COLUMNS 9u
#define GAP "  "
#define GAP_COLUMNS 2u
#define BAR_WIDTH_MIN 56u /* of the terminal, for a bar to be worth its place */
#define NAME_COLUMNS_MIN 12u

struct hidden {
	uint64_t spans;       /* descendants that are not shown */
	uint64_t duration_ns; /* of the children among them */
	uint32_t last_shown;  /* child */
	uint32_t subtree;     /* spans below and with this one */
};

struct drawing {
	const struct trace_view *view;
	const struct terminal *terminal;
	FILE *out;
	struct hidden *hidden; /* by node; the last entry is for the top level */
	uint32_t *
	    first_piece; /* by span: its pieces of the path are pieces[first_piece[span]] up to that of the next span */
	struct critical_piece *pieces;
	uint64_t start_ns;
	uint64_t end_ns;
	size_t name_columns;
	size_t bar_columns;
	bool failed;
};

static const struct trace_tree_node *node_of(const struct drawing *drawing, uint32_t index) {
	return &drawing->view->tree->nodes[index];
}

static struct hidden *hidden_below(const struct drawing *drawing, uint32_t index) {
	return &drawing->hidden[index == TRACE_TREE_NONE ? drawing->view->tree->count : index];
}

static void count_hidden(struct drawing *drawing) {
	const struct trace_tree *tree = drawing->view->tree;
	for (uint32_t i = 0; i <= tree->count; i++)
		drawing->hidden[i].last_shown = TRACE_TREE_NONE;
	for (uint32_t i = tree->count; i-- > 0;) {
		uint32_t index = tree->order[i];
		const struct trace_tree_node *node = node_of(drawing, index);
		struct hidden *above = hidden_below(drawing, node->parent);
		drawing->hidden[index].subtree++;
		above->subtree += drawing->hidden[index].subtree;
		if (node->shown) {
			if (above->last_shown == TRACE_TREE_NONE)
				above->last_shown = index;
		} else if (node->parent == TRACE_TREE_NONE || node_of(drawing, node->parent)->shown) {
			above->spans += drawing->hidden[index].subtree;
			above->duration_ns += drawing->view->trace->spans[index].tree.duration_ns;
		}
	}
}

/* --- pieces ------------------------------------------------------------------------------------------------------ */

static unsigned levels(uint32_t depth) {
	return depth < INDENT_LEVELS_MAX ? depth : INDENT_LEVELS_MAX;
}

/* Does something follow on the level of this node, below the same parent? */
static bool continues(const struct drawing *drawing, uint32_t index) {
	const struct hidden *above = hidden_below(drawing, node_of(drawing, index)->parent);
	return above->last_shown != index || above->spans > 0;
}

/* The vertical lines left of what stands at `depth` below node `index` (its ancestors and itself, the innermost at the right). */
static void put_rails(const struct drawing *drawing, uint32_t index, uint32_t depth) {
	const char *rail = drawing->terminal->utf8 ? "\xe2\x94\x82 " : "| ";
	bool bars[INDENT_LEVELS_MAX] = {false};
	unsigned count = levels(depth);
	for (unsigned i = count; i-- > 0 && index != TRACE_TREE_NONE; index = node_of(drawing, index)->parent)
		bars[i] = node_of(drawing, index)->depth > 0 && continues(drawing, index);
	for (unsigned i = 0; i < count; i++)
		(void)fputs(bars[i] ? rail : "  ", drawing->out);
}

static void put_branch(const struct drawing *drawing, bool last) {
	if (drawing->terminal->utf8)
		(void)fputs(last ? "\xe2\x94\x94 " : "\xe2\x94\x9c ", drawing->out);
	else
		(void)fputs(last ? "` " : "|-", drawing->out);
}

static void put_style(const struct drawing *drawing, enum terminal_style style) {
	(void)fputs(terminal_style(drawing->terminal, style), drawing->out);
}

/* Text of any origin, cut to the columns that are left after `used` of the line. */
static void put_text(struct drawing *drawing, const char *text, size_t bytes, size_t used) {
	CLEANUP_FREE char *printable = fit_printable(text, bytes);
	size_t width = drawing->terminal->width;
	if (!printable) {
		drawing->failed = true;
		return;
	}
	if (width == TERMINAL_WIDTH_UNLIMITED) {
		(void)fputs(printable, drawing->out);
		return;
	}
	CLEANUP_FREE char *cut = fit_end(printable, width > used + 1 ? width - used : 1, drawing->terminal->utf8);
	if (!cut)
		drawing->failed = true;
	else
		(void)fputs(cut, drawing->out);
}

/* Is the path in this span at some time of this part of the bar? */
static bool is_critical(const struct drawing *drawing, uint32_t index, double from, double to) {
	double range = (double)(drawing->end_ns - drawing->start_ns);
	double columns = (double)drawing->bar_columns;
	for (uint32_t i = drawing->first_piece[index]; i < drawing->first_piece[index + 1] && range > 0; i++) {
		const struct critical_piece *piece = &drawing->pieces[i];
		if ((double)(piece->start_ns - drawing->start_ns) / range * columns < to &&
		    (double)(piece->end_ns - drawing->start_ns) / range * columns > from)
			return true;
	}
	return false;
}

static void put_bar(const struct drawing *drawing, uint32_t index) {
	const struct trace_span *span = &drawing->view->trace->spans[index];
	double range = (double)(drawing->end_ns - drawing->start_ns);
	double columns = (double)drawing->bar_columns;
	if (drawing->bar_columns == 0)
		return;
	double from = range > 0 ? (double)(span->tree.start_ns - drawing->start_ns) / range * columns : 0;
	double length = range > 0 ? (double)span->tree.duration_ns / range * columns : columns;
	size_t skip = (size_t)from < drawing->bar_columns ? (size_t)from : drawing->bar_columns - 1;
	size_t cells = (size_t)(length + 0.5);
	if (cells > drawing->bar_columns - skip)
		cells = drawing->bar_columns - skip;
	const char *block = drawing->terminal->utf8 ? "\xe2\x96\x88" : "#";
	const char *light = drawing->terminal->utf8 ? "\xe2\x96\x91" : "-";
	const char *sliver = drawing->terminal->utf8 ? "\xe2\x96\x8f" : "|";
	(void)fprintf(drawing->out, GAP "%*s", (int)skip, "");
	put_style(drawing, span->status == SPANRING_STATUS_ERROR ? STYLE_RED : STYLE_CYAN);
	for (size_t i = 0; i < cells; i++) {
		double at = (double)(skip + i);
		(void)fputs(is_critical(drawing, index, at, at + 1) ? block : light, drawing->out);
	}
	if (cells == 0)
		(void)fputs(sliver, drawing->out);
	put_style(drawing, STYLE_PLAIN);
}

/* What people see as the name of a span: "! " marks an error. */
static char *name_of(const struct drawing *drawing, const struct trace_span *span) {
	const char *name = query_name_text(drawing->view->query, span->name);
	char *marked = NULL;
	if (asprintf(&marked, "%s%s", span->status == SPANRING_STATUS_ERROR ? "! " : "", name) < 0)
		return NULL;
	char *printable = fit_printable(marked, strlen(marked));
	free(marked);
	return printable;
}

/* --- lines ------------------------------------------------------------------------------------------------------- */

static void put_span(struct drawing *drawing, uint32_t index) {
	const struct trace_span *span = &drawing->view->trace->spans[index];
	const struct trace_tree_node *node = node_of(drawing, index);
	char start[UNITS_TEXT_BYTES];
	char duration[UNITS_TEXT_BYTES];
	size_t indent = INDENT_COLUMNS * levels(node->depth);
	size_t room = drawing->name_columns > indent ? drawing->name_columns - indent : 1;
	CLEANUP_FREE char *name = name_of(drawing, span);
	CLEANUP_FREE char *cut = name ? fit_middle(name, room, drawing->terminal->utf8) : NULL;
	if (!cut) {
		drawing->failed = true;
		return;
	}
	if (node->depth > 0) {
		put_rails(drawing, node->parent, levels(node->depth) - 1);
		put_branch(drawing, !continues(drawing, index));
	}
	put_style(drawing, span->status == SPANRING_STATUS_ERROR ? STYLE_RED : STYLE_BOLD);
	(void)fputs(cut, drawing->out);
	put_style(drawing, STYLE_PLAIN);
	size_t taken = text_columns(cut);
	(void)fprintf(drawing->out, "%*s" GAP "%*s" GAP "%*s", (int)(taken < room ? room - taken : 0), "",
	              (int)FIGURE_COLUMNS,
	              units_format_duration((double)(span->tree.start_ns - drawing->start_ns), start),
	              (int)FIGURE_COLUMNS, units_format_duration((double)span->tree.duration_ns, duration));
	put_bar(drawing, index);
	(void)fputc('\n', drawing->out);
}

static size_t begin_detail(const struct drawing *drawing, uint32_t index, unsigned extra) {
	uint32_t depth = node_of(drawing, index)->depth;
	bool children =
	    hidden_below(drawing, index)->last_shown != TRACE_TREE_NONE || hidden_below(drawing, index)->spans > 0;
	put_rails(drawing, index, depth);
	if (children)
		(void)fputs(drawing->terminal->utf8 ? "\xe2\x94\x82 " : "| ", drawing->out);
	else
		(void)fputs("  ", drawing->out);
	(void)fprintf(drawing->out, "%*s", (int)extra, "");
	return INDENT_COLUMNS * (levels(depth) + 1) + extra;
}

static void put_value(struct drawing *drawing, const struct trace_attribute *attribute, size_t used) {
	char text[64];
	double number;
	switch (attribute->type) {
	case SPANRING_VALUE_STRING:
		put_text(drawing, drawing->view->trace->text + attribute->text_offset, attribute->text_bytes, used);
		return;
	case SPANRING_VALUE_BOOL:
		(void)snprintf(text, sizeof(text), "%s", attribute->value ? "true" : "false");
		break;
	case SPANRING_VALUE_I64:
		(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)attribute->value);
		break;
	case SPANRING_VALUE_F64:
		memcpy(&number, &attribute->value, sizeof(number));
		(void)snprintf(text, sizeof(text), "%.15g", number);
		break;
	default:
		(void)snprintf(text, sizeof(text), "%" PRIu64, attribute->value);
	}
	put_text(drawing, text, strlen(text), used);
}

static void put_attributes(struct drawing *drawing, uint32_t index, uint32_t event_index, unsigned extra) {
	size_t count = 0;
	const struct trace_attribute *attributes = trace_attributes_of(
	    drawing->view->trace, drawing->view->trace->spans[index].tree.span_id, event_index, &count);
	for (size_t i = 0; i < count; i++) {
		size_t used = begin_detail(drawing, index, extra);
		const char *key = query_name_text(drawing->view->query, attributes[i].key);
		put_style(drawing, STYLE_DIM);
		put_text(drawing, key, strlen(key), used);
		(void)fputs(" = ", drawing->out);
		CLEANUP_FREE char *printable = fit_printable(key, strlen(key));
		put_value(drawing, &attributes[i], used + (printable ? text_columns(printable) : 0) + 3);
		put_style(drawing, STYLE_PLAIN);
		(void)fputc('\n', drawing->out);
	}
}

static void put_events(struct drawing *drawing, uint32_t index) {
	const struct trace_span *span = &drawing->view->trace->spans[index];
	size_t count = 0;
	const struct trace_event *events = trace_events_of(drawing->view->trace, span->tree.span_id, &count);
	for (size_t i = 0; i < count; i++) {
		char text[UNITS_TEXT_BYTES];
		double offset_ns = (double)events[i].time_wall_ns - (double)drawing->start_ns;
		if (events[i].time_wall_ns >= drawing->start_ns)
			offset_ns = (double)(events[i].time_wall_ns - drawing->start_ns);
		size_t used = begin_detail(drawing, index, 2);
		const char *name = query_name_text(drawing->view->query, events[i].name);
		put_style(drawing, STYLE_YELLOW);
		int head = fprintf(drawing->out, "@ %s ", units_format_duration(offset_ns, text));
		put_text(drawing, name, strlen(name), used + (head > 0 ? (size_t)head : 0));
		put_style(drawing, STYLE_PLAIN);
		(void)fputc('\n', drawing->out);
		put_attributes(drawing, index, events[i].event_index, 4);
	}
}

static void put_links(struct drawing *drawing, uint32_t index) {
	const struct trace *trace = drawing->view->trace;
	size_t count = 0;
	const struct trace_link *links = trace_links_of(trace, trace->spans[index].tree.span_id, &count);
	for (size_t i = 0; i < count; i++) {
		char trace_id[TRACE_ID_TEXT_BYTES];
		char span_id[TRACE_ID_TEXT_BYTES];
		char text[2 * TRACE_ID_TEXT_BYTES + 32];
		bool inside = links[i].linked_hi == trace->hi && links[i].linked_lo == trace->lo;
		(void)snprintf(text, sizeof(text), "-> %s%s span %s", inside ? "this trace" : "trace ",
		               inside ? "," : trace_id_text(links[i].linked_hi, links[i].linked_lo, trace_id),
		               span_id_text(links[i].linked_span_id, span_id));
		size_t used = begin_detail(drawing, index, 2);
		put_style(drawing, STYLE_CYAN);
		put_text(drawing, text, strlen(text), used);
		put_style(drawing, STYLE_PLAIN);
		(void)fputc('\n', drawing->out);
	}
}

static void put_note(struct drawing *drawing, uint32_t index, const char *note) {
	size_t used = begin_detail(drawing, index, 2);
	put_style(drawing, STYLE_YELLOW);
	put_text(drawing, note, strlen(note), used);
	put_style(drawing, STYLE_PLAIN);
	(void)fputc('\n', drawing->out);
}

static void put_open(struct drawing *drawing, uint32_t index) {
	const struct trace_span *span = &drawing->view->trace->spans[index];
	const struct store_overview *overview = drawing->view->query->overview;
	char note[128];
	char text[ENDING_TEXT_BYTES];
	const char *phrase =
	    span->process ? ending_text_phrase(&overview->processes[span->process - 1].account, text) : "died";
	(void)snprintf(note, sizeof(note),
	               "open, its process %s: never ended; the duration is its age when that was found", phrase);
	put_note(drawing, index, note);
}

static void put_details(struct drawing *drawing, uint32_t index) {
	const struct trace_span *span = &drawing->view->trace->spans[index];
	char id[TRACE_ID_TEXT_BYTES];
	char note[128];
	if (node_of(drawing, index)->orphan) {
		(void)snprintf(note, sizeof(note), "parent %s is not stored", span_id_text(span->tree.parent_id, id));
		put_note(drawing, index, note);
	}
	if (span->flags & STORE_SPAN_UNFINISHED)
		put_note(drawing, index, "unfinished: ended by thread exit or shutdown, not by the program");
	if (span->flags & STORE_SPAN_OPEN)
		put_open(drawing, index);
	if (!drawing->view->attributes)
		return;
	put_attributes(drawing, index, 0, 2);
	put_events(drawing, index);
	put_links(drawing, index);
}

/* "… 37 more spans, 12.3 ms" below a parent (or at the top level). */
static void put_hidden(struct drawing *drawing, uint32_t parent) {
	const struct hidden *hidden = hidden_below(drawing, parent);
	char count[UNITS_TEXT_BYTES];
	char duration[UNITS_TEXT_BYTES];
	if (hidden->spans == 0)
		return;
	if (parent != TRACE_TREE_NONE) {
		put_rails(drawing, parent, node_of(drawing, parent)->depth);
		put_branch(drawing, true);
	}
	put_style(drawing, STYLE_DIM);
	(void)fprintf(drawing->out, "%s %s more, %s in all\n", drawing->terminal->utf8 ? "\xe2\x80\xa6" : "...",
	              units_format_count(hidden->spans, count),
	              units_format_duration((double)hidden->duration_ns, duration));
	put_style(drawing, STYLE_PLAIN);
}

static void put_tree(struct drawing *drawing) {
	const struct trace_tree *tree = drawing->view->tree;
	uint32_t previous = TRACE_TREE_NONE;
	for (uint32_t i = 0; i < tree->count; i++) {
		uint32_t index = tree->order[i];
		const struct trace_tree_node *node = node_of(drawing, index);
		if (!node->shown)
			continue;
		/* levels that end here say what they hid */
		while (previous != TRACE_TREE_NONE && previous != node->parent) {
			put_hidden(drawing, previous);
			previous = node_of(drawing, previous)->parent;
		}
		put_span(drawing, index);
		put_details(drawing, index);
		previous = index;
	}
	for (; previous != TRACE_TREE_NONE; previous = node_of(drawing, previous)->parent)
		put_hidden(drawing, previous);
	put_hidden(drawing, TRACE_TREE_NONE);
}

/* --- frame ------------------------------------------------------------------------------------------------------- */

static void lay_out(struct drawing *drawing) {
	const struct trace_tree *tree = drawing->view->tree;
	size_t natural = strlen("span");
	for (uint32_t i = 0; i < tree->count; i++) {
		if (!tree->nodes[i].shown)
			continue;
		CLEANUP_FREE char *name = name_of(drawing, &drawing->view->trace->spans[i]);
		size_t columns = (name ? text_columns(name) : 0) + INDENT_COLUMNS * levels(tree->nodes[i].depth);
		if (columns > natural)
			natural = columns;
	}
	size_t width = drawing->terminal->width;
	size_t figures = (size_t)2 * (FIGURE_COLUMNS + GAP_COLUMNS);
	drawing->name_columns = natural;
	if (width == TERMINAL_WIDTH_UNLIMITED) {
		drawing->bar_columns = TERMINAL_WIDTH_DEFAULT / 4;
		return;
	}
	size_t bar = width >= BAR_WIDTH_MIN ? width / 4 : 0;
	size_t taken = figures + (bar ? bar + GAP_COLUMNS : 0);
	size_t room = width > taken + NAME_COLUMNS_MIN ? width - taken : NAME_COLUMNS_MIN;
	if (drawing->name_columns > room)
		drawing->name_columns = room;
	drawing->bar_columns = bar ? bar + (room - drawing->name_columns) : 0;
}

static void find_range(struct drawing *drawing) {
	const struct trace *trace = drawing->view->trace;
	drawing->start_ns = UINT64_MAX;
	for (uint32_t i = 0; i < trace->span_count; i++) {
		uint64_t start_ns = trace->spans[i].tree.start_ns;
		uint64_t end_ns = 0;
		if (__builtin_add_overflow(start_ns, trace->spans[i].tree.duration_ns, &end_ns))
			end_ns = UINT64_MAX;
		if (start_ns < drawing->start_ns)
			drawing->start_ns = start_ns;
		if (end_ns > drawing->end_ns)
			drawing->end_ns = end_ns;
	}
}

static void put_head(const struct drawing *drawing) {
	const struct trace *trace = drawing->view->trace;
	char id[TRACE_ID_TEXT_BYTES];
	char text[3][UNITS_TEXT_BYTES];
	uint64_t errors = 0;
	for (uint32_t i = 0; i < trace->span_count; i++)
		errors += trace->spans[i].status == SPANRING_STATUS_ERROR;
	put_style(drawing, STYLE_BOLD);
	(void)fprintf(drawing->out, "trace %s\n", trace_id_text(trace->hi, trace->lo, id));
	put_style(drawing, STYLE_PLAIN);
	terminal_note(drawing->terminal, drawing->out, STYLE_PLAIN, "%s, %s %s, %" PRIu64 " %s, %s",
	              units_format_wall(drawing->start_ns, text[0]), units_format_count(trace->span_count, text[1]),
	              trace->span_count == 1 ? "span" : "spans", errors, errors == 1 ? "error" : "errors",
	              units_format_duration((double)(drawing->end_ns - drawing->start_ns), text[2]));
	(void)fputc('\n', drawing->out);
	put_style(drawing, STYLE_BOLD);
	(void)fprintf(drawing->out, "%-*s" GAP "%*s" GAP "%*s\n", (int)drawing->name_columns, "span",
	              (int)FIGURE_COLUMNS, "start", (int)FIGURE_COLUMNS, "duration");
	put_style(drawing, STYLE_PLAIN);
}

/* Pieces by span; within a span they stay in order of time. */
static int sort_pieces(struct drawing *drawing) {
	const struct critical_path *path = drawing->view->path;
	uint32_t count = drawing->view->trace->span_count;
	drawing->first_piece = calloc((size_t)count + 2, sizeof(drawing->first_piece[0]));
	drawing->pieces = calloc((size_t)path->piece_count + 1, sizeof(drawing->pieces[0]));
	if (!drawing->first_piece || !drawing->pieces)
		return -ENOMEM;
	for (uint32_t i = 0; i < path->piece_count; i++)
		drawing->first_piece[path->pieces[i].span + 2]++;
	for (uint32_t i = 2; i < count + 2; i++)
		drawing->first_piece[i] += drawing->first_piece[i - 1];
	for (uint32_t i = 0; i < path->piece_count; i++)
		drawing->pieces[drawing->first_piece[path->pieces[i].span + 1]++] = path->pieces[i];
	return 0;
}

static void put_left_out(const struct drawing *drawing) {
	const struct trace_tree *tree = drawing->view->tree;
	uint64_t left_out = tree->count;
	char text[UNITS_TEXT_BYTES];
	for (uint32_t i = 0; i < tree->count; i++)
		left_out -= tree->nodes[i].shown;
	if (left_out == 0)
		return;
	(void)fputc('\n', drawing->out);
	terminal_note(drawing->terminal, drawing->out, STYLE_DIM,
	              "the longest spans are shown, %s are not; --limit 0 shows all",
	              units_format_count(left_out, text));
}

static void put_legend(const struct drawing *drawing) {
	const struct critical_path *path = drawing->view->path;
	char text[UNITS_TEXT_BYTES];
	if (drawing->bar_columns == 0 || drawing->view->trace->span_count < 2 || path->trace_ns == 0)
		return;
	(void)fputc('\n', drawing->out);
	terminal_note(drawing->terminal, drawing->out, STYLE_DIM,
	              "%s critical path: %s, %.1f %% of the trace. Alone: --critical-path",
	              drawing->terminal->utf8 ? "\xe2\x96\x88" : "#",
	              units_format_duration((double)path->path_ns, text),
	              100 * (double)path->path_ns / (double)path->trace_ns);
}

int trace_view_print(const struct trace_view *view, FILE *out) {
	struct drawing drawing = {.view = view, .terminal = &view->query->context->terminal, .out = out};
	drawing.hidden = calloc((size_t)view->tree->count + 1, sizeof(*drawing.hidden));
	if (!drawing.hidden || sort_pieces(&drawing) != 0)
		drawing.failed = true;
	if (!drawing.failed) {
		count_hidden(&drawing);
		find_range(&drawing);
		lay_out(&drawing);
		put_head(&drawing);
		put_tree(&drawing);
		put_left_out(&drawing);
		put_legend(&drawing);
	}
	free(drawing.hidden);
	free(drawing.first_piece);
	free(drawing.pieces);
	return drawing.failed ? -ENOMEM : 0;
}

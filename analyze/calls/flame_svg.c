/* SPDX-License-Identifier: Apache-2.0 */
#include "flame_svg.h"

#include "analyze/terminal/markup.h"
#include "base/units.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#define ROW 18u              /* from one level to the next */
#define FRAME 17u            /* of which the frame has */
#define HEAD 76u             /* title, remarks, buttons */
#define FOOT 24u             /* details */
#define SHARE_MIN 0.0002     /* of all: narrower frames are left out */
#define TEXT_SHARE_MIN 0.012 /* narrower ones have no text before they are zoomed */

/* --- frames ------------------------------------------------------------------------------------------------------ */

static uint32_t hue_of(const char *name) {
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return (hash >> 8) % 45 + 12;
}

/* In hundredths, 1 to 100: how much of the largest change this one is. */
static unsigned strength_of(const struct flame *flame, double change) {
	double strength = flame->own_change_max > 0 ? fabs(change) / flame->own_change_max : 0;
	return 1 + (unsigned)(99 * sqrt(strength));
}

static void put_colour(const struct flame *flame, uint32_t at, const char *name, FILE *out) {
	const struct call_view_node *node = &flame->view->nodes[at];
	bool is_real = node->key < flame->view->keys->key_count;
	if (flame->changes) {
		double change = flame->changes[at].own;
		bool small = fabs(change) < flame->own_change_max / 200;
		if (small)
			(void)fputs("class=\"same\" fill=\"#ddd\"", out);
		else
			(void)fprintf(out, "class=\"%s\" fill=\"%s\" style=\"--c:%u\"", change > 0 ? "more" : "less",
			              change > 0 ? "#f99" : "#9bf", strength_of(flame, change));
		return;
	}
	if (!is_real)
		(void)fputs("class=\"same\" fill=\"#ddd\"", out);
	else
		(void)fprintf(out, "class=\"warm\" fill=\"#fb7\" style=\"--h:%u\"", hue_of(name));
}

static void put_details(const struct flame *flame, uint32_t at, const char *name, FILE *out) {
	const struct call_view_node *node = &flame->view->nodes[at];
	char text[FLAME_VALUE_TEXT_BYTES];
	char count[UNITS_TEXT_BYTES];
	markup_put_text(out, name);
	(void)fprintf(out, ": %s, %.2f %%", flame_value_text(flame->value, (double)node->wide, text),
	              100 * call_share(node->wide, flame->view->nodes[0].wide));
	if (node->own < node->wide)
		(void)fprintf(out, ", own %s", flame_value_text(flame->value, (double)node->own, text));
	if (flame->value != CALL_VALUE_CALLS && node->figures.calls > 0)
		(void)fprintf(out, ", %s %s", units_format_count(calls_count(node->figures.calls), count),
		              calls_count(node->figures.calls) == 1 ? "call" : "calls");
	if (!flame->changes)
		return;
	const struct flame_change *change = &flame->changes[at];
	if (change->is_new) {
		(void)fputs("; new", out);
		return;
	}
	(void)fprintf(out, "; %s%s", change->wide >= 0 ? "+" : "", flame_value_text(flame->value, change->wide, text));
	if (change->before_wide > 0)
		(void)fprintf(out, " (%+.1f %%)", 100 * change->wide / change->before_wide);
	(void)fprintf(out, ", own %s%s", change->own >= 0 ? "+" : "",
	              flame_value_text(flame->value, change->own, text));
}

struct drawing {
	const struct flame *flame;
	FILE *out;
	uint32_t rows;
};

static void put_frame(const struct drawing *drawing, uint32_t at, double left, double share) {
	const struct flame *flame = drawing->flame;
	const struct call_view_node *node = &flame->view->nodes[at];
	FILE *out = drawing->out;
	char text[CALL_KEY_TEXT_BYTES];
	const char *name = call_key_text(flame->view->keys, node->key, flame->strip, text);
	(void)fprintf(out, "<svg class=\"f\" x=\"%.5f%%\" y=\"%u\" width=\"%.5f%%\" height=\"%u\" data-name=\"",
	              100 * left, HEAD + (drawing->rows - 1 - node->depth) * ROW, 100 * share, FRAME);
	markup_put_text(out, name);
	(void)fputs("\"><title>", out);
	put_details(flame, at, name, out);
	(void)fputs("</title><rect width=\"100%\" height=\"100%\" rx=\"2\" ", out);
	put_colour(flame, at, name, out);
	(void)fputs("/><text x=\"4\" y=\"13\">", out);
	if (share >= TEXT_SHARE_MIN)
		markup_put_text(out, name);
	(void)fputs("</text></svg>\n", out);
}

/* Children stand side by side from the left edge of their parent. */
static void put_frames(const struct drawing *drawing, uint32_t at, double left) {
	const struct call_view *view = drawing->flame->view;
	const struct call_view_node *node = &view->nodes[at];
	double share = call_share(node->wide, view->nodes[0].wide);
	if (share < SHARE_MIN)
		return;
	put_frame(drawing, at, left, share);
	for (uint32_t child = node->first; child < node->first + node->count; child++) {
		put_frames(drawing, child, left);
		left += call_share(view->nodes[child].wide, view->nodes[0].wide);
	}
}

/* Levels that have a frame that is wide enough. */
static uint32_t count_rows(const struct call_view *view) {
	uint32_t deepest = 0;
	for (uint32_t at = 0; at < view->node_count; at++)
		if (view->nodes[at].depth > deepest &&
		    call_share(view->nodes[at].wide, view->nodes[0].wide) >= SHARE_MIN)
			deepest = view->nodes[at].depth;
	return deepest + 1;
}

static uint32_t count_narrow(const struct call_view *view) {
	uint32_t narrow = 0;
	for (uint32_t at = 1; at < view->node_count; at++)
		narrow += call_share(view->nodes[at].wide, view->nodes[0].wide) < SHARE_MIN;
	return narrow;
}

/* --- the document ------------------------------------------------------------------------------------------------ */

static void put_remarks(const struct flame *flame, FILE *out) {
	char text[FLAME_VALUE_TEXT_BYTES];
	char count[UNITS_TEXT_BYTES];
	uint32_t narrow = count_narrow(flame->view);
	(void)fprintf(out, "%s, all: %s", flame_value_name(flame->value),
	              flame_value_text(flame->value, (double)flame->view->nodes[0].wide, text));
	if (flame->before) {
		(void)fprintf(
		    out,
		    "; red: slower, blue: faster, by own value; before is scaled by %.4g to as many calls of roots",
		    flame->scale);
		if (flame->gone_share >= 0.0005)
			(void)fprintf(out, "; %.1f %% of it is in paths that are gone", 100 * flame->gone_share);
	}
	if (narrow > 0)
		(void)fprintf(out, "; %s %s less than %.2f %% not drawn", units_format_count(narrow, count),
		              narrow == 1 ? "frame of" : "frames of", 100 * SHARE_MIN);
}

static void put_controls(FILE *out) {
	(void)fputs(
	    "<g class=\"controls\" visibility=\"hidden\">"
	    "<foreignObject x=\"8\" y=\"44\" width=\"220\" height=\"26\">"
	    "<input xmlns=\"http://www.w3.org/1999/xhtml\" type=\"search\" placeholder=\"search names\" "
	    "aria-label=\"search names\"/></foreignObject>"
	    "<text class=\"found\" x=\"236\" y=\"61\"> </text>"
	    "<text class=\"reset\" x=\"99%\" y=\"61\" text-anchor=\"end\" visibility=\"hidden\">reset zoom</text></g>\n",
	    out);
}

void flame_svg_write(const struct flame *flame, const struct flame_svg *look, FILE *out) {
	struct drawing drawing = {.flame = flame, .out = out, .rows = count_rows(flame->view)};
	uint32_t height = HEAD + drawing.rows * ROW + FOOT;
	if (look->is_standalone)
		(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"no\"?>\n", out);
	(void)fprintf(out,
	              "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"flame\" width=\"100%%\" height=\"%u\" "
	              "role=\"img\">\n<title>",
	              height);
	markup_put_text(out, look->title);
	(void)fputs("</title>\n", out);
	if (look->is_standalone)
		(void)fprintf(out, "<style>%s</style>\n", flame_svg_style);
	(void)fputs(
	    "<rect class=\"paper\" width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n<text class=\"title\" x=\"8\" y=\"20\">",
	    out);
	markup_put_text(out, look->title);
	(void)fputs("</text>\n<text class=\"remarks\" x=\"8\" y=\"37\">", out);
	put_remarks(flame, out);
	(void)fputs("</text>\n", out);
	put_controls(out);
	if (flame->view->nodes[0].wide > 0)
		put_frames(&drawing, 0, 0);
	(void)fprintf(out, "<text class=\"details\" x=\"8\" y=\"%u\"> </text>\n", height - 8);
	if (look->is_standalone)
		(void)fprintf(out, "<script><![CDATA[%s]]></script>\n", flame_svg_script);
	(void)fputs("</svg>\n", out);
}

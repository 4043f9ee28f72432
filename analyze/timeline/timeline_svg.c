/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The timeline as SVG. Positions in time are percent of the width, so the picture fits any window; without its script it is a picture, the script adds zoom, moving and
 * search. What comes from a store is only in text nodes and attribute values (markup.h); nothing is loaded from anywhere, and as a page a policy says so.
 *
 *     <svg class="timeline">          title, remarks, search
 *       <g class="axis">              ticks
 *       <text class="lane">           for each lane: its thread,
 *       <rect class="s">              its shade, slot by slot,
 *       <svg class="b" x="%" width="%">   its bars
 */
#include "timeline.h"

#include "analyze/kernels/heat_map.h"
#include "analyze/kernels/lane_levels.h"
#include "analyze/kernels/trace_id.h"
#include "analyze/terminal/markup.h"

#include "base/units.h"

#include <spanring/spanring.h>

#include <inttypes.h>
#include <string.h>

#define HEAD 62u
#define ROW 18u
#define BAR 16u
#define LABEL 20u
#define SHADE 10u
#define GAP 6u
#define FOOT 26u
#define TICKS 8u
#define TEXT_SHARE_MIN 1.5 /* percent; narrower bars have no text before they are zoomed */

static uint32_t hue_of(const char *name) {
	uint32_t hash = 2166136261u;
	for (; *name; name++)
		hash = (hash ^ (uint8_t)*name) * 16777619u;
	return (hash >> 8) % 360;
}

static double percent(const struct timeline *timeline, uint64_t time_ns) {
	double range = (double)(timeline->end_ns - timeline->start_ns);
	if (time_ns < timeline->start_ns)
		return -100 * (double)(timeline->start_ns - time_ns) / range;
	return 100 * (double)(time_ns - timeline->start_ns) / range;
}

static bool has_shade(const struct timeline_lane *lane) {
	return lane->span_count > lane->bar_count;
}

static uint32_t height_of(const struct timeline_lane *lane) {
	return LABEL + (has_shade(lane) ? SHADE + 2 : 0) + lane->level_count * ROW + GAP;
}

static void put_bar(const struct timeline *timeline, const struct timeline_bar *bar, uint32_t y, FILE *out) {
	const char *name = query_name_text(timeline->query, bar->name);
	double from = percent(timeline, bar->start_ns);
	double to = percent(timeline, bar->end_ns);
	char text[UNITS_TEXT_BYTES];
	char id[TRACE_ID_TEXT_BYTES];
	/* what lies beside the window is not drawn far out */
	from = from < -1 ? -1 : from;
	to = to > 101 ? 101 : to;
	const char *kind = bar->status == SPANRING_STATUS_ERROR ? " error" : "";
	const char *dim = timeline->has_trace && !bar->is_of_trace ? " other" : "";
	(void)fprintf(out, "<svg class=\"b%s%s%s\" x=\"%.5f%%\" y=\"%u\" width=\"%.5f%%\" height=\"%u\" data-name=\"",
	              kind, dim, bar->is_open ? " open" : "", from, y, to > from ? to - from : 0, BAR);
	markup_put_text(out, name);
	(void)fputs("\"><title>", out);
	markup_put_text(out, name);
	(void)fprintf(out, ", %s", units_format_duration((double)(bar->end_ns - bar->start_ns), text));
	(void)fprintf(out, "%s%s, trace %s</title>", bar->status == SPANRING_STATUS_ERROR ? ", error" : "",
	              bar->is_open ? ", never ended" : "", trace_id_text(bar->trace_hi, bar->trace_lo, id));
	(void)fprintf(out, "<rect width=\"100%%\" height=\"100%%\" style=\"--h:%u\"/><text x=\"3\" y=\"12\">",
	              hue_of(name));
	if (to - from >= TEXT_SHARE_MIN)
		markup_put_text(out, name);
	(void)fputs("</text></svg>\n", out);
}

/* Neighbours of one level are one rectangle. */
static void put_shade(const struct timeline *timeline, const struct timeline_lane *lane, uint32_t y, FILE *out) {
	uint64_t lows[HEAT_MAP_LEVELS] = {0};
	for (unsigned level = 1; level < HEAT_MAP_LEVELS; level++)
		lows[level] = heat_map_level_low(level, timeline->shade_max);
	for (uint32_t slot = 0; slot < TIMELINE_SLOTS;) {
		uint32_t first = slot;
		unsigned level = HEAT_MAP_LEVELS - 1;
		while (level > 0 && lane->shade[slot] < lows[level])
			level--;
		uint64_t end = level + 1 < HEAT_MAP_LEVELS ? lows[level + 1] : UINT64_MAX;
		while (slot < TIMELINE_SLOTS && lane->shade[slot] >= lows[level] && lane->shade[slot] < end)
			slot++;
		if (level > 0)
			(void)fprintf(
			    out,
			    "<rect class=\"s\" x=\"%.5f%%\" y=\"%u\" width=\"%.5f%%\" height=\"%u\" opacity=\"%.2f\"/>\n",
			    100.0 * first / TIMELINE_SLOTS, y, 100.0 * (slot - first) / TIMELINE_SLOTS, SHADE,
			    (double)level / (HEAT_MAP_LEVELS - 1));
	}
}

static uint32_t put_lane(const struct timeline *timeline, const struct timeline_lane *lane, uint32_t y, FILE *out) {
	char label[TIMELINE_LABEL_BYTES];
	char count[UNITS_TEXT_BYTES];
	(void)fprintf(out, "<text class=\"lane\" x=\"6\" y=\"%u\">", y + 14);
	markup_put_text(out, timeline_label(timeline, lane, label));
	(void)fprintf(out, " (%s %s)</text>\n", units_format_count(lane->span_count, count),
	              lane->span_count == 1 ? "span" : "spans");
	uint32_t at = y + LABEL;
	if (has_shade(lane)) {
		put_shade(timeline, lane, at, out);
		at += SHADE + 2;
	}
	for (uint32_t i = lane->first_bar; i < lane->end_bar; i++) {
		const struct timeline_bar *bar = &timeline->bars[i];
		if (bar->level != LANE_LEVEL_NONE)
			put_bar(timeline, bar, at + bar->level * ROW, out);
	}
	return y + height_of(lane);
}

static void put_axis(const struct timeline *timeline, uint32_t height, FILE *out) {
	char text[UNITS_TEXT_BYTES];
	double range = (double)(timeline->end_ns - timeline->start_ns);
	(void)fprintf(out, "<g class=\"axis\" data-range-ns=\"%" PRIu64 "\">\n", timeline->end_ns - timeline->start_ns);
	for (unsigned i = 0; i < TICKS; i++)
		(void)fprintf(
		    out,
		    "<line x1=\"%.4f%%\" x2=\"%.4f%%\" y1=\"46\" y2=\"%u\"/><text x=\"%.4f%%\" dx=\"3\" y=\"56\">%s</text>\n",
		    100.0 * i / TICKS, 100.0 * i / TICKS, height - FOOT, 100.0 * i / TICKS,
		    units_format_duration(range * i / TICKS, text));
	(void)fputs("</g>\n", out);
}

static void put_head(const struct timeline *timeline, uint32_t height, FILE *out) {
	char text[4][UNITS_TEXT_BYTES];
	uint64_t bars = 0;
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		bars += timeline->lanes[i]->bar_count;
	(void)fprintf(out,
	              "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"timeline\" width=\"100%%\" height=\"%u\">\n"
	              "<style>%s</style>\n"
	              "<rect class=\"paper\" width=\"100%%\" height=\"%u\" fill=\"#fff\"/>\n"
	              "<text class=\"title\" x=\"6\" y=\"18\">Timeline from %s, %s</text>\n",
	              height, timeline_style, height, units_format_wall(timeline->start_ns, text[0]),
	              units_format_duration((double)(timeline->end_ns - timeline->start_ns), text[1]));
	(void)fprintf(out, "<text class=\"remarks\" x=\"6\" y=\"36\">%s %s in %s %s",
	              units_format_count(timeline->span_count, text[0]), timeline->span_count == 1 ? "span" : "spans",
	              units_format_count(timeline->lane_count, text[1]),
	              timeline->lane_count == 1 ? "thread" : "threads");
	if (bars < timeline->span_count)
		(void)fprintf(out, "; the longest %s have bars, all are in the shades",
		              units_format_count(bars, text[2]));
	(void)fputs(
	    "</text>\n"
	    "<g class=\"controls\" visibility=\"hidden\"><foreignObject x=\"60%\" y=\"4\" width=\"28%\" height=\"26\">"
	    "<input xmlns=\"http://www.w3.org/1999/xhtml\" type=\"search\" placeholder=\"search names\" "
	    "aria-label=\"search names\"/></foreignObject>"
	    "<text class=\"reset\" x=\"99.5%\" y=\"20\" text-anchor=\"end\" visibility=\"hidden\">whole window</text>"
	    "<text class=\"found\" x=\"99.5%\" y=\"36\" text-anchor=\"end\"></text></g>\n",
	    out);
}

/* All but the script and the closing tag. */
static void put_picture(const struct timeline *timeline, FILE *out) {
	uint32_t height = HEAD + FOOT;
	uint32_t y = HEAD;
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		height += height_of(timeline->lanes[i]);
	put_head(timeline, height, out);
	put_axis(timeline, height, out);
	for (uint32_t i = 0; i < timeline->lane_count; i++)
		y = put_lane(timeline, timeline->lanes[i], y, out);
	(void)fprintf(out, "<text class=\"details\" x=\"6\" y=\"%u\"></text>\n", height - 8);
}

/* In a page the script is HTML's, which knows no CDATA. */
static void put_page(const struct timeline *timeline, FILE *out) {
	(void)fputs(
	    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n"
	    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; "
	    "script-src 'unsafe-inline'\">\n"
	    "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	    "<title>Timeline</title><style>body{margin:0}</style></head><body>\n",
	    out);
	put_picture(timeline, out);
	(void)fprintf(out, "</svg>\n<script>%s</script>\n</body></html>\n", timeline_script);
}

void timeline_print_svg(const struct timeline *timeline, bool page, FILE *out) {
	if (page) {
		put_page(timeline, out);
		return;
	}
	(void)fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n", out);
	put_picture(timeline, out);
	(void)fprintf(out, "<script><![CDATA[%s]]></script>\n</svg>\n", timeline_script);
}

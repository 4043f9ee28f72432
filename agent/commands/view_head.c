/* SPDX-License-Identifier: Apache-2.0 */
/* The lines above the table, in words that `status` and `top` share. */
#include "base/units.h"
#include "view.h"

#include <inttypes.h>

static uint64_t of_agent(const struct view *view, const char *key) {
	return document_u64(&view->document, DOCUMENT_ROOT, key);
}

static const char *count_of(const struct view *view, uint32_t object, const char *key, char text[UNITS_TEXT_BYTES]) {
	return units_format_count(document_u64(&view->document, object, key), text);
}

const char *view_spans_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]) {
	char rate[VIEW_WORD_BYTES];
	char counts[5][UNITS_TEXT_BYTES];
	(void)snprintf(
	    ret_text, VIEW_LINE_BYTES, "%s /s, %s open; dropped %s, rejected %s, sampled out %s, stored %s",
	    view_rate_text(view->rate_per_s, rate), count_of(view, view->total, "open", counts[0]),
	    count_of(view, view->total, "dropped", counts[1]), count_of(view, view->total, "rejected", counts[2]),
	    count_of(view, view->total, "sampled_out", counts[3]), count_of(view, view->total, "stored", counts[4]));
	return ret_text;
}

const char *view_waiting_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]) {
	char counts[3][UNITS_TEXT_BYTES];
	const struct document *document = &view->document;
	uint64_t lag_ns = document_u64(document, view->total, "lag_ns");
	for (uint32_t i = 0; i < view->row_count; i++)
		lag_ns = view->rows[i].lag_ns > lag_ns ? view->rows[i].lag_ns : lag_ns;
	(void)snprintf(ret_text, VIEW_LINE_BYTES, "%s records (%s), the oldest for %s; fullest ring %.0f %%",
	               count_of(view, view->total, "records_in_rings", counts[0]),
	               units_format_bytes(document_f64(document, view->total, "bytes_in_rings"), counts[1]),
	               units_format_duration((double)lag_ns, counts[2]),
	               document_f64(document, view->total, "fill_ratio_max") * 100);
	return ret_text;
}

const char *view_commits_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]) {
	char counts[6][UNITS_TEXT_BYTES];
	uint64_t commits = of_agent(view, "commits");
	(void)snprintf(
	    ret_text, VIEW_LINE_BYTES, "%s spans in %s commits, mean %s, longest %s; %s late, %s failed",
	    units_format_count(of_agent(view, "committed_spans"), counts[0]), units_format_count(commits, counts[1]),
	    units_format_duration(commits ? (double)of_agent(view, "commit_ns") / (double)commits : 0, counts[2]),
	    units_format_duration((double)of_agent(view, "commit_ns_max"), counts[3]),
	    units_format_count(of_agent(view, "commits_late"), counts[4]),
	    units_format_count(of_agent(view, "commits_failed"), counts[5]));
	return ret_text;
}

const char *view_use_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]) {
	char sizes[2][UNITS_TEXT_BYTES];
	(void)snprintf(ret_text, VIEW_LINE_BYTES, "%s of %s; %.2f %% of a core",
	               units_format_bytes((double)of_agent(view, "memory_bytes"), sizes[0]),
	               units_format_bytes((double)of_agent(view, "memory_cap_bytes"), sizes[1]), view->cores * 100);
	return ret_text;
}

const char *view_programs_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]) {
	char counts[3][UNITS_TEXT_BYTES];
	(void)snprintf(ret_text, VIEW_LINE_BYTES, "%s with %s rings; %s have ended",
	               units_format_count(of_agent(view, "processes"), counts[0]),
	               count_of(view, view->total, "rings", counts[1]),
	               units_format_count(of_agent(view, "processes_ended"), counts[2]));
	return ret_text;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* What a status document means for whoever has to do something about it: one line each, with the remedy. */
#include "base/units.h"
#include "view.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

#define FULL_ENOUGH 0.8

__attribute__((format(printf, 2, 3))) static void say(struct view *view, const char *format, ...) {
	va_list arguments;
	if (view->advice_count == VIEW_ADVICE_MAX)
		return;
	va_start(arguments, format);
	(void)vsnprintf(view->advice[view->advice_count++], VIEW_ADVICE_BYTES, format, arguments);
	va_end(arguments);
}

static uint64_t number(const struct view *view, const char *key) {
	return document_u64(&view->document, DOCUMENT_ROOT, key);
}

static void advise_store(struct view *view) {
	char state[VIEW_WORD_BYTES];
	char error[256];
	char remedy[256];
	char since[UNITS_TEXT_BYTES];
	const struct document *document = &view->document;
	if (strcmp(document_text(document, DOCUMENT_ROOT, "store_state", state, sizeof(state)), "ok") != 0)
		say(view, "the store is %s for %s: %s; %s", state,
		    units_format_duration((double)number(view, "store_since_ns"), since),
		    document_text(document, DOCUMENT_ROOT, "store_error", error, sizeof(error)),
		    document_text(document, DOCUMENT_ROOT, "store_remedy", remedy, sizeof(remedy)));
	if (*document_text(document, DOCUMENT_ROOT, "retention_error", error, sizeof(error)))
		say(view, "old segments cannot be removed: %s", error);
}

static const char *quarantine_remedy(const char *reason) {
	if (strcmp(reason, "damaged") == 0)
		return "it breaks the ring format: the program wrote over it, or is hostile";
	if (strcmp(reason, "gone") == 0)
		return "its file was removed or cut while it was in use";
	if (strcmp(reason, "newer") == 0)
		return "the program's library is newer: update the agent";
	if (strcmp(reason, "foreign") == 0)
		return "it is not the ring that was announced there";
	return "it cannot be read; see the agent's log";
}

static void advise_quarantine(struct view *view) {
	const struct view_row *program = NULL;
	for (uint32_t i = 0; i < view->row_count; i++) {
		const struct view_row *row = &view->rows[i];
		if (!row->is_ring)
			program = row;
		else if (row->quarantined && program)
			say(view, "ring %" PRIu64 " of %" PRIu64 " (%s) is not read any more: %s", row->number,
			    program->number, program->service, quarantine_remedy(row->state));
	}
}

/* For the reason that cost most. */
static const char *drop_remedy(const struct view *view, uint32_t value) {
	static const char *const keys[] = {"dropped_full", "dropped_depth", "dropped_no_ring", "dropped_reentry"};
	static const char *const remedies[] = {
	    "their ring was full: give the program a larger SPANRING_RING_BYTES, the store a faster disk, or sample",
	    "too many were open at once: look for spans that are never ended",
	    "there was no ring for the thread: make room in the ring directory",
	    "they were begun by a signal handler that had interrupted the library"};
	size_t worst = 0;
	for (size_t i = 1; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (document_u64(&view->document, value, keys[i]) > document_u64(&view->document, value, keys[worst]))
			worst = i;
	return remedies[worst];
}

static void advise_programs(struct view *view) {
	char count[UNITS_TEXT_BYTES];
	for (uint32_t i = 0; i < view->row_count; i++) {
		const struct view_row *row = &view->rows[i];
		if (row->is_ring)
			continue;
		if (row->dropped > 0)
			say(view, "%" PRIu64 " (%s) has dropped %s spans: %s", row->number, row->service,
			    units_format_count(row->dropped, count), drop_remedy(view, row->value));
		else if (row->fill_ratio > FULL_ENOUGH)
			say(view, "a ring of %" PRIu64 " (%s) is %.0f %% full: it will drop spans soon", row->number,
			    row->service, row->fill_ratio * 100);
		if (row->rejected > 0)
			say(view, "%s records of %" PRIu64 " (%s) break the contract and were left out",
			    units_format_count(row->rejected, count), row->number, row->service);
	}
}

static void advise_agent(struct view *view) {
	char count[UNITS_TEXT_BYTES];
	char state[VIEW_WORD_BYTES];
	if (strcmp(document_text(&view->document, DOCUMENT_ROOT, "memory_state", state, sizeof(state)), "over") == 0)
		say(view, "the agent has more memory than its cap: raise memory-cap, or trace fewer programs with it");
	if (number(view, "rings_over_limit") + number(view, "processes_over_limit") > 0)
		say(view, "there are more programs or rings than one agent takes in: the rest is not collected");
	if (number(view, "commits_late") > 0)
		say(view, "%s commits came later than max-wait: the store is too slow for this load",
		    units_format_count(number(view, "commits_late"), count));
	if (number(view, "statistics_threads_broken") + number(view, "statistics_processes_given_up") > 0)
		say(view, "statistics of some programs were given up: damaged, or more than there is memory for");
	if (number(view, "ratio_refused") > 0)
		say(view, "%s programs could not be given their share of traces",
		    units_format_count(number(view, "ratio_refused"), count));
	if (number(view, "names_refused") > 0)
		say(view, "%s entries of the ring directory are no programs or rings; the agent's log names them",
		    units_format_count(number(view, "names_refused"), count));
}

void view_advise(struct view *view) {
	view->advice_count = 0;
	advise_store(view);
	advise_quarantine(view);
	advise_programs(view);
	advise_agent(view);
}

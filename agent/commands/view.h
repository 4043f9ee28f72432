/* SPDX-License-Identifier: Apache-2.0 */
/* A status document as `status` and `top` show it: rows of programs and rings, and what is wrong in words. */
#ifndef SPANRING_AGENT_VIEW_H
#define SPANRING_AGENT_VIEW_H

#include "agent/report/document.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define VIEW_NAME_BYTES 128u
#define VIEW_WORD_BYTES 40u
#define VIEW_ADVICE_MAX 12u
#define VIEW_ADVICE_BYTES 640u

struct view_row {
	bool is_ring;   /* of the program before it */
	uint32_t value; /* of the document */
	char instance[VIEW_WORD_BYTES];
	char service[VIEW_NAME_BYTES]; /* of a ring: its thread */
	char state[VIEW_WORD_BYTES];   /* of a ring in quarantine: why */
	uint64_t number;               /* pid or ring */
	uint64_t tid;
	uint64_t ended;
	uint64_t lag_ns;
	uint64_t open;
	uint64_t stored;
	uint64_t dropped;
	uint64_t rejected;
	uint64_t rings;
	uint64_t quarantined;
	double rate_per_s;
	double mean_per_s;
	double fill_ratio;
};

struct view {
	char *text;
	struct document document;
	uint32_t total; /* value of the document */
	double rate_per_s;
	double cores;          /* that the agent uses */
	struct view_row *rows; /* programs, each followed by its rings */
	uint32_t row_count;
	uint32_t advice_count;
	char advice[VIEW_ADVICE_MAX][VIEW_ADVICE_BYTES];
};

enum view_sort { VIEW_SORT_RATE, VIEW_SORT_LAG, VIEW_SORT_DROPS, VIEW_SORT_OPEN, VIEW_SORT_PID };
/* Words of enum view_sort; ends in NULL. */
extern const char *const view_sorts[];

/* How rows are printed. */
struct view_form {
	uint32_t columns;  /* of the terminal; 0: all that there are */
	uint32_t rows_max; /* 0: all */
	bool each_ring;
	bool colour;
	const char *line_end;
};

/* Of a document, which becomes the view's. 0, or why it is none; then there is no view. */
int view_read(char *text, size_t bytes, struct view *ret_view);
/* Ask; 0 or as status_ask. What ret_view had before is given back first, so one view can be filled again and again. */
int view_ask(const char *rings, uint64_t timeout_ns, struct view *view);
void view_done(struct view *view);

/* Rates of what was counted between two views of the same agent, instead of the agent's own. */
void view_compare(struct view *now, const struct view *before);
/* Falling, but by pid; rings stay behind their program. */
void view_order(struct view *view, enum view_sort sort);

/* Returns how many rows were printed. */
uint32_t view_print_rows(FILE *file, const struct view *view, const struct view_form *form);

/* Cut and padded to so many columns of a terminal. */
void view_print_cell(FILE *file, const char *text, uint32_t columns, bool padded);
/* "1,234", below ten "0.25". */
const char *view_rate_text(double rate_per_s, char ret_text[VIEW_WORD_BYTES]);

/* Lines for a head, each without its label. Return ret_text. */
#define VIEW_LINE_BYTES 512u
const char *view_spans_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]);
const char *view_waiting_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]);
const char *view_commits_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]);
const char *view_use_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]);
const char *view_programs_text(const struct view *view, char ret_text[VIEW_LINE_BYTES]);

/* What of the document needs attention, most important first: fills view->advice. */
void view_advise(struct view *view);

#endif

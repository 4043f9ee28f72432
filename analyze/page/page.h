/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTML file that shows a store: the answers of the commands as JSON inside of a page that draws them (report.html). What the page shows is
 * therefore what `spanring-analyze latency --json` and its like say, never a second opinion.
 *
 * INERT. The content security policy lets nothing be loaded and only the page's own style and script run, by a nonce that is new in each file.
 * What comes from a store is in JSON in which every '<' is written \u003c, so that no name ends its element; the script puts it into text
 * nodes and attributes alone.
 */
#ifndef SPANRING_ANALYZE_PAGE_H
#define SPANRING_ANALYZE_PAGE_H

#include "analyze/command.h"

#include <stddef.h>
#include <stdio.h>

#define PAGE_ANSWERS_MAX 16u

/* One document of the page. */
struct page_answer {
	const char *id;
	char *json; /* NULL: there is none */
	size_t bytes;
	int exit_code;
};

struct page {
	struct page_answer answers[PAGE_ANSWERS_MAX];
	size_t count;
};

/* Ask this program for all documents, with the filters of the command line as far as each command takes them. 0 or negative errno. */
int page_ask(const struct context *context, struct page *ret_page);
void page_free(struct page *page);

/* 0 or negative errno. The stream is checked by the caller. */
int page_write(const struct context *context, const struct page *page, FILE *out);

/* report.html, as it was built in; ends with a zero. */
extern const char page_template[];

#endif

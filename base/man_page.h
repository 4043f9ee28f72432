/* SPDX-License-Identifier: Apache-2.0 */
/* A manual page out of the text that a program prints as help, so that the two cannot disagree. */
#ifndef SPANRING_BASE_MAN_PAGE_H
#define SPANRING_BASE_MAN_PAGE_H

#include <stdio.h>

struct man_page {
	const char *name;     /* "spanring-analyze-latency" */
	const char *summary;  /* one line */
	const char *text;     /* help as it is printed */
	const char *see_also; /* "spanring-agent(1), ..."; NULL: nothing */
};

void man_page_print(FILE *file, const struct man_page *page);

/* The page as file FOLDER/NAME.1, new or anew. 0 or negative errno. */
int man_page_write(const char *folder, const struct man_page *page);

#endif

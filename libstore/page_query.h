/* SPDX-License-Identifier: Apache-2.0 */
/* The few statements that are answered out of pages (page_file.h) and not by SQLite, known by their text. */
#ifndef SPANRING_LIBSTORE_PAGE_QUERY_H
#define SPANRING_LIBSTORE_PAGE_QUERY_H

#include "page_file.h"

struct page_query;

/* 0, -ENOMEM, or -ENOTSUP: ask SQLite. */
int page_query_open(const struct page_file *file, const char *sql, struct page_query **ret_query);
/* NULL is fine. */
void page_query_close(struct page_query *query);
/* A PRAGMA whose answer is in the header of the file. */
bool page_query_integer(const struct page_file *file, const char *sql, int64_t *ret_value);

int page_query_columns(const struct page_query *query);
/* The parameter; a text stays the caller's, until the reset. */
void page_query_put_integer(struct page_query *query, int64_t value);
void page_query_put_text(struct page_query *query, const char *text, size_t bytes);
/* 1: a row; 0: no more; or an error, as page_cursor_next. */
int page_query_next(struct page_query *query);
void page_query_reset(struct page_query *query);
struct page_value page_query_value(const struct page_query *query, int column);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tables of a sealed segment, read page by page without SQLite: rows in the order of their key, or one by its rowid. SQLite spends most of
 * the time of opening a segment on compiling statements, and copies each page of a column twice.
 *
 * Only a plain file is read like this: whole, without a WAL, UTF-8, no bytes reserved in its pages, nothing vacuumed by itself. For
 * any other, and whatever else is asked of it, there is SQLite (db.c). What is found in a page is not believed: every offset, page number
 * and length is checked before it is used, and each walk ends after as many pages as the file has.
 */
#ifndef SPANRING_LIBSTORE_PAGE_FILE_H
#define SPANRING_LIBSTORE_PAGE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the bytes come from: 0, or an error that is passed on. */
struct page_source {
	int (*read)(void *file, void *to, size_t bytes, uint64_t offset);
	void *file;
	uint64_t bytes; /* of the file */
};

struct page_file;

/* 0, -ENOMEM, an error of the source, or -ENOTSUP: not a plain file, whatever it is. */
int page_file_open(const struct page_source *source, struct page_file **ret_file);
/* NULL is fine. */
void page_file_close(struct page_file *file);

/* Of the header. */
uint32_t page_file_page_bytes(const struct page_file *file);
uint32_t page_file_page_count(const struct page_file *file);
uint32_t page_file_user_version(const struct page_file *file);
uint32_t page_file_application_id(const struct page_file *file);

/* The tree of a table; 0: there is no such table. */
#define PAGE_FILE_SCHEMA_ROOT 1u
uint32_t page_file_root(const struct page_file *file, const char *table);

/* The numbers are SQLite's. */
enum page_type { PAGE_INTEGER = 1, PAGE_FLOAT = 2, PAGE_TEXT = 3, PAGE_BLOB = 4, PAGE_NULL = 5 };

struct page_value {
	enum page_type type;
	int64_t integer;
	const uint8_t *bytes; /* of texts and blobs; valid until the next step */
	size_t count;
};

/*
 * One walk. Rows with a rowid have it in place of their first column if first_is_rowid; rows of a WITHOUT ROWID table have no such number.
 * Several walks of one file may be under way in several threads.
 */
struct page_cursor;
int page_cursor_open(const struct page_file *file, uint32_t root, bool without_rowid, bool first_is_rowid,
                     struct page_cursor **ret_cursor);
/* NULL is fine. */
void page_cursor_close(struct page_cursor *cursor);
void page_cursor_rewind(struct page_cursor *cursor);
/* 1: the next row; 0: there are no more; ERR_DAMAGED, -ENOMEM or an error of the source. */
int page_cursor_next(struct page_cursor *cursor);
/* 1: the row with this rowid; 0: there is none. */
int page_cursor_seek(struct page_cursor *cursor, int64_t rowid);
/* Of the row at hand; a column that it does not have is NULL. */
struct page_value page_cursor_value(const struct page_cursor *cursor, uint32_t column);

#endif

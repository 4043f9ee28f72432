/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite's file format, as far as a table of a plain file needs it (sqlite.org/fileformat2.html):
 *
 *     page    [file header, 100 bytes, on page 1] type:u8 free:u16 cells:u16 content:u16 fragments:u8 [right child:u32] offsets:u16[cells]
 *     cell    table leaf       payload bytes, rowid, payload [, overflow page]      all integers big-endian,
 *             table interior   child page, rowid                                    counts and rowids as varints
 *             index leaf       payload bytes, payload [, overflow page]
 *             index interior   child page, payload bytes, payload [, overflow page]
 *     record  header bytes, a type for each value, then the values
 *
 * A WITHOUT ROWID table is an index whose rows are all there is; rows stand in interior pages, too. The end of a payload that does not fit into
 * its page is in a chain of pages, four bytes of each for the next one.
 */
#include "page_file.h"

#include "base/errs.h"
#include "format.h"

#include <stdlib.h>
#include <string.h>

#define HEADER_BYTES 100u
#define DEPTH_MAX 20u /* as SQLite */
#define TABLES_MAX 64u
#define NAME_BYTES 32u
#define COLUMNS_MAX 32u
#define PAYLOAD_BYTES_MAX FORMAT_COLUMN_BYTES_MAX
#define CHAIN_BYTES 4u

enum page_kind { INDEX_INTERIOR = 2, TABLE_INTERIOR = 5, INDEX_LEAF = 10, TABLE_LEAF = 13 };

struct table {
	char name[NAME_BYTES];
	uint32_t root;
};

struct page_file {
	struct page_source source;
	uint32_t page_bytes;
	uint32_t page_count;
	uint32_t user_version;
	uint32_t application_id;
	struct table tables[TABLES_MAX];
	uint32_t table_count;
};

/* A page on the way down. */
struct level {
	uint8_t *bytes;
	uint32_t page; /* 0: none was read */
	uint32_t next; /* cell; of interior pages twice that, and one more when the child before it was visited */
	uint32_t cells;
};

struct page_cursor {
	const struct page_file *file;
	uint32_t root;
	bool without_rowid;
	bool first_is_rowid;
	struct level levels[DEPTH_MAX];
	uint32_t depth; /* 0: before the first row */
	uint32_t pages_read;
	bool ended;
	int64_t rowid;
	uint8_t *payload; /* of rows that are not in one page */
	size_t payload_room;
	const uint8_t *row;
	size_t row_bytes;
	struct page_value values[COLUMNS_MAX];
	uint32_t value_count;
};

static uint32_t get_u16(const uint8_t *at) {
	return (uint32_t)at[0] << 8 | at[1];
}

static uint32_t get_u32(const uint8_t *at) {
	return get_u16(at) << 16 | get_u16(at + 2);
}

/* Bytes taken; 0: it does not end before `end`. */
static size_t get_varint(const uint8_t *at, const uint8_t *end, uint64_t *ret_value) {
	uint64_t value = 0;
	for (size_t i = 0; i < 9 && at + i < end; i++) {
		if (i == 8) {
			*ret_value = value << 8 | at[i];
			return 9;
		}
		value = value << 7 | (at[i] & 0x7fu);
		if (!(at[i] & 0x80)) {
			*ret_value = value;
			return i + 1;
		}
	}
	return 0;
}

/* --- pages ------------------------------------------------------------------------------------------------------- */

static bool is_interior(const uint8_t *page) {
	return *page == INDEX_INTERIOR || *page == TABLE_INTERIOR;
}

/* Where the page's own header begins. */
static const uint8_t *head_of(const struct level *level) {
	return level->bytes + (level->page == 1 ? HEADER_BYTES : 0);
}

static int read_page(const struct page_file *file, uint32_t page, void *to) {
	if (page == 0 || page > file->page_count)
		return ERR_DAMAGED;
	return file->source.read(file->source.file, to, file->page_bytes, (uint64_t)(page - 1) * file->page_bytes);
}

/* The page becomes that of the level, if it is one of this tree. One that is there already is not read again: nobody writes it. */
static int enter(struct page_cursor *cursor, uint32_t page) {
	const struct page_file *file = cursor->file;
	if (cursor->depth == DEPTH_MAX || ++cursor->pages_read > file->page_count)
		return ERR_DAMAGED;
	struct level *level = &cursor->levels[cursor->depth];
	if (!level->bytes)
		level->bytes = malloc(file->page_bytes);
	if (!level->bytes)
		return -ENOMEM;
	int error = level->page == page ? 0 : read_page(file, page, level->bytes);
	level->page = error ? 0 : page;
	if (error)
		return error;
	const uint8_t *head = head_of(level);
	uint8_t leaf = cursor->without_rowid ? INDEX_LEAF : TABLE_LEAF;
	uint8_t interior = cursor->without_rowid ? INDEX_INTERIOR : TABLE_INTERIOR;
	size_t head_bytes = *head == interior ? 12 : 8;
	level->cells = get_u16(head + 3);
	level->next = 0;
	if ((*head != leaf && *head != interior) ||
	    head_bytes + 2 * (size_t)level->cells > file->page_bytes - (size_t)(head - level->bytes))
		return ERR_DAMAGED;
	cursor->depth++;
	return 0;
}

/* The bytes of a cell, up to the end of its page; NULL: it is not in it. */
static const uint8_t *cell_at(const struct page_cursor *cursor, const struct level *level, uint32_t cell) {
	const uint8_t *head = head_of(level);
	uint32_t offset = get_u16(head + (is_interior(head) ? 12 : 8) + 2 * (size_t)cell);
	return offset + CHAIN_BYTES > cursor->file->page_bytes ? NULL : level->bytes + offset;
}

/* The child before a cell, or after the last one; 0: there is none. */
static uint32_t child_at(const struct page_cursor *cursor, const struct level *level, uint32_t cell) {
	if (cell == level->cells)
		return get_u32(head_of(level) + 8);
	const uint8_t *at = cell_at(cursor, level, cell);
	return at ? get_u32(at) : 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

/* How much of a payload is in the cell itself. */
static size_t local_bytes(const struct page_cursor *cursor, uint64_t bytes) {
	size_t usable = cursor->file->page_bytes;
	size_t most = cursor->without_rowid ? (usable - 12) * 64 / 255 - 23 : usable - 35;
	if (bytes <= most)
		return (size_t)bytes;
	size_t least = (usable - 12) * 32 / 255 - 23;
	size_t local = least + (size_t)(bytes - least) % (usable - CHAIN_BYTES);
	return local <= most ? local : least;
}

/*
 * The rest of a payload, page by page straight to where it belongs: the number of the next page, which comes first in each, falls onto bytes that are
 * there already, and they are put back.
 */
static int read_chain(struct page_cursor *cursor, uint32_t page, size_t at, size_t bytes) {
	const struct page_file *file = cursor->file;
	while (at < bytes) {
		uint8_t kept[CHAIN_BYTES];
		uint8_t *to = cursor->payload + at - CHAIN_BYTES;
		size_t part = bytes - at < file->page_bytes - CHAIN_BYTES ? bytes - at : file->page_bytes - CHAIN_BYTES;
		if (page == 0 || page > file->page_count || ++cursor->pages_read > file->page_count)
			return ERR_DAMAGED;
		memcpy(kept, to, CHAIN_BYTES);
		int error = file->source.read(file->source.file, to, CHAIN_BYTES + part,
		                              (uint64_t)(page - 1) * file->page_bytes);
		page = get_u32(to);
		memcpy(to, kept, CHAIN_BYTES);
		if (error)
			return error;
		at += part;
	}
	return 0;
}

static int make_room(struct page_cursor *cursor, size_t bytes) {
	if (bytes <= cursor->payload_room)
		return 0;
	free(cursor->payload);
	cursor->payload = malloc(bytes);
	cursor->payload_room = cursor->payload ? bytes : 0;
	return cursor->payload ? 0 : -ENOMEM;
}

static int take_payload(struct page_cursor *cursor, const uint8_t *at, const uint8_t *end, uint64_t bytes) {
	size_t local = local_bytes(cursor, bytes);
	if (bytes > PAYLOAD_BYTES_MAX || local + (local < bytes ? CHAIN_BYTES : 0) > (size_t)(end - at))
		return ERR_DAMAGED;
	cursor->row_bytes = (size_t)bytes;
	cursor->row = at;
	if (local == bytes)
		return 0;
	int error = make_room(cursor, (size_t)bytes);
	if (error)
		return error;
	memcpy(cursor->payload, at, local);
	cursor->row = cursor->payload;
	return read_chain(cursor, get_u32(at + local), local, (size_t)bytes);
}

static int64_t get_integer(const uint8_t *at, size_t bytes) {
	uint64_t value = bytes && at[0] & 0x80 ? UINT64_MAX : 0;
	for (size_t i = 0; i < bytes; i++)
		value = value << 8 | at[i];
	return (int64_t)value;
}

/* *at moves over the value. False: it is not all there, or of no type. */
static bool get_value(uint64_t type, const uint8_t **at, const uint8_t *end, struct page_value *ret_value) {
	static const uint8_t integer_bytes[] = {0, 1, 2, 3, 4, 6, 8, 8};
	struct page_value value = {.type = PAGE_NULL};
	uint64_t bytes = 0;
	if (type >= 12) {
		bytes = (type - 12) / 2;
		value.type = type % 2 ? PAGE_TEXT : PAGE_BLOB;
	} else if (type == 10 || type == 11) {
		return false;
	} else if (type >= 8) {
		value.type = PAGE_INTEGER;
		value.integer = type == 9;
	} else if (type) {
		bytes = integer_bytes[type];
		value.type = type == 7 ? PAGE_FLOAT : PAGE_INTEGER;
	}
	if (bytes > (uint64_t)(end - *at))
		return false;
	if (type >= 1 && type <= 6)
		value.integer = get_integer(*at, (size_t)bytes);
	value.bytes = *at;
	value.count = (size_t)bytes;
	*at += bytes;
	*ret_value = value;
	return true;
}

/* Values behind the last one that fits here are not looked at: no table has so many. */
static int parse_row(struct page_cursor *cursor) {
	const uint8_t *end = cursor->row + cursor->row_bytes;
	uint64_t head_bytes = 0;
	const uint8_t *type_at = cursor->row;
	size_t taken = get_varint(type_at, end, &head_bytes);
	if (!taken || head_bytes < taken || head_bytes > cursor->row_bytes)
		return ERR_DAMAGED;
	const uint8_t *types_end = cursor->row + head_bytes;
	const uint8_t *value_at = types_end;
	type_at += taken;
	cursor->value_count = 0;
	while (type_at < types_end && cursor->value_count < COLUMNS_MAX) {
		uint64_t type = 0;
		taken = get_varint(type_at, types_end, &type);
		if (!taken || !get_value(type, &value_at, end, &cursor->values[cursor->value_count++]))
			return ERR_DAMAGED;
		type_at += taken;
	}
	if (cursor->first_is_rowid && cursor->value_count)
		cursor->values[0] = (struct page_value){.type = PAGE_INTEGER, .integer = cursor->rowid};
	return 0;
}

/* The row in a cell of a leaf, or of an interior page of an index. */
static int take_row(struct page_cursor *cursor, const struct level *level, uint32_t cell) {
	const uint8_t *end = level->bytes + cursor->file->page_bytes;
	const uint8_t *at = cell_at(cursor, level, cell);
	uint64_t bytes = 0;
	if (!at)
		return ERR_DAMAGED;
	at += is_interior(head_of(level)) ? 4 : 0;
	size_t taken = get_varint(at, end, &bytes);
	if (!taken)
		return ERR_DAMAGED;
	at += taken;
	if (!cursor->without_rowid) {
		uint64_t rowid = 0;
		taken = get_varint(at, end, &rowid);
		if (!taken)
			return ERR_DAMAGED;
		at += taken;
		cursor->rowid = (int64_t)rowid;
	}
	int error = take_payload(cursor, at, end, bytes);
	return error ? error : parse_row(cursor);
}

/* --- walks ------------------------------------------------------------------------------------------------------- */

int page_cursor_open(const struct page_file *file, uint32_t root, bool without_rowid, bool first_is_rowid,
                     struct page_cursor **ret_cursor) {
	struct page_cursor *cursor = calloc(1, sizeof(*cursor));
	if (!cursor)
		return -ENOMEM;
	cursor->file = file;
	cursor->root = root;
	cursor->without_rowid = without_rowid;
	cursor->first_is_rowid = first_is_rowid;
	*ret_cursor = cursor;
	return 0;
}

void page_cursor_close(struct page_cursor *cursor) {
	if (!cursor)
		return;
	for (uint32_t i = 0; i < DEPTH_MAX; i++)
		free(cursor->levels[i].bytes);
	free(cursor->payload);
	free(cursor);
}

void page_cursor_rewind(struct page_cursor *cursor) {
	cursor->depth = 0;
	cursor->pages_read = 0;
	cursor->ended = false;
	cursor->value_count = 0;
}

/* In an interior page children and, of an index, rows take turns: 1 at a row, 0 when a step led to another page. */
static int step_interior(struct page_cursor *cursor, struct level *level) {
	uint32_t cell = level->next / 2;
	bool is_row = level->next % 2;
	if (is_row && cell == level->cells) {
		cursor->depth--;
		return 0;
	}
	level->next++;
	if (!is_row)
		return enter(cursor, child_at(cursor, level, cell));
	if (!cursor->without_rowid)
		return 0;
	int error = take_row(cursor, level, cell);
	return error ? error : 1;
}

int page_cursor_next(struct page_cursor *cursor) {
	int result = 0;
	if (cursor->ended)
		return 0;
	if (cursor->depth == 0)
		result = enter(cursor, cursor->root);
	while (result == 0 && cursor->depth > 0) {
		struct level *level = &cursor->levels[cursor->depth - 1];
		if (is_interior(head_of(level))) {
			result = step_interior(cursor, level);
		} else if (level->next == level->cells) {
			cursor->depth--;
		} else {
			result = take_row(cursor, level, level->next++);
			result = result ? result : 1;
		}
	}
	cursor->ended = result <= 0;
	return result;
}

/* Rowid of a cell of a table, which begins after the number of a child or the size of a payload. */
static int rowid_of(const struct page_cursor *cursor, const struct level *level, uint32_t cell, int64_t *ret_rowid) {
	const uint8_t *end = level->bytes + cursor->file->page_bytes;
	const uint8_t *at = cell_at(cursor, level, cell);
	uint64_t value = 0;
	if (!at)
		return ERR_DAMAGED;
	size_t taken = is_interior(head_of(level)) ? CHAIN_BYTES : get_varint(at, end, &value);
	if (!taken || !get_varint(at + taken, end, &value))
		return ERR_DAMAGED;
	*ret_rowid = (int64_t)value;
	return 0;
}

/* The first cell whose rowid is not below; in a damaged page any. */
static int find_cell(const struct page_cursor *cursor, const struct level *level, int64_t rowid, uint32_t *ret_cell,
                     bool *ret_same) {
	uint32_t low = 0;
	uint32_t high = level->cells;
	*ret_same = false;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		int64_t found = 0;
		int error = rowid_of(cursor, level, middle, &found);
		if (error)
			return error;
		if (found < rowid)
			low = middle + 1;
		else
			high = middle;
		*ret_same |= found == rowid;
	}
	*ret_cell = low;
	return 0;
}

int page_cursor_seek(struct page_cursor *cursor, int64_t rowid) {
	page_cursor_rewind(cursor);
	int error = cursor->without_rowid ? ERR_DAMAGED : enter(cursor, cursor->root);
	while (!error) {
		const struct level *level = &cursor->levels[cursor->depth - 1];
		uint32_t cell = 0;
		bool same = false;
		error = find_cell(cursor, level, rowid, &cell, &same);
		if (!error && is_interior(head_of(level))) {
			error = enter(cursor, child_at(cursor, level, cell));
		} else if (!error) {
			error = same ? take_row(cursor, level, cell) : 0;
			cursor->ended = true;
			return error ? error : same;
		}
	}
	return error;
}

struct page_value page_cursor_value(const struct page_cursor *cursor, uint32_t column) {
	struct page_value null = {.type = PAGE_NULL};
	return column < cursor->value_count ? cursor->values[column] : null;
}

/* --- the file ---------------------------------------------------------------------------------------------------- */

static int read_header(struct page_file *file) {
	uint8_t head[HEADER_BYTES];
	if (file->source.bytes < sizeof(head))
		return -ENOTSUP;
	int error = file->source.read(file->source.file, head, sizeof(head), 0);
	if (error)
		return error;
	file->page_bytes = get_u16(head + 16) == 1 ? 65536 : get_u16(head + 16);
	file->page_count = get_u32(head + 28);
	file->user_version = get_u32(head + 60);
	file->application_id = get_u32(head + 68);
	bool plain = memcmp(head, "SQLite format 3", 16) == 0 && file->page_bytes >= 512 &&
	             (file->page_bytes & (file->page_bytes - 1)) == 0 && head[18] == 1 && head[19] == 1 &&
	             head[20] == 0 && head[21] == 64 && head[22] == 32 && head[23] == 32 && get_u32(head + 44) == 4 &&
	             get_u32(head + 52) == 0 && get_u32(head + 56) == 1 &&
	             (uint64_t)file->page_count * file->page_bytes == file->source.bytes;
	return plain ? 0 : -ENOTSUP;
}

static bool is_text(const struct page_value *value, const char *text) {
	return value->type == PAGE_TEXT && value->count == strlen(text) &&
	       memcmp(value->bytes, text, value->count) == 0;
}

/* A row of sqlite_schema: type, name, tbl_name, rootpage, sql. Names that are not ours may be cut: nobody asks for them. */
static int add_table(struct page_file *file, const struct page_cursor *cursor) {
	struct page_value type = page_cursor_value(cursor, 0);
	struct page_value name = page_cursor_value(cursor, 1);
	struct page_value root = page_cursor_value(cursor, 3);
	if (!is_text(&type, "table"))
		return 0;
	if (name.type != PAGE_TEXT || root.type != PAGE_INTEGER || root.integer < 2 ||
	    root.integer > file->page_count || file->table_count == TABLES_MAX)
		return -ENOTSUP;
	if (name.count >= NAME_BYTES || memchr(name.bytes, 0, name.count))
		return 0;
	struct table *table = &file->tables[file->table_count];
	memcpy(table->name, name.bytes, name.count);
	table->name[name.count] = 0;
	table->root = (uint32_t)root.integer;
	if (page_file_root(file, table->name))
		return -ENOTSUP; /* SQLite has words for two of one name */
	file->table_count++;
	return 0;
}

static int list_tables(struct page_file *file) {
	struct page_cursor *cursor = NULL;
	int row = 0;
	int error = page_cursor_open(file, PAGE_FILE_SCHEMA_ROOT, false, false, &cursor);
	while (!error && (row = page_cursor_next(cursor)) == 1)
		error = add_table(file, cursor);
	page_cursor_close(cursor);
	return error ? error : row == ERR_DAMAGED ? -ENOTSUP : row;
}

int page_file_open(const struct page_source *source, struct page_file **ret_file) {
	struct page_file *file = calloc(1, sizeof(*file));
	if (!file)
		return -ENOMEM;
	file->source = *source;
	int error = read_header(file);
	if (!error)
		error = list_tables(file);
	if (error) {
		free(file);
		return error;
	}
	*ret_file = file;
	return 0;
}

void page_file_close(struct page_file *file) {
	free(file);
}

uint32_t page_file_page_bytes(const struct page_file *file) {
	return file->page_bytes;
}

uint32_t page_file_page_count(const struct page_file *file) {
	return file->page_count;
}

uint32_t page_file_user_version(const struct page_file *file) {
	return file->user_version;
}

uint32_t page_file_application_id(const struct page_file *file) {
	return file->application_id;
}

uint32_t page_file_root(const struct page_file *file, const char *table) {
	for (uint32_t i = 0; i < file->table_count; i++)
		if (strcmp(file->tables[i].name, table) == 0)
			return file->tables[i].root;
	return 0;
}

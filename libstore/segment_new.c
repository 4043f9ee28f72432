/* SPDX-License-Identifier: Apache-2.0 */
#include "segment_new.h"

#include "base/cleanup.h"
#include "format.h"
#include "segment.h"

#include <fcntl.h>
#include <stdio.h>

#define NAME_BYTES_MAX 32u
#define NAMES_BYTES (SCHEMA_TABLES * NAME_BYTES_MAX)
#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)

int segment_new_tables(struct db *db) {
	int error = db_execute(db, "PRAGMA page_size=" TEXT(FORMAT_PAGE_BYTES) ";");
	if (!error)
		error = db_execute(db, "PRAGMA application_id=" TEXT(FORMAT_APPLICATION_ID) ";");
	if (!error)
		error = db_execute(db, "PRAGMA user_version=" TEXT(FORMAT_VERSION) ";BEGIN IMMEDIATE");
	for (int table = 0; table < SCHEMA_TABLES && !error; table++)
		error = db_execute(db, schema_tables[table].create);
	return error;
}

int segment_new_put_names(struct db *db) {
	static const char key[] = SEGMENT_META_TABLES;
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	char names[NAMES_BYTES] = "";
	size_t used = 0;
	for (int table = 0; table < SCHEMA_TABLES; table++)
		used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", table ? " " : "",
		                         schema_tables[table].name);
	int error = db_prepare(db, schema_tables[SCHEMA_META].insert, &insert);
	if (error)
		return error;
	db_put_text(insert, key, sizeof(key) - 1);
	db_put_blob(insert, names, used);
	return db_run(insert);
}

int segment_new_copy(struct db *from, struct db *to, enum schema_table table) {
	struct db_statement *select CLEANUP(db_finalize_cleanup) = NULL;
	struct db_statement *insert CLEANUP(db_finalize_cleanup) = NULL;
	int row = segment_has_table(from, table);
	if (row != 1)
		return row;
	int error = db_prepare(from, schema_tables[table].select, &select);
	if (!error)
		error = db_prepare(to, schema_tables[table].insert, &insert);
	while (!error && (row = db_next(select)) == 1) {
		db_put_row(insert, select);
		error = db_run(insert);
	}
	return error ? error : row;
}

int segment_new_sync(const char *directory) {
	int fd CLEANUP_FD = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 || fsync(fd) < 0 ? -errno : 0;
}

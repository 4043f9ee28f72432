/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite takes any sound WAL that has the right name for that of the file, and lays its pages over those of the file. So that a reader can tell whose
 * it is, each transaction of a segment counts itself in `meta`, and every WAL holds that one page: the identity and the count in it, against
 * those of the file without its WAL, which is what was last copied into it and can never be further.
 */
#include "segment_wal.h"

#include "base/errs.h"
#include "segment.h"

#include <stdio.h>
#include <string.h>

#define WAL_TRIES 3u /* of reading two pages that nobody is writing just then */

struct wal_marks {
	struct segment_identity identity;
	uint64_t commits;
};

static int read_marks(struct db *db, struct wal_marks *ret_marks) {
	int error = segment_read_identity(db, &ret_marks->identity);
	return error ? error : segment_read_number(db, SEGMENT_META_COMMITS, &ret_marks->commits);
}

static const char *contradiction(const struct wal_marks *alone, const struct wal_marks *with_wal) {
	if (alone->identity.sequence != with_wal->identity.sequence ||
	    memcmp(alone->identity.segment_id, with_wal->identity.segment_id, sizeof(alone->identity.segment_id)) != 0)
		return "of another segment";
	return with_wal->commits < alone->commits ? "older than what was copied from it into the segment" : NULL;
}

/* The file is read first, so that a writer which goes on meanwhile is no contradiction. What is read of it may be a torn page. */
static const char *doubt_wal(const char *path, struct db *db) {
	struct wal_marks alone;
	struct wal_marks with_wal;
	struct db *file = NULL;
	if (db_open(path, DB_READ_FILE_ALONE, &file))
		return NULL;
	int error = read_marks(file, &alone);
	db_close(file);
	if (error || read_marks(db, &with_wal))
		return NULL; /* told by who needs it */
	return contradiction(&alone, &with_wal);
}

int segment_check_wal(const char *path, struct db *db, char *ret_text) {
	const char *doubt = db_is_final(db) ? NULL : "";
	for (unsigned tries = 0; doubt && tries < WAL_TRIES; tries++)
		doubt = doubt_wal(path, db);
	if (!doubt)
		return 0;
	(void)snprintf(ret_text, SEGMENT_TEXT_BYTES, "%.300s-wal: %s: put both files of one segment together", path,
	               doubt);
	return ERR_DAMAGED;
}

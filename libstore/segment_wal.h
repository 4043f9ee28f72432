/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPANRING_LIBSTORE_SEGMENT_WAL_H
#define SPANRING_LIBSTORE_SEGMENT_WAL_H

#include "db.h"

/* ERR_DAMAGED, and a line in ret_text of SEGMENT_TEXT_BYTES, if the WAL beside the segment is not its own or is older than the file. */
int segment_check_wal(const char *path, struct db *db, char *ret_text);

#endif

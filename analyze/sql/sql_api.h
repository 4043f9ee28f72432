/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite as the files of this folder call it. They are compiled twice: for spanring-analyze, which is linked to SQLite (SQLITE_CORE), and for the
 * extension, where each call goes through the table of functions of the program that loaded it (docs/decisions/0020).
 */
#ifndef SPANRING_ANALYZE_SQL_API_H
#define SPANRING_ANALYZE_SQL_API_H

#include <sqlite3ext.h>

#ifndef SQL_API_OWNER
SQLITE_EXTENSION_INIT3
#endif

#endif

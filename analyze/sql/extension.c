/* SPDX-License-Identifier: Apache-2.0 */
/* spanring_sqlite.so: what `.load` and sqlite3_load_extension() find. */
#define SQL_API_OWNER
#include "tables.h"

#include <spanring/export.h>

SQLITE_EXTENSION_INIT1

#define VERSION_MIN                                                                                                    \
	3031000 /* SQLITE_DIRECTONLY and SQLITE_VTAB_DIRECTONLY: no schema of a stranger opens files through us */

SPANRING_API int sqlite3_spanringsqlite_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api);

int sqlite3_spanringsqlite_init(sqlite3 *db, char **ret_message, const sqlite3_api_routines *api) {
	SQLITE_EXTENSION_INIT2(api);
	if (sqlite3_libversion_number() < VERSION_MIN) {
		*ret_message =
		    sqlite3_mprintf("spanring_sqlite needs SQLite 3.31 or newer; this is %s", sqlite3_libversion());
		return SQLITE_ERROR;
	}
	int code = tables_register(db, NULL);
	if (code != SQLITE_OK)
		*ret_message = sqlite3_mprintf("spanring_sqlite: %s", sqlite3_errstr(code));
	return code;
}

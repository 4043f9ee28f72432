/* SPDX-License-Identifier: Apache-2.0 */
/* What the account of a process has in tables of their own. A process that has nothing to say in one has no row there. */
#ifndef SPANRING_LIBSTORE_ACCOUNT_ROWS_H
#define SPANRING_LIBSTORE_ACCOUNT_ROWS_H

#include "db.h"
#include "schema.h"
#include "span.h"

/* All of them, with the prepared inserts of a segment. 0 or the error of SQLite. */
int account_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], const struct store_process_account *account);

#endif

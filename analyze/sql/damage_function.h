/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPANRING_ANALYZE_SQL_DAMAGE_FUNCTION_H
#define SPANRING_ANALYZE_SQL_DAMAGE_FUNCTION_H

#include "source.h"
#include "sql_api.h"

/* spanring_damage, of a connection whose owner does not take the words of damage himself. A SQLite result code. */
int damage_function_register(sqlite3 *db, struct source_host *host);

#endif

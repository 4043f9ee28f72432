/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The aggregates quantile(x, q), p50(x), p90(x), p95(x), p99(x) and quantile_error(x).
 *
 * DEFINITION. Nearest rank: of n values the one of rank ceil(q * n), at least 1, in ascending order. NULL is passed over; without values the
 * result is NULL.
 *
 * MEMORY. Up to QUANTILE_VALUES_MAX values of a group are kept, 8 bytes each, and the result is exact. At the next one the group becomes counts in
 * bins, 128 an octave (the sign, the exponent and 7 bits of a double), 4 MiB, and the result is the middle of a bin, within
 * QUANTILE_BINNED_ERROR of the exact one. quantile_error(x) is 0 or that figure, by the same rule: a query that must know says it beside.
 *
 * Whole numbers stay whole numbers. As soon as one value is a REAL, all are, as SQLite rounds them.
 */
#ifndef SPANRING_ANALYZE_SQL_QUANTILE_FUNCTIONS_H
#define SPANRING_ANALYZE_SQL_QUANTILE_FUNCTIONS_H

#include "sql_api.h"

#define QUANTILE_VALUES_MAX (1u << 20)
#define QUANTILE_BINNED_ERROR 0.004

/* binned: is called when a group becomes counts; may be NULL. A SQLite result code. */
int quantile_functions_register(sqlite3 *db, void (*binned)(void *context), void *context);

#endif

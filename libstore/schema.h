/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a segment. A reader accepts a table only if its CREATE text is exactly this one: no view, virtual
 * table, generated column or index of a stranger ever runs. Later versions add tables; they do not change these.
 */
#ifndef SPANRING_LIBSTORE_SCHEMA_H
#define SPANRING_LIBSTORE_SCHEMA_H

#include <stdbool.h>

enum schema_table {
	SCHEMA_META,
	SCHEMA_STRING,
	SCHEMA_SITE,
	SCHEMA_PROCESS,
	SCHEMA_THREAD,
	SCHEMA_CURSOR,
	SCHEMA_ACCOUNT,
	SCHEMA_SCOPE,
	SCHEMA_RESOURCE,
	SCHEMA_LIMITS,
	SCHEMA_SAMPLING,
	SCHEMA_STATISTICS,
	SCHEMA_DROPS,
	SCHEMA_ENDING,
	SCHEMA_CLAIM,
	SCHEMA_EVICTION,
	SCHEMA_EVICTED_RING,
	SCHEMA_EVICTED_PROCESS,
	SCHEMA_DEPARTED,
	SCHEMA_THINNED,
	SCHEMA_SAMPLE,
	SCHEMA_SAMPLE_DETAIL,
	SCHEMA_AGENT_SAMPLE,
	SCHEMA_ROLLUP,         /* a row per site and step */
	SCHEMA_ROLLUP_SEGMENT, /* a row per site and process, made when the segment is sealed */
	SCHEMA_ROLLUP_SITE,    /* a row per site, likewise */
	SCHEMA_ROLLUP_TOTAL,
	SCHEMA_BATCH,
	SCHEMA_COLUMN_BLOB,
	SCHEMA_SEAL,
	SCHEMA_TABLES
};

/* The tables before SCHEMA_SAMPLE make up the catalog checksum, in this order. */
#define SCHEMA_CATALOG_TABLES ((int)SCHEMA_SAMPLE)

struct schema {
	const char *name;
	const char *create;
	const char *insert; /* or replace; parameters are all columns in order */
	const char *select; /* all columns, in order of the primary key */
	bool added;         /* after the first segments of this version: one without it has no such rows */
};

extern const struct schema schema_tables[SCHEMA_TABLES];

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the writer needs of a catalog: how many rows each table has now, and the rows. Rows below a count that
 * catalog_counts gave may be read without a lock while another thread interns.
 */
#ifndef SPANRING_LIBSTORE_CATALOG_ROWS_H
#define SPANRING_LIBSTORE_CATALOG_ROWS_H

#include "catalog.h"

#define CATALOG_TEXT_BYTES_MAX (32u << 20) /* of all strings together; then the table counts as full */

struct catalog_counts {
	uint32_t strings;
	uint32_t sites;
	uint32_t processes;
	uint32_t threads;
};

struct catalog_text {
	const char *text;
	uint32_t bytes;
};

struct catalog_counts catalog_counts(struct catalog *catalog);
/* Distinguishes a catalog from one freed before it at the same address. */
uint64_t catalog_serial(const struct catalog *catalog);

/* id from 1. */
const struct catalog_text *catalog_string_at(const struct catalog *catalog, uint32_t id);
const struct store_site *catalog_site_at(const struct catalog *catalog, uint32_t id);
const struct store_process *catalog_process_at(const struct catalog *catalog, uint32_t id);
const struct store_thread *catalog_thread_at(const struct catalog *catalog, uint32_t id);

#endif

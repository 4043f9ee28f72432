/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of all processes of a segment together, a row per site: what a question about all processes reads, which is most of them. They are made
 * when a segment is sealed and stay when it is merged. Which processes are in them, and with how many spans, stands with the sum of the rows in
 * meta.rollup_sites, which is under the seal's checksum of the catalog.
 */
#ifndef SPANRING_LIBSTORE_ROLLUP_SITES_H
#define SPANRING_LIBSTORE_ROLLUP_SITES_H

#include "db.h"
#include "rollup_rows.h"

#include <stdint.h>

#define ROLLUP_SITES_KEY "rollup_sites"
#define ROLLUP_SITES_PROCESSES_MAX 1024u

struct rollup_sites_process {
	uint64_t process;
	uint64_t count;
};

/* As it is stored, up to the last process. */
struct rollup_sites {
	uint64_t rows; /* 0: there are none */
	uint64_t checksum;
	struct rollup_sites_process processes[ROLLUP_SITES_PROCESSES_MAX]; /* ascending */
};

/* Seal: make the rows if there would be at most half as many as `rows`. Inside a transaction, before the catalog is summed. */
int rollup_sites_seal(struct db *db, uint64_t rows);

/* What is promised. ERR_DAMAGED also for processes out of order, or beyond process_max. */
int rollup_sites_read(struct db *db, uint64_t process_max, struct rollup_sites *ret_sites, size_t *ret_process_count);

/* Are the rows those that are promised, and do they count what the steps count? 0, ERR_DAMAGED or another error. */
int rollup_sites_check(struct db *db);

#endif

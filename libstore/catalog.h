/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The catalog of one segment: strings, sites, processes and threads, each kept once and numbered from 1. A segment is complete in itself,
 * so a new segment starts with an empty catalog, and nothing here grows with the life of the agent.
 *
 * Thread-safe: one thread interns while another commits what is new. The same thing interned twice gives the same id.
 * A full table (see the limits) gives id 1 of strings and sites, which is STORE_OVERFLOW_NAME; ERR_FULL for the others.
 */
#ifndef SPANRING_LIBSTORE_CATALOG_H
#define SPANRING_LIBSTORE_CATALOG_H

#include "span.h"

#include <stddef.h>

#define CATALOG_STRINGS_MAX (1u << 20)
#define CATALOG_SITES_MAX (1u << 18)
#define CATALOG_PROCESSES_MAX (1u << 18)
#define CATALOG_THREADS_MAX (1u << 20)
#define CATALOG_STRING_BYTES_MAX 4096u /* longer ones are cut */
#define STORE_OVERFLOW_NAME "spanring.overflow"
#define CATALOG_OVERFLOW 1u /* string and site of that name */

struct catalog;

int catalog_new(struct catalog **ret_catalog);
void catalog_free(struct catalog *catalog);

/* 0 and *ret_id, or -ENOMEM, or ERR_FULL as above. */
int catalog_string(struct catalog *catalog, const char *text, size_t bytes, uint32_t *ret_id);
int catalog_site(struct catalog *catalog, const struct store_site *site, uint32_t *ret_id);
/* The same without adding: 0 if it is not there. */
uint32_t catalog_string_known(struct catalog *catalog, const char *text, size_t bytes);
uint32_t catalog_site_known(struct catalog *catalog, const struct store_site *site);
/* Strings and sites there are. */
uint32_t catalog_names(struct catalog *catalog);
/* Keyed by instance. */
int catalog_process(struct catalog *catalog, const struct store_process *process, uint32_t *ret_id);
/* Keyed by all fields. */
int catalog_thread(struct catalog *catalog, const struct store_thread *thread, uint32_t *ret_id);

#endif

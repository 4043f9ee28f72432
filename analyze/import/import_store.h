/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Imported spans into a store, a file at a time. A file becomes one segment, whatever its length, which appears in the store in one rename when
 * it is sealed: before that, and after a kill, the store is what it was. The segment keeps wall time (wall_offset_ns 0, a boot of its own), its
 * processes have the clock STORE_CLOCK_IMPORTED and books that say that all that began was stored, and rollups that cover all of it.
 *
 * Memory is that of one batch, of the segment's catalog and of the processes, whatever the number of spans.
 */
#ifndef SPANRING_ANALYZE_IMPORT_STORE_H
#define SPANRING_ANALYZE_IMPORT_STORE_H

#include "import_span.h"

#include <stddef.h>
#include <stdint.h>

#define IMPORT_STORE_TEXT_BYTES 512u
#define IMPORT_PROCESSES_MAX 65536u
#define IMPORT_SPANS_MAX (UINT64_C(1) << 32) /* of one file */

struct import_store;

/* As store_writer_open: ERR_HELD when an agent or another import writes there. One line in ret_text on failure. */
int import_store_open(const char *directory, struct import_store **ret_store, char *ret_text, size_t text_bytes);
/* What was added since the last finish is gone. NULL is fine. */
int import_store_close(struct import_store *store);

/* 0; ERR_LIMIT: there is too much of something in this file (import_store_error says of what); or an error of the store. */
int import_store_add(struct import_store *store, const struct import_origin *origin, const struct import_span *span);
/* Put all that was added into the store, for good. */
int import_store_finish(struct import_store *store);
/* Forget all that was added. */
void import_store_discard(struct import_store *store);

const char *import_store_error(const struct import_store *store);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* What child sums are made of: some columns of the spans of a batch, in stored order, whoever has them. */
#ifndef SPANRING_LIBSTORE_CHILD_ROWS_H
#define SPANRING_LIBSTORE_CHILD_ROWS_H

#include <stdint.h>

struct child_rows {
	uint32_t count;
	uint32_t trace_count;
	const uint64_t *trace_lo; /* of each trace */
	const uint32_t *run;      /* its rows */
	const uint64_t *span_id;
	const uint64_t *start_ns;
	const uint64_t *duration_ns;
	const uint32_t *parent_row; /* STORE_PARENT_NONE, STORE_PARENT_AWAY or a row */
	const uint32_t *site;
	const uint8_t *flags;
	uint32_t away_count;
	const uint32_t *away_row; /* those with STORE_PARENT_AWAY; neither is kept in a window */
	const uint64_t *away_parent_id;
};

#endif

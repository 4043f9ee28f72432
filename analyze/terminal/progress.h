/* SPDX-License-Identifier: Apache-2.0 */
/* How far a long read is: one line on standard error, only on a terminal, from one second on, gone when the read is over. */
#ifndef SPANRING_ANALYZE_PROGRESS_H
#define SPANRING_ANALYZE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	const char *what; /* "reading" */
	bool wanted;
	bool shown;
	uint64_t begin_ns;
	uint64_t next_ns;
};

struct progress progress_begin(const char *what, bool quiet);
/* Has the type of a scan's on_progress; context is a struct progress. */
void progress_update(void *context, uint64_t done, uint64_t total);
void progress_end(struct progress *progress);

#endif

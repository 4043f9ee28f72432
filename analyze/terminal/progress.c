/* SPDX-License-Identifier: Apache-2.0 */
#include "progress.h"

#include "base/clock.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIRST_NS NS_PER_S
#define STEP_NS (100 * NS_PER_MS)

struct progress progress_begin(const char *what, bool quiet) {
	const char *term = getenv("TERM");
	struct progress progress = {.what = what};
	progress.wanted = !quiet && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
	progress.begin_ns = clock_monotonic_ns();
	progress.next_ns = progress.begin_ns + FIRST_NS;
	return progress;
}

void progress_update(void *context, uint64_t done, uint64_t total) {
	struct progress *progress = context;
	char left[UNITS_TEXT_BYTES];
	if (!progress->wanted || total == 0 || done > total)
		return;
	uint64_t now_ns = clock_monotonic_ns();
	if (now_ns < progress->next_ns)
		return;
	progress->next_ns = now_ns + STEP_NS;
	progress->shown = true;
	double share = (double)done / (double)total;
	double left_ns = share > 0 ? (double)(now_ns - progress->begin_ns) * (1 - share) / share : 0;
	(void)fprintf(stderr, "\r\x1b[K%s: %.0f %% (%" PRIu64 " of %" PRIu64 " batches), about %s left", progress->what,
	              100 * share, done, total, units_format_duration(left_ns, left));
	(void)fflush(stderr);
}

void progress_end(struct progress *progress) {
	if (progress->shown)
		(void)fputs("\r\x1b[K", stderr);
	progress->shown = false;
}

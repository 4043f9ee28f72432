/* SPDX-License-Identifier: Apache-2.0 */
/* The last steps of each process: where they end is found out first, then those in the window are summed up. */
#include "analyze/kernels/sketch.h"
#include "watch.h"

#include "base/checked.h"
#include "base/clock.h"

#include <errno.h>
#include <stdlib.h>

#define SEGMENTS 3u
#define STALE_NS (5 * NS_PER_S)

/* Of one process, wall time. */
struct span_of_time {
	uint64_t since_ns;
	uint64_t until_ns; /* 0: no step */
};

struct reading {
	struct watch *watch;
	struct span_of_time *times; /* by index into processes + 1 */
	uint64_t newest_ns;
	struct sketches *sketches;
	int (*on_rollup)(struct reading *reading, const struct store_segment_view *segment,
	                 const struct store_rollup *rollup);
};

static bool is_wanted(const struct query *query, const struct store_segment_view *segment,
                      const struct store_rollup *rollup) {
	return (!query->process_wanted || query->process_wanted[rollup->process]) &&
	       (!query->name_wanted || query->name_wanted[segment->sites[rollup->site].name]);
}

static int take_row(void *context, const struct store_segment_view *segment, const struct store_rollup *rollup) {
	struct reading *reading = context;
	return rollup->process > 0 ? reading->on_rollup(reading, segment, rollup) : 0;
}

static int find_end(struct reading *reading, const struct store_segment_view *segment,
                    const struct store_rollup *rollup) {
	struct span_of_time *time = &reading->times[rollup->process];
	uint64_t until_ns = saturating_add(rollup->until_ns, segment->wall_offset_ns);
	if (until_ns > time->until_ns)
		time->until_ns = until_ns;
	if (until_ns > reading->newest_ns)
		reading->newest_ns = until_ns;
	return 0;
}

/* A step belongs to the window when it ends in it: at least the last one of a process does. */
static bool is_in_window(const struct reading *reading, const struct store_segment_view *segment,
                         const struct store_rollup *rollup) {
	const struct span_of_time *time = &reading->times[rollup->process];
	uint64_t window_ns = reading->watch->window_ns;
	uint64_t until_ns = saturating_add(rollup->until_ns, segment->wall_offset_ns);
	if (saturating_add(time->until_ns, saturating_add(window_ns, STALE_NS)) < reading->newest_ns)
		return false;
	return saturating_add(until_ns, window_ns) > time->until_ns;
}

static int find_begin(struct reading *reading, const struct store_segment_view *segment,
                      const struct store_rollup *rollup) {
	struct span_of_time *time = &reading->times[rollup->process];
	uint64_t since_ns = saturating_add(rollup->since_ns, segment->wall_offset_ns);
	if (is_in_window(reading, segment, rollup) && (time->since_ns == 0 || since_ns < time->since_ns))
		time->since_ns = since_ns;
	return 0;
}

static int add_up(struct reading *reading, const struct store_segment_view *segment,
                  const struct store_rollup *rollup) {
	const struct query *query = &reading->watch->query;
	const struct span_of_time *time = &reading->times[rollup->process];
	uint32_t name = segment->sites[rollup->site].name;
	if (rollup->count == 0 || !is_in_window(reading, segment, rollup) || !is_wanted(query, segment, rollup) ||
	    time->until_ns <= time->since_ns)
		return 0;
	struct watch_line *line = &reading->watch->lines[name];
	double seconds = (double)(time->until_ns - time->since_ns) / 1e9;
	int scale = sketches_scale(reading->sketches, rollup->ns_per_tick_q32);
	if (line->count == 0 || rollup->min_ns < line->min_ns)
		line->min_ns = rollup->min_ns;
	if (rollup->max_ns > line->max_ns)
		line->max_ns = rollup->max_ns;
	line->count = saturating_add(line->count, rollup->count);
	line->errors = saturating_add(line->errors, rollup->errors);
	line->total_ns = saturating_add(line->total_ns, rollup->sum_ns);
	line->rate_per_s += (double)rollup->count / seconds;
	line->busy_ns_per_s += (double)rollup->sum_ns / seconds;
	return scale < 0 ? scale : sketches_add(reading->sketches, name, scale, rollup->bins, rollup->bin_count);
}

static int walk(struct reading *reading,
                int (*on_rollup)(struct reading *reading, const struct store_segment_view *segment,
                                 const struct store_rollup *rollup)) {
	const struct query *query = &reading->watch->query;
	size_t count = query->overview->segment_count;
	int rc = 0;
	reading->on_rollup = on_rollup;
	for (size_t i = count > SEGMENTS ? count - SEGMENTS : 0; i < count && rc == 0; i++)
		rc = store_reader_segment_rollup_steps(query->reader, i, take_row, reading);
	return rc;
}

static int fill(struct reading *reading) {
	struct watch *watch = reading->watch;
	int rc = 0;
	for (uint32_t name = 0; name <= watch->query.overview->name_count && rc == 0; name++) {
		struct watch_line *line = &watch->lines[name];
		struct sketch_figures figures;
		if (line->count == 0)
			continue;
		rc = sketches_figures(reading->sketches, name, line->min_ns, line->max_ns, &figures);
		if (rc == 0) {
			line->p50_ns = figures.quantiles[QUANTILE_P50];
			line->p99_ns = figures.quantiles[QUANTILE_P99];
		}
	}
	return rc;
}

int watch_read_rollups(struct watch *watch) {
	const struct store_overview *overview = watch->query.overview;
	struct reading reading = {.watch = watch};
	reading.times = calloc(overview->process_count + 1, sizeof(reading.times[0]));
	int rc = reading.times ? sketches_new((size_t)overview->name_count + 1, SKETCH_BUDGET_BYTES, &reading.sketches)
	                       : -ENOMEM;
	if (rc == 0)
		rc = walk(&reading, find_end);
	if (rc == 0 && reading.newest_ns > 0)
		rc = walk(&reading, find_begin);
	if (rc == 0 && reading.newest_ns > 0)
		rc = walk(&reading, add_up);
	if (rc == 0)
		rc = fill(&reading);
	if (rc == 0 && reading.newest_ns > 0) {
		watch->as_of_wall_ns = reading.newest_ns;
		rc = 1;
	}
	sketches_free(reading.sketches);
	free(reading.times);
	return rc;
}

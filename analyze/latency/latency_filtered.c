/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Latencies out of the records of which some do not count: --name, --service, --where, a range of time. Batches are shared out among threads,
 * each with figures of its own, put together at the end.
 *
 * If there is only a range of time, batches come in order of sites, as in latency_runs.c: those whose spans all start in the range are counted run by
 * run, of the others those that do are put together first. Else each row is asked for. What is counted is kept while there is
 * room: then the later passes go over memory and not over the store.
 */
#include "latency.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "libstore/batch.h"

#include <spanring/spanring.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* With more names the figures of several threads would take more memory than they save time. */
#define SHARED_NAMES_MAX 4096u
/* Of fewer spans a second thread takes longer to begin, with memory of its own, than it saves. */
#define SHARED_SPANS_MIN (UINT64_C(2) << 20)
#define KEPT_VALUES_MAX (1u << 20) /* of all threads */

/* Values of one name, one after the other: up to `end`. */
struct run {
	uint32_t name;
	uint32_t end;
};

struct values {
	uint64_t *values;
	struct run *runs;
	uint32_t count;
	uint32_t room;
	uint32_t run_count;
	uint32_t run_room;
};

struct share {
	struct moments *moments;     /* by name id; those of the first are the caller's */
	struct quantiles *quantiles; /* likewise */
	uint64_t *errors;
	uint64_t open;
	uint64_t start_wall_ns;
	uint64_t end_wall_ns;
	struct values kept;
	struct values batch; /* what counts of the one at hand */
	uint32_t *places;    /* by site: where it is read in the batch, and where what counts is written */
	uint32_t place_room;
	uint64_t *picked; /* BATCH_SPANS_MAX */
};

struct filtered {
	struct latency *latency;
	bool by_time; /* only */
	struct share each[STORE_SCAN_THREADS_MAX];
	uint32_t count;
	bool forgets;         /* more counts than there is room for */
	pthread_mutex_t lock; /* of the windows of the quantiles */
};

/* --- values ------------------------------------------------------------------------------------------------------ */

static int make_room(struct values *values, uint32_t count) {
	if (values->room - values->count < count) {
		uint32_t room = values->room ? values->room : 4096;
		while (room - values->count < count)
			room *= 2;
		uint64_t *grown = reallocarray(values->values, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		values->values = grown;
		values->room = room;
	}
	if (values->run_count == values->run_room) {
		uint32_t room = values->run_room ? 2 * values->run_room : 1024;
		struct run *grown = reallocarray(values->runs, room, sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		values->runs = grown;
		values->run_room = room;
	}
	return 0;
}

static int append(struct values *values, uint32_t name, const uint64_t *from, uint32_t count) {
	int error = make_room(values, count);
	if (error)
		return error;
	memcpy(values->values + values->count, from, count * sizeof(*from));
	values->count += count;
	if (values->run_count == 0 || values->runs[values->run_count - 1].name != name)
		values->runs[values->run_count++].name = name;
	values->runs[values->run_count - 1].end = values->count;
	return 0;
}

static void values_done(struct values *values) {
	free(values->values);
	free(values->runs);
	memset(values, 0, sizeof(*values));
}

/* --- first pass -------------------------------------------------------------------------------------------------- */

static bool forgets(struct filtered *filtered) {
	return __atomic_load_n(&filtered->forgets, __ATOMIC_RELAXED);
}

static int keep(struct filtered *filtered, struct share *share, uint32_t name, const uint64_t *values, uint32_t count) {
	if (forgets(filtered))
		return 0;
	if (count <= KEPT_VALUES_MAX / filtered->count - share->kept.count)
		return append(&share->kept, name, values, count);
	__atomic_store_n(&filtered->forgets, true, __ATOMIC_RELAXED);
	values_done(&share->kept);
	return 0;
}

static void widen(struct share *share, uint64_t start_wall_ns, uint64_t end_wall_ns) {
	if (start_wall_ns < share->start_wall_ns)
		share->start_wall_ns = start_wall_ns;
	if (end_wall_ns > share->end_wall_ns)
		share->end_wall_ns = end_wall_ns;
}

static uint32_t bounded(const struct filtered *filtered, uint32_t name) {
	return name <= filtered->latency->query.overview->name_count ? name : 0;
}

static uint32_t name_of_site(const struct filtered *filtered, const struct store_columns *columns, uint32_t site) {
	return bounded(filtered, site <= columns->segment->site_count ? columns->segment->sites[site].name : 0);
}

static int count_run(struct filtered *filtered, struct share *share, uint32_t name, const uint64_t *values,
                     uint32_t count) {
	moments_add_run(&share->moments[name], values, count);
	int error = quantiles_observe_run(share->quantiles, name, values, count);
	return error ? error : keep(filtered, share, name, values, count);
}

/* All of them count. */
static int count_runs(struct filtered *filtered, struct share *share, const struct store_columns *columns) {
	uint64_t offset_ns = columns->segment->wall_offset_ns;
	uint32_t first = 0;
	int error = 0;
	for (uint32_t run = 0; run < columns->run_count && !error; run++) {
		uint32_t end = columns->runs[run].end;
		uint32_t name = name_of_site(filtered, columns, columns->runs[run].site);
		for (uint32_t row = first; row < end; row++)
			share->errors[name] += columns->status[row] == SPANRING_STATUS_ERROR;
		error = count_run(filtered, share, name, columns->duration_ns + first, end - first);
		first = end;
	}
	if (columns->span_count)
		widen(share, columns->start_ns_min + offset_ns, columns->end_ns_max + offset_ns);
	return error;
}

/* Room for two numbers a site. */
static int make_places(struct share *share, const struct store_columns *columns) {
	uint32_t sites = columns->segment->site_count + 1;
	if (sites <= share->place_room)
		return 0;
	free(share->places);
	share->places = calloc(sites, 2 * sizeof(*share->places));
	share->place_room = share->places ? sites : 0;
	return share->places ? 0 : -ENOMEM;
}

/*
 * Those that start in the range, run by run into share->batch: starts are in order of rows, and the rows of one site come in the same order in
 * its run.
 */
static int gather_rows(struct filtered *filtered, struct share *share, const struct store_columns *columns) {
	const struct query *query = &filtered->latency->query;
	uint64_t offset_ns = columns->segment->wall_offset_ns;
	uint32_t first = 0;
	share->batch.count = share->batch.run_count = 0;
	int error = make_places(share, columns);
	if (!error)
		error = make_room(&share->batch, columns->span_count);
	if (error)
		return error;
	for (uint32_t run = 0; run < columns->run_count; run++) {
		uint32_t *place = &share->places[2 * (size_t)columns->runs[run].site];
		place[0] = place[1] = first;
		first = columns->runs[run].end;
	}
	for (uint32_t row = 0; row < columns->span_count; row++) {
		uint32_t *place = &share->places[2 * (size_t)columns->site[row]];
		uint32_t at = place[0]++;
		uint64_t wall_ns = saturating_add(columns->start_ns[row], offset_ns);
		if (wall_ns < query->since_wall_ns || wall_ns >= query->until_wall_ns)
			continue;
		share->batch.values[place[1]++] = columns->duration_ns[at];
		if (columns->status && columns->status[at] == SPANRING_STATUS_ERROR)
			share->errors[name_of_site(filtered, columns, columns->site[row])]++;
		widen(share, wall_ns, wall_ns + columns->duration_ns[at]);
	}
	return 0;
}

/* What gather_rows has found, run by run. */
static int each_gathered(struct filtered *filtered, struct share *share, const struct store_columns *columns,
                         int (*take)(struct filtered *filtered, struct share *share, uint32_t name,
                                     const uint64_t *values, uint32_t count)) {
	uint32_t first = 0;
	int error = 0;
	for (uint32_t run = 0; run < columns->run_count && !error; run++) {
		uint32_t site = columns->runs[run].site;
		uint32_t end = share->places[2 * (size_t)site + 1];
		if (end > first)
			error = take(filtered, share, name_of_site(filtered, columns, site),
			             share->batch.values + first, end - first);
		first = columns->runs[run].end;
	}
	return error;
}

static int count_row(struct filtered *filtered, struct share *share, const struct store_columns *columns,
                     uint32_t row) {
	uint32_t name = bounded(filtered, query_name(columns, row));
	uint64_t start_wall_ns = columns->start_ns[row] + columns->segment->wall_offset_ns;
	moments_add(&share->moments[name], columns->duration_ns[row]);
	share->errors[name] += columns->status[row] == SPANRING_STATUS_ERROR;
	widen(share, start_wall_ns, start_wall_ns + columns->duration_ns[row]);
	int error = quantiles_observe(share->quantiles, name, columns->duration_ns[row]);
	return error ? error : keep(filtered, share, name, &columns->duration_ns[row], 1);
}

static int first_pass(void *context, const struct store_columns *columns) {
	struct filtered *filtered = context;
	struct share *share = &filtered->each[columns->worker];
	int error = 0;
	if (filtered->by_time && !columns->start_ns)
		return count_runs(filtered, share, columns);
	if (filtered->by_time) {
		error = gather_rows(filtered, share, columns);
		return error ? error : each_gathered(filtered, share, columns, count_run);
	}
	for (uint32_t row = 0; row < columns->span_count && !error; row++) {
		if (!query_accepts(&filtered->latency->query, columns, row))
			continue;
		if (query_is_open(columns, row))
			share->open++;
		else
			error = count_row(filtered, share, columns, row);
	}
	return error;
}

/* --- later passes ------------------------------------------------------------------------------------------------ */

static int refine_part(struct filtered *filtered, struct share *share, uint32_t name, const uint64_t *values,
                       uint32_t count) {
	struct quantiles *quantiles = filtered->each[0].quantiles;
	size_t picked = quantiles_pick(quantiles, name, values, count, share->picked);
	(void)pthread_mutex_lock(&filtered->lock);
	for (size_t i = 0; i < picked; i++)
		quantiles_refine(quantiles, name, share->picked[i]);
	(void)pthread_mutex_unlock(&filtered->lock);
	return 0;
}

/* Of the values the few that are of interest are picked without the lock. */
static void refine(struct filtered *filtered, struct share *share, const struct values *values) {
	uint32_t first = 0;
	for (uint32_t run = 0; run < values->run_count; run++) {
		while (first < values->runs[run].end) {
			uint32_t left = values->runs[run].end - first;
			uint32_t count = left < BATCH_SPANS_MAX ? left : BATCH_SPANS_MAX;
			(void)refine_part(filtered, share, values->runs[run].name, values->values + first, count);
			first += count;
		}
	}
}

static int later_pass_by_time(struct filtered *filtered, struct share *share, const struct store_columns *columns) {
	uint32_t first = 0;
	if (columns->start_ns) {
		int error = gather_rows(filtered, share, columns);
		return error ? error : each_gathered(filtered, share, columns, refine_part);
	}
	for (uint32_t run = 0; run < columns->run_count; run++) {
		uint32_t end = columns->runs[run].end;
		(void)refine_part(filtered, share, name_of_site(filtered, columns, columns->runs[run].site),
		                  columns->duration_ns + first, end - first);
		first = end;
	}
	return 0;
}

static int later_pass(void *context, const struct store_columns *columns) {
	struct filtered *filtered = context;
	struct share *share = &filtered->each[columns->worker];
	const struct query *query = &filtered->latency->query;
	int error = 0;
	if (filtered->by_time)
		return later_pass_by_time(filtered, share, columns);
	share->batch.count = 0;
	share->batch.run_count = 0;
	for (uint32_t row = 0; row < columns->span_count && !error; row++)
		if (!query_is_open(columns, row) && query_accepts(query, columns, row))
			error = append(&share->batch, bounded(filtered, query_name(columns, row)),
			               &columns->duration_ns[row], 1);
	if (!error)
		refine(filtered, share, &share->batch);
	return error;
}

/* --- shares ------------------------------------------------------------------------------------------------------ */

static int open_shares(struct filtered *filtered, struct moments *moments, struct quantiles *quantiles) {
	size_t names = (size_t)filtered->latency->query.overview->name_count + 1;
	int error = 0;
	for (uint32_t i = 0; i < filtered->count && !error; i++) {
		struct share *share = &filtered->each[i];
		share->start_wall_ns = UINT64_MAX;
		share->picked = malloc(BATCH_SPANS_MAX * sizeof(*share->picked));
		share->errors = calloc(names, sizeof(*share->errors));
		share->moments = i == 0 ? moments : calloc(names, sizeof(*moments));
		if (!share->picked || !share->errors || !share->moments)
			error = -ENOMEM;
		else if (i == 0)
			share->quantiles = quantiles;
		else
			error = quantiles_new(names, QUANTILE_BUDGET_BYTES, &share->quantiles);
	}
	return error;
}

static void merge_share(struct latency *latency, const struct share *first, const struct share *share) {
	latency->open += share->open;
	if (share->start_wall_ns < latency->start_wall_ns)
		latency->start_wall_ns = share->start_wall_ns;
	if (share->end_wall_ns > latency->end_wall_ns)
		latency->end_wall_ns = share->end_wall_ns;
	for (uint32_t name = 0; name <= latency->query.overview->name_count; name++) {
		latency->lines[name].errors += share->errors[name];
		if (share != first)
			moments_merge(&first->moments[name], &share->moments[name]);
	}
}

/* Only the first goes on. */
static int merge_shares(struct filtered *filtered) {
	struct share *first = &filtered->each[0];
	int error = 0;
	for (uint32_t i = 0; i < filtered->count && !error; i++) {
		struct share *share = &filtered->each[i];
		merge_share(filtered->latency, first, share);
		if (share == first)
			continue;
		error = quantiles_merge(first->quantiles, share->quantiles);
		quantiles_free(share->quantiles);
		share->quantiles = NULL;
	}
	return error;
}

static void close_shares(struct filtered *filtered) {
	for (uint32_t i = 0; i < filtered->count; i++) {
		struct share *share = &filtered->each[i];
		values_done(&share->kept);
		values_done(&share->batch);
		free(share->picked);
		free(share->places);
		free(share->errors);
		if (i > 0) {
			free(share->moments);
			quantiles_free(share->quantiles);
		}
	}
	(void)pthread_mutex_destroy(&filtered->lock);
}

static int go_over_kept(struct filtered *filtered) {
	for (uint32_t i = 0; i < filtered->count; i++)
		refine(filtered, &filtered->each[0], &filtered->each[i].kept);
	return 0;
}

/* Is there no other filter, and no span that never ended? */
static bool is_by_time(const struct query *query) {
	return !query->where && !query->name_wanted && !query->process_wanted && !query_holds_open(query);
}

static int read_all(struct filtered *filtered) {
	struct query *query = &filtered->latency->query;
	uint32_t columns = filtered->by_time ? STORE_IN_SITE_ORDER : query_open_column(query);
	columns |= STORE_COLUMN_SITE | STORE_COLUMN_DURATION | STORE_COLUMN_STATUS;
	struct query_scan scan = {.columns = columns | STORE_COLUMN_START,
	                          .columns_inside = filtered->by_time ? columns : 0,
	                          .threads = filtered->count,
	                          .on_batch = first_pass,
	                          .context = filtered};
	int rc = query_scan(query, &scan);
	if (rc == 0)
		rc = merge_shares(filtered);
	scan.on_batch = later_pass;
	scan.columns &= ~STORE_COLUMN_STATUS;
	scan.columns_inside &= ~STORE_COLUMN_STATUS;
	while (rc == 0 && (rc = quantiles_next_pass(filtered->each[0].quantiles)) > 0)
		rc = filtered->forgets ? query_scan(query, &scan) : go_over_kept(filtered);
	return rc;
}

/* About how many spans there are in the range of time, as if they came at one rate in each segment. */
static double spans_in_time(const struct query *query) {
	double spans = 0;
	for (size_t i = 0; i < query->overview->segment_count; i++) {
		const struct store_segment_view *segment = &query->overview->segments[i];
		uint64_t from_ns = saturating_add(segment->start_ns_min, segment->wall_offset_ns);
		uint64_t to_ns = saturating_add(segment->end_ns_max, segment->wall_offset_ns);
		uint64_t first_ns = from_ns > query->since_wall_ns ? from_ns : query->since_wall_ns;
		uint64_t last_ns = to_ns < query->until_wall_ns ? to_ns : query->until_wall_ns;
		if (last_ns >= first_ns)
			spans += (double)segment->spans * ((double)(last_ns - first_ns) + 1) /
			         ((double)(to_ns - from_ns) + 1);
	}
	return spans;
}

static uint32_t threads_for(const struct query *query) {
	if (query->overview->name_count >= SHARED_NAMES_MAX)
		return 1;
	bool pays = query->context->options->threads || spans_in_time(query) >= (double)SHARED_SPANS_MIN;
	return pays ? query_threads(query) : 1;
}

int latency_collect_filtered(struct latency *latency, struct moments *moments, struct quantiles *quantiles) {
	struct filtered *filtered CLEANUP_FREE = calloc(1, sizeof(*filtered));
	if (!filtered)
		return -ENOMEM;
	filtered->latency = latency;
	filtered->by_time = is_by_time(&latency->query);
	filtered->count = threads_for(&latency->query);
	int rc = -pthread_mutex_init(&filtered->lock, NULL);
	if (rc)
		return rc;
	rc = open_shares(filtered, moments, quantiles);
	if (rc == 0)
		rc = read_all(filtered);
	close_shares(filtered);
	return rc;
}

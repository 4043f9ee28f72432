/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench query: the questions of the analyzer to one large store of the generated workload, with the same questions in SQL beside them.
 *
 * The store is built once, by the store's writer (quiet_feed.h, busy). Questions are asked of the real spanring-analyze, a process each, so its
 * start and the opening of the store are in every figure; only what no command asks alone is measured in this process. Speeds per core are spans
 * by CPU time, user and system, of one thread. Everything is in the page cache.
 */
#include "analyze/kernels/lanes.h"
#include "analyze/kernels/quantile.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/units.h"
#include "bench/agent_process.h"
#include "bench/case.h"
#include "bench/feed/quiet_feed.h"
#include "bench/floors/peer_sql.h"
#include "bench/timed_child.h"
#include "libstore/reader.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define QUICK_SPANS 200000u
#define CHUNK_SPANS 10000000u /* generated at a time */
#define SQLITE_SPANS 250000u
#define DUCKDB_SPANS 10000000u
#define READ_BYTES (256u << 10)

enum figure {
	FLOOR,
	SPANS,
	BYTES,
	HISTOGRAM,
	HISTOGRAM_TWO,
	DECODE,
	EXACT,
	EXACT_TWO,
	SELF,
	SELF_TWO,
	ROLLUPS,
	TRACE,
	RANGE,
	PEAK,
	SQLITE,
	DUCKDB = SQLITE + PEER_SQL_APPROXIMATE,
	FIGURES = DUCKDB + PEER_SQL_QUESTIONS
};

#define SPEED "M spans/s"
#define TIMES "times"

static const struct report_line lines[FIGURES] = {
    [FLOOR] = {"file_million_spans_per_second", "floor: the files read once, to nowhere", SPEED, NULL},
    [SPANS] = {"spans", "spans", "", NULL},
    [BYTES] = {"bytes_per_span", "store, everything included", "bytes/span", "10.5"},
    [HISTOGRAM] = {"histogram_million_spans_per_core_second", "histogram percentiles, one core", SPEED, "250"},
    [HISTOGRAM_TWO] = {"histogram_two_threads_times", "  two threads: so many times as fast", TIMES, "1.8"},
    [DECODE] = {"decode_million_spans_per_core_second", "all columns of all batches, one core", SPEED, "18"},
    [EXACT] = {"exact_million_spans_per_core_second", "latency --exact, one core", SPEED, "200"},
    [EXACT_TWO] = {"exact_two_threads_times", "  two threads: so many times as fast", TIMES, "1.8"},
    [SELF] = {"self_million_spans_per_core_second", "self times beyond that, one core", SPEED, "80"},
    [SELF_TWO] = {"self_two_threads_times", "  two threads, both together: so many times as fast", TIMES, "1.8"},
    [ROLLUPS] = {"rollups_ms", "latency, from rollups", "ms", "25"},
    [TRACE] = {"trace_ms", "one trace", "ms", "15"},
    [RANGE] = {"range_ms", "latency of 1 % of the time", "ms", "10"},
    [PEAK] = {"peak_mib", "analyzer, most resident memory (no file map)", "MiB", "64"},
    [SQLITE +
        PEER_SQL_EXACT] = {"sqlite_exact_times", "SQLite, exact percentiles: times our time per span", TIMES, NULL},
    [SQLITE + PEER_SQL_SELF] = {"sqlite_self_times", "SQLite, self times", TIMES, NULL},
    [SQLITE + PEER_SQL_TRACE] = {"sqlite_trace_times", "SQLite, one trace", TIMES, NULL},
    [SQLITE + PEER_SQL_RANGE] = {"sqlite_range_times", "SQLite, 1 % of the time", TIMES, NULL},
    [DUCKDB + PEER_SQL_EXACT] = {"duckdb_exact_times", "DuckDB, exact percentiles (quantile_disc)", TIMES, NULL},
    [DUCKDB + PEER_SQL_APPROXIMATE] = {"duckdb_approximate_times", "DuckDB, approx_quantile: times our histogram pass",
                                       TIMES, NULL},
    [DUCKDB + PEER_SQL_SELF] = {"duckdb_self_times", "DuckDB, self times", TIMES, NULL},
    [DUCKDB + PEER_SQL_TRACE] = {"duckdb_trace_times", "DuckDB, one trace", TIMES, NULL},
    [DUCKDB + PEER_SQL_RANGE] = {"duckdb_range_times", "DuckDB, 1 % of the time", TIMES, NULL},
};

static int generate(const struct stage *stage, uint64_t spans, uint64_t chunk, struct workload *ret_workload) {
	return workload_generate(spans < WORKLOAD_SPANS_MIN ? WORKLOAD_SPANS_MIN : spans, WORKLOAD_RATE,
	                         stage->options->seed + chunk, ret_workload);
}

static int add_chunk(struct busy_feed *feed, const struct stage *stage, uint64_t spans, uint64_t chunk) {
	struct workload workload = {0};
	int rc = generate(stage, spans, chunk, &workload);
	if (rc == 0)
		rc = busy_feed_take(feed, &workload);
	workload_done(&workload);
	return rc;
}

/* With --keep a store that is there already is asked again. */
static const char *store_of(const struct stage *stage) {
	return stage->options->keep ? stage->options->keep : stage->folders.store;
}

static int build(const struct stage *stage) {
	struct store_writer_options options = {.durability = STORE_DURABILITY_NORMAL,
	                                       .wall_offset_ns = clock_wall_ns() - clock_monotonic_ns(),
	                                       .agent_version = "bench"};
	uint64_t spans = stage->options->is_quick ? QUICK_SPANS : stage->options->spans;
	struct store_writer *writer = NULL;
	struct busy_feed feed = {0};
	char text[512];
	int holder;
	int rc = store_writer_open(store_of(stage), &options, &writer, &holder, text, sizeof(text));
	if (rc == 0)
		rc = busy_feed_open(writer, NULL, NULL, &feed);
	for (uint64_t chunk = 0; rc == 0 && feed.spans < spans && chunk * CHUNK_SPANS < spans; chunk++) {
		uint64_t left = spans - chunk * CHUNK_SPANS;
		rc = add_chunk(&feed, stage, left < CHUNK_SPANS ? left : CHUNK_SPANS, chunk);
	}
	if (rc == 0)
		rc = busy_feed_finish(&feed);
	int closed = store_writer_close(writer);
	busy_feed_close(&feed);
	return rc < 0 ? rc : closed;
}

/* --- in this process --------------------------------------------------------------------------------------------- */

struct histograms {
	struct quantiles *each[2];
};

static int count_run(struct quantiles *quantiles, const struct store_columns *columns, uint32_t name, uint32_t first,
                     uint32_t end) {
	const uint32_t *low = columns->duration_low;
	const uint32_t *high = columns->duration_high;
	int rc = 0;
	if (!high || !lanes_any(high + first, end - first))
		return quantiles_observe_run32(quantiles, name, low + first, end - first);
	for (uint32_t row = first; row < end && rc == 0; row++)
		rc = quantiles_observe(quantiles, name, low[row] | (uint64_t)high[row] << 32);
	return rc;
}

static int count_runs(void *context, const struct store_columns *columns) {
	struct histograms *histograms = context;
	uint32_t first = 0;
	int rc = 0;
	for (uint32_t run = 0; run < columns->run_count && rc == 0; run++) {
		uint32_t end = columns->runs[run].end;
		rc = count_run(histograms->each[columns->worker], columns,
		               columns->segment->sites[columns->runs[run].site].name, first, end);
		first = end;
	}
	return rc;
}

static int count_all(struct store_reader *reader, uint32_t threads, uint64_t *ret_cpu_ns, uint64_t *ret_wall_ns) {
	size_t names = (size_t)store_reader_overview(reader)->name_count + 1;
	struct histograms histograms = {{NULL, NULL}};
	struct store_scan scan = {.columns = STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION_HALVES,
	                          .threads = threads,
	                          .on_batch = count_runs,
	                          .context = &histograms};
	uint64_t cpu_ns = clock_process_cpu_ns();
	uint64_t wall_ns = clock_monotonic_ns();
	int rc = 0;
	for (uint32_t i = 0; i < threads && rc == 0; i++)
		rc = quantiles_new(names, QUANTILE_BUDGET_BYTES, &histograms.each[i]);
	if (rc == 0)
		rc = store_reader_scan(reader, &scan);
	if (rc == 0 && threads == 2)
		rc = quantiles_merge(histograms.each[0], histograms.each[1]);
	*ret_wall_ns = clock_monotonic_ns() - wall_ns;
	*ret_cpu_ns = clock_process_cpu_ns() - cpu_ns;
	quantiles_free(histograms.each[0]);
	quantiles_free(histograms.each[1]);
	return rc;
}

struct sought {
	uint64_t trace_hi;
	uint64_t trace_lo;
};

static int take_trace(void *context, const struct store_columns *columns) {
	struct sought *sought = context;
	if (columns->span_count == 0)
		return 0;
	sought->trace_hi = columns->trace_hi[columns->span_count / 2];
	sought->trace_lo = columns->trace_lo[columns->span_count / 2];
	return 0;
}

static int decode_all(void *context, const struct store_columns *columns) {
	(void)context;
	__asm__ volatile("" : : "r"(columns->span_id) : "memory");
	return 0;
}

static int measure_here(struct store_reader *reader, double spans, struct sought *sought, double *values) {
	uint64_t cpu_ns, wall_ns, two_cpu_ns, two_wall_ns;
	struct store_scan all = {.columns = STORE_COLUMNS_ALL, .on_batch = decode_all};
	struct store_scan traces = {.columns = STORE_COLUMN_TRACE, .on_batch = take_trace, .context = sought};
	int rc = count_all(reader, 1, &cpu_ns, &wall_ns);
	if (rc == 0)
		rc = count_all(reader, 2, &two_cpu_ns, &two_wall_ns);
	if (rc < 0)
		return rc;
	values[HISTOGRAM] = spans * 1e3 / (double)cpu_ns;
	values[HISTOGRAM_TWO] = (double)wall_ns / (double)two_wall_ns;
	cpu_ns = clock_process_cpu_ns();
	rc = store_reader_scan(reader, &all);
	values[DECODE] = spans * 1e3 / (double)(clock_process_cpu_ns() - cpu_ns);
	return rc < 0 ? rc : store_reader_scan(reader, &traces);
}

/* --- asked of the analyzer --------------------------------------------------------------------------------------- */

struct asking {
	const char *program;
	const char *store;
	char trace[33];
	char since[UNITS_TEXT_BYTES];
	char until[UNITS_TEXT_BYTES];
};

static int ask(const char *program, const char *const *words, struct timed_child *ret_child) {
	const char *arguments[12] = {program};
	for (size_t i = 0; words[i]; i++)
		arguments[i + 1] = words[i];
	return timed_child_run(arguments, NULL, ret_child);
}

static int measure_self(const struct asking *asking, double spans, const struct timed_child *exact, double *values) {
	const char *one[] = {"latency", asking->store, "--exact", "-q", "--threads", "1", "--sort", "self", NULL};
	const char *two[] = {"latency", asking->store, "--exact", "-q", "--threads", "2", "--sort", "self", NULL};
	struct timed_child first, second;
	int rc = ask(asking->program, one, &first);
	if (rc == 0)
		rc = ask(asking->program, two, &second);
	if (rc < 0)
		return rc;
	/* of a small store the difference drowns in noise */
	values[SELF] = spans * 1e3 / fmax((double)first.cpu_ns - (double)exact->cpu_ns, (double)NS_PER_US);
	values[SELF_TWO] = (double)first.wall_ns / (double)second.wall_ns;
	values[PEAK] = fmax(values[PEAK], (double)second.peak_bytes / 1048576.0);
	return 0;
}

static int measure_speeds(const struct asking *asking, double spans, double *values) {
	const char *one[] = {"latency", asking->store, "--exact", "-q", "--threads", "1", NULL};
	const char *two[] = {"latency", asking->store, "--exact", "-q", "--threads", "2", NULL};
	struct timed_child first, second;
	int rc = ask(asking->program, one, &first);
	if (rc == 0)
		rc = ask(asking->program, two, &second);
	if (rc < 0)
		return rc;
	values[EXACT] = spans * 1e3 / (double)first.cpu_ns;
	values[EXACT_TWO] = (double)first.wall_ns / (double)second.wall_ns;
	values[PEAK] = (double)second.peak_bytes / 1048576.0;
	return measure_self(asking, spans, &first, values);
}

static int measure_times(const struct asking *asking, double *values) {
	const char *rollups[] = {"latency", asking->store, "-q", NULL};
	const char *trace[] = {"trace", asking->trace, asking->store, "-q", NULL};
	const char *range[] = {"latency",     asking->store, "-q",          "--since",
	                       asking->since, "--until",     asking->until, NULL};
	struct timed_child child;
	int rc = ask(asking->program, rollups, &child);
	values[ROLLUPS] = (double)child.wall_ns / 1e6;
	if (rc == 0)
		rc = ask(asking->program, trace, &child);
	values[TRACE] = (double)child.wall_ns / 1e6;
	if (rc == 0)
		rc = ask(asking->program, range, &child);
	values[RANGE] = (double)child.wall_ns / 1e6;
	return rc;
}

/* --- SQL --------------------------------------------------------------------------------------------------------- */

/* How many times as long a span takes there; one trace and one range take what they take, so there it is time by time. */
static void compare(double peer_ns, double peer_spans, double spans, const double *values,
                    enum peer_sql_question question, double *ret_times) {
	double per_span_ns = peer_ns / peer_spans;
	switch (question) {
	case PEER_SQL_EXACT:
		*ret_times = per_span_ns * values[EXACT] / 1e3;
		break;
	case PEER_SQL_SELF:
		*ret_times = per_span_ns / (1e3 / values[EXACT] + 1e3 / values[SELF]);
		break;
	case PEER_SQL_TRACE:
		*ret_times = per_span_ns * spans / (values[TRACE] * 1e6);
		break;
	case PEER_SQL_RANGE:
		*ret_times = per_span_ns * spans / (values[RANGE] * 1e6);
		break;
	case PEER_SQL_APPROXIMATE:
		*ret_times = per_span_ns * values[HISTOGRAM] / 1e3;
		break;
	case PEER_SQL_QUESTIONS:
		break;
	}
}

static uint64_t peer_spans(const struct stage *stage, enum peer_sql_tool tool) {
	uint64_t spans = stage->options->is_quick ? QUICK_SPANS : stage->options->spans;
	uint64_t most = tool == PEER_SQL_SQLITE ? SQLITE_SPANS : DUCKDB_SPANS;
	return spans < most ? spans : most;
}

static int measure_peer(const struct stage *stage, const struct peer_sql *peer, double spans, double *values) {
	uint32_t questions = peer->tool == PEER_SQL_SQLITE ? PEER_SQL_APPROXIMATE : PEER_SQL_QUESTIONS;
	double *times = &values[peer->tool == PEER_SQL_SQLITE ? SQLITE : DUCKDB];
	int rc = 0;
	for (uint32_t q = 0; q < questions && rc == 0; q++) {
		uint64_t ns = 0;
		rc = peer_sql_ask(peer, (enum peer_sql_question)q, &ns);
		if (rc == 0)
			compare((double)ns, (double)peer_spans(stage, peer->tool), spans, values,
			        (enum peer_sql_question)q, &times[q]);
	}
	return rc;
}

/* In the first run: the tables, of the spans that the store begins with. */
static int load_peers(const struct stage *stage, struct peer_sql peers[PEER_SQL_TOOLS]) {
	struct workload workload = {0};
	int rc = 0;
	for (uint32_t tool = 0; tool < PEER_SQL_TOOLS && rc == 0; tool++) {
		const struct peer_sql *peer = &peers[tool];
		if (!peer_sql_is_there(peer)) {
			log_info(&stage->options->log, "without %s",
			         tool == PEER_SQL_SQLITE ? "SQLite: there is no sqlite3 in PATH"
			                                 : "DuckDB: give its libduckdb.so with --duckdb");
			continue;
		}
		if (workload.span_count == 0)
			rc = generate(stage, peer_spans(stage, PEER_SQL_DUCKDB), 0, &workload);
		if (rc == 0)
			rc = peer_sql_load(peer, &workload, peer_spans(stage, peer->tool));
		if (rc == 0 && peer->duckdb)
			log_info(&stage->options->log, "DuckDB %s", peer_duckdb_version(peer->duckdb));
	}
	workload_done(&workload);
	return rc;
}

static int measure_peers(const struct stage *stage, double spans, double *values) {
	struct peer_duckdb *duckdb = NULL;
	int rc = peer_duckdb_open(stage->options->duckdb, &duckdb);
	if (rc == -ENOENT && stage->options->duckdb) {
		log_error(&stage->options->log, "%s: not a libduckdb.so with the C interface", stage->options->duckdb);
		return rc;
	}
	struct peer_sql peers[PEER_SQL_TOOLS] = {{stage->folders.rings, PEER_SQL_SQLITE, NULL},
	                                         {stage->folders.rings, PEER_SQL_DUCKDB, duckdb}};
	bool any = peer_sql_is_loaded(&peers[PEER_SQL_SQLITE]) || peer_sql_is_loaded(&peers[PEER_SQL_DUCKDB]);
	rc = any ? 0 : load_peers(stage, peers);
	for (uint32_t tool = 0; tool < PEER_SQL_TOOLS && rc == 0; tool++)
		if (peer_sql_is_loaded(&peers[tool]))
			rc = measure_peer(stage, &peers[tool], spans, values);
	peer_duckdb_close(duckdb);
	return rc;
}

/* --- runs -------------------------------------------------------------------------------------------------------- */

static int read_files(const struct store_overview *overview, double *ret_seconds) {
	CLEANUP_FREE char *buffer = malloc(READ_BYTES);
	if (!buffer)
		return -ENOMEM;
	uint64_t from_ns = clock_monotonic_ns();
	for (size_t i = 0; i < overview->segment_count; i++) {
		CLEANUP_FILE FILE *file = fopen(overview->segments[i].file, "re");
		if (!file)
			return -errno;
		(void)setvbuf(file, NULL, _IONBF, 0);
		while (fread(buffer, 1, READ_BYTES, file) == READ_BYTES)
			;
	}
	*ret_seconds = (double)(clock_monotonic_ns() - from_ns) / 1e9;
	return 0;
}

static int prepare(const struct stage *stage, struct asking *asking, double *ret_spans, double *values) {
	struct store_reader *reader = NULL;
	struct sought sought = {0, 0};
	char text[512];
	double seconds = 0;
	uint64_t spans = 0, bytes = 0, from_ns = UINT64_MAX, to_ns = 0;
	int rc = store_reader_open(store_of(stage), &reader, text, sizeof(text));
	if (rc < 0)
		return rc;
	const struct store_overview *overview = store_reader_overview(reader);
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *segment = &overview->segments[i];
		spans += segment->spans;
		bytes += segment->file_bytes;
		uint64_t start_ns = segment->start_ns_min + segment->wall_offset_ns;
		uint64_t end_ns = segment->end_ns_max + segment->wall_offset_ns;
		from_ns = start_ns < from_ns ? start_ns : from_ns;
		to_ns = end_ns > to_ns ? end_ns : to_ns;
	}
	rc = read_files(overview, &seconds);
	if (rc == 0)
		rc = measure_here(reader, (double)spans, &sought, values);
	store_reader_close(reader);
	(void)snprintf(asking->trace, sizeof(asking->trace), "%016" PRIx64 "%016" PRIx64, sought.trace_hi,
	               sought.trace_lo);
	(void)units_format_wall(from_ns + (to_ns - from_ns) / 2, asking->since);
	(void)units_format_wall(from_ns + (to_ns - from_ns) / 2 + (to_ns - from_ns) / 100, asking->until);
	*ret_spans = (double)spans;
	values[SPANS] = (double)spans;
	values[BYTES] = (double)bytes / (double)spans;
	values[FLOOR] = (double)spans / 1e6 / seconds;
	return rc;
}

static int run(const struct stage *stage, double *values) {
	char path[PATH_MAX];
	char folder[PATH_MAX];
	char program[PATH_MAX + sizeof("/spanring-analyze")];
	struct asking asking = {.program = program, .store = store_of(stage)};
	uint64_t bytes = 0;
	double spans = 0;
	int rc = agent_process_path(stage->options->agent, path);
	(void)snprintf(folder, sizeof(folder), "%s", path);
	(void)snprintf(program, sizeof(program), "%s/spanring-analyze", dirname(folder));
	if (rc == 0 && stage->options->keep && mkdir(stage->options->keep, 0700) < 0 && errno != EEXIST)
		rc = -errno;
	if (rc == 0)
		rc = temporary_folder_bytes(store_of(stage), &bytes);
	if (rc == 0 && bytes == 0)
		rc = build(stage);
	if (rc == 0)
		rc = prepare(stage, &asking, &spans, values);
	if (rc == 0)
		rc = measure_speeds(&asking, spans, values);
	if (rc == 0)
		rc = measure_times(&asking, values);
	return rc == 0 ? measure_peers(stage, spans, values) : rc;
}

int query_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-query/1",
	    .title = "Questions to a large store of the generated workload",
	    .note =
	        "SQL is asked of a part of the spans (SQLite 250,000, DuckDB 10 million), with one thread and without an index: "
	        "what it takes per span,\nas a multiple of what spanring-analyze takes on one core. For one trace and for a part "
	        "of the time that assumes a scan that grows\nwith the table: with an index SQL finds a trace sooner than this.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"
#include "metrics_figures.h"
#include "status_parts.h"

#include <inttypes.h>
#include <spanring/version.h>
#include <stdbool.h>
#include <string.h>

#define SUFFIX_TOTAL "_total"

void metrics_write_label(FILE *file, const char *value) {
	size_t bytes = strlen(value);
	for (size_t at = 0; at < bytes;) {
		uint32_t code = 0;
		size_t length = text_utf8_sequence(value + at, bytes - at, &code);
		if (length == 0)
			(void)fputs("\xef\xbf\xbd", file); /* U+FFFD: the page must be UTF-8 */
		else if (code == '\n')
			(void)fputs("\\n", file);
		else if (code == '"' || code == '\\')
			(void)fprintf(file, "\\%c", (char)code);
		else
			(void)fwrite(value + at, 1, length, file);
		at += length ? length : 1;
	}
}

/* Seconds with all their digits: a counter of nanoseconds must not lose what a double cannot hold. */
static void write_seconds(FILE *file, uint64_t ns) {
	char fraction[16];
	(void)snprintf(fraction, sizeof(fraction), "%09" PRIu64, ns % NS_PER_S);
	size_t digits = 9;
	while (digits > 1 && fraction[digits - 1] == '0')
		digits--;
	(void)fprintf(file, "%" PRIu64 ".%.*s", ns / NS_PER_S, (int)digits, fraction);
}

static void write_plain(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	const char *base = family->is_of_agent ? (const char *)figures->agent : (const char *)figures;
	uint64_t value;
	double ratio;
	(void)fprintf(file, "%s ", family->name);
	memcpy(&value, base + family->place, sizeof(value));
	memcpy(&ratio, base + family->place, sizeof(ratio));
	if (family->unit == METRICS_SECONDS)
		write_seconds(file, value);
	else if (family->unit == METRICS_RATIO)
		(void)fprintf(file, "%.9g", ratio);
	else
		(void)fprintf(file, "%" PRIu64, value);
	(void)fputc('\n', file);
}

static void write_one(FILE *file, const struct metrics_family *family, const char *label, const char *value,
                      uint64_t number) {
	(void)fprintf(file, "%s{%s=\"", family->name, label);
	metrics_write_label(file, value);
	(void)fprintf(file, "\"} %" PRIu64 "\n", number);
}

static void write_build(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	(void)fprintf(file, "%s{version=\"%s\",io=\"%s\"} 1\n", family->name, SPANRING_VERSION_STRING,
	              loop_io_names[loop_in_use(figures->agent->loop)]);
}

static void write_dropped(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	write_one(file, family, "reason", "full", figures->counted.dropped_full);
	write_one(file, family, "reason", "depth", figures->counted.dropped_depth);
	write_one(file, family, "reason", "no_ring", figures->counted.dropped_no_ring);
	write_one(file, family, "reason", "reentry", figures->counted.dropped_reentry);
}

static void write_sampled_out(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	write_one(file, family, "reason", "sampler", figures->counted.sampled_out);
	write_one(file, family, "reason", "short", figures->counted.sampled_out_short);
	write_one(file, family, "reason", "thinned", figures->counted.thinned);
}

static void write_quarantined(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	for (uint32_t i = 0; i < METRICS_QUARANTINE_WORDS; i++)
		write_one(file, family, "reason", metrics_quarantine_words[i], figures->quarantined[i]);
}

static void write_store_state(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	const struct agent *agent = figures->agent;
	const char *now = store_state_word(&agent->store, figures->now_ns, agent->flush);
	for (uint32_t i = 0; store_state_words[i]; i++)
		write_one(file, family, "state", store_state_words[i], strcmp(now, store_state_words[i]) == 0);
}

static void write_handovers(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	for (uint32_t i = 0; i < AGENT_HANDOVER_COUNT; i++)
		write_one(file, family, "reason", status_handover_names[i], figures->agent->figures.handovers[i]);
}

/* Which figure of a service a family tells. */
static uint64_t of_service(const struct metrics_family *family, const struct metrics_figures *figures, uint32_t row) {
	uint64_t value;
	if (strcmp(family->name, "spanring_service_spans_dropped_total") == 0)
		return tally_dropped(&figures->services[row]);
	if (strcmp(family->name, "spanring_service_programs") == 0)
		return figures->service_programs[row];
	if (strcmp(family->name, "spanring_service_spans_open") == 0)
		return figures->service_open[row];
	memcpy(&value, (const char *)&figures->services[row] + family->place, sizeof(value));
	return value;
}

static void write_services(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	const struct totals *totals = &figures->agent->roster.totals;
	for (uint32_t row = 0; row < totals->service_count; row++)
		write_one(file, family, "service", totals->services[row].name, of_service(family, figures, row));
	if (totals->other.programs_seen > 0)
		write_one(file, family, "service", TOTALS_OTHER, of_service(family, figures, TOTALS_SERVICES_MAX));
}

static void write_durations(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	const struct agent_figures *own = &figures->agent->figures;
	uint64_t count = 0;
	for (uint32_t i = 0; i < COMMIT_BINS_COUNT; i++) {
		count += own->bins.durations[i];
		(void)fprintf(file, "%s_bucket{le=\"%s\"} %" PRIu64 "\n", family->name, commit_bins_seconds[i], count);
	}
	count += own->bins.durations[COMMIT_BINS_COUNT];
	(void)fprintf(file, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum ", family->name, count, family->name);
	write_seconds(file, own->commit_ns);
	(void)fprintf(file, "\n%s_count %" PRIu64 "\n", family->name, count);
}

static void write_batches(FILE *file, const struct metrics_family *family, const struct metrics_figures *figures) {
	const struct commit_bins *bins = &figures->agent->figures.bins;
	uint64_t count = 0;
	for (uint32_t i = 0; i < COMMIT_BINS_COUNT; i++) {
		count += bins->batches[i];
		(void)fprintf(file, "%s_bucket{le=\"%" PRIu64 ".0\"} %" PRIu64 "\n", family->name, commit_bins_spans[i],
		              count);
	}
	count += bins->batches[COMMIT_BINS_COUNT];
	(void)fprintf(file, "%s_bucket{le=\"+Inf\"} %" PRIu64 "\n%s_sum %" PRIu64 "\n%s_count %" PRIu64 "\n",
	              family->name, count, family->name, bins->spans, family->name, count);
}

/* The value there must be as large as the one that is read. */
#define PLACE(type, field)                                                                                             \
	.place = offsetof(type, field) + 0 * sizeof(char[sizeof(((type *)NULL)->field) == 8 ? 1 : -1])
#define FIGURE(field) PLACE(struct metrics_figures, field)
#define OWN(field) PLACE(struct agent, field), .is_of_agent = true
#define SERVICE(field) .write = write_services, .place = offsetof(struct tally, field)
#define COUNTER(named, ...)                                                                                            \
	{ .name = "spanring_" named SUFFIX_TOTAL, .type = "counter", __VA_ARGS__ }
#define GAUGE(named, ...)                                                                                              \
	{ .name = "spanring_" named, .type = "gauge", __VA_ARGS__ }
#define HISTOGRAM(named, ...)                                                                                          \
	{ .name = "spanring_" named, .type = "histogram", __VA_ARGS__ }
#define HELP(text) .help = text

/* clang-format off */
const struct metrics_family metrics_families[] = {
    GAUGE("build_info", HELP("Always 1; version of the agent, and how it waits and reads."), .write = write_build),
    COUNTER("spans_ended", HELP("Spans that programs ended, recorded or not."), FIGURE(ended)),
    COUNTER("spans_stored", HELP("Spans committed to the store."), OWN(figures.spans)),
    COUNTER("spans_unfinished", HELP("Spans stored that were open when their program died."), OWN(figures.spans_unfinished)),
    COUNTER("spans_dropped", HELP("Spans lost in programs: ring full, stack too deep, no ring, or begun inside a signal handler."), .write = write_dropped),
    COUNTER("spans_sampled_out", HELP("Spans left out on purpose: by the sampler, shorter than their minimum, or thinned out."), .write = write_sampled_out),
    COUNTER("spans_rejected", HELP("Span records that break the contract."), FIGURE(counted.rejected)),
    COUNTER("records_rejected", HELP("Other records that break the contract."), FIGURE(counted.rejected_other)),
    COUNTER("records_lost", HELP("Records skipped before they could be stored."), FIGURE(counted.lost)),
    COUNTER("attributes_dropped", HELP("Attributes that found no room in their ring."), FIGURE(counted.dropped_attributes)),
    COUNTER("events_dropped", HELP("Events and links that found no room in their ring."), FIGURE(counted.dropped_events)),
    COUNTER("attributes_stored", HELP("Attributes committed to the store."), OWN(figures.attributes)),
    COUNTER("events_stored", HELP("Events committed to the store."), OWN(figures.events)),
    GAUGE("spans_open", HELP("Spans open at this moment."), FIGURE(now.open)),
    GAUGE("programs", HELP("Traced programs known at this moment."), FIGURE(programs)),
    COUNTER("programs_ended", HELP("Programs that ended and are stored completely."), OWN(figures.producers_ended)),
    COUNTER("programs_over_limit", HELP("Looks at programs that were not taken in because there were too many."), OWN(roster.producers_over_limit)),
    GAUGE("rings", HELP("Rings known at this moment, one per thread."), FIGURE(now.rings)),
    GAUGE("rings_bytes", HELP("Size of all rings together."), FIGURE(ring_bytes)),
    COUNTER("rings_over_limit", HELP("Looks at rings that were not taken in because there were too many."), OWN(roster.rings_over_limit)),
    GAUGE("rings_quarantined", HELP("Rings that are not read any more because they are damaged, gone or of another kind."), .write = write_quarantined),
    COUNTER("names_refused", HELP("Entries of the ring directory that are no program or ring."), OWN(roster.refused)),
    GAUGE("ring_records_waiting", HELP("Records in rings that are not stored yet."), FIGURE(now.waiting)),
    GAUGE("ring_waiting_bytes", HELP("The same in bytes."), FIGURE(waiting_bytes)),
    GAUGE("ring_fill_ratio_max", HELP("Part of the fullest ring that waits to be stored."), .unit = METRICS_RATIO, FIGURE(now.fill_ratio_max)),
    GAUGE("lag_seconds", HELP("Age of the oldest span that was taken from a ring and is not committed."), .unit = METRICS_SECONDS, FIGURE(lag_ns)),
    COUNTER("service_spans_ended", HELP("Spans that programs of a service ended."), SERVICE(begun)),
    COUNTER("service_spans_stored", HELP("Spans of a service given to the store."), SERVICE(stored)),
    COUNTER("service_spans_dropped", HELP("Spans lost in programs of a service."), .write = write_services),
    GAUGE("service_spans_open", HELP("Spans of a service open at this moment."), .write = write_services),
    GAUGE("service_programs", HELP("Programs of a service known at this moment."), .write = write_services),
    GAUGE("store_state", HELP("1 for the state that the store is in: ok, failing, open (left alone but for probes) or stalled."), .write = write_store_state),
    GAUGE("store_failing_seconds", HELP("For how long the store has not been ok."), .unit = METRICS_SECONDS, FIGURE(store_trouble_ns)),
    COUNTER("store_breaker_opened", HELP("Times that commits failed too often in a row."), OWN(store.times_open)),
    COUNTER("store_stalled", HELP("Times that a commit hung."), OWN(store.times_stalled)),
    COUNTER("store_probes_failed", HELP("Probes of a failed store that failed."), OWN(store.probes_failed)),
    COUNTER("commits", HELP("Transactions that succeeded."), OWN(figures.commits)),
    COUNTER("commits_failed", HELP("Transactions that failed; each is tried again."), OWN(figures.commits_failed)),
    COUNTER("commits_late", HELP("Commits later than max-wait."), OWN(figures.commits_late)),
    HISTOGRAM("commit_duration_seconds", HELP("Time that commits took inside the store."), .write = write_durations),
    HISTOGRAM("batch_spans", HELP("Spans in a commit."), .write = write_batches),
    COUNTER("handovers", HELP("Batches given to the store, by what caused it."), .write = write_handovers),
    COUNTER("encode_cpu_seconds", HELP("Processor time for compression."), .unit = METRICS_SECONDS, OWN(figures.encode_ns)),
    COUNTER("column_bytes", HELP("Compressed bytes given to the store."), OWN(figures.column_bytes)),
    GAUGE("bytes_per_span", HELP("Compressed bytes per stored span since the agent began."), .unit = METRICS_RATIO, FIGURE(bytes_per_span)),
    GAUGE("store_bytes", HELP("Size of the store at the last look; 0 before the first, or without limits."), OWN(retention.store_bytes)),
    GAUGE("store_segments", HELP("Segments of the store, likewise."), OWN(retention.store_segments)),
    GAUGE("store_free_bytes", HELP("Room beside the store, likewise."), OWN(retention.free_bytes)),
    COUNTER("segments_evicted", HELP("Segments removed by the limits of retention."), OWN(figures.evicted.segments)),
    COUNTER("spans_evicted", HELP("Spans removed with them."), OWN(figures.evicted.spans)),
    COUNTER("evicted_bytes", HELP("Bytes removed with them."), OWN(figures.evicted.bytes)),
    GAUGE("retention_failing", HELP("1 while old segments cannot be removed."), FIGURE(retention_failing)),
    GAUGE("memory_bytes", HELP("Memory that is the agent's own."), FIGURE(memory_bytes)),
    GAUGE("memory_cap_bytes", HELP("What it may be."), OWN(memory.cap_bytes)),
    GAUGE("memory_over", HELP("1 while it is more."), FIGURE(memory_over)),
    COUNTER("memory_times_over", HELP("Times that it became more."), OWN(memory.times_over)),
    COUNTER("memory_samples", HELP("Samples of programs that are stored."), OWN(figures.samples)),
    COUNTER("memory_samples_put_off", HELP("Rounds of samples that had to wait for want of budget."), OWN(footprint.put_off)),
    COUNTER("sampling_cpu_seconds", HELP("Processor time for samples."), .unit = METRICS_SECONDS, OWN(footprint.sampler.figures.cpu_ns)),
    COUNTER("rollup_rows", HELP("Rows of statistics given to the store."), OWN(statistics.figures.rows)),
    COUNTER("times_clamped", HELP("Times that no clock could have given."), OWN(sink.clamped)),
    COUNTER("ratio_refused", HELP("Programs that could not be given their share of traces."), OWN(ratio.refused)),
    {.name = "process_cpu_seconds_total", .type = "counter", HELP("Processor time of the agent."), .unit = METRICS_SECONDS, FIGURE(cpu_ns)},
    {.name = "process_resident_memory_bytes", .type = "gauge", HELP("Resident memory of the agent, with what it shares."), FIGURE(rss_bytes)},
    {.name = "process_open_fds", .type = "gauge", HELP("Open descriptors of the agent."), FIGURE(descriptors)},
    {.name = "process_max_fds", .type = "gauge", HELP("How many it may have."), FIGURE(descriptors_max)},
    {.name = "process_threads", .type = "gauge", HELP("Threads of the agent."), FIGURE(threads)},
    {.name = "process_start_time_seconds", .type = "gauge", HELP("When the agent began, in seconds since 1970."), .unit = METRICS_SECONDS, FIGURE(start_wall_ns)},
};
/* clang-format on */

const size_t metrics_family_count = sizeof(metrics_families) / sizeof(metrics_families[0]);

/* OpenMetrics names a counter's family without the suffix of its samples. */
static int name_bytes(const struct metrics_family *family, enum metrics_form form) {
	size_t bytes = strlen(family->name);
	bool is_cut = form != METRICS_TEXT && strcmp(family->type, "counter") == 0;
	return (int)(is_cut ? bytes - strlen(SUFFIX_TOTAL) : bytes);
}

static int write_page(const struct metrics_figures *figures, enum metrics_form form, char **ret_page,
                      size_t *ret_bytes) {
	FILE *file = open_memstream(ret_page, ret_bytes);
	if (!file)
		return -ENOMEM;
	for (size_t i = 0; i < metrics_family_count; i++) {
		const struct metrics_family *family = &metrics_families[i];
		int bytes = name_bytes(family, form);
		(void)fprintf(file, "# HELP %.*s %s\n# TYPE %.*s %s\n", bytes, family->name, family->help, bytes,
		              family->name, family->type);
		if (family->write)
			family->write(file, family, figures);
		else
			write_plain(file, family, figures);
	}
	if (form != METRICS_TEXT)
		(void)fputs("# EOF\n", file);
	if (fclose(file) == 0)
		return 0;
	free(*ret_page);
	*ret_page = NULL;
	return -ENOMEM;
}

int metrics_page(struct agent *agent, enum metrics_form form, char **ret_page, size_t *ret_bytes) {
	CLEANUP_FREE struct metrics_figures *figures = malloc(sizeof(*figures));
	if (!figures)
		return -ENOMEM;
	metrics_figures_take(agent, figures);
	return write_page(figures, form, ret_page, ret_bytes);
}

const char *metrics_content_type(enum metrics_form form) {
	static const char *const types[] = {
	    [METRICS_TEXT] = "text/plain; version=0.0.4; charset=utf-8",
	    [METRICS_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	    [METRICS_OPENMETRICS_OLD] = "application/openmetrics-text; version=0.0.1; charset=utf-8"};
	return types[form];
}

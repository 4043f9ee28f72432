/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"
#include "config.h"
#include "libshm/sampling.h"
#include "loop.h"
#include "merger.h"
#include "preset.h"
#include "sandbox.h"
#include "tail_choice.h"
#include "view.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define AGENT "agent"
#define FLUSH "flush"
#define RETENTION "retention"
#define PROGRAMS "programs"
#define TAIL "tail"
#define QUOTAS "quotas"
#define PLACE(field) offsetof(struct config, field)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define HOUR_NS (3600 * NS_PER_S)

static const char *const durabilities[] = {
    [STORE_DURABILITY_NORMAL] = "normal", [STORE_DURABILITY_FULL] = "full", NULL};

const char *const options_sections[] = {AGENT, FLUSH, RETENTION, QUOTAS, PROGRAMS, TAIL, NULL};

const struct options_entry options_table[OPTIONS_COUNT] = {
    [OPTIONS_RINGS] = {.name = "rings",
                       .section = AGENT,
                       .variable = "SPANRING_DIR",
                       .value = "DIR",
                       .about = "ring directory that programs and agent share\n"
                                "(else /dev/shm/spanring-<uid>, with --system\n"
                                "/run/spanring; record: one of its own)",
                       .type = OPTIONS_PATH,
                       .place = PLACE(rings),
                       .is_of_place = true},
    [OPTIONS_STORE] = {.name = "store",
                       .letter = 'o',
                       .section = AGENT,
                       .variable = "SPANRING_STORE",
                       .value = "DIR",
                       .about = "store to write (else $XDG_STATE_HOME/spanring or\n"
                                "~/.local/state/spanring, as root or with --system\n"
                                "/var/lib/spanring;\n"
                                "record: spanring.store in the current directory, added\n"
                                "to if it exists)",
                       .type = OPTIONS_PATH,
                       .place = PLACE(store),
                       .is_of_place = true},
    [OPTIONS_SYSTEM] = {.name = "system",
                        .section = AGENT,
                        .variable = OPTIONS_VARIABLE_PREFIX "SYSTEM",
                        .usual = "no",
                        .about = "run: serve the programs of all users; status, ps, ctl:\n"
                                 "of that agent, and of all users",
                        .type = OPTIONS_SWITCH,
                        .place = PLACE(system),
                        .is_of_place = true},
    [OPTIONS_PRESET] = {.name = "preset",
                        .section = AGENT,
                        .variable = OPTIONS_VARIABLE_PREFIX "PRESET",
                        .value = "NAME",
                        .usual = "default",
                        .choices = preset_names,
                        .about = "values for what is not set itself: default,\n"
                                 "high-throughput, low-latency, balanced,\n"
                                 "high-performance",
                        .type = OPTIONS_CHOICE,
                        .place = PLACE(preset),
                        .reloads = true},
    [OPTIONS_MEMORY_CAP] = {.name = "memory-cap",
                            .section = AGENT,
                            .variable = OPTIONS_VARIABLE_PREFIX "MEMORY_CAP",
                            .value = "SIZE",
                            .usual = "64MiB",
                            .about = "memory of the agent: buffers are made to fit, and\n"
                                     "shrink while it has more",
                            .type = OPTIONS_BYTES,
                            .place = PLACE(memory_cap_bytes),
                            .reloads = true,
                            .min = 32 * MIB,
                            .max = 64 * GIB},
    [OPTIONS_IO] = {.name = "io",
                    .section = AGENT,
                    .variable = OPTIONS_VARIABLE_PREFIX "IO",
                    .value = "HOW",
                    .usual = "auto",
                    .choices = loop_io_names,
                    .about = "how to wait and read: uring (io_uring), posix (poll and\n"
                             "pread, same results), auto: uring unless it is refused",
                    .type = OPTIONS_CHOICE,
                    .place = PLACE(io)},
    [OPTIONS_SANDBOX] = {.name = "sandbox",
                         .section = AGENT,
                         .variable = OPTIONS_VARIABLE_PREFIX "SANDBOX",
                         .value = "HOW",
                         .usual = "auto",
                         .choices = sandbox_mode_names,
                         .about = "run: what the agent gives up once it has started: auto:\n"
                                  "programs, foreign sockets and the like by a filter of\n"
                                  "system calls; strict: also writing anywhere but in rings\n"
                                  "and store, and looking into programs (PSS, descriptors)",
                         .type = OPTIONS_CHOICE,
                         .place = PLACE(sandbox)},
    [OPTIONS_LOG_FORMAT] = {.name = "log-format",
                            .section = AGENT,
                            .variable = OPTIONS_VARIABLE_PREFIX "LOG_FORMAT",
                            .value = "FORM",
                            .usual = "text",
                            .choices = log_format_names,
                            .about = "lines on standard error: text, or json: one object each",
                            .type = OPTIONS_CHOICE,
                            .place = PLACE(log_format),
                            .reloads = true},
    [OPTIONS_LOG_LEVEL] = {.name = "log-level",
                           .section = AGENT,
                           .variable = OPTIONS_VARIABLE_PREFIX "LOG_LEVEL",
                           .value = "LEVEL",
                           .usual = "info",
                           .choices = log_level_names,
                           .about = "the least grave lines that are written: error,\n"
                                    "warning, info or debug",
                           .type = OPTIONS_CHOICE,
                           .place = PLACE(log_level),
                           .reloads = true},
    [OPTIONS_QUIET] = {.name = "quiet",
                       .section = AGENT,
                       .variable = OPTIONS_VARIABLE_PREFIX "QUIET",
                       .usual = "no",
                       .about = "only warnings and errors, as log-level = warning",
                       .type = OPTIONS_SWITCH,
                       .place = PLACE(quiet),
                       .reloads = true},
    [OPTIONS_METRICS] = {.name = "metrics",
                         .section = AGENT,
                         .variable = OPTIONS_VARIABLE_PREFIX "METRICS",
                         .value = "WHERE",
                         .usual = METRICS_ADDRESS_OFF,
                         .about = "serve metrics to Prometheus: 127.0.0.1:PORT, [::1]:PORT\n"
                                  "or unix:/PATH; off: never",
                         .type = OPTIONS_ADDRESS,
                         .place = PLACE(metrics),
                         .is_of_place = true},
    [OPTIONS_BATCH_SIZE] = {.name = "batch-size",
                            .section = FLUSH,
                            .variable = OPTIONS_VARIABLE_PREFIX "BATCH_SIZE",
                            .value = "N",
                            .usual = "65536",
                            .about = "commit once this many spans are there; more go along\n"
                                     "while the store is busy",
                            .type = OPTIONS_NUMBER,
                            .place = PLACE(batch_spans),
                            .reloads = true,
                            .min = 1,
                            .max = BATCH_SPANS_MAX},
    [OPTIONS_FLUSH_INTERVAL] = {.name = "flush-interval",
                                .section = FLUSH,
                                .variable = OPTIONS_VARIABLE_PREFIX "FLUSH_INTERVAL",
                                .value = "TIME",
                                .usual = "1s",
                                .about = "time between two commits of what is there",
                                .type = OPTIONS_DURATION,
                                .place = PLACE(flush_interval_ns),
                                .reloads = true,
                                .min = NS_PER_MS,
                                .max = 60 * NS_PER_S},
    [OPTIONS_MAX_WAIT] = {.name = "max-wait",
                          .section = FLUSH,
                          .variable = OPTIONS_VARIABLE_PREFIX "MAX_WAIT",
                          .value = "TIME",
                          .usual = "30s",
                          .about = "longest time from the end of a span to its hand-over\n"
                                   "to the store; later commits are counted as late",
                          .type = OPTIONS_DURATION,
                          .place = PLACE(max_wait_ns),
                          .reloads = true,
                          .min = 10 * NS_PER_MS,
                          .max = HOUR_NS},
    [OPTIONS_DURABILITY] = {.name = "durability",
                            .section = FLUSH,
                            .variable = OPTIONS_VARIABLE_PREFIX "DURABILITY",
                            .value = "MODE",
                            .usual = "normal",
                            .choices = durabilities,
                            .about = "normal: survives the death of any process\n"
                                     "full: survives loss of power, too",
                            .type = OPTIONS_CHOICE,
                            .place = PLACE(durability)},
    [OPTIONS_BREAKER_FAILURES] = {.name = "breaker-failures",
                                  .section = FLUSH,
                                  .variable = OPTIONS_VARIABLE_PREFIX "BREAKER_FAILURES",
                                  .value = "N",
                                  .usual = "5",
                                  .about = "leave the store alone, but for small probes, after so\n"
                                           "many failed commits in a row",
                                  .type = OPTIONS_NUMBER,
                                  .place = PLACE(breaker_failures),
                                  .reloads = true,
                                  .min = 1,
                                  .max = 1000},
    [OPTIONS_BREAKER_PAUSE] = {.name = "breaker-pause",
                               .section = FLUSH,
                               .variable = OPTIONS_VARIABLE_PREFIX "BREAKER_PAUSE",
                               .value = "TIME",
                               .usual = "1m",
                               .about = "then try a commit that often even if probes fail",
                               .type = OPTIONS_DURATION,
                               .place = PLACE(breaker_pause_ns),
                               .reloads = true,
                               .min = NS_PER_S,
                               .max = HOUR_NS},
    [OPTIONS_STALL_AFTER] = {.name = "stall-after",
                             .section = FLUSH,
                             .variable = OPTIONS_VARIABLE_PREFIX "STALL_AFTER",
                             .value = "TIME",
                             .usual = "5s",
                             .about = "a commit that takes longer is told as stalled",
                             .type = OPTIONS_DURATION,
                             .place = PLACE(stall_after_ns),
                             .reloads = true,
                             .min = 10 * NS_PER_MS,
                             .max = HOUR_NS},
    [OPTIONS_RETAIN_BYTES] = {.name = "retain-bytes",
                              .section = RETENTION,
                              .variable = OPTIONS_VARIABLE_PREFIX "RETAIN_BYTES",
                              .value = "SIZE",
                              .usual = "0",
                              .about = "remove the oldest sealed segments while the store has\n"
                                       "more; 0: no limit",
                              .type = OPTIONS_BYTES_OR_NONE,
                              .place = PLACE(retain.bytes),
                              .reloads = true,
                              .min = MIB,
                              .max = (1 << 20) * GIB},
    [OPTIONS_RETAIN_AGE] = {.name = "retain-age",
                            .section = RETENTION,
                            .variable = OPTIONS_VARIABLE_PREFIX "RETAIN_AGE",
                            .value = "TIME",
                            .usual = "0",
                            .about = "remove sealed segments last written longer ago; 0: no\n"
                                     "limit",
                            .type = OPTIONS_DURATION_OR_NEVER,
                            .place = PLACE(retain.age_ns),
                            .reloads = true,
                            .min = NS_PER_S,
                            .max = 100 * 366 * 24 * HOUR_NS},
    [OPTIONS_RETAIN_FREE] = {.name = "retain-free",
                             .section = RETENTION,
                             .variable = OPTIONS_VARIABLE_PREFIX "RETAIN_FREE",
                             .value = "SIZE",
                             .usual = "1GiB",
                             .usual_record = "0", /* what was asked for by hand is not removed by itself */
                             .about = "remove the oldest sealed segments while the file system\n"
                                      "has less room (at most a tenth of it); 0: never",
                             .type = OPTIONS_BYTES_OR_NONE,
                             .place = PLACE(retain.free_bytes),
                             .reloads = true,
                             .min = MIB,
                             .max = (1 << 20) * GIB},
    [OPTIONS_MERGE_BUDGET] = {.name = "merge-budget",
                              .section = RETENTION,
                              .variable = OPTIONS_VARIABLE_PREFIX "MERGE_BUDGET",
                              .value = "PERCENT",
                              .usual = "5",
                              .usual_record = "100", /* nobody comes after it */
                              .about = "of one core, to put the small batches of sealed segments\n"
                                       "together; 0: never; 100: without a pause, and what is\n"
                                       "left at the end",
                              .type = OPTIONS_NUMBER,
                              .place = PLACE(merge_percent),
                              .min = 0,
                              .max = MERGER_BUDGET_ALL},
    [OPTIONS_SEGMENT_SPANS] = {.name = "segment-spans",
                               .section = RETENTION,
                               .variable = OPTIONS_VARIABLE_PREFIX "SEGMENT_SPANS",
                               .value = "N",
                               .usual = "4194304",
                               .about = "begin a new segment after so many spans (and after an\n"
                                        "hour); whole segments are removed",
                               .type = OPTIONS_NUMBER,
                               .place = PLACE(segment_spans),
                               .min = 1 << 14,
                               .max = STORE_SEGMENT_SPANS_LIMIT,
                               .reloads = true},
    [OPTIONS_QUOTA_PROGRAMS] = {.name = "quota-programs",
                                .section = QUOTAS,
                                .variable = OPTIONS_VARIABLE_PREFIX "QUOTA_PROGRAMS",
                                .value = "N",
                                .usual = "0",
                                .usual_system = "256",
                                .about = "programs of one user at a time; more wait. 0: no limit",
                                .type = OPTIONS_NUMBER_OR_NONE,
                                .place = PLACE(quota.programs),
                                .reloads = true,
                                .min = 1,
                                .max = 8192},
    [OPTIONS_QUOTA_RINGS] = {.name = "quota-rings",
                             .section = QUOTAS,
                             .variable = OPTIONS_VARIABLE_PREFIX "QUOTA_RINGS",
                             .value = "N",
                             .usual = "0",
                             .usual_system = "1024",
                             .about = "rings of one user at a time; what more record is lost\n"
                                      "for that user. 0: no limit",
                             .type = OPTIONS_NUMBER_OR_NONE,
                             .place = PLACE(quota.rings),
                             .reloads = true,
                             .min = 1,
                             .max = 16384},
    [OPTIONS_QUOTA_BYTES] = {.name = "quota-bytes",
                             .section = QUOTAS,
                             .variable = OPTIONS_VARIABLE_PREFIX "QUOTA_BYTES",
                             .value = "SIZE",
                             .usual = "0",
                             .usual_system = "1GiB",
                             .about = "size of the rings of one user together, likewise",
                             .type = OPTIONS_BYTES_OR_NONE,
                             .place = PLACE(quota.bytes),
                             .reloads = true,
                             .min = 64 * 1024,
                             .max = 1024 * GIB},
    [OPTIONS_QUOTA_SPANS] = {.name = "quota-spans",
                             .section = QUOTAS,
                             .variable = OPTIONS_VARIABLE_PREFIX "QUOTA_SPANS",
                             .value = "N",
                             .usual = "0",
                             .usual_system = "1000000",
                             .about = "records of one user taken in a second: spans, their\n"
                                      "attributes, events and links. What is more waits, and\n"
                                      "its programs drop when a ring is full. 0: no limit",
                             .type = OPTIONS_NUMBER_OR_NONE,
                             .place = PLACE(quota.records_per_second),
                             .reloads = true,
                             .min = 1000,
                             .max = 1000000000},
    [OPTIONS_QUOTA_NAMES] = {.name = "quota-names",
                             .section = QUOTAS,
                             .variable = OPTIONS_VARIABLE_PREFIX "QUOTA_NAMES",
                             .value = "N",
                             .usual = "0",
                             .usual_system = "16384",
                             .about = "new names of one user in a segment; more are called\n"
                                      "spanring.overflow. 0: no limit",
                             .type = OPTIONS_NUMBER_OR_NONE,
                             .place = PLACE(quota.names),
                             .reloads = true,
                             .min = 16,
                             .max = 1000000},
    [OPTIONS_RATIO] = {.name = "ratio",
                       .section = PROGRAMS,
                       .variable = OPTIONS_VARIABLE_PREFIX "RATIO",
                       .value = "X",
                       .usual = OPTIONS_RATIO_OWN,
                       .about = "share of traces kept in programs that chose no sampler,\n"
                                "0 to 1; own: as each program has it",
                       .type = OPTIONS_SHARE,
                       .place = PLACE(ratio),
                       .reloads = true},
    [OPTIONS_MEMORY_INTERVAL] = {.name = "memory-interval",
                                 .section = PROGRAMS,
                                 .variable = OPTIONS_VARIABLE_PREFIX "MEMORY_INTERVAL",
                                 .value = "TIME",
                                 .usual = "1s",
                                 .usual_record = "100ms", /* a command may be over in a second */
                                 .about = "how often to sample each program's memory; 0: never",
                                 .type = OPTIONS_DURATION_OR_NEVER,
                                 .place = PLACE(memory_interval_ns),
                                 .reloads = true,
                                 .min = 10 * NS_PER_MS,
                                 .max = HOUR_NS},
    [OPTIONS_STATISTICS_INTERVAL] = {.name = "statistics-interval",
                                     .section = PROGRAMS,
                                     .variable = OPTIONS_VARIABLE_PREFIX "STATISTICS_INTERVAL",
                                     .value = "TIME",
                                     .usual = "10s",
                                     .about = "step of the statistics in the store",
                                     .type = OPTIONS_DURATION,
                                     .place = PLACE(statistics_interval_ns),
                                     .reloads = true,
                                     .min = 10 * NS_PER_MS,
                                     .max = HOUR_NS},
    [OPTIONS_TAIL_KEEP] = {.name = "tail-keep",
                           .section = TAIL,
                           .variable = OPTIONS_VARIABLE_PREFIX "TAIL_KEEP",
                           .usual = "no",
                           .about = "keep failed, slow, rare and new traces, and of all\n"
                                    "others the share tail-ratio",
                           .type = OPTIONS_SWITCH,
                           .place = PLACE(tail_keep)},
    [OPTIONS_TAIL_RATIO] = {.name = "tail-ratio",
                            .section = TAIL,
                            .variable = OPTIONS_VARIABLE_PREFIX "TAIL_RATIO",
                            .value = "X",
                            .usual = "0.1",
                            .about = "share of ordinary traces that is kept, 0 to 1",
                            .type = OPTIONS_TAIL_SHARE,
                            .place = PLACE(tail_ratio)},
    [OPTIONS_TAIL_SLOW] = {.name = "tail-slow",
                           .section = TAIL,
                           .variable = OPTIONS_VARIABLE_PREFIX "TAIL_SLOW",
                           .value = "LIMIT",
                           .usual = "p99",
                           .about = "keep a trace with a span longer than this time, or with\n"
                                    "a first span (of the trace, or of a process) beyond\n"
                                    "this percentile of its name; never: for no duration",
                           .type = OPTIONS_SLOWNESS,
                           .place = PLACE(tail_slow)},
    [OPTIONS_TAIL_RARE] = {.name = "tail-rare",
                           .section = TAIL,
                           .variable = OPTIONS_VARIABLE_PREFIX "TAIL_RARE",
                           .value = "N",
                           .usual = "10",
                           .about = "keep traces with a name that comes less often than N\n"
                                    "times in a minute",
                           .type = OPTIONS_NUMBER,
                           .place = PLACE(tail_rare),
                           .min = 0,
                           .max = 1000000},
    [OPTIONS_TAIL_FIRST] = {.name = "tail-first",
                            .section = TAIL,
                            .variable = OPTIONS_VARIABLE_PREFIX "TAIL_FIRST",
                            .value = "N",
                            .usual = "10",
                            .about = "keep the traces of the first N spans of each name",
                            .type = OPTIONS_NUMBER,
                            .place = PLACE(tail_first),
                            .min = 0,
                            .max = 1000000},
    [OPTIONS_TAIL_WAIT] = {.name = "tail-wait",
                           .section = TAIL,
                           .variable = OPTIONS_VARIABLE_PREFIX "TAIL_WAIT",
                           .value = "TIME",
                           .usual = "2s",
                           .about = "longest time to wait for the end of a trace before it\n"
                                    "is decided; 0: not at all",
                           .type = OPTIONS_DURATION_OR_NEVER,
                           .place = PLACE(tail_wait_ns),
                           .min = 10 * NS_PER_MS,
                           .max = 60 * NS_PER_S},
    [OPTIONS_TAIL_MEMORY] = {.name = "tail-memory",
                             .section = TAIL,
                             .variable = OPTIONS_VARIABLE_PREFIX "TAIL_MEMORY",
                             .value = "SIZE",
                             .usual = "4MiB",
                             .about = "memory for what is known of traces and names, a part\n"
                                      "of memory-cap",
                             .type = OPTIONS_BYTES,
                             .place = PLACE(tail_memory_bytes),
                             .min = MIB,
                             .max = GIB},
    [OPTIONS_CONFIG] = {.name = "config",
                        .variable = "SPANRING_CONFIG",
                        .value = "FILE",
                        .about = "configuration file (else /etc/spanring/agent.conf, if\n"
                                 "there is one)",
                        .type = OPTIONS_PATH,
                        .place = PLACE(file)},
    [OPTIONS_TAKE_OVER] = {.name = "take-over",
                           .usual = "no",
                           .about = "run: let the agent that runs there finish, then go on\n"
                                    "from where it stopped",
                           .type = OPTIONS_SWITCH,
                           .place = PLACE(take_over)},
    [OPTIONS_HEAP] = {.name = "heap",
                      .usual = "no",
                      .about = "record: count the heap bytes of each span (preloads\n"
                               "libspanring_heap)",
                      .type = OPTIONS_SWITCH,
                      .place = PLACE(heap)},
    [OPTIONS_JSON] = {.name = "json",
                      .usual = "no",
                      .about = "status, ps, ctl, config: one JSON document",
                      .type = OPTIONS_SWITCH,
                      .place = PLACE(json)},
    [OPTIONS_EACH_RING] = {.name = "each-ring",
                           .usual = "no",
                           .about = "status, top: a row for each ring, too, not only for\n"
                                    "those in quarantine",
                           .type = OPTIONS_SWITCH,
                           .place = PLACE(each_ring)},
    [OPTIONS_INTERVAL] = {.name = "interval",
                          .value = "TIME",
                          .usual = "1s",
                          .about = "top: time between two looks",
                          .type = OPTIONS_DURATION,
                          .place = PLACE(top_interval_ns),
                          .min = 100 * NS_PER_MS,
                          .max = HOUR_NS},
    [OPTIONS_SORT] = {.name = "sort",
                      .value = "BY",
                      .usual = "rate",
                      .choices = view_sorts,
                      .about = "top: largest first by rate, lag, drops or open, or by\n"
                               "pid",
                      .type = OPTIONS_CHOICE,
                      .place = PLACE(top_sort)},
    [OPTIONS_LIMIT] = {.name = "limit",
                       .value = "N",
                       .usual = "1000",
                       .about = "top: at most so many rows",
                       .type = OPTIONS_NUMBER,
                       .place = PLACE(top_limit),
                       .min = 1,
                       .max = 1000},
    [OPTIONS_ONCE] = {.name = "once",
                      .usual = "no",
                      .about = "top: print one frame and end",
                      .type = OPTIONS_SWITCH,
                      .place = PLACE(top_once)},
};

enum options_id options_find(const char *name) {
	uint32_t id = 0;
	while (id < OPTIONS_COUNT && strcmp(options_table[id].name, name) != 0)
		id++;
	return (enum options_id)id;
}

const char *options_nearest(const char *typed) {
	const char *names[OPTIONS_COUNT];
	size_t count = 0;
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		if (options_table[id].section)
			names[count++] = options_table[id].name;
	return suggest_nearest(typed, names, count);
}

struct step {
	const char *name;
	uint64_t factor;
};

/* With the largest unit that leaves a whole number. */
static void whole_text(uint64_t value, const struct step *steps, size_t count, char *ret_text, size_t text_bytes) {
	size_t step = 0;
	while (step + 1 < count && value % steps[step].factor != 0)
		step++;
	(void)snprintf(ret_text, text_bytes, "%" PRIu64 "%s", value / steps[step].factor, steps[step].name);
}

static void value_text(enum options_type type, uint64_t value, char *ret_text, size_t text_bytes) {
	static const struct step times[] = {{"h", HOUR_NS},    {"m", 60 * NS_PER_S}, {"s", NS_PER_S},
	                                    {"ms", NS_PER_MS}, {"us", 1000},         {"ns", 1}};
	static const struct step sizes[] = {{"GiB", GIB}, {"MiB", MIB}, {"KiB", 1024}, {"", 1}};
	static const struct step numbers[] = {{"", 1}};
	if (value == 0 || type == OPTIONS_NUMBER || type == OPTIONS_NUMBER_OR_NONE)
		whole_text(value, numbers, 1, ret_text, text_bytes);
	else if (type == OPTIONS_BYTES || type == OPTIONS_BYTES_OR_NONE)
		whole_text(value, sizes, sizeof(sizes) / sizeof(sizes[0]), ret_text, text_bytes);
	else
		whole_text(value, times, sizeof(times) / sizeof(times[0]), ret_text, text_bytes);
}

const char *options_bounds(enum options_id id, char ret_text[OPTIONS_WHY_BYTES]) {
	const struct options_entry *entry = &options_table[id];
	char low[UNITS_TEXT_BYTES];
	char high[UNITS_TEXT_BYTES];
	ret_text[0] = '\0';
	if (entry->max == 0)
		return ret_text;
	value_text(entry->type, entry->min, low, sizeof(low));
	value_text(entry->type, entry->max, high, sizeof(high));
	(void)snprintf(ret_text, OPTIONS_WHY_BYTES, "%s to %s", low, high);
	return ret_text;
}

static int parse_number(const char *text, uint64_t *ret_value) {
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 18 || text[digits] != '\0')
		return -EINVAL;
	return sscanf(text, "%" SCNu64, ret_value) == 1 ? 0 : -EINVAL;
}

static int set_amount(enum options_id id, const char *text, void *place, char *ret_why) {
	const struct options_entry *entry = &options_table[id];
	char bounds[OPTIONS_WHY_BYTES];
	uint64_t value = 0;
	bool is_number = entry->type == OPTIONS_NUMBER || entry->type == OPTIONS_NUMBER_OR_NONE;
	bool or_none = entry->type == OPTIONS_DURATION_OR_NEVER || entry->type == OPTIONS_BYTES_OR_NONE ||
	               entry->type == OPTIONS_NUMBER_OR_NONE;
	bool is_size = entry->type == OPTIONS_BYTES || entry->type == OPTIONS_BYTES_OR_NONE;
	int rc = is_number ? parse_number(text, &value)
	         : is_size ? units_parse_bytes(text, &value)
	                   : units_parse_duration(text, &value);
	bool never = rc == 0 && value == 0 && or_none;
	if (rc < 0 || (!never && (value < entry->min || value > entry->max))) {
		const char *noun = is_number ? "a number" : is_size ? "a size" : "a time";
		const char *example = is_number ? "512" : is_size ? "64MiB" : "500ms";
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "give %s from %s, such as %s%s", noun,
		               options_bounds(id, bounds), example, or_none ? ", or 0 for never" : "");
		return -EINVAL;
	}
	memcpy(place, &value, sizeof(value));
	return 0;
}

static int set_choice(const char *text, const char *const *choices, void *place, char *ret_why) {
	uint32_t count = 0;
	for (; choices[count]; count++) {
		if (strcmp(choices[count], text) != 0)
			continue;
		memcpy(place, &count, sizeof(count));
		return 0;
	}
	const char *nearest = suggest_nearest(text, choices, count);
	size_t at = 0;
	at += (size_t)snprintf(ret_why, OPTIONS_WHY_BYTES, "give ");
	for (uint32_t i = 0; i < count && at < OPTIONS_WHY_BYTES; i++)
		at += (size_t)snprintf(ret_why + at, OPTIONS_WHY_BYTES - at, "%s%s",
		                       i == 0          ? ""
		                       : i + 1 < count ? ", "
		                                       : " or ",
		                       choices[i]);
	if (nearest && at < OPTIONS_WHY_BYTES)
		(void)snprintf(ret_why + at, OPTIONS_WHY_BYTES - at, "; did you mean %s?", nearest);
	return -EINVAL;
}

static int set_path(const char *text, char *place, char *ret_why) {
	size_t bytes = strlen(text);
	if (bytes == 0 || bytes >= PATH_MAX) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "%s; give a path",
		               bytes == 0 ? "empty path" : "path too long");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_share(const char *text, char *place, char *ret_why) {
	uint64_t threshold;
	size_t bytes = strlen(text);
	bool right = bytes < OPTIONS_RATIO_BYTES &&
	             (strcmp(text, OPTIONS_RATIO_OWN) == 0 || spanring__sampling_ratio(text, &threshold));
	if (!right) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give a number from 0 to 1, such as 0.01, or " OPTIONS_RATIO_OWN
		               " for what each program has chosen");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_address(const char *text, char *place, char *ret_why) {
	struct metrics_address address;
	const char *why;
	if (metrics_address_parse(text, &address, &why) < 0) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES, "%s", why);
		return -EINVAL;
	}
	memcpy(place, text, strlen(text) + 1);
	return 0;
}

static int set_tail_share(const char *text, char *place, char *ret_why) {
	struct tail_rules rules;
	size_t bytes = strlen(text);
	if (bytes >= OPTIONS_RATIO_BYTES || !tail_choice_set_ratio(&rules, text)) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give 0, or a number from " TAIL_RATIO_MIN " to 1, such as 0.1");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_slowness(const char *text, char *place, char *ret_why) {
	struct tail_rules rules;
	size_t bytes = strlen(text);
	if (bytes >= OPTIONS_RATIO_BYTES || !tail_choice_set_slow(&rules, text)) {
		(void)snprintf(ret_why, OPTIONS_WHY_BYTES,
		               "give a percentile such as p99, a time such as 250ms, or never");
		return -EINVAL;
	}
	memcpy(place, text, bytes + 1);
	return 0;
}

static int set_switch(const char *text, void *place, char *ret_why) {
	static const char *const words[] = {"no", "yes", NULL};
	uint32_t number = 0;
	int rc = set_choice(text, words, &number, ret_why);
	bool on = number == 1;
	if (rc == 0)
		memcpy(place, &on, sizeof(on));
	return rc;
}

int options_set(enum options_id id, const char *text, struct config *config, char ret_why[OPTIONS_WHY_BYTES]) {
	const struct options_entry *entry = &options_table[id];
	void *place = (char *)config + entry->place;
	switch (entry->type) {
	case OPTIONS_PATH:
		return set_path(text, place, ret_why);
	case OPTIONS_CHOICE:
		return set_choice(text, entry->choices, place, ret_why);
	case OPTIONS_SHARE:
		return set_share(text, place, ret_why);
	case OPTIONS_ADDRESS:
		return set_address(text, place, ret_why);
	case OPTIONS_TAIL_SHARE:
		return set_tail_share(text, place, ret_why);
	case OPTIONS_SLOWNESS:
		return set_slowness(text, place, ret_why);
	case OPTIONS_SWITCH:
		return set_switch(text, place, ret_why);
	default:
		return set_amount(id, text, place, ret_why);
	}
}

const char *options_text(enum options_id id, const struct config *config, char *ret_text, size_t text_bytes) {
	const struct options_entry *entry = &options_table[id];
	const void *place = (const char *)config + entry->place;
	uint64_t value = 0;
	uint32_t number = 0;
	bool on = false;
	switch (entry->type) {
	case OPTIONS_PATH:
	case OPTIONS_SHARE:
	case OPTIONS_ADDRESS:
	case OPTIONS_TAIL_SHARE:
	case OPTIONS_SLOWNESS:
		(void)snprintf(ret_text, text_bytes, "%s", (const char *)place);
		break;
	case OPTIONS_CHOICE:
		memcpy(&number, place, sizeof(number));
		(void)snprintf(ret_text, text_bytes, "%s", entry->choices[number]);
		break;
	case OPTIONS_SWITCH:
		memcpy(&on, place, sizeof(on));
		(void)snprintf(ret_text, text_bytes, "%s", on ? "yes" : "no");
		break;
	default:
		memcpy(&value, place, sizeof(value));
		value_text(entry->type, value, ret_text, text_bytes);
		break;
	}
	return ret_text;
}

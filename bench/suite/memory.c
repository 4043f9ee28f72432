/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench memory: what tracing takes of a program's memory, and whether that grows.
 *
 *     baseline    the first span of a program, and its agent
 *     tracers     threads that trace (each has a ring): before, with all of them, and after the last is gone, twice: the library keeps the rings
 *                 of threads that ended for those that come next, so what leaks is what a second crew leaves behind
 *     growth      the slope of memory over spans, by least squares
 *     stability   memory over time at a steady rate
 *     per-span    a record, and what remains of a span in the program
 *
 * Resident memory, rings included (the kernel's RSS counts shared pages). Before each look the program settles: what it freed goes back to the
 * system, and two looks in a row are the same.
 */
#include "analyze/kernels/trend.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "bench/harness/words.h"
#include "bench/loops/bursts.h"
#include "bench/proc_figures.h"
#include "bench/worker.h"
#include "measured.h"
#include "suite.h"

#include <errno.h>
#include <malloc.h>
#include <math.h>
#include <pthread.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define SETTLE_LOOKS 50u
#define SETTLE_NS (10 * NS_PER_MS)
#define POINTS_MAX 2000u
#define LOOKS_A_SECOND 10u
#define TRACERS_MAX 256u
#define DAY_NS (UINT64_C(86400) * NS_PER_S)
#define MIB 1048576.0
#define KIB 1024.0

static const char help[] =
    "spanring-bench memory baseline | tracers | growth | stability | per-span\n"
    "                      [--count N] [--spans N] [--samples N] [--duration T] [--rate N]\n"
    "                      [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "  baseline   memory of the first span of a program, and of its agent\n"
    "  tracers    --count (10) threads of --spans (10) spans each: created, and gone again\n"
    "  growth     --samples (10) looks, --spans (1000) spans between two: bytes per span, with interval\n"
    "  stability  --duration (10s) at --rate (10) spans a second: spread, and does it grow?\n"
    "  per-span   a record, and what growth finds\n"
    "\n"
    "Exit status 1 on a red flag: 50 MiB, 10 MiB a tracer or 1 MiB left behind, 5 KiB a span, 50 MiB of\n"
    "spread, 1 KiB a record.\n";

struct memory {
	enum result_format format;
	const char *agent;
	const char *keep;
	uint64_t count;
	uint64_t spans;
	uint64_t samples;
	uint64_t duration_ns;
	uint64_t rate;
};

/* Shared with the traced process. */
struct looks {
	const struct memory *memory;
	uint32_t count;
	double x[POINTS_MAX]; /* spans, or seconds */
	double bytes[POINTS_MAX];
	double peak_bytes;
};

static void rest(uint64_t ns) {
	struct timespec time = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
	(void)nanosleep(&time, NULL);
}

static double resident(void) {
	return (double)proc_figures(getpid()).resident_bytes;
}

static double settled(void) {
	double before = resident();
	for (uint32_t i = 0; i < SETTLE_LOOKS; i++) {
		(void)malloc_trim(0);
		rest(SETTLE_NS);
		double now = resident();
		if (!(now < before || now > before))
			return now;
		before = now;
	}
	return before;
}

static void look(struct looks *looks, double x, double bytes) {
	if (looks->count < POINTS_MAX) {
		looks->x[looks->count] = x;
		looks->bytes[looks->count++] = bytes;
	}
	looks->peak_bytes = fmax(looks->peak_bytes, bytes);
}

static void make_spans(uint64_t count) {
	for (uint64_t i = 0; i < count; i++) {
		SPANRING_BEGIN(span, "bench.memory");
		spanring_end(span);
	}
}

static int be_first(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct looks *looks = *(struct looks *const *)task;
	(void)stage;
	(void)ret_values;
	look(looks, 0, settled());
	make_spans(1);
	look(looks, 1, settled());
	return 0;
}

struct crew {
	uint64_t spans;
	pthread_barrier_t made;
	pthread_barrier_t may_go;
};

static void *be_tracer(void *context) {
	struct crew *crew = context;
	make_spans(crew->spans);
	(void)pthread_barrier_wait(&crew->made);
	(void)pthread_barrier_wait(&crew->may_go);
	return NULL;
}

static int be_tracers(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct looks *looks = *(struct looks *const *)task;
	uint64_t count = looks->memory->count;
	pthread_t threads[TRACERS_MAX];
	struct crew crew = {.spans = looks->memory->spans};
	(void)stage;
	(void)ret_values;
	(void)pthread_barrier_init(&crew.made, NULL, (unsigned)count + 1);
	(void)pthread_barrier_init(&crew.may_go, NULL, (unsigned)count + 1);
	make_spans(1); /* the program itself */
	look(looks, 0, settled());
	for (unsigned crews = 0; crews < 2; crews++) {
		for (uint64_t i = 0; i < count; i++)
			if (pthread_create(&threads[i], NULL, be_tracer, &crew) != 0)
				return -EAGAIN;
		(void)pthread_barrier_wait(&crew.made);
		look(looks, (double)count, settled());
		(void)pthread_barrier_wait(&crew.may_go);
		for (uint64_t i = 0; i < count; i++)
			(void)pthread_join(threads[i], NULL);
		look(looks, 0, settled());
	}
	return 0;
}

static int grow(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct looks *looks = *(struct looks *const *)task;
	const struct memory *memory = looks->memory;
	(void)stage;
	(void)ret_values;
	make_spans(memory->spans);
	(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	for (uint64_t i = 0; i <= memory->samples; i++) {
		look(looks, (double)(i * memory->spans), settled());
		make_spans(memory->spans);
		(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	}
	return 0;
}

static int be_steady(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct looks *looks = *(struct looks *const *)task;
	const struct memory *memory = looks->memory;
	uint64_t start_ns = clock_monotonic_ns();
	uint64_t look_ns = memory->duration_ns / POINTS_MAX > NS_PER_S / LOOKS_A_SECOND
	                       ? memory->duration_ns / POINTS_MAX
	                       : NS_PER_S / LOOKS_A_SECOND;
	uint64_t next_look_ns = start_ns;
	(void)stage;
	(void)ret_values;
	for (uint64_t i = 0;; i++) {
		uint64_t at_ns = start_ns + i * NS_PER_S / memory->rate;
		for (uint64_t now = clock_monotonic_ns(); now < at_ns; now = clock_monotonic_ns()) {
			uint64_t until_ns = at_ns < next_look_ns ? at_ns : next_look_ns;
			if (until_ns > now)
				rest(until_ns - now);
			if (clock_monotonic_ns() >= next_look_ns) {
				look(looks, (double)(next_look_ns - start_ns) / 1e9, resident());
				next_look_ns += look_ns;
			}
		}
		if (at_ns >= start_ns + memory->duration_ns)
			return 0;
		make_spans(1);
	}
}

static int add(struct result *result, const char *name, const char *unit, double value) {
	struct result_row *row = result_row(result, name, unit, RESULT_LOWER_IS_BETTER);
	if (!row)
		return -ENOMEM;
	samples_add(&row->samples, value);
	return 0;
}

static void gate(struct result *result, const char *name, double value, double good, double red_flag) {
	struct result_gate one = {.unit = "bytes", .value = fmax(value, 0), .good = good, .red_flag = red_flag};
	(void)snprintf(one.name, sizeof(one.name), "%s", name);
	result_gate(result, &one);
}

static struct trend trend_of_looks(const struct looks *looks, double tolerance) {
	struct regression_point *points CLEANUP_FREE = calloc(looks->count + 1u, sizeof(*points));
	struct trend none = {.slope = NAN, .slope_low = NAN, .slope_high = NAN};
	for (uint32_t i = 0; points && i < looks->count; i++)
		points[i] = (struct regression_point){looks->x[i], looks->bytes[i]};
	return points ? trend_of(points, looks->count, tolerance) : none;
}

static int say_baseline(const struct stage *stage, const struct looks *looks, struct result *result) {
	double agent = (double)proc_figures(stage->agent).resident_bytes;
	double program = looks->bytes[1] - looks->bytes[0];
	gate(result, "program, added", program, 8 * MIB, 50 * MIB);
	gate(result, "agent, resident", agent, 32 * MIB, 50 * MIB);
	int rc = add(result, "program, added", "bytes", program);
	return rc < 0 ? rc : add(result, "agent, resident", "bytes", agent);
}

static int say_tracers(const struct stage *stage, const struct looks *looks, struct result *result) {
	double count = looks->x[1];
	double each = (looks->bytes[1] - looks->bytes[0]) / count;
	double kept = looks->bytes[2] - looks->bytes[0];
	double left = looks->bytes[4] - looks->bytes[2];
	(void)stage;
	gate(result, "a tracer", each, 2 * MIB, 10 * MIB);
	gate(result, "left behind by the second crew", left, 256 * KIB, MIB);
	int rc = add(result, "before", "bytes", looks->bytes[0]);
	if (rc == 0)
		rc = add(result, "with all of them", "bytes", looks->bytes[1]);
	if (rc == 0)
		rc = add(result, "kept for the next", "bytes", fmax(kept, 0));
	if (rc == 0)
		rc = add(result, "after a second crew", "bytes", looks->bytes[4]);
	return rc < 0 ? rc : add(result, "a tracer", "bytes", each);
}

static int say_growth(const struct stage *stage, const struct looks *looks, struct result *result) {
	struct trend trend = trend_of_looks(looks, 0);
	(void)stage;
	result_fact(result, "looks", "%u", looks->count);
	result_fact(result, "slope, 95 %", "%.3g to %.3g bytes a span", trend.slope_low, trend.slope_high);
	gate(result, "a span", trend.slope, 64, 5 * KIB);
	int rc = add(result, "first look", "bytes", looks->bytes[0]);
	if (rc == 0)
		rc = add(result, "last look", "bytes", looks->bytes[looks->count - 1]);
	return rc < 0 ? rc : add(result, "slope", "bytes", fmax(trend.slope, 0));
}

static int say_stability(const struct stage *stage, const struct looks *looks, struct result *result) {
	struct trend trend = trend_of_looks(looks, MIB);
	struct result_row *row = result_row(result, "resident", "bytes", RESULT_LOWER_IS_BETTER);
	struct samples_summary summary;
	(void)stage;
	if (!row)
		return -ENOMEM;
	for (uint32_t i = 0; i < looks->count; i++)
		samples_add(&row->samples, looks->bytes[i]);
	samples_summarise(&row->samples, &summary);
	result_fact(result, "deviation", "%.3g bytes", summary.stddev);
	result_fact(result, "trend", "%s", trend_verdict_names[trend.verdict]);
	gate(result, "largest - smallest", summary.max - summary.min, 10 * MIB, 50 * MIB);
	return 0;
}

static int say_per_span(const struct stage *stage, const struct looks *looks, struct result *result) {
	int rc = add(result, "a record", "bytes", SPANRING_RECORD_BYTES);
	gate(result, "a record", SPANRING_RECORD_BYTES, 128, KIB);
	return rc < 0 ? rc : say_growth(stage, looks, result);
}

static const struct memory_part {
	const char *name;
	worker_body *body;
	int (*say)(const struct stage *stage, const struct looks *looks, struct result *result);
} parts[] = {{"baseline", be_first, say_baseline},
             {"tracers", be_tracers, say_tracers},
             {"growth", grow, say_growth},
             {"stability", be_steady, say_stability},
             {"per-span", grow, say_per_span}};
#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

struct task {
	const struct memory *memory;
	const struct memory_part *part;
};

static int body(const struct stage *stage, const void *task_pointer, struct result *result) {
	const struct task *task = task_pointer;
	double values[WORKER_VALUES_MAX];
	struct looks *looks = mmap(NULL, sizeof(*looks), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (looks == MAP_FAILED)
		return -errno;
	memset(looks, 0, sizeof(*looks)); /* its pages are there before anybody looks */
	looks->memory = task->memory;
	int rc = worker_run(stage, NULL, task->part->body, &looks, values);
	if (rc == 0)
		rc = task->part->say(stage, looks, result);
	(void)munmap(looks, sizeof(*looks));
	return rc;
}

static const struct memory_part *find_part(const struct log *log, const char *word) {
	const char *names[PART_COUNT];
	for (size_t i = 0; i < PART_COUNT; i++) {
		if (word && strcmp(parts[i].name, word) == 0)
			return &parts[i];
		names[i] = parts[i].name;
	}
	const char *nearest = word ? suggest_nearest(word, names, PART_COUNT) : NULL;
	if (nearest)
		log_error(log, "memory: unknown word '%s': did you mean '%s'?", word, nearest);
	else
		log_error(log, "memory: which figure? Give baseline, tracers, growth, stability or per-span");
	return NULL;
}

int memory_command(int argc, char **argv, const struct log *log) {
	struct memory memory = {.count = 10, .samples = 10, .duration_ns = 10 * NS_PER_S, .rate = 10};
	const struct word table[] = {
	    {"count", WORD_NUMBER, &memory.count, 1, TRACERS_MAX},
	    {"spans", WORD_NUMBER, &memory.spans, 1, 10000},
	    {"samples", WORD_NUMBER, &memory.samples, 3, POINTS_MAX - 1},
	    {"duration", WORD_DURATION, &memory.duration_ns, 100 * NS_PER_MS, DAY_NS},
	    {"rate", WORD_NUMBER, &memory.rate, 1, 100000},
	    {"agent", WORD_TEXT, &memory.agent, 0, 0},
	    {"keep", WORD_TEXT, &memory.keep, 0, 0},
	    WORDS_OF_FORMAT(&memory.format),
	};
	const char *plain[2] = {NULL};
	struct words words = {.log = log,
	                      .help = help,
	                      .table = table,
	                      .count = sizeof(table) / sizeof(table[0]),
	                      .plain = plain,
	                      .plain_max = 1};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	struct task task = {&memory, find_part(log, plain[0])};
	if (!task.part)
		return EXIT_CODE_USAGE;
	if (memory.spans == 0)
		memory.spans = task.part->body == be_tracers ? 10 : 1000;
	char name[RESULT_NAME_BYTES];
	(void)snprintf(name, sizeof(name), "memory %s", task.part->name);
	const struct bench_options options = {.log = *log, .agent = memory.agent, .keep = memory.keep};
	return measured_run(name, &options, memory.format, body, &task);
}

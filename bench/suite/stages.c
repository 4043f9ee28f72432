/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench stages and size: where the cost of a span arises, from the program to the disk, and what that is for a rate and a time.
 *
 *     begin, end     in the program, measured apart: spans are opened to a depth, then closed
 *     take           the agent's loop thread: wake-ups, copying, judging
 *     compress       encoding and zstd, on its store thread
 *     commit         what else that thread does: SQLite
 *
 * The last three are processor time, as the kernel and the agent (`status --json`) tell, of some hundred thousand spans that a program has handed it.
 * Bytes of a stored span are no matter of a short run of equal spans: they are those of docs/performance.md.
 */
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "bench/agent_process.h"
#include "bench/answer.h"
#include "bench/harness/words.h"
#include "bench/loops/bursts.h"
#include "bench/proc_figures.h"
#include "bench/worker.h"
#include "measured.h"
#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <sys/mman.h>

#define DEPTH 100u
#define BATCH 4000u /* spans between two waits: they fit a ring */
#define SPANS 400000u
#define SPANS_MAX 100000000u
#define DAY_NS (UINT64_C(86400) * NS_PER_S)

static const char stages_help[] =
    "spanring-bench stages [--spans N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "What a span costs at each stage, in nanoseconds: begin and end in the program; taking it from the ring,\n"
    "compressing and committing in the agent. Over --spans spans (default 400000).\n";
static const char size_help[] =
    "spanring-bench size --rate N [--retention T] [--threads N] [--spans N] [--json | --csv | --markdown] [--agent PROGRAM] [--keep STORE]\n"
    "\n"
    "Memory and disk for --rate spans a second (default 10000) kept for --retention (7d): rings of --threads\n"
    "threads (default 8), the agent, processor time, and the store; from nanoseconds per span\n"
    "that a short run here has measured; bytes are those of docs/performance.md, without attributes.\n";

struct stages {
	enum result_format format;
	uint64_t spans;
	uint64_t rate;
	uint64_t retention_ns;
	uint64_t threads;
	const char *agent;
	const char *keep;
};

/* Shared with the traced process. */
struct writer_times {
	struct samples begin;
	struct samples end;
	uint64_t dropped;
};

struct agent_times {
	double spans;
	double take_ns;
	double compress_ns;
	double commit_ns;
};

/* docs/performance.md: the workload of `ingest`, and an hour of a quiet system, merged; without attributes. */
#define STORED_BYTES_BUSY 8.9
#define STORED_BYTES_QUIET 11.3
#define QUIET_RATE 5000.0

static void open_and_close(struct writer_times *times) {
	struct spanring_span spans[DEPTH];
	uint64_t start_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < DEPTH; i++) {
		SPANRING_BEGIN(span, "bench.stage");
		spans[i] = span;
	}
	uint64_t open_ns = clock_monotonic_ns();
	for (uint32_t i = DEPTH; i-- > 0;)
		spanring_end(spans[i]);
	uint64_t closed_ns = clock_monotonic_ns();
	if (times->begin.count < SAMPLES_MAX) {
		samples_add(&times->begin, (double)(open_ns - start_ns) / DEPTH);
		samples_add(&times->end, (double)(closed_ns - open_ns) / DEPTH);
	}
}

struct task {
	struct writer_times *times;
	uint64_t spans;
};

static int write_spans(const struct stage *stage, const void *task_pointer, double ret_values[WORKER_VALUES_MAX]) {
	const struct task *task = task_pointer;
	struct spanring_counters counters;
	(void)stage;
	(void)ret_values;
	for (uint64_t done = 0; done < task->spans; done += DEPTH) {
		open_and_close(task->times);
		if (done % BATCH == 0)
			(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	}
	(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	spanring_counters_read(&counters);
	task->times->dropped = counters.dropped_full;
	return 0;
}

/* What the agent says of itself, between two looks at its processor time; NaN where it does not. */
static void ask_agent(const struct stage *stage, const struct proc_figures *before, struct agent_times *ret_times) {
	char path[PATH_MAX];
	char *text = NULL;
	*ret_times = (struct agent_times){NAN, NAN, NAN, NAN};
	if (agent_process_path(stage->options->agent, path) < 0)
		return;
	const char *arguments[] = {path, "status", "--json", "--rings", stage->folders.rings, NULL};
	struct proc_figures after = proc_figures(stage->agent);
	if (answer_ask(arguments, &text) < 0)
		return;
	double spans = (double)answer_number(text, "committed_spans");
	double encode_ns = (double)answer_number(text, "encode_cpu_ns");
	free(text);
	double all_ns = (double)(after.cpu_ns - before->cpu_ns);
	double store_ns = (double)(after.store_cpu_ns - before->store_cpu_ns);
	if (spans > 0)
		*ret_times = (struct agent_times){spans, fmax(all_ns - store_ns, 0) / spans, encode_ns / spans,
		                                  fmax(store_ns - encode_ns, 0) / spans};
}

static int measure(const struct stage *stage, const struct stages *stages, struct writer_times *ret_writer,
                   struct agent_times *ret_agent) {
	double values[WORKER_VALUES_MAX];
	struct task task = {mmap(NULL, sizeof(*task.times), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0),
	                    stages->spans};
	if (task.times == MAP_FAILED)
		return -errno;
	struct proc_figures before = proc_figures(stage->agent);
	int rc = worker_run(stage, NULL, write_spans, &task, values);
	*ret_writer = *task.times;
	(void)munmap(task.times, sizeof(*task.times));
	if (rc == 0 && ret_writer->dropped > 0)
		rc = -EOVERFLOW;
	if (rc == 0)
		ask_agent(stage, &before, ret_agent);
	return rc;
}

static int add(struct result *result, const char *name, const char *unit, double value) {
	struct result_row *row = result_row(result, name, unit, RESULT_LOWER_IS_BETTER);
	if (!row)
		return -ENOMEM;
	samples_add(&row->samples, value);
	return 0;
}

static int stages_body(const struct stage *stage, const void *task, struct result *result) {
	static struct writer_times writer;
	struct agent_times agent;
	int rc = measure(stage, task, &writer, &agent);
	struct result_row *begin = result_row(result, "begin", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *end = result_row(result, "end", "ns", RESULT_LOWER_IS_BETTER);
	if (rc < 0 || !begin || !end)
		return rc < 0 ? rc : -ENOMEM;
	struct samples_summary first, last;
	begin->samples = writer.begin;
	end->samples = writer.end;
	samples_summarise(&begin->samples, &first);
	samples_summarise(&end->samples, &last);
	rc = add(result, "take", "ns", agent.take_ns);
	if (rc == 0)
		rc = add(result, "compress", "ns", agent.compress_ns);
	if (rc == 0)
		rc = add(result, "commit", "ns", agent.commit_ns);
	result_fact(result, "spans", "%.0f", agent.spans);
	result_gate(result, &(struct result_gate){"in the program, begin and end", "ns", first.median + last.median,
	                                          200, 100e3, false});
	return rc;
}

static int size_body(const struct stage *stage, const void *task, struct result *result) {
	static struct writer_times writer;
	const struct stages *stages = task;
	struct agent_times agent;
	int rc = measure(stage, stages, &writer, &agent);
	if (rc < 0)
		return rc;
	struct samples_summary begin, end;
	samples_summarise(&writer.begin, &begin);
	samples_summarise(&writer.end, &end);
	double rate = (double)stages->rate;
	double stored_bytes = rate < QUIET_RATE ? STORED_BYTES_QUIET : STORED_BYTES_BUSY;
	double kept = rate * (double)stages->retention_ns / 1e9;
	double agent_ns = agent.take_ns + agent.compress_ns + agent.commit_ns;
	char text[UNITS_TEXT_BYTES];
	result_fact(result, "rate", "%" PRIu64 "/s", stages->rate);
	result_fact(result, "retention", "%s", units_format_duration((double)stages->retention_ns, text));
	rc = add(result, "rings", "bytes", (double)stages->threads * SPANRING_RING_BYTES_DEFAULT);
	if (rc == 0)
		rc = add(result, "agent, at most", "bytes", (double)(UINT64_C(64) << 20));
	if (rc == 0)
		rc = add(result, "store", "bytes", kept * stored_bytes);
	if (rc == 0)
		rc = add(result, "disk a second", "bytes", rate * stored_bytes);
	if (rc == 0)
		rc = add(result, "a stored span", "bytes", stored_bytes);
	if (rc == 0)
		rc = add(result, "programs' processor", "%", 100 * rate * (begin.median + end.median) / 1e9);
	return rc < 0 ? rc : add(result, "agent's processor", "%", 100 * rate * agent_ns / 1e9);
}

int stages_command(int argc, char **argv, const struct log *log) {
	struct stages stages = {.spans = SPANS};
	const struct word table[] = {
	    {"spans", WORD_NUMBER, &stages.spans, 1000, SPANS_MAX},
	    {"agent", WORD_TEXT, &stages.agent, 0, 0},
	    {"keep", WORD_TEXT, &stages.keep, 0, 0},
	    WORDS_OF_FORMAT(&stages.format),
	};
	struct words words = {
	    .log = log, .help = stages_help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	const struct bench_options options = {.log = *log, .agent = stages.agent, .keep = stages.keep};
	return code >= 0 ? code : measured_run("stages", &options, stages.format, stages_body, &stages);
}

int size_command(int argc, char **argv, const struct log *log) {
	struct stages stages = {.spans = SPANS, .rate = 10000, .retention_ns = 7 * DAY_NS, .threads = 8};
	const struct word table[] = {
	    {"spans", WORD_NUMBER, &stages.spans, 1000, SPANS_MAX},
	    {"rate", WORD_NUMBER, &stages.rate, 1, 100000000},
	    {"retention", WORD_DURATION, &stages.retention_ns, NS_PER_S, 3650 * DAY_NS},
	    {"threads", WORD_NUMBER, &stages.threads, 1, 1000000},
	    {"agent", WORD_TEXT, &stages.agent, 0, 0},
	    {"keep", WORD_TEXT, &stages.keep, 0, 0},
	    WORDS_OF_FORMAT(&stages.format),
	};
	struct words words = {.log = log, .help = size_help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	const struct bench_options options = {.log = *log, .agent = stages.agent, .keep = stages.keep};
	return code >= 0 ? code : measured_run("size", &options, stages.format, size_body, &stages);
}

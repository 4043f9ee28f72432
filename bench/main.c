/* SPDX-License-Identifier: Apache-2.0 */
#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"
#include "bench/feed/workload.h"
#include "bench/soak/soak_options.h"
#include "bench/suite/suite.h"
#include "commands.h"
#include "measure.h"
#include <spanring/version.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SPANS_DEFAULT 2000000u
#define SPANS_DEFAULT_QUERY 10000000u

static const char usage_text[] =
    "usage: spanring-bench CASE   [--runs N] [--quick] [--json] [--agent PROGRAM]\n"
    "       spanring-bench ingest [--runs N] [--json] [--agent PROGRAM] [--spans N] [--seed N] [--keep STORE]\n"
    "       spanring-bench soak   [--duration T] [--rate N] [--programs N] [--life T..T] [--interval T] [--csv FILE]\n"
    "                             [--seed N] [--keep STORE] [--quick] [--json] [--agent PROGRAM]\n"
    "       spanring-bench quick | run | exec | load | ...   (below; each has a --help of its own)\n"
    "\n"
    "What tracing does to a program\n"
    "  quick       does tracing cost too much here? two seconds, one ratio, one gate\n"
    "  run         one thing after the other that a program does with the library, beside the floor\n"
    "  exec        any command, with tracing off and on\n"
    "  concurrent  threads that do traced work at the same time; every error counts\n"
    "  load        users that make requests at a rate, with latency from when each was meant to start\n"
    "  coldstart   a process that lives for one request; warmstart: the request again\n"
    "  sampling    what a span costs by the share of traces kept; matrix: settings crossed\n"
    "  stages      where the cost of a span arises, from begin to commit\n"
    "  size        memory, processor time and disk for a rate and a retention\n"
    "  memory      of the first span, of tracers, per span, over time: does it grow?\n"
    "  peers       a span beside LTTng-UST, in turns; what other peers are here\n"
    "  suite       all of it, or a group, with every gate\n"
    "  compare     two results, figure by figure, with verdicts\n"
    "\n"
    "Cases: figures of Spanring itself, each with its bar\n"
    "  span      cost of one span with the agent draining: recorded, dropped, the slowest, calls\n"
    "  off       spans that are compiled in and switched off\n"
    "  ring      how large a ring has to be\n"
    "  sampled   spans that the sampler does not keep\n"
    "  attr      one attribute, event or link\n"
    "  async     async spans, on one thread and across two\n"
    "  context   ask for a context, pass it on, attach it\n"
    "  init      attach: the first span of a program and of a second thread\n"
    "  threads   spans on several threads at once\n"
    "  heap      what counting the heap adds to a pair of malloc and free\n"
    "  idle      the agent with 1,000 rings while nothing happens: CPU, wake-ups, memory\n"
    "  rate      the agent beside a program that records 10,000 spans a second: CPU, memory\n"
    "  wake      from the bell that a filling ring rings until all is taken\n"
    "  ingest    generated workload from rings to a sealed store: CPU, rate and bytes per span\n"
    "  codec     encode and decode batches: spans per second, bytes per column\n"
    "  query     the questions of the analyzer to a large store, beside SQL on a plain table\n"
    "  quiet     an hour at 1,000 spans a second in the store: bytes per span, sealed and merged\n"
    "  soak      programs that come and go for half an hour: does anything grow, is anything lost?\n"
    "  help      this text\n"
    "\n"
    "Each figure stands beside the floor (two readings of the counter) of the same run; a bar is shown, never judged.\n"
    "\n"
    "      --runs N         5 to 101; default 5\n"
    "      --quick          few rounds, to see that it works; the figures mean little\n"
    "      --spans N        ingest, codec, query: spans of one run, 1000 to 50000000; default 2000000, query 10000000\n"
    "      --seed N         of the workload; default 1\n"
    "      --keep STORE     let the last run write its store there, and keep it; query: ask one that is there\n"
    "      --duckdb FILE    query: the libduckdb.so to compare with; default: where the system finds one\n"
    "      --agent PROGRAM  default: spanring-agent beside this program\n"
    "      --json           one JSON document instead of the table\n"
    "      --format FORMAT  text, json, csv or markdown\n" SOAK_OPTIONS_HELP "  -h, --help           this text\n"
    "      --version        version\n"
    "\n"
    "Exit status: 0 measured; 1 a run failed, soak: growing or not accounted for; 2 wrong usage; 6 no temporary folder.\n";

struct command {
	const char *name;
	int (*run)(const struct bench_options *options);
};

static int help(const struct bench_options *options) {
	(void)options;
	(void)fputs(usage_text, stdout);
	return EXIT_CODE_OK;
}

static const struct command commands[] = {
    {"span", span_bench_run},
    {"ingest", ingest_bench_run},
    {"heap", heap_bench_run},
    {"off", off_bench_run},
    {"ring", ring_bench_run},
    {"sampled", sampled_bench_run},
    {"attr", attr_bench_run},
    {"async", async_bench_run},
    {"context", context_bench_run},
    {"init", init_bench_run},
    {"idle", idle_bench_run},
    {"wake", wake_bench_run},
    {"threads", threads_bench_run},
    {"codec", codec_bench_run},
    {"query", query_bench_run},
    {"soak", soak_bench_run},
    {"help", help},
    {SOAK_WORKER_COMMAND, soak_worker_run},
    {"heap-worker", heap_worker_run},
    {"init-worker", init_worker_run},
    {"cold-worker", cold_worker_run},
    {"count-worker", count_worker_run},
    {"quiet", quiet_bench_run},
    {"rate", rate_bench_run},
};

/* They read words of their own. */
static const struct suite_command {
	const char *name;
	int (*run)(int argc, char **argv, const struct log *log);
} suite_commands[] = {
    {"quick", quick_command},           {"run", run_command},           {"exec", exec_command},
    {"concurrent", concurrent_command}, {"load", load_command},         {"coldstart", coldstart_command},
    {"warmstart", warmstart_command},   {"sampling", sampling_command}, {"matrix", matrix_command},
    {"stages", stages_command},         {"size", size_command},         {"memory", memory_command},
    {"suite", suite_command},           {"compare", compare_command},   {"peers", peers_command},
};

/* Exit code, or -1: it is none of them. */
static int run_suite(int argc, char **argv, const struct log *log) {
	for (size_t i = 0; argc > 1 && i < sizeof(suite_commands) / sizeof(suite_commands[0]); i++)
		if (strcmp(argv[1], suite_commands[i].name) == 0)
			return suite_commands[i].run(argc - 1, argv + 1, log);
	return -1;
}

static int usage(const struct log *log, const char *what, const char *value) {
	log_error(log, "%s%s; see spanring-bench --help", what, value);
	return EXIT_CODE_USAGE;
}

static int refuse_case(const struct log *log, const char *word) {
	const char *words[sizeof(commands) / sizeof(commands[0]) + sizeof(suite_commands) / sizeof(suite_commands[0])];
	size_t count = 0;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		words[count++] = commands[i].name;
	for (size_t i = 0; i < sizeof(suite_commands) / sizeof(suite_commands[0]); i++)
		words[count++] = suite_commands[i].name;
	const char *nearest = suggest_nearest(word, words, count);
	log_error(log, "no such case: %s%s%s%s", word, nearest ? ": did you mean " : "; see spanring-bench --help",
	          nearest ? nearest : "", nearest ? "?" : "");
	return EXIT_CODE_USAGE;
}

static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *ret_number) {
	char *end;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (errno != 0 || *end != 0 || text[0] < '0' || text[0] > '9' || number < min || number > max)
		return false;
	*ret_number = number;
	return true;
}

static bool parse_format(const char *text, enum result_format *ret_format) {
	for (size_t i = 0; result_formats[i]; i++) {
		if (strcmp(result_formats[i], text) != 0)
			continue;
		*ret_format = (enum result_format)i;
		return true;
	}
	return false;
}

/* Exit code, or -1: go on. */
static int parse(int argc, char **argv, struct bench_options *options) {
	enum { RUNS = SOAK_OPTIONS_END, SPANS, SEED, KEEP, DUCKDB, AGENT, QUICK, JSON, FORMAT, VERSION };
	static const struct option table[] = {
	    {"runs", required_argument, NULL, RUNS},
	    {"spans", required_argument, NULL, SPANS},
	    {"seed", required_argument, NULL, SEED},
	    {"keep", required_argument, NULL, KEEP},
	    {"duckdb", required_argument, NULL, DUCKDB},
	    {"agent", required_argument, NULL, AGENT},
	    {"quick", no_argument, NULL, QUICK},
	    {"json", no_argument, NULL, JSON},
	    {"format", required_argument, NULL, FORMAT},
	    {"help", no_argument, NULL, 'h'},
	    {"version", no_argument, NULL, VERSION},
	    SOAK_OPTIONS_TABLE,
	    {NULL, 0, NULL, 0},
	};
	uint64_t runs = MEASURE_RUNS_MIN;
	int option;
	while ((option = getopt_long(argc, argv, "h", table, NULL)) != -1) {
		switch (option) {
		case RUNS:
			if (!parse_number(optarg, MEASURE_RUNS_MIN, MEASURE_RUNS_MAX, &runs))
				return usage(&options->log, "--runs takes 5 to 101, not ", optarg);
			break;
		case SPANS:
			if (!parse_number(optarg, WORKLOAD_SPANS_MIN, WORKLOAD_SPANS_MAX, &options->spans))
				return usage(&options->log, "--spans takes 1000 to 50000000, not ", optarg);
			break;
		case SEED:
			if (!parse_number(optarg, 0, UINT64_MAX, &options->seed))
				return usage(&options->log, "--seed takes a number, not ", optarg);
			break;
		case KEEP:
			options->keep = optarg;
			break;
		case DUCKDB:
			options->duckdb = optarg;
			break;
		case AGENT:
			options->agent = optarg;
			break;
		case QUICK:
			options->is_quick = true;
			break;
		case JSON:
			options->format = RESULT_JSON;
			break;
		case FORMAT:
			if (!parse_format(optarg, &options->format))
				return usage(&options->log, "--format takes text, json, csv or markdown, not ", optarg);
			break;
		case VERSION:
			(void)puts("spanring-bench " SPANRING_VERSION_STRING);
			return EXIT_CODE_OK;
		case 'h':
			return help(options);
		default:
			if (soak_options_take(option, optarg, &options->log, &options->soak) < 0)
				return EXIT_CODE_USAGE;
		}
	}
	options->runs = (uint32_t)runs;
	return soak_options_finish(&options->log, options->is_quick, &options->soak) < 0 ? EXIT_CODE_USAGE : -1;
}

int main(int argc, char **argv) {
	struct bench_options options = {.log = {.program = "spanring-bench", .level = LOG_LEVEL_INFO}, .seed = 1};
	int code = run_suite(argc, argv, &options.log);
	if (code < 0)
		code = parse(argc, argv, &options);
	if (code >= 0)
		return code;
	if (argc - optind != 1)
		return usage(&options.log, "one case is needed", "");
	if (!options.spans)
		options.spans = strcmp(argv[optind], "query") == 0 ? SPANS_DEFAULT_QUERY : SPANS_DEFAULT;
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[optind], commands[i].name) == 0)
			return commands[i].run(&options);
	}
	return refuse_case(&options.log, argv[optind]);
}

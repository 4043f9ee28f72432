/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench load: users that make requests for a while, each request a span, an agent storing. With --keep the store remains, so all
 * that spanring-analyze can tell of a program it can tell of the run.
 */
#include "base/clock.h"
#include "base/errs.h"
#include "base/units.h"
#include "bench/floors/topology.h"
#include "bench/harness/words.h"
#include "bench/measure.h"
#include "bench/worker.h"
#include "load_users.h"
#include "suite.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define USERS 10u
#define DURATION_NS (10 * NS_PER_S)
#define RATE 1000u
#define P95_MAX_NS (100 * NS_PER_MS)
#define ERROR_RATE_MAX 0.01
#define RATE_MIN 100.0
#define DAY_NS (UINT64_C(86400) * NS_PER_S)
#define PROGRESS_NS NS_PER_S

static const char help[] =
    "spanring-bench load [--users N] [--duration T] [--ramp-up T] [--rate N | --think-time T] [--mix LIST] [--keep STORE]\n"
    "                    [--max-p95 T] [--max-error-rate X] [--min-rate X] [--json | --csv | --markdown] [--agent PROGRAM]\n"
    "\n"
    "Users (default 10) make requests for --duration (10s), joining over --ramp-up (0). Open loop at --rate\n"
    "requests a second (1000, all together): a request is meant to start at its time whatever became of the\n"
    "one before, and its latency counts from there. With --think-time a closed loop: the next one begins so\n"
    "long after the last has ended. --mix read:3:200us,write:1 names the requests, how often each comes\n"
    "and how long it computes (100us). --keep STORE keeps the spans for spanring-analyze.\n"
    "\n"
    "Gates: p95 below --max-p95 (100ms), errors below --max-error-rate (0.01), at least --min-rate\n"
    "requests a second (100). An error is a request whose span was not recorded. Exit status 1 when a gate\n"
    "fails.\n";

struct load {
	const struct log *log;
	enum result_format format;
	struct load_plan plan;
	uint64_t think_ns; /* UINT64_MAX: open loop */
	const char *mix;
	uint64_t p95_max_ns;
	double error_rate_max;
	double rate_min;
	const char *agent;
	const char *keep;
};

/* Shared with the process that makes the requests. */
struct shared {
	struct load_plan plan;
	struct load_figures figures;
	uint32_t finished;
};

static int body(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]) {
	struct shared *shared = *(struct shared *const *)task;
	(void)stage;
	(void)ret_values;
	return load_users_run(&shared->plan, &shared->figures);
}

struct watch {
	struct shared *shared;
	pthread_t thread;
	bool runs;
};

static void say_progress(struct load_figures *figures) {
	double recent[sizeof(figures->recent) / sizeof(double)];
	char p95[UNITS_TEXT_BYTES];
	(void)pthread_mutex_lock(&figures->lock);
	uint32_t most = (uint32_t)(sizeof(recent) / sizeof(recent[0]));
	uint32_t count = figures->recent_count < most ? figures->recent_count : most;
	memcpy(recent, figures->recent, count * sizeof(recent[0]));
	uint64_t done = figures->done;
	uint64_t errors = figures->errors;
	uint64_t started_ns = figures->started_ns;
	(void)pthread_mutex_unlock(&figures->lock);
	if (!started_ns || count == 0)
		return;
	(void)measure_median(recent, count); /* sorts */
	double seconds = (double)(clock_monotonic_ns() - started_ns) / 1e9;
	(void)fprintf(stderr, "\r%6.0f s  %10" PRIu64 " requests  %8.0f /s  p95 %-10s  %" PRIu64 " errors ", seconds,
	              done, (double)done / seconds, units_format_duration(recent[(uint32_t)(0.95 * (count - 1))], p95),
	              errors);
	(void)fflush(stderr);
}

static void *watch(void *context) {
	struct shared *shared = context;
	uint64_t next_ns = clock_monotonic_ns() + PROGRESS_NS;
	while (!__atomic_load_n(&shared->finished, __ATOMIC_ACQUIRE)) {
		struct timespec rest = {0, 50 * (long)NS_PER_MS};
		(void)nanosleep(&rest, NULL);
		if (clock_monotonic_ns() < next_ns)
			continue;
		next_ns += PROGRESS_NS;
		say_progress(&shared->figures);
	}
	(void)fprintf(stderr, "\r\033[K");
	return NULL;
}

static int measure(const struct load *load, const struct stage *stage, struct shared *shared) {
	double values[WORKER_VALUES_MAX];
	struct stage everywhere = *stage;
	struct watch watcher = {.shared = shared};
	pthread_mutexattr_t between_processes;
	(void)pthread_mutexattr_init(&between_processes);
	(void)pthread_mutexattr_setpshared(&between_processes, PTHREAD_PROCESS_SHARED);
	(void)pthread_mutex_init(&shared->figures.lock, &between_processes);
	everywhere.loop_core = TOPOLOGY_NO_CORE; /* all cores: users run beside each other */
	watcher.runs = isatty(STDERR_FILENO) && pthread_create(&watcher.thread, NULL, watch, shared) == 0;
	int rc = worker_run(&everywhere, NULL, body, &shared, values);
	__atomic_store_n(&shared->finished, 1, __ATOMIC_RELEASE);
	if (watcher.runs)
		(void)pthread_join(watcher.thread, NULL);
	if (rc < 0)
		log_error(load->log, "load: the run failed: %s", strerror(-rc));
	return rc;
}

static void say_errors(const struct load *load, const struct load_figures *figures) {
	for (uint32_t i = 0; i < figures->error_count; i++)
		log_warning(load->log, "user %" PRIu64 ", after %.3f s: the span of %s was not recorded",
		            figures->first[i].user, (double)figures->first[i].at_ns / 1e9,
		            load->plan.mix[figures->first[i].request].name);
	if (figures->dropped > 0)
		log_warning(load->log, "%" PRIu64 " spans found no room", figures->dropped);
}

static void add_facts(const struct load *load, const struct load_figures *figures, struct result *result) {
	char text[UNITS_TEXT_BYTES];
	result_fact(result, "users", "%" PRIu64, load->plan.users);
	if (load->plan.closed)
		result_fact(result, "closed loop, think time", "%s",
		            units_format_duration((double)load->plan.think_ns, text));
	else
		result_fact(result, "open loop, meant rate", "%" PRIu64 "/s", load->plan.rate);
	result_fact(result, "requests", "%" PRIu64, figures->done);
	if (!load->plan.closed)
		result_fact(result, "late", "%" PRIu64, figures->late);
	for (uint32_t i = 0; i < load->plan.mix_count; i++)
		result_fact(result, load->plan.mix[i].name, "%" PRIu64, figures->by_request[i]);
	if (load->keep)
		result_fact(result, "store", "%s", load->keep);
}

static int report(const struct load *load, const struct load_figures *figures, struct result *result) {
	struct result_row *latency = result_row(result, "latency", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *rate = result_row(result, "requests", "1/s", RESULT_HIGHER_IS_BETTER);
	struct samples_summary summary;
	if (!latency || !rate)
		return EXIT_CODE_FAILED;
	double seconds = (double)(figures->ended_ns - figures->started_ns) / 1e9;
	double errors = (double)(figures->errors + figures->dropped);
	latency->samples = figures->latency;
	samples_add(&rate->samples, (double)figures->done / seconds);
	samples_summarise(&latency->samples, &summary);
	add_facts(load, figures, result);
	result_gate(result, &(struct result_gate){"p95", "ns", summary.p95, (double)load->p95_max_ns / 2,
	                                          (double)load->p95_max_ns, false});
	result_gate(result,
	            &(struct result_gate){"share of errors", "", figures->done ? errors / (double)figures->done : NAN,
	                                  0, load->error_rate_max, false});
	result_gate(result, &(struct result_gate){"requests per second", "1/s", (double)figures->done / seconds,
	                                          load->rate_min, nextafter(load->rate_min, 0), true});
	say_errors(load, figures);
	return result_print(result, load->format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
}

static int measure_and_report(const struct load *load, struct stage *stage) {
	struct shared *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		return EXIT_CODE_FAILED;
	shared->plan = load->plan;
	/* Names of sites must live where the sites are used. */
	for (uint32_t i = 0; i < shared->plan.mix_count; i++)
		shared->plan.mix[i].site.name = shared->plan.mix[i].name;
	struct result *result = result_new("load");
	int code = result && measure(load, stage, shared) == 0 ? EXIT_CODE_OK : EXIT_CODE_FAILED;
	int closed = stage_close(stage);
	if (code == EXIT_CODE_OK)
		code = closed;
	if (code == EXIT_CODE_OK)
		code = report(load, &shared->figures, result);
	result_free(result);
	(void)munmap(shared, sizeof(*shared));
	return code;
}

int load_command(int argc, char **argv, const struct log *log) {
	static struct load load;
	load = (struct load){.log = log,
	                     .plan = {.users = USERS, .duration_ns = DURATION_NS, .rate = RATE},
	                     .think_ns = UINT64_MAX,
	                     .mix = "request",
	                     .p95_max_ns = P95_MAX_NS,
	                     .error_rate_max = ERROR_RATE_MAX,
	                     .rate_min = RATE_MIN};
	const struct word table[] = {
	    {"users", WORD_NUMBER, &load.plan.users, 1, LOAD_USERS_MAX},
	    {"duration", WORD_DURATION, &load.plan.duration_ns, 10 * NS_PER_MS, DAY_NS},
	    {"ramp-up", WORD_DURATION, &load.plan.ramp_up_ns, 0, DAY_NS},
	    {"rate", WORD_NUMBER, &load.plan.rate, 1, 10000000},
	    {"think-time", WORD_DURATION, &load.think_ns, 0, DAY_NS},
	    {"mix", WORD_TEXT, &load.mix, 0, 0},
	    {"keep", WORD_TEXT, &load.keep, 0, 0},
	    {"max-p95", WORD_DURATION, &load.p95_max_ns, 1, DAY_NS},
	    {"max-error-rate", WORD_RATIO, &load.error_rate_max, 0, 0},
	    {"min-rate", WORD_RATIO, &load.rate_min, 0, 0},
	    {"agent", WORD_TEXT, &load.agent, 0, 0},
	    WORDS_OF_FORMAT(&load.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	load.plan.closed = load.think_ns != UINT64_MAX;
	load.plan.think_ns = load.plan.closed ? load.think_ns : 0;
	if (load_plan_mix(load.mix, &load.plan) < 0) {
		log_error(log, "load: --mix '%s': give names with weights and work, like read:3:200us,write:1",
		          load.mix);
		return EXIT_CODE_USAGE;
	}
	struct bench_options options = {.log = *log, .agent = load.agent, .keep = load.keep};
	struct stage stage;
	code = stage_open(&options, true, &stage);
	return code == EXIT_CODE_OK ? measure_and_report(&load, &stage) : code;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench peers: a span beside the same in LTTng-UST, in one process, in turns: agent and LTTng's consumer both running, both
 * taking what is written. The peers of the store and of questions to it are measured by query (bench/floors/peer_sql.h); here it is said whether
 * they are there. What is missing is skipped, and the reason told.
 */
#include "base/cleanup.h"
#include "base/errs.h"
#include "bench/floors/peer_sql.h"
#include "bench/harness/turns.h"
#include "bench/harness/words.h"
#include "bench/loops/bursts.h"
#include "bench/loops/span_loops.h"
#include "bench/lttng/provider.h"
#include "bench/lttng/session.h"
#include "bench/temporary.h"
#include "bench/worker.h"
#include "measured.h"
#include "suite.h"

#include <dlfcn.h>
#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 8192u /* as in run: a quarter of a ring, and of what LTTng has for a core */
#define ON_POLLS_MAX 5000u
#define ON_POLL_NS 1000000L

static const char help[] =
    "spanring-bench peers [--iterations N] [--warmup N] [--provider FILE] [--json | --csv | --markdown]\n"
    "                     [--agent PROGRAM]\n"
    "\n"
    "A span (begin and end) beside two events of LTTng-UST, in one process, in turns; agent and LTTng's\n"
    "consumer on the same core, storing. Needs Debian's lttng-tools, and liblttng-ust-dev when this was\n"
    "built. Where that is missing the reason is told, and the span stands beside the floor. SQLite and\n"
    "DuckDB, the peers of the store and of questions, are measured by spanring-bench query.\n"
    "\n"
    "      --provider FILE  the library with LTTng's events; default: " PROVIDER_LIBRARY "\n"
    "                       beside this program\n";

struct peers {
	const struct log *log;
	enum result_format format;
	uint64_t iterations;
	uint64_t warmup;
	const char *agent;
	const char *provider;
};

/* Shared with the measuring process. */
struct figures {
	struct samples before;
	struct samples span;
	uint64_t rounds;
	uint64_t dropped;
	char version[RESULT_NAME_BYTES];
};

struct task {
	const struct peers *peers;
	const char *provider; /* NULL: skipped */
	struct figures *figures;
};

static uint64_t run_loop(void *context, uint64_t rounds) {
	uint64_t (*loop)(uint64_t);
	memcpy(&loop, context, sizeof(loop));
	return loop(rounds);
}

static void wait_until_stored(void *context) {
	(void)context;
	(void)spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
}

/* A function's address out of an object's, as dlsym means it. */
static int find(void *library, const char *name, void *ret_function) {
	void *symbol = dlsym(library, name);
	memcpy(ret_function, &symbol, sizeof(symbol));
	return symbol ? 0 : -ELIBBAD;
}

/* LTTng's threads live in the library: it stays until the process ends. */
static int load(const char *file, uint64_t (**ret_loop)(uint64_t), struct figures *figures) {
	bool (*is_on)(void);
	const char *(*version)(void);
	void *library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
	if (!library || find(library, "spanring_bench_lttng_spans_ns", ret_loop) ||
	    find(library, "spanring_bench_lttng_is_on", &is_on) ||
	    find(library, "spanring_bench_lttng_version", &version))
		return -ELIBBAD;
	(void)snprintf(figures->version, sizeof(figures->version), "%s", version());
	for (uint32_t i = 0; !is_on(); i++) {
		struct timespec pause = {.tv_nsec = ON_POLL_NS};
		if (i == ON_POLLS_MAX)
			return -ETIMEDOUT;
		(void)nanosleep(&pause, NULL);
	}
	return 0;
}

static int body(const struct stage *stage, const void *task_pointer, double ret_values[WORKER_VALUES_MAX]) {
	const struct task *task = task_pointer;
	struct figures *figures = task->figures;
	struct spanring_counters counters;
	uint64_t (*loops[2])(uint64_t) = {span_loop_two_ticks_ns, span_loop_spans_ns};
	(void)stage;
	(void)ret_values;
	int rc = task->provider ? load(task->provider, &loops[0], figures) : 0;
	if (rc < 0)
		return rc;
	const struct turns turns = {.iterations = (uint32_t)task->peers->iterations,
	                            .warmup = (uint32_t)task->peers->warmup,
	                            .rounds_max = ROUNDS_MAX,
	                            .between = wait_until_stored};
	const struct turns_loop before = {run_loop, &loops[0]};
	const struct turns_loop span = {run_loop, &loops[1]};
	rc = turns_run(&turns, &before, &span, &figures->before, &figures->span, &figures->rounds);
	spanring_counters_read(&counters);
	figures->dropped = counters.dropped_full + counters.dropped_no_ring;
	return rc < 0 ? rc : figures->dropped ? -EOVERFLOW : 0;
}

static int add_rows(struct result *result, const struct figures *figures, bool is_lttng) {
	struct result_row *before =
	    result_row(result, is_lttng ? "LTTng-UST, two events" : "floor", "ns", RESULT_NEITHER);
	struct result_row *span = result_row(result, "span", "ns", RESULT_LOWER_IS_BETTER);
	struct result_row *ratio = result_row(result, is_lttng ? "LTTng-UST / span" : "span / floor", "x",
	                                      is_lttng ? RESULT_HIGHER_IS_BETTER : RESULT_LOWER_IS_BETTER);
	if (!before || !span || !ratio)
		return -ENOMEM;
	before->samples = figures->before;
	span->samples = figures->span;
	samples_ratios(is_lttng ? &figures->span : &figures->before, is_lttng ? &figures->before : &figures->span,
	               &ratio->samples);
	result_fact(result, "spans of a sample", "%llu", (unsigned long long)figures->rounds);
	result_fact(result, "dropped", "%llu", (unsigned long long)figures->dropped);
	return 0;
}

static int tell_sql(struct result *result) {
	struct temporary folders;
	int rc = temporary_make(&folders);
	if (rc < 0)
		return rc;
	struct peer_sql sqlite = {.folder = folders.store, .tool = PEER_SQL_SQLITE};
	struct peer_sql duckdb = {.folder = folders.store, .tool = PEER_SQL_DUCKDB};
	if (peer_duckdb_open(NULL, &duckdb.duckdb) < 0)
		duckdb.duckdb = NULL;
	result_fact(result, "SQLite", "%s",
	            peer_sql_is_there(&sqlite) ? "measured by spanring-bench query"
	                                       : "skipped: no sqlite3 in PATH (package sqlite3)");
	result_fact(result, "DuckDB", "%s",
	            peer_sql_is_there(&duckdb) ? "measured by spanring-bench query"
	                                       : "skipped: no libduckdb.so, no duckdb in PATH");
	peer_duckdb_close(duckdb.duckdb);
	temporary_remove(&folders);
	return 0;
}

/* In one process of its own, which shares its figures. 0 or negative errno. */
static int run_worker(const struct stage *stage, const struct peers *peers, const char *provider,
                      struct figures *figures) {
	static const struct worker_setting settings[] = {
	    {"SPANRING_RING_BYTES", "4194304"}, {"LTTNG_UST_REGISTER_TIMEOUT", "10000"}, {NULL, NULL}};
	double values[WORKER_VALUES_MAX];
	const struct task task = {peers, provider, figures};
	return worker_run(stage, settings, body, &task, values);
}

static int beside_lttng(const struct stage *stage, const struct peers *peers, const char *provider,
                        struct figures *figures, struct result *result) {
	struct session session;
	uint64_t discarded = 0;
	if (access(provider, R_OK) < 0) {
		result_fact(result, "LTTng-UST", "skipped: no %s (build with liblttng-ust-dev)", PROVIDER_LIBRARY);
		return -ENOENT;
	}
	int rc = session_open(stage, &session);
	if (rc < 0) {
		if (rc == -ENOENT)
			result_fact(result, "LTTng-UST",
			            "skipped: no lttng, lttng-sessiond in PATH (package lttng-tools)");
		else
			result_fact(result, "LTTng-UST", "skipped: its session daemon does not record (lttng list)");
		return -ENOENT;
	}
	bool is_own = session.daemon != 0;
	rc = run_worker(stage, peers, provider, figures);
	int closed = session_close(&session, &discarded);
	if (rc == -ELIBBAD || rc == -ETIMEDOUT) {
		result_fact(result, "LTTng-UST", "skipped: %s",
		            rc == -ELIBBAD ? "the provider cannot be loaded" : "no session records its events");
		return -ENOENT;
	}
	if (rc < 0 || closed < 0)
		return rc < 0 ? rc : -EIO;
	result_fact(result, "LTTng-UST", "%s, session daemon %s", figures->version,
	            is_own ? "of this run, on the core of the agent" : "of the system");
	result_fact(result, "LTTng-UST discarded", "%llu", (unsigned long long)discarded);
	return add_rows(result, figures, true);
}

static int measure(const struct stage *stage, const void *task, struct result *result) {
	const struct peers *peers = task;
	char provider[PATH_MAX + sizeof(PROVIDER_LIBRARY)];
	char self[PATH_MAX];
	struct figures *figures =
	    mmap(NULL, sizeof(*figures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (figures == MAP_FAILED)
		return -errno;
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[length < 0 ? 0 : length] = 0;
	(void)snprintf(provider, sizeof(provider), "%s/" PROVIDER_LIBRARY, dirname(self));
	int rc = beside_lttng(stage, peers, peers->provider ? peers->provider : provider, figures, result);
	if (rc == -ENOENT) {
		rc = run_worker(stage, peers, NULL, figures);
		if (rc == 0)
			rc = add_rows(result, figures, false);
	}
	if (rc == 0)
		rc = tell_sql(result);
	(void)munmap(figures, sizeof(*figures));
	return rc;
}

int peers_command(int argc, char **argv, const struct log *log) {
	struct peers peers = {.log = log, .iterations = TURNS_ITERATIONS, .warmup = TURNS_WARMUP};
	const struct word table[] = {
	    {"iterations", WORD_NUMBER, &peers.iterations, 5, SAMPLES_MAX},
	    {"warmup", WORD_NUMBER, &peers.warmup, 0, SAMPLES_MAX},
	    {"provider", WORD_TEXT, &peers.provider, 0, 0},
	    {"agent", WORD_TEXT, &peers.agent, 0, 0},
	    WORDS_OF_FORMAT(&peers.format),
	};
	struct words words = {.log = log, .help = help, .table = table, .count = sizeof(table) / sizeof(table[0])};
	int code = words_read(&words, argc, argv);
	if (code >= 0)
		return code;
	const struct bench_options options = {.log = *log, .agent = peers.agent};
	return measured_run("peers", &options, peers.format, measure, &peers);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The traced program of the integration tests. Each thread repeats one tree of five spans, "outer" around four "inner", every span
 * with the attribute "seq" = process << 56 | thread << 48 | n, n counting the spans of the thread in the order in which they begin.
 * After each end the thread counts it in the acknowledgement file, so that a test knows what was finished before a kill.
 *
 *     producer --process P --threads T --trees N [--ack FILE] [--flush-every ENDS] [--wait] [--hang-depth N]
 *              [--keep BYTES]
 *
 * --flush-every waits for the agent to store what was written, so that nothing is dropped, whatever happens to the agent.
 * --wait keeps the process alive, rings and all, until standard input ends. N 0 means for ever.
 * --keep BYTES: each thread allocates so much and leaves it allocated.
 * --hang-depth N: after its trees the main thread opens N nested spans "hung", each with "seq" = 255 << 56 | its depth, counts them in
 * the last word of the acknowledgement file, and waits for SIGUSR1; then it ends them.
 * Prints the library's counters as "begun ended open dropped_full dropped_depth dropped_no_ring reason".
 */
#include <spanring/spanring.h>

#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define THREADS_MAX 16
#define HANG_DEPTH_MAX 128
#define HANG_PROCESS UINT64_C(255)
#define INNER_PER_TREE 4
#define FLUSH_STEP_NS 1000000000u

struct plan {
	uint64_t process;
	uint64_t trees;
	uint64_t flush_every;
	uint64_t keep_bytes;
	int threads;
	int wait;
	int hang_depth;
	uint64_t *acknowledged; /* one word per thread, shared with the test; NULL: none */
};

struct worker {
	const struct plan *plan;
	uint64_t thread;
	uint64_t begun;
	uint64_t ended;
	void *kept;
};

static void flush_until_stored(void) {
	const struct timespec pause = {0, 1000000};
	while (spanring_flush(FLUSH_STEP_NS) != 0)
		(void)nanosleep(&pause, NULL); /* no agent for the moment */
}

static void ended(struct worker *worker) {
	const struct plan *plan = worker->plan;
	worker->ended++;
	if (plan->acknowledged)
		__atomic_store_n(&plan->acknowledged[worker->thread], worker->ended, __ATOMIC_RELEASE);
	if (plan->flush_every && worker->ended % plan->flush_every == 0)
		flush_until_stored();
}

static uint64_t next_seq(struct worker *worker) {
	return worker->plan->process << 56 | worker->thread << 48 | worker->begun++;
}

static void inner(struct worker *worker) {
	SPANRING_BEGIN(span, "inner");
	SPANRING_SET_U64(span, "seq", next_seq(worker));
	spanring_end(span);
	ended(worker);
}

static void tree(struct worker *worker) {
	SPANRING_BEGIN_KIND(span, "outer", SPANRING_KIND_SERVER);
	SPANRING_SET_U64(span, "seq", next_seq(worker));
	for (int i = 0; i < INNER_PER_TREE; i++)
		inner(worker);
	spanring_end(span);
	ended(worker);
}

static void *work(void *context) {
	struct worker *worker = context;
	worker->kept = worker->plan->keep_bytes ? malloc(worker->plan->keep_bytes) : NULL;
	for (uint64_t i = 0; worker->plan->trees == 0 || i < worker->plan->trees; i++)
		tree(worker);
	return NULL;
}

static uint64_t *map_acknowledgements(const char *path) {
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 || ftruncate(fd, THREADS_MAX * sizeof(uint64_t)) != 0) {
		perror(path);
		exit(1);
	}
	void *words = mmap(NULL, THREADS_MAX * sizeof(uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	return words == MAP_FAILED ? NULL : words;
}

static struct plan read_plan(int argc, char **argv) {
	struct plan plan = {.threads = 1, .trees = 1};
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--wait") == 0)
			plan.wait = 1;
		else if (strcmp(argv[i], "--process") == 0 && i + 1 < argc)
			plan.process = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--hang-depth") == 0 && i + 1 < argc)
			plan.hang_depth = atoi(argv[++i]);
		else if (strcmp(argv[i], "--threads") == 0 && i + 1 < argc)
			plan.threads = atoi(argv[++i]);
		else if (strcmp(argv[i], "--trees") == 0 && i + 1 < argc)
			plan.trees = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--flush-every") == 0 && i + 1 < argc)
			plan.flush_every = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--keep") == 0 && i + 1 < argc)
			plan.keep_bytes = strtoull(argv[++i], NULL, 10);
		else if (strcmp(argv[i], "--ack") == 0 && i + 1 < argc)
			plan.acknowledged = map_acknowledgements(argv[++i]);
		else
			exit(2);
	}
	if (plan.threads < 1 || plan.threads > THREADS_MAX || plan.hang_depth < 0 || plan.hang_depth > HANG_DEPTH_MAX)
		exit(2);
	return plan;
}

static void hang(const struct plan *plan, const sigset_t *release) {
	struct spanring_span spans[HANG_DEPTH_MAX];
	int signal_number;
	for (int i = 0; i < plan->hang_depth; i++) {
		SPANRING_BEGIN(span, "hung");
		SPANRING_SET_U64(span, "seq", HANG_PROCESS << 56 | (uint64_t)i);
		spans[i] = span;
		if (plan->acknowledged)
			__atomic_store_n(&plan->acknowledged[THREADS_MAX - 1], (uint64_t)i + 1, __ATOMIC_RELEASE);
	}
	(void)sigwait(release, &signal_number);
	for (int i = plan->hang_depth; i > 0; i--)
		spanring_end(spans[i - 1]);
}

static void print_counters(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %s\n", counters.begun,
	       counters.ended, counters.open, counters.dropped_full, counters.dropped_depth, counters.dropped_no_ring,
	       spanring_reason_text(counters.reason));
	(void)fflush(stdout);
}

int main(int argc, char **argv) {
	struct plan plan = read_plan(argc, argv);
	struct worker workers[THREADS_MAX] = {{0}};
	pthread_t threads[THREADS_MAX];
	sigset_t release;
	(void)sigemptyset(&release);
	(void)sigaddset(&release, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &release, NULL);
	for (int i = 0; i < plan.threads; i++) {
		workers[i].plan = &plan;
		workers[i].thread = (uint64_t)i;
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			return 1;
	}
	for (int i = 0; i < plan.threads; i++)
		(void)pthread_join(threads[i], NULL);
	if (plan.hang_depth > 0)
		hang(&plan, &release);
	print_counters();
	char byte;
	while (plan.wait && read(STDIN_FILENO, &byte, 1) > 0)
		continue;
	for (int i = 0; i < plan.threads; i++)
		free(workers[i].kept);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench init: what the first span costs a program that has just started (process and thread attach), its first
 * end (the statistics of the thread), and the first span of a second thread; in time and in memory.
 *
 * All pages of a ring are reserved and touched at attach, so the cost grows with the ring. It is measured with rings of
 * 64 KiB, 1 MiB (the default) and 64 MiB; the slope between the first and the last is the price of a MiB, and what the
 * smallest one costs without it is the attach itself. The floor of that slope is what the kernel takes for as much
 * shared memory without the library.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/case.h"
#include "bench/worker.h"
#include <errno.h>
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <sys/mman.h>

#define LINE_BYTES 256u
#define RESERVED_MIB 32

enum { BEGIN_US, END_US, THREAD_US, FIRST_KIB, THREAD_KIB, RESERVE_US };

/* What this process has in memory, to the page; NaN if the kernel does not tell. */
static double resident_kib(void) {
	CLEANUP_FILE FILE *file = fopen("/proc/self/smaps_rollup", "re");
	char line[LINE_BYTES];
	unsigned long long kib = 0;
	while (file && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "Rss: %llu kB", &kib) == 1)
			return (double)kib;
	}
	return NAN;
}

static double since_us(uint64_t start_ns) {
	return (double)(clock_monotonic_ns() - start_ns) / NS_PER_US;
}

/* Shared memory, reserved and touched as the library does it; per MiB. NaN if there is none. */
static double reserve_us(void) {
	CLEANUP_FD int fd = memfd_create("spanring-bench", MFD_CLOEXEC);
	uint64_t start_ns = clock_monotonic_ns();
	if (fd < 0 || posix_fallocate(fd, 0, RESERVED_MIB << 20) != 0)
		return NAN;
	void *address = mmap(NULL, RESERVED_MIB << 20, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	double us = since_us(start_ns) / RESERVED_MIB;
	if (address == MAP_FAILED)
		return NAN;
	(void)munmap(address, RESERVED_MIB << 20);
	return us;
}

static void *second_thread(void *argument) {
	double *values = argument;
	double before_kib = resident_kib();
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.second");
	spanring_end(span);
	values[THREAD_US] = since_us(start_ns);
	values[THREAD_KIB] = resident_kib() - before_kib;
	return NULL;
}

/* Started anew by init_bench_run. */
int init_worker_run(const struct bench_options *options) {
	double values[WORKER_VALUES_MAX] = {0};
	struct spanring_counters counters;
	pthread_t thread;
	(void)options;
	double before_kib = resident_kib();
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "bench.first");
	values[BEGIN_US] = since_us(start_ns);
	start_ns = clock_monotonic_ns();
	spanring_end(span);
	values[END_US] = since_us(start_ns);
	values[FIRST_KIB] = resident_kib() - before_kib;
	int rc = -pthread_create(&thread, NULL, second_thread, values);
	if (rc == 0)
		rc = -pthread_join(thread, NULL);
	spanring_counters_read(&counters);
	spanring_shutdown();
	values[RESERVE_US] = reserve_us();
	worker_answer(rc == 0 && counters.ended != 2 ? -EIO : rc, values);
}

enum {
	RESERVE,
	SMALL,
	NORMAL,
	LARGE,
	ATTACH,
	PER_MIB,
	PER_MIB_RATIO,
	FIRST_END,
	SECOND_THREAD,
	NORMAL_RSS,
	SECOND_THREAD_RSS,
	FIGURES
};

static const struct report_line lines[FIGURES] = {
    [RESERVE] = {"reserve_per_mib_us", "floor: shared memory, a MiB reserved and touched", "us", NULL},
    [SMALL] = {"first_begin_64k_us", "first begin, ring of 64 KiB", "us", NULL},
    [NORMAL] = {"first_begin_us", "first begin, ring of 1 MiB (default)", "us", NULL},
    [LARGE] = {"first_begin_64m_us", "first begin, ring of 64 MiB", "us", NULL},
    [ATTACH] = {"attach_us", "  of it, attach without the ring's pages", "us", "1000"},
    [PER_MIB] = {"prefault_per_mib_us", "  of it, each MiB of ring", "us", NULL},
    [PER_MIB_RATIO] = {"prefault_ratio", "  of the floor", "x", NULL},
    [FIRST_END] = {"first_end_us", "first end (statistics of the thread)", "us", NULL},
    [SECOND_THREAD] = {"second_thread_us", "first span of a second thread", "us", NULL},
    [NORMAL_RSS] = {"first_span_kib", "memory added by the first span", "KiB", NULL},
    [SECOND_THREAD_RSS] = {"second_thread_kib", "memory added by the second thread's", "KiB", NULL},
};

static const struct {
	uint32_t figure;
	uint32_t bytes;
	struct worker_setting settings[2];
} sizes[] = {
    {SMALL, SPANRING_RING_BYTES_MIN, {{"SPANRING_RING_BYTES", "65536"}}},
    {NORMAL, SPANRING_RING_BYTES_DEFAULT, {{"SPANRING_RING_BYTES", NULL}}},
    {LARGE, SPANRING_RING_BYTES_MAX, {{"SPANRING_RING_BYTES", "67108864"}}},
};

static void fill_normal(const double *measured, double *values) {
	values[FIRST_END] = measured[END_US];
	values[SECOND_THREAD] = measured[THREAD_US];
	values[RESERVE] = measured[RESERVE_US];
	values[NORMAL_RSS] = measured[FIRST_KIB];
	values[SECOND_THREAD_RSS] = measured[THREAD_KIB];
}

static int run(const struct stage *stage, double *values) {
	const double mib = 1048576.0;
	int rc = 0;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]) && rc == 0; i++) {
		double measured[WORKER_VALUES_MAX];
		rc = worker_exec(stage, sizes[i].settings, "init-worker", measured, NULL);
		values[sizes[i].figure] = measured[BEGIN_US];
		if (sizes[i].figure == NORMAL)
			fill_normal(measured, values);
	}
	values[PER_MIB] = (values[LARGE] - values[SMALL]) / ((SPANRING_RING_BYTES_MAX - SPANRING_RING_BYTES_MIN) / mib);
	values[ATTACH] = values[SMALL] - values[PER_MIB] * (SPANRING_RING_BYTES_MIN / mib);
	values[PER_MIB_RATIO] = values[PER_MIB] / values[RESERVE];
	return rc;
}

int init_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-init/1",
	    .title = "The first spans of a program: attach",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .has_agent = true,
	    .run = run,
	};
	return case_run(&bench, options);
}

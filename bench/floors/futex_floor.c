/* SPDX-License-Identifier: Apache-2.0 */
#include "futex_floor.h"

#include "base/clock.h"
#include "bench/measure.h"
#include "topology.h"

#include <errno.h>
#include <limits.h>
#include <linux/futex.h>
#include <math.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS_MAX 400u
#define BETWEEN_NS 2000000L /* long enough for the core to go to sleep */
#define PATIENCE_NS (UINT64_C(5) * NS_PER_S)

/* On lines of their own. */
struct page {
	_Alignas(128) uint32_t bell; /* never changes */
	_Alignas(128) uint32_t asleep;
	_Alignas(128) uint32_t go_on;
};

static _Noreturn void sleeper_main(struct page *page, int core) {
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)topology_pin(core);
	for (;;) {
		__atomic_store_n(&page->asleep, 1, __ATOMIC_SEQ_CST);
		(void)syscall(SYS_futex, &page->bell, FUTEX_WAIT, 0, NULL, NULL, 0);
		__atomic_store_n(&page->asleep, 0, __ATOMIC_SEQ_CST);
		while (__atomic_exchange_n(&page->go_on, 0, __ATOMIC_SEQ_CST) == 0)
			;
	}
}

static bool reaches(const struct page *page, uint32_t asleep) {
	uint64_t since_ns = clock_monotonic_ns();
	while (__atomic_load_n(&page->asleep, __ATOMIC_SEQ_CST) != asleep)
		if (clock_monotonic_ns() - since_ns > PATIENCE_NS)
			return false;
	return true;
}

/* A wake that comes before the sleeper has gone to sleep wakes nobody: again then, and the time counts from that one. */
static bool wake_once(struct page *page, double *ret_us) {
	struct timespec pause = {.tv_nsec = BETWEEN_NS};
	uint64_t start_ns;
	long woken = 0;
	if (!reaches(page, 1))
		return false;
	do {
		(void)nanosleep(&pause, NULL);
		start_ns = clock_monotonic_ns();
		woken = syscall(SYS_futex, &page->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
	} while (woken == 0);
	if (woken < 0 || !reaches(page, 0))
		return false;
	*ret_us = (double)(clock_monotonic_ns() - start_ns) / 1e3;
	__atomic_store_n(&page->go_on, 1, __ATOMIC_SEQ_CST);
	return true;
}

double futex_floor_us(int core, uint32_t rounds) {
	double values[ROUNDS_MAX];
	uint32_t count = 0;
	struct page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return NAN;
	pid_t pid = fork();
	if (pid == 0)
		sleeper_main(page, core);
	while (pid > 0 && count < rounds && count < ROUNDS_MAX && wake_once(page, &values[count]))
		count++;
	if (pid > 0) {
		(void)kill(pid, SIGKILL);
		(void)waitpid(pid, NULL, 0);
	}
	(void)munmap(page, sizeof(*page));
	return count > 0 ? measure_median(values, count) : NAN;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "writer_cost.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "libshm/ring_writer.h"

#include <spanring/spanring.h>

#include <fcntl.h>
#include <ftw.h>
#include <glob.h>
#include <math.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define FOLDER_PREFIX "/dev/shm/spanring-cost-"
#define FOLDER FOLDER_PREFIX "XXXXXX"
#define FOLDER_AGE_S 60 /* no measurement takes that long */
#define FOLDER_DESCRIPTORS 8
#define WARM_UP_ROUNDS (SPANRING_RING_BYTES_DEFAULT / SPANRING_RECORD_BYTES / WRITER_COST_SPANS + 1u)
#define CACHE_LINE_BYTES 64u
#define NORMAL_95 1.96
#define PS_PER_NS 1000u

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *where) {
	(void)status;
	(void)type;
	(void)where;
	(void)remove(path);
	return 0;
}

static void remove_folder(const char *folder) {
	(void)nftw(folder, remove_one, FOLDER_DESCRIPTORS, FTW_DEPTH | FTW_PHYS);
}

/* Of agents that were killed while they measured. The folder is sticky: what is ours only we can have put there. */
static void remove_old_folders(void) {
	glob_t found;
	struct stat status;
	if (glob(FOLDER_PREFIX "*", GLOB_NOSORT, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		if (lstat(found.gl_pathv[i], &status) == 0 && S_ISDIR(status.st_mode) && status.st_uid == geteuid() &&
		    status.st_mtime + FOLDER_AGE_S < (time_t)(clock_wall_ns() / NS_PER_S))
			remove_folder(found.gl_pathv[i]);
	globfree(&found);
}

/* --- in the child ------------------------------------------------------------------------------------------------- */

/* All that was written may be written over. */
static void empty_ring(void) {
	struct spanring_ring_header *header = spanring__self->header;
	(void)spanring_flush(0);
	ring_order_tail_publish(header, header->head);
}

static uint64_t time_spans(void) {
	uint64_t start_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < WRITER_COST_SPANS; i++) {
		SPANRING_BEGIN(span, "span");
		spanring_end(span);
	}
	return (clock_monotonic_ns() - start_ns) * PS_PER_NS / WRITER_COST_SPANS;
}

static uint64_t time_attributes(void) {
	SPANRING_BEGIN(span, "span");
	uint64_t start_ns = clock_monotonic_ns();
	for (int64_t i = 0; i < WRITER_COST_VALUES; i++)
		SPANRING_SET_I64(span, "key", i);
	uint64_t passed_ns = clock_monotonic_ns() - start_ns;
	spanring_end(span);
	return passed_ns * PS_PER_NS / WRITER_COST_VALUES;
}

static uint64_t time_events(void) {
	SPANRING_BEGIN(span, "span");
	uint64_t start_ns = clock_monotonic_ns();
	for (uint32_t i = 0; i < WRITER_COST_VALUES; i++)
		SPANRING_EVENT(span, "event");
	uint64_t passed_ns = clock_monotonic_ns() - start_ns;
	spanring_end(span);
	return passed_ns * PS_PER_NS / WRITER_COST_VALUES;
}

/* What two readings of the clock say when nothing is between them. */
static uint64_t clock_ns(void) {
	uint64_t least_ns = UINT64_MAX;
	for (uint32_t i = 0; i < WRITER_COST_SPANS; i++) {
		uint64_t start_ns = clock_monotonic_ns();
		uint64_t passed_ns = clock_monotonic_ns() - start_ns;
		least_ns = passed_ns < least_ns ? passed_ns : least_ns;
	}
	return least_ns;
}

static uint64_t time_cold(volatile uint8_t *other, uint64_t timing_ns) {
	for (uint32_t i = 0; i < WRITER_COST_COLD_BYTES; i += CACHE_LINE_BYTES)
		other[i]++;
	uint64_t start_ns = clock_monotonic_ns();
	SPANRING_BEGIN(span, "span");
	spanring_end(span);
	uint64_t passed_ns = clock_monotonic_ns() - start_ns;
	return (passed_ns > timing_ns ? passed_ns - timing_ns : 0) * PS_PER_NS;
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* The interval of the median comes from the ranks around it, whatever the distribution. */
static struct store_cost_figure figure_of(uint64_t rounds_ps[WRITER_COST_ROUNDS]) {
	uint32_t half = (uint32_t)ceil(NORMAL_95 * sqrt(WRITER_COST_ROUNDS) / 2);
	uint32_t middle = WRITER_COST_ROUNDS / 2;
	uint32_t edge = WRITER_COST_ROUNDS / 40;
	qsort(rounds_ps, WRITER_COST_ROUNDS, sizeof(*rounds_ps), by_value);
	return (struct store_cost_figure){.median_ps = rounds_ps[middle],
	                                  .low_ps = rounds_ps[middle - half],
	                                  .high_ps = rounds_ps[middle + half],
	                                  .spread_low_ps = rounds_ps[edge],
	                                  .spread_high_ps = rounds_ps[WRITER_COST_ROUNDS - 1 - edge]};
}

static struct store_cost_figure measure_loop(uint64_t (*time)(void)) {
	uint64_t rounds_ps[WRITER_COST_ROUNDS];
	for (uint32_t round = 0; round < WRITER_COST_ROUNDS; round++) {
		empty_ring();
		rounds_ps[round] = time();
	}
	return figure_of(rounds_ps);
}

static bool measure(const char *folder, struct store_writer_cost *ret_cost) {
	uint64_t rounds_ps[WRITER_COST_ROUNDS];
	CLEANUP_FREE uint8_t *other = malloc(WRITER_COST_COLD_BYTES);
	(void)time_spans();
	remove_folder(folder); /* all is mapped: whoever is killed from here on leaves nothing behind */
	if (!other || !ring_writer_has_ring(spanring__self))
		return false;
	memset(other, 1, WRITER_COST_COLD_BYTES);
	for (uint32_t round = 0; round < WARM_UP_ROUNDS; round++) {
		empty_ring();
		(void)time_spans();
	}
	*ret_cost = (struct store_writer_cost){.rounds = WRITER_COST_ROUNDS, .time_wall_ns = clock_wall_ns()};
	ret_cost->figures[STORE_COST_SPAN] = measure_loop(time_spans);
	ret_cost->figures[STORE_COST_ATTRIBUTE] = measure_loop(time_attributes);
	ret_cost->figures[STORE_COST_EVENT] = measure_loop(time_events);
	empty_ring();
	uint64_t timing_ns = clock_ns();
	for (uint32_t round = 0; round < WRITER_COST_ROUNDS; round++)
		rounds_ps[round] = time_cold(other, timing_ns);
	ret_cost->figures[STORE_COST_SPAN_COLD] = figure_of(rounds_ps);
	return true;
}

/* As a program without any setting of its own. */
static _Noreturn void run_child(const char *folder, int out_fd) {
	struct store_writer_cost cost;
	struct rlimit none = {0, 0};
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)setrlimit(RLIMIT_CORE, &none);
	bool is_measured = clearenv() == 0 && setenv("SPANRING_DIR", folder, 1) == 0 && measure(folder, &cost);
	if (is_measured && write(out_fd, &cost, sizeof(cost)) != (ssize_t)sizeof(cost))
		is_measured = false;
	_exit(is_measured ? 0 : 1);
}

/* --- in the agent ------------------------------------------------------------------------------------------------- */

static bool is_sound(const struct store_writer_cost *cost) {
	if (cost->rounds != WRITER_COST_ROUNDS)
		return false;
	for (unsigned i = 0; i < STORE_COST_COUNT; i++) {
		const struct store_cost_figure *figure = &cost->figures[i];
		if (figure->low_ps > figure->median_ps || figure->median_ps > figure->high_ps ||
		    figure->spread_low_ps > figure->spread_high_ps || figure->spread_high_ps > STORE_COST_PS_MAX)
			return false;
	}
	return true;
}

static bool receive(int fd, struct store_writer_cost *ret_cost) {
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	return poll(&wait, 1, WRITER_COST_TIMEOUT_MS) == 1 &&
	       read(fd, ret_cost, sizeof(*ret_cost)) == (ssize_t)sizeof(*ret_cost) && is_sound(ret_cost);
}

void writer_cost_measure(struct store_writer_cost *ret_cost) {
	char folder[] = FOLDER;
	int pipe_fds[2];
	memset(ret_cost, 0, sizeof(*ret_cost));
	remove_old_folders();
	if (!mkdtemp(folder))
		return;
	if (pipe2(pipe_fds, O_CLOEXEC) == 0) {
		CLEANUP_FD int in_fd = pipe_fds[0];
		int out_fd = pipe_fds[1];
		pid_t pid = fork();
		if (pid == 0)
			run_child(folder, out_fd);
		(void)close(out_fd);
		if (pid > 0 && !receive(in_fd, ret_cost))
			memset(ret_cost, 0, sizeof(*ret_cost));
		if (pid > 0) {
			(void)kill(pid, SIGKILL);
			while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
				;
		}
	}
	remove_folder(folder);
}

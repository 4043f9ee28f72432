/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_figures.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/clock.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/resource.h>

#define DESCRIPTORS_MAX (1u << 20) /* that are counted */

const char *const metrics_quarantine_words[METRICS_QUARANTINE_WORDS] = {"damaged", "gone", "newer", "foreign",
                                                                        "unreadable"};

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

static uint64_t count_descriptors(void) {
	CLEANUP(close_directory) DIR *directory = opendir("/proc/self/fd");
	uint64_t count = 0;
	const struct dirent *entry;
	while (directory && count < DESCRIPTORS_MAX && (entry = readdir(directory)))
		count += entry->d_name[0] != '.';
	return count > 0 ? count - 1 : 0; /* without the one that looked */
}

static void take_process(struct metrics_figures *figures) {
	char text[1024];
	CLEANUP_FD int fd = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	struct sampler_stat stat;
	struct rlimit limit;
	text[got > 0 ? got : 0] = '\0';
	if (sampler_parse_stat(text, &stat) == 0) {
		figures->rss_bytes = stat.rss_pages * (uint64_t)sysconf(_SC_PAGESIZE);
		figures->threads = stat.threads;
	}
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		figures->descriptors_max = limit.rlim_cur;
	figures->descriptors = count_descriptors();
	figures->cpu_ns = clock_process_cpu_ns();
	figures->memory_bytes = memory_cap_own_bytes();
}

static void count_quarantine(struct metrics_figures *figures, const struct feed *feed) {
	const char *word = feed_quarantine_word(feed->quarantine);
	for (uint32_t i = 0; i < METRICS_QUARANTINE_WORDS; i++)
		figures->quarantined[i] += strcmp(word, metrics_quarantine_words[i]) == 0;
}

static void take_programs(struct agent *agent, struct metrics_figures *figures) {
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		struct producer *producer = agent->roster.producers[i];
		struct tally tally = {0};
		tally_look(producer);
		tally_add_producer(producer, &tally);
		tally_add(&tally, &figures->now);
		figures->service_programs[producer->service_row]++;
		figures->service_open[producer->service_row] += tally.open;
	}
	for (uint32_t i = 0; i < agent->roster.feed_count; i++) {
		const struct feed *feed = agent->roster.feeds[i];
		figures->ring_bytes += (uint64_t)feed->reader.capacity * SPANRING_RECORD_BYTES;
		count_quarantine(figures, feed);
	}
	totals_sum(&agent->roster.totals, &agent->roster, figures->services);
	for (uint32_t row = 0; row <= TOTALS_SERVICES_MAX; row++)
		tally_add(&figures->services[row], &figures->counted);
	figures->programs = agent->roster.producer_count;
	figures->ended = figures->counted.begun - figures->counted.open;
	figures->waiting_bytes = figures->now.waiting * SPANRING_RECORD_BYTES;
}

void metrics_figures_take(struct agent *agent, struct metrics_figures *ret_figures) {
	struct metrics_figures *figures = ret_figures;
	memset(figures, 0, sizeof(*figures));
	figures->agent = agent;
	figures->now_ns = clock_monotonic_ns();
	take_programs(agent, figures);
	take_process(figures);
	figures->lag_ns = pace_agent_lag_ns(agent, figures->now_ns);
	figures->store_trouble_ns = store_state_trouble_ns(&agent->store, figures->now_ns, agent->flush);
	figures->memory_over = agent->memory.over;
	figures->retention_failing = agent->retention.error != 0;
	figures->start_wall_ns = clock_wall_ns() - (figures->now_ns - agent->figures.started_ns);
	if (agent->figures.spans > 0)
		figures->bytes_per_span = (double)agent->figures.column_bytes / (double)agent->figures.spans;
}

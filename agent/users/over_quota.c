/* SPDX-License-Identifier: Apache-2.0 */
#include "over_quota.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>

/* Names looked at: those of all rings a program can have, and of what stands beside them. */
#define NAMES_MAX (4u * SPANRING_RINGS_MAX)

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

static bool is_taken(const struct producer *producer, uint32_t index) {
	for (uint32_t i = 0; i < producer->feed_count; i++)
		if (producer->feeds[i]->books.ring_index == index)
			return true;
	return (producer->refused[index / 8] & (1u << (index % 8))) != 0;
}

/* Opened for a moment: what its program counted is all that there will ever be. */
static int close_ring(struct producer *producer, const struct roster *roster, const char *name, uint32_t index,
                      struct flush_job *job) {
	struct feed *feed;
	struct store_cursor row;
	if (feed_open(producer, name, index, roster_resume(roster, producer->instance, index), &feed) < 0)
		return 0;
	(void)feed_look(feed);
	feed_quarantine(feed, -EDQUOT);
	feed_cursor(feed, true, &row);
	feed_free(feed);
	int rc = flush_job_add_cursor(job, &row, NULL);
	if (rc == 0)
		producer->user->rings_lost++;
	return rc;
}

int over_quota_close(struct producer *producer, const struct roster *roster, struct flush_job *job) {
	if (roster->users.quota.rings == 0 && roster->users.quota.bytes == 0)
		return 0;
	int fd = openat(producer->directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	CLEANUP(close_directory) DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *entry;
	int rc = 0;
	for (uint32_t i = 0; directory && rc == 0 && i < NAMES_MAX && (entry = readdir(directory)); i++) {
		uint32_t index;
		if (ring_reader_index(entry->d_name, &index) && !is_taken(producer, index))
			rc = close_ring(producer, roster, entry->d_name, index, job);
	}
	if (!directory && fd >= 0)
		(void)close(fd);
	return rc;
}

uint32_t over_quota_reason(const struct producer *producer, const struct store_cursor *row) {
	bool held_back = producer->user && producer->user->held_back > 0 && row->dropped_full > 0;
	return row->reason == 0 && held_back ? EDQUOT : row->reason;
}

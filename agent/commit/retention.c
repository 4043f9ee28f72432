/* SPDX-License-Identifier: Apache-2.0 */
#include "retention.h"

#include "base/checked.h"
#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#define FREE_SHARE 10 /* of the file system, at most */

bool retention_wanted(const struct retention_limits *limits) {
	return limits->bytes > 0 || limits->age_ns > 0 || limits->free_bytes > 0;
}

static uint64_t free_wanted(const struct retention_limits *limits, const struct retention_place *place) {
	uint64_t share = place->size_bytes / FREE_SHARE;
	return limits->free_bytes < share ? limits->free_bytes : share;
}

static bool is_old(const struct retention_limits *limits, const struct retention_place *place,
                   const struct store_evict_segment *segment) {
	return limits->age_ns > 0 && saturating_add(segment->written_wall_ns, limits->age_ns) < place->wall_ns;
}

size_t retention_choose(const struct retention_limits *limits, const struct retention_place *place,
                        struct store_evict_segment *segments, size_t count, size_t sealed) {
	uint64_t bytes = 0;
	uint64_t free_bytes = place->free_bytes;
	size_t victims = 0;
	for (size_t i = 0; i < count; i++)
		bytes = saturating_add(bytes, segments[i].bytes);
	for (; victims < sealed && victims < count; victims++) {
		struct store_evict_segment *segment = &segments[victims];
		if (is_old(limits, place, segment))
			segment->reason = STORE_EVICT_AGE;
		else if (limits->bytes > 0 && bytes > limits->bytes)
			segment->reason = STORE_EVICT_BYTES;
		else if (free_bytes < free_wanted(limits, place))
			segment->reason = STORE_EVICT_FREE;
		else
			break;
		bytes = bytes > segment->bytes ? bytes - segment->bytes : 0;
		free_bytes = saturating_add(free_bytes, segment->bytes);
	}
	return victims;
}

static int look(const char *directory, struct retention_place *ret_place) {
	struct statvfs status;
	if (statvfs(directory, &status) < 0)
		return -errno;
	ret_place->wall_ns = clock_wall_ns();
	ret_place->free_bytes = (uint64_t)status.f_bavail * status.f_frsize;
	ret_place->size_bytes = (uint64_t)status.f_blocks * status.f_frsize;
	return 0;
}

uint64_t retention_free_bytes(const struct retention_limits *limits, const char *directory) {
	struct retention_place place = {.free_bytes = 0};
	return look(directory, &place) < 0 ? 0 : free_wanted(limits, &place);
}

static size_t count_closed(const struct store_writer *writer, const struct store_evict_segment *segments,
                           size_t count) {
	uint64_t open = store_writer_open_sequence(writer);
	size_t closed = 0;
	while (closed < count && (open == 0 || segments[closed].sequence < open))
		closed++;
	return closed;
}

static int evict(const struct retention_limits *limits, const struct retention_place *place,
                 struct store_writer *writer, const struct catalog *catalog, struct store_evict_segment *segments,
                 size_t count, struct retention_result *result) {
	size_t victims = retention_choose(limits, place, segments, count, count_closed(writer, segments, count));
	result->more = victims > RETENTION_VICTIMS_MAX;
	if (result->more)
		victims = RETENTION_VICTIMS_MAX;
	if (victims == 0)
		return 0;
	int rc = store_writer_evict(writer, catalog, segments, count, victims, &result->evicted);
	if (rc != 0)
		(void)snprintf(result->text, sizeof(result->text), "%s", store_writer_error(writer));
	return rc;
}

void retention_run(const struct retention_limits *limits, const char *directory, struct store_writer *writer,
                   const struct catalog *catalog, struct retention_result *ret_result) {
	struct retention_result result = {.ran = true};
	struct retention_place place = {.free_bytes = 0};
	struct store_evict_segment *segments = NULL;
	size_t count = 0;
	int rc = look(directory, &place);
	if (rc == 0)
		rc = store_evict_list(directory, &segments, &count);
	if (rc < 0)
		(void)snprintf(result.text, sizeof(result.text), "store %.300s: %s", directory, strerror(-rc));
	for (size_t i = 0; i < count; i++)
		result.store_bytes = saturating_add(result.store_bytes, segments[i].bytes);
	result.store_segments = count;
	result.free_bytes = place.free_bytes;
	if (rc == 0)
		rc = evict(limits, &place, writer, catalog, segments, count, &result);
	result.store_bytes -= result.evicted.bytes < result.store_bytes ? result.evicted.bytes : result.store_bytes;
	result.store_segments -= result.evicted.segments;
	result.error = rc;
	result.more = result.more && rc == 0 && result.evicted.segments > 0;
	store_evict_list_free(segments, count);
	*ret_result = result;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "bursts.h"

#include "base/cleanup.h"

#include <errno.h>
#include <spanring/spanring.h>

static uint64_t lost(const struct spanring_counters *counters) {
	return counters->dropped_attributes + counters->dropped_events + counters->dropped_links +
	       counters->dropped_depth + counters->dropped_contexts + counters->attributes_over_limit +
	       counters->events_over_limit + counters->links_over_limit + counters->misuse;
}

static void fill_result(const struct spanring_counters *before, const struct spanring_counters *after,
                        struct bursts_result *result) {
	result->ended = after->ended - before->ended;
	result->sampled_out = after->sampled_out - before->sampled_out;
	result->dropped = after->dropped_full + after->dropped_no_ring - before->dropped_full - before->dropped_no_ring;
	result->lost = lost(after) - lost(before);
}

int bursts_run(const struct bursts *bursts, struct bursts_result *ret_result) {
	CLEANUP_FREE struct chunks *chunks = calloc(1, sizeof(*chunks));
	struct spanring_counters before, after;
	int rc = 0;
	if (!chunks)
		return -ENOMEM;
	(void)bursts->loop(bursts->warm_up_rounds > 0 ? bursts->warm_up_rounds : bursts->rounds);
	spanring_counters_read(&before);
	for (uint32_t i = 0; i < bursts->count && rc == 0; i++) {
		if (!bursts->is_off)
			rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
		chunks_run(chunks, bursts->loop, bursts->rounds);
	}
	spanring_counters_read(&after);
	if (!bursts->is_off && rc == 0)
		rc = spanring_flush(BURSTS_FLUSH_PATIENCE_NS);
	*ret_result = (struct bursts_result){.median_ns = chunks_median_ns(chunks),
	                                     .mean_ns = chunks_mean_ns(chunks),
	                                     .rounds = bursts->rounds * bursts->count};
	fill_result(&before, &after, ret_result);
	return rc;
}

int bursts_run_whole(const struct bursts *bursts, struct bursts_result *ret_result) {
	int rc = bursts_run(bursts, ret_result);
	return rc == 0 && ret_result->dropped + ret_result->lost > 0 ? -EOVERFLOW : rc;
}

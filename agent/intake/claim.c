/* SPDX-License-Identifier: Apache-2.0 */
#include "claim.h"

#include "agent/footprint/sampler.h"
#include "producer.h"

uint32_t claim_find(const struct process_reader_identity *identity, uid_t owner, uint64_t our_namespace) {
	const struct sampler_target target = {.pid = identity->pid, .start_time = identity->start_time, .uid = owner};
	bool same_namespace = our_namespace != 0 && identity->pid_namespace == our_namespace;
	uint32_t claim = 0;
	if ((identity->flags & SPANRING_PROCESS_HAS_UID) && identity->uid != (uint32_t)owner)
		claim |= STORE_CLAIM_UID;
	if (same_namespace && owner != 0 && sampler_is_of_another(&target))
		claim |= STORE_CLAIM_PID;
	return claim;
}

void claim_check_living(struct producer *producer) {
	if (producer->claim_checked || !producer->same_namespace)
		return;
	producer->claim_checked = true;
	/* In this order: a process on its way out lets go of its rings before it is gone. */
	if (sampler_life(&producer->target) != SAMPLER_DEAD)
		return;
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		struct feed *feed = producer->feeds[i];
		if (feed_look(feed) == 0 && ring_reader_life(&feed->look) == RING_READER_LIVE)
			producer->claim |= STORE_CLAIM_PID;
	}
}

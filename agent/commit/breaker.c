/* SPDX-License-Identifier: Apache-2.0 */
#include "breaker.h"

void breaker_init(struct breaker *breaker, uint32_t failures_max, uint64_t pause_ns) {
	*breaker = (struct breaker){.failures_max = failures_max, .pause_ns = pause_ns};
}

void breaker_configure(struct breaker *breaker, uint32_t failures_max, uint64_t pause_ns, uint64_t now_ns) {
	breaker->failures_max = failures_max;
	breaker->pause_ns = pause_ns;
	if (breaker->commit_at_ns > now_ns + pause_ns)
		breaker->commit_at_ns = now_ns + pause_ns;
}

enum breaker_try breaker_due(const struct breaker *breaker, uint64_t now_ns) {
	if (breaker->state == BREAKER_OPEN && now_ns >= breaker->commit_at_ns)
		return BREAKER_COMMIT;
	if (breaker->state == BREAKER_OK || now_ns < breaker->try_at_ns)
		return BREAKER_WAIT;
	return breaker->state == BREAKER_OPEN ? BREAKER_PROBE : BREAKER_COMMIT;
}

uint64_t breaker_at_ns(const struct breaker *breaker) {
	switch (breaker->state) {
	case BREAKER_FAILING:
		return breaker->try_at_ns;
	case BREAKER_OPEN:
		return breaker->try_at_ns < breaker->commit_at_ns ? breaker->try_at_ns : breaker->commit_at_ns;
	default:
		return UINT64_MAX;
	}
}

/* Double the pause, up to its limit. */
static void fail_closed(struct breaker *breaker, uint64_t now_ns) {
	uint64_t retry_ns = breaker->retry_ns ? breaker->retry_ns * 2 : BREAKER_RETRY_NS_MIN;
	breaker->state = BREAKER_FAILING;
	breaker->retry_ns = retry_ns < BREAKER_RETRY_NS_MAX ? retry_ns : BREAKER_RETRY_NS_MAX;
	breaker->try_at_ns = now_ns + breaker->retry_ns;
}

bool breaker_failed(struct breaker *breaker, uint64_t now_ns, bool is_probe) {
	enum breaker_state before = breaker->state;
	if (is_probe) {
		breaker->try_at_ns = now_ns + BREAKER_PROBE_NS;
		return false;
	}
	if (breaker->failures == 0)
		breaker->failing_ns = now_ns;
	if (breaker->failures < UINT32_MAX)
		breaker->failures++;
	if (breaker->failures < breaker->failures_max) {
		fail_closed(breaker, now_ns);
	} else {
		breaker->state = BREAKER_OPEN;
		breaker->try_at_ns = now_ns + (before == BREAKER_OPEN ? BREAKER_REST_NS : BREAKER_PROBE_NS);
		breaker->commit_at_ns = now_ns + breaker->pause_ns;
	}
	return breaker->state != before;
}

bool breaker_worked(struct breaker *breaker) {
	bool changed = breaker->state != BREAKER_OK;
	breaker_init(breaker, breaker->failures_max, breaker->pause_ns);
	return changed;
}

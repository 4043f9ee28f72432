/* SPDX-License-Identifier: Apache-2.0 */
/* What the words of `spanring-agent ctl` ask for; checked here and nowhere else. */
#ifndef SPANRING_AGENT_CTL_WORDS_H
#define SPANRING_AGENT_CTL_WORDS_H

#include "base/log.h"
#include "libshm/sampling.h"

#include <stdbool.h>
#include <stdint.h>

#define CTL_CHANGES_MAX 16u

enum ctl_action {
	CTL_ENABLE,
	CTL_DISABLE,
	CTL_RATIO, /* the threshold; parent-based or not stays as it is */
	CTL_SAMPLER,
	CTL_STATISTICS_ON,
	CTL_STATISTICS_OFF,
	CTL_DURATION_MIN,
	CTL_SITE_ENABLE,
	CTL_SITE_DISABLE,
	CTL_SITE_DURATION_MIN
};

struct ctl_change {
	enum ctl_action action;
	const char *name;     /* of a sampler; or the pattern that names sites */
	const char *argument; /* of a sampler, or NULL */
	uint64_t value;       /* threshold or nanoseconds */
	char *const *words;   /* as given, for saying what was done */
	uint32_t word_count;
};

/* All texts are the command line's. */
struct ctl_request {
	const char *target; /* a pid, the first digits of an instance, or "all" */
	bool show;
	bool gently; /* not for people: do not wait for anybody, and change nothing that was changed or chosen before */
	uint32_t count;
	struct ctl_change changes[CTL_CHANGES_MAX];
};

static inline bool ctl_is_of_sites(const struct ctl_change *change) {
	return change->action >= CTL_SITE_ENABLE;
}

/* 0, or -EINVAL after one line was logged. */
int ctl_words_parse(char *const *words, uint32_t count, const struct log *log, struct ctl_request *ret_request);

#endif

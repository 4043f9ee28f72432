/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be spent on samples. An account that earns one part in `share` of the time that passes, up to `most_ns`, and pays what
 * a reading took of the processor. Who is in debt waits. A reading is paid for when it is over, so one that took long puts
 * the account as far below zero as it cost: over any time the whole is one part in `share`, and most_ns.
 */
#ifndef SPANRING_AGENT_SAMPLER_BUDGET_H
#define SPANRING_AGENT_SAMPLER_BUDGET_H

#include <stdbool.h>
#include <stdint.h>

struct sampler_budget {
	uint64_t share;
	int64_t most_ns;
	int64_t credit_ns;
	uint64_t at_ns; /* earned up to then */
};

/* Begins with all that it may have. */
void sampler_budget_init(struct sampler_budget *budget, uint64_t share, uint64_t most_ns, uint64_t now_ns);

/* Is there more than -debt_ns? */
bool sampler_budget_has(struct sampler_budget *budget, uint64_t debt_ns, uint64_t now_ns);

void sampler_budget_pay(struct sampler_budget *budget, uint64_t cost_ns);

/* When it is out of debt if nothing is paid; always later than now_ns. */
uint64_t sampler_budget_ready_ns(const struct sampler_budget *budget, uint64_t now_ns);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "sampler_budget.h"

#define COST_NS_MAX UINT64_C(60000000000) /* no reading took longer, whatever a clock says */

void sampler_budget_init(struct sampler_budget *budget, uint64_t share, uint64_t most_ns, uint64_t now_ns) {
	*budget = (struct sampler_budget){
	    .share = share, .most_ns = (int64_t)most_ns, .credit_ns = (int64_t)most_ns, .at_ns = now_ns};
}

static void earn(struct sampler_budget *budget, uint64_t now_ns) {
	if (now_ns <= budget->at_ns)
		return;
	uint64_t earned_ns = (now_ns - budget->at_ns) / budget->share;
	uint64_t room_ns = (uint64_t)(budget->most_ns - budget->credit_ns);
	budget->at_ns += earned_ns * budget->share;
	budget->credit_ns += (int64_t)(earned_ns < room_ns ? earned_ns : room_ns);
}

bool sampler_budget_has(struct sampler_budget *budget, uint64_t debt_ns, uint64_t now_ns) {
	earn(budget, now_ns);
	return budget->credit_ns > -(int64_t)debt_ns;
}

void sampler_budget_pay(struct sampler_budget *budget, uint64_t cost_ns) {
	budget->credit_ns -= (int64_t)(cost_ns < COST_NS_MAX ? cost_ns : COST_NS_MAX);
	if (budget->credit_ns < -(int64_t)COST_NS_MAX)
		budget->credit_ns = -(int64_t)COST_NS_MAX;
}

uint64_t sampler_budget_ready_ns(const struct sampler_budget *budget, uint64_t now_ns) {
	uint64_t missing_ns = budget->credit_ns > 0 ? 0 : (uint64_t)-budget->credit_ns;
	uint64_t ready_ns = budget->at_ns + (missing_ns + 1) * budget->share;
	return ready_ns > now_ns ? ready_ns : now_ns + budget->share;
}

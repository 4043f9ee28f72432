/* SPDX-License-Identifier: Apache-2.0 */
#include "load_plan.h"

#include "base/units.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WORK_NS UINT64_C(100000)
#define WORK_NS_MAX UINT64_C(10000000000)
#define WEIGHT_MAX 1000000u
#define ITEM_BYTES 96u

static int take_item(char *item, struct load_plan *plan) {
	const char *name = strsep(&item, ":");
	const char *weight = strsep(&item, ":");
	const char *work = strsep(&item, ":");
	if (!*name || strlen(name) >= LOAD_NAME_BYTES || item || plan->mix_count == LOAD_MIX_MAX)
		return -EINVAL;
	struct load_request *request = &plan->mix[plan->mix_count++];
	*request = (struct load_request){.weight = 1, .work_ns = WORK_NS};
	(void)snprintf(request->name, sizeof(request->name), "%s", name);
	if (weight) {
		char *end;
		unsigned long number = strtoul(weight, &end, 10);
		if (*end != 0 || *weight < '0' || *weight > '9' || number < 1 || number > WEIGHT_MAX)
			return -EINVAL;
		request->weight = number;
	}
	if (work && (units_parse_duration(work, &request->work_ns) < 0 || request->work_ns > WORK_NS_MAX))
		return -EINVAL;
	plan->weight += request->weight;
	return 0;
}

int load_plan_mix(const char *text, struct load_plan *plan) {
	plan->mix_count = 0;
	plan->weight = 0;
	if (!*text)
		return -EINVAL;
	while (*text) {
		char item[ITEM_BYTES];
		size_t bytes = strcspn(text, ",");
		if (bytes == 0 || bytes >= sizeof(item))
			return -EINVAL;
		memcpy(item, text, bytes);
		item[bytes] = 0;
		int rc = take_item(item, plan);
		if (rc < 0)
			return rc;
		text += bytes;
		if (*text == ',' && !*++text)
			return -EINVAL;
	}
	for (uint32_t i = 0; i < plan->mix_count; i++)
		plan->mix[i].site = (struct spanring_site)SPANRING_SITE_INIT(plan->mix[i].name, SPANRING_KIND_SERVER);
	return 0;
}

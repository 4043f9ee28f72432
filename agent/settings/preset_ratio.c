/* SPDX-License-Identifier: Apache-2.0 */
#include "preset_ratio.h"

#include "agent/commands/ctl_file.h"
#include "base/errs.h"

#include <string.h>

#define REFUSALS_SAID 8u

static void settle(const struct ctl_request *request, struct producer *producer, const struct log *log,
                   struct preset_ratio_figures *figures) {
	struct ctl_outcome outcome;
	int rc = ctl_file_change(producer->directory_fd, &producer->reader, request, &outcome);
	/* Somebody changes it just now, or our own lease is not given back yet. */
	if (rc == ERR_HELD || rc == -EAGAIN)
		return;
	producer->ratio_settled = true;
	if (rc == 0) {
		figures->given += !outcome.left_alone;
		return;
	}
	if (figures->refused++ < REFUSALS_SAID)
		log_event(log, LOG_LEVEL_WARNING, "ratio_refused",
		          LOG_FIELDS(LOG_NUMBER("program_pid", producer->identity->pid),
		                     LOG_TEXT("instance", producer->name)),
		          "pid %u (%s): its share of traces cannot be set (%s); it keeps its own",
		          producer->identity->pid, producer->name, strerror(-rc));
}

void preset_ratio_apply(const char *ratio, struct roster *roster, const struct log *log,
                        struct preset_ratio_figures *figures) {
	struct ctl_request request = {.gently = true, .count = 1};
	request.changes[0] =
	    (struct ctl_change){.action = CTL_SAMPLER, .name = PRESET_RATIO_SAMPLER, .argument = ratio};
	for (uint32_t i = 0; i < roster->producer_count; i++) {
		struct producer *producer = roster->producers[i];
		if (producer->phase == PRODUCER_LIVE && !producer->ratio_settled)
			settle(&request, producer, log, figures);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "attach_words.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <inttypes.h>

#define CHANGES_MAX 3u

static bool same(const struct ctl_state *a, const struct ctl_state *b) {
	return (a->enabled != 0) == (b->enabled != 0) && a->sampling.sampler == b->sampling.sampler &&
	       a->sampling.threshold == b->sampling.threshold && a->sampling.flags == b->sampling.flags &&
	       a->sampling.duration_min_ns == b->sampling.duration_min_ns;
}

static void add(struct ctl_request *request, struct ctl_change change) {
	request->changes[request->count++] = change;
}

/* One change for the program; what it is after it. */
static int change(const struct ps_row *row, const struct ctl_request *request, struct ctl_state *ret_before,
                  struct ctl_state *ret_after) {
	CLEANUP(ps_instance_close) struct ps_instance instance;
	struct ctl_outcome outcome;
	int rc = ps_instance_open(row->rings_fd, row->instance, &instance);
	if (rc == 0)
		rc = ctl_file_state(&instance.reader, ret_before);
	if (rc == 0 && request)
		rc = ctl_file_change(instance.directory_fd, &instance.reader, request, &outcome);
	if (rc == 0 && ret_after)
		rc = ctl_file_state(&instance.reader, ret_after);
	return rc;
}

int attach_words_set(const struct ps_row *row, const char *ratio, struct attach_words *ret_words) {
	struct ctl_request request = {.count = 0};
	add(&request, (struct ctl_change){
	                  .action = CTL_SAMPLER, .name = ratio ? "traceidratio" : "always_on", .argument = ratio});
	add(&request, (struct ctl_change){.action = CTL_DURATION_MIN, .value = 0});
	add(&request, (struct ctl_change){.action = CTL_ENABLE});
	*ret_words = (struct attach_words){.row = row};
	int rc = change(row, &request, &ret_words->before, &ret_words->set);
	ret_words->changed = rc == 0;
	return rc;
}

static void as_before(const struct ctl_state *before, struct ctl_request *ret_request) {
	const char *name = spanring__sampling_name(&before->sampling);
	*ret_request = (struct ctl_request){.count = 0};
	add(ret_request, (struct ctl_change){.action = CTL_SAMPLER, .name = name});
	if (spanring__sampling_has_ratio(name))
		add(ret_request, (struct ctl_change){.action = CTL_RATIO, .value = before->sampling.threshold});
	add(ret_request, (struct ctl_change){.action = CTL_DURATION_MIN, .value = before->sampling.duration_min_ns});
	add(ret_request, (struct ctl_change){.action = before->enabled ? CTL_ENABLE : CTL_DISABLE});
}

void attach_words_restore(struct attach_words *words, const struct log *log) {
	struct ctl_request request;
	struct ctl_state now;
	struct ctl_state after;
	if (!words->changed)
		return;
	words->changed = false;
	int rc = change(words->row, NULL, &now, NULL);
	if (rc == 0 && !same(&now, &words->set)) {
		log_warning(log, "pid %" PRIu32 ": somebody changed what it records meanwhile; left as it is now",
		            words->row->pid);
		return;
	}
	as_before(&words->before, &request);
	if (rc == 0)
		rc = change(words->row, &request, &now, &after);
	/* A program that ended has no words to restore. */
	if (rc < 0 && rc != -ENOENT && rc != ERR_GONE)
		log_warning(log, "pid %" PRIu32 ": what it records cannot be set back (%s); see spanring-agent ctl",
		            words->row->pid, ps_refusal_text(rc));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl_target.h"

#include "base/errs.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static bool is_named(const struct ps_row *row, const char *target) {
	size_t digits = strlen(target);
	char pid[16];
	if (strcmp(target, "all") == 0)
		return true;
	if (digits >= 8)
		return strncmp(row->instance, target, digits) == 0;
	(void)snprintf(pid, sizeof(pid), "%" PRIu32, row->pid);
	return strcmp(pid, target) == 0;
}

int ctl_target_choose(const struct ps_list *list, const char *target, const char *rings, const struct log *log,
                      bool *chosen) {
	const struct ps_row *first = NULL;
	const struct ps_row *ended = NULL;
	for (uint32_t i = 0; i < list->count; i++) {
		const struct ps_row *row = &list->rows[i];
		if (!is_named(row, target))
			continue;
		chosen[i] = ps_is_living(row);
		if (!chosen[i]) {
			ended = row;
			continue;
		}
		/* One process may hold two instances: two copies of the library. */
		if (first && strcmp(target, "all") != 0 &&
		    (first->pid != row->pid || first->start_time != row->start_time ||
		     first->pid_namespace != row->pid_namespace)) {
			log_error(log, "%s: names two processes here; give more of the instance: %s or %s", target,
			          first->instance, row->instance);
			return EXIT_CODE_USAGE;
		}
		first = row;
	}
	if (first)
		return 0;
	if (strcmp(target, "all") == 0)
		log_error(log, "no traced process runs at %s; name another ring directory with --rings DIR", rings);
	else if (ended)
		log_error(log, "%s: this process has ended; only its rings are left, for an agent to collect", target);
	else
		log_error(log,
		          "%s: no such traced process at %s; see spanring-agent ps, or name another with --rings DIR",
		          target, rings);
	return EXIT_CODE_INPUT;
}

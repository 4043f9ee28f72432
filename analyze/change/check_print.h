/* SPDX-License-Identifier: Apache-2.0 */
/* What a check found: as a table, as JSON, and to somebody else. */
#ifndef SPANRING_ANALYZE_CHECK_PRINT_H
#define SPANRING_ANALYZE_CHECK_PRINT_H

#include "analyze/command.h"
#include "check.h"
#include "targets.h"

struct check_answer {
	const struct context *context;
	const struct baseline *run;
	bool has_baseline; /* was asked for */
	struct baseline baseline;
	struct check check;
	bool has_targets;
	struct targets targets;
	struct target_result *results;
	size_t result_count;
};

void check_answer_done(struct check_answer *answer);
/* As the options want it. 0 or -ENOMEM. */
int check_print(const struct check_answer *answer, int exit_code);
/* Either may be NULL. What fails is a warning. */
void check_alert(const struct check_answer *answer, const char *url, const char *command);

#endif

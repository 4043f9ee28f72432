/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A measurement is a process of its own, bound to the core of the loop, with an environment that holds nothing of ours
 * but what the measurement asks for. What it finds comes back as a row of numbers; one that could not be measured is
 * NaN.
 */
#ifndef SPANRING_BENCH_WORKER_H
#define SPANRING_BENCH_WORKER_H

#include "stage.h"

#define WORKER_VALUES_MAX 16u

/* On top of the ring directory of the stage; a list ends with a name that is NULL. A value that is NULL: not set. */
struct worker_setting {
	const char *name;
	const char *value;
};

/* In the process of its own. 0 or negative errno. ret_values is all NaN before. */
typedef int worker_body(const struct stage *stage, const void *task, double ret_values[WORKER_VALUES_MAX]);

/* Run body in a forked process. settings may be NULL. 0, what body said, or -ECHILD if it died. */
int worker_run(const struct stage *stage, const struct worker_setting *settings, worker_body *body, const void *task,
               double ret_values[WORKER_VALUES_MAX]);

/*
 * The same in this program started anew, with a command of its own: for what happens when a program starts. The command
 * ends with worker_answer. ret_system_calls: those between its first two calls of syscall_count_mark, NaN if they could
 * not be counted; NULL: do not count.
 */
int worker_exec(const struct stage *stage, const struct worker_setting *settings, const char *command,
                double ret_values[WORKER_VALUES_MAX], double *ret_system_calls);

/* In a child, before its work: bound to the core of the loop, and nothing of ours in the environment but the settings. */
void worker_prepare(const struct stage *stage, const struct worker_setting *settings);

/* Hand the values over and end. */
_Noreturn void worker_answer(int rc, const double values[WORKER_VALUES_MAX]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The users of a load run: threads that make requests by the plan, each a span with an attribute and a child. */
#ifndef SPANRING_BENCH_LOAD_USERS_H
#define SPANRING_BENCH_LOAD_USERS_H

#include "load_plan.h"

/* In the traced process: all users, until the last one is done. plan and figures are shared. 0 or negative errno. */
int load_users_run(struct load_plan *plan, struct load_figures *figures);

#endif

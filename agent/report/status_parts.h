/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of a status document, each with keys of an object that is open. */
#ifndef SPANRING_AGENT_STATUS_PARTS_H
#define SPANRING_AGENT_STATUS_PARTS_H

#include "base/json.h"

#include <stdbool.h>

struct agent;

/* Words of enum agent_handover. */
extern const char *const status_handover_names[];

void status_agent_write(const struct agent *agent, struct json *json);

/* Programs, their rings, and the total; the list is of the busiest where there are too many. */
void status_list_write(struct agent *agent, bool with_rings, struct json *json);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* histogram --heatmap: durations over time. */
#ifndef SPANRING_ANALYZE_HEAT_H
#define SPANRING_ANALYZE_HEAT_H

#include "analyze/query.h"

/* The whole answer to an open query: an exit code. */
int heat_answer(struct query *query);

#endif

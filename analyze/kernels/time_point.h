/* SPDX-License-Identifier: Apache-2.0 */
/* Points of time as people write them: RFC 3339 ("2026-11-20T18:43:30.5Z", "2026-11-20 19:43:30+01:00", "2026-11-20") or ago ("10m"). */
#ifndef SPANRING_ANALYZE_TIME_POINT_H
#define SPANRING_ANALYZE_TIME_POINT_H

#include <stdint.h>

/* Nanoseconds since 1970 UTC; now_wall_ns is what "ago" counts from. A time without a zone is UTC. 0 or -EINVAL. */
int time_point_parse(const char *text, uint64_t now_wall_ns, uint64_t *ret_wall_ns);

#endif

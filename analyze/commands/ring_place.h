/* SPDX-License-Identifier: Apache-2.0 */
/* The ring directory when none was named: where programs of this user would put their rings. */
#ifndef SPANRING_ANALYZE_RING_PLACE_H
#define SPANRING_ANALYZE_RING_PLACE_H

#include <limits.h>
#include <stdbool.h>

/* `named` (may be NULL), else SPANRING_DIR, else that of an agent for all users, else the user's own. True: somebody named it. */
bool ring_place_find(const char *named, char ret_path[PATH_MAX]);

#endif

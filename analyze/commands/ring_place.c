/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_place.h"

#include "libshm/system_directory.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

bool ring_place_find(const char *named, char ret_path[PATH_MAX]) {
	gid_t group;
	if (!named)
		named = getenv("SPANRING_DIR");
	if (named && *named) {
		(void)snprintf(ret_path, PATH_MAX, "%s", named);
		return true;
	}
	bool of_system = spanring__system_directory_look(SYSTEM_DIRECTORY_PATH, &group) == 0;
	(void)snprintf(ret_path, PATH_MAX, "%s%u", of_system ? SYSTEM_DIRECTORY_PATH "/" : "/dev/shm/spanring-",
	               (unsigned)geteuid());
	return false;
}

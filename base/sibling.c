/* SPDX-License-Identifier: Apache-2.0 */
#include "sibling.h"

#include "errs.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Where CMake installs them; see base/CMakeLists.txt. */
#ifndef SPANRING_LIBRARIES_FROM_PROGRAMS
#define SPANRING_LIBRARIES_FROM_PROGRAMS "../lib"
#endif

static int look(const char *folder, const char *place, const char *name, char ret_path[PATH_MAX]) {
	int bytes = snprintf(ret_path, PATH_MAX, "%s/%s/%s", folder, place, name);
	if (bytes < 0 || bytes >= PATH_MAX)
		return -ENAMETOOLONG;
	return access(ret_path, R_OK) == 0 ? 0 : -errno;
}

/* The folder of the running program. 0 or negative errno. */
static int find_folder(char ret_folder[PATH_MAX]) {
	ssize_t length = readlink("/proc/self/exe", ret_folder, PATH_MAX - 1);
	if (length < 0)
		return -errno;
	ret_folder[length] = 0;
	char *slash = strrchr(ret_folder, '/');
	if (!slash)
		return -ENOENT;
	*slash = 0;
	return 0;
}

int sibling_library(const char *name, char ret_path[PATH_MAX]) {
	static const char *const places[] = {SPANRING_LIBRARIES_FROM_PROGRAMS, "../lib", "."};
	char folder[PATH_MAX];
	int found = find_folder(folder);
	if (found < 0)
		return found;
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int rc = look(folder, places[i], name, ret_path);
		if (rc != -ENOENT)
			return rc;
	}
	return look(folder, places[0], name, ret_path);
}

void sibling_program(const char *name, char ret_path[PATH_MAX]) {
	char folder[PATH_MAX];
	if (find_folder(folder) == 0 && look(folder, ".", name, ret_path) == 0 && access(ret_path, X_OK) == 0)
		return;
	(void)snprintf(ret_path, PATH_MAX, "%s", name);
}

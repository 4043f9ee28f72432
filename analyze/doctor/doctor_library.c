/* SPDX-License-Identifier: Apache-2.0 */
/* The writer library that belongs to these programs, and the one that the loader would give to a program. */
#include "doctor.h"

#include "base/sibling.h"

#include <spanring/version.h>

#include <dlfcn.h>
#include <string.h>

#define AREA "library"
#define LIBRARY "libspanring.so." SIBLING_QUOTE(SPANRING_VERSION_MAJOR)

typedef const char *version_function(void);

/* Loading runs nothing: the library attaches at a program's first span. */
static void say_version(struct doctor *doctor, const char *check, const char *path) {
	void *library = dlopen(path, RTLD_LAZY | RTLD_LOCAL);
	void *symbol = library ? dlsym(library, "spanring_version") : NULL;
	version_function *version = NULL;
	memcpy(&version, &symbol, sizeof(version));
	if (!version)
		doctor_say(doctor, FINDING_WARNING, AREA, check, "install libspanring again", "%.200s cannot be loaded",
		           path);
	else if (strcmp(version(), SPANRING_VERSION_STRING) == 0)
		doctor_say(doctor, FINDING_OK, AREA, check, "", "%.200s, %s", path, version());
	else
		doctor_say(
		    doctor, FINDING_NOTE, AREA, check,
		    "update the older of the two; an agent refuses rings of a newer ABI, and says so in its status",
		    "%.200s is version %s, these programs are " SPANRING_VERSION_STRING, path, version());
	if (library)
		(void)dlclose(library);
}

/* Before the file that is known is loaded: the loader would then be glad to find that. */
static void look_at_loader(struct doctor *doctor) {
	void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL);
	if (library)
		say_version(doctor, "loader", LIBRARY);
	else
		doctor_say(doctor, FINDING_NOTE, AREA, "loader",
		           "run ldconfig after the installation, or set LD_LIBRARY_PATH or an rpath",
		           "does not find " LIBRARY
		           ": only programs that link it statically, or know its folder, start");
	if (library)
		(void)dlclose(library);
}

void doctor_look_at_library(struct doctor *doctor) {
	char path[PATH_MAX];
	look_at_loader(doctor);
	if (sibling_library(LIBRARY, path) == 0)
		say_version(doctor, "installed", path);
	else
		doctor_say(doctor, FINDING_NOTE, AREA, "installed", "install the library, or link libspanring.a",
		           LIBRARY " is not beside these programs");
}

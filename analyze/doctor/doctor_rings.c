/* SPDX-License-Identifier: Apache-2.0 */
/* The ring directory as a program of this user would find it: whose it is, where it lies, and what is in it. */
#include "doctor.h"

#include "base/cleanup.h"
#include "base/units.h"
#include "libshm/system_directory.h"

#include <spanring/ring_abi.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/magic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#define AREA "rings"
#define SPACE_MIN (UINT64_C(16) << 20)
#define INSTANCES_MAX 100000u
#define INSTANCE_NAME_BYTES (2u * SPANRING_INSTANCE_BYTES)

/* The directory itself, or the nearest one above it: that is where it would be made. */
static bool nearest_directory(const char *path, char ret_path[PATH_MAX]) {
	(void)snprintf(ret_path, PATH_MAX, "%s", path);
	for (;;) {
		struct stat status;
		if (stat(ret_path, &status) == 0)
			return S_ISDIR(status.st_mode);
		char *slash = strrchr(ret_path, '/');
		if (!slash)
			return false;
		slash[slash == ret_path ? 1 : 0] = 0;
	}
}

static void look_at_place(struct doctor *doctor) {
	char path[PATH_MAX];
	char text[UNITS_TEXT_BYTES];
	struct statfs system;
	if (!nearest_directory(doctor->rings, path) || statfs(path, &system) != 0)
		return;
	uint64_t free_bytes = (uint64_t)system.f_bavail * (uint64_t)system.f_bsize;
	(void)units_format_bytes((double)free_bytes, text);
	if (system.f_type != TMPFS_MAGIC && system.f_type != RAMFS_MAGIC)
		doctor_say(
		    doctor, FINDING_WARNING, AREA, "place", "put it on a tmpfs: unset SPANRING_DIR, or mount one there",
		    "%.200s is not on a tmpfs: rings are written to a disk, which costs time and wears it", path);
	if (free_bytes < SPACE_MIN)
		doctor_say(
		    doctor, FINDING_PROBLEM, AREA, "space",
		    "make room there (a container: --shm-size), or give programs a smaller SPANRING_RING_BYTES",
		    "%s left: a thread takes a ring of %u KiB; one that gets none drops its spans and counts them",
		    text, SPANRING_RING_BYTES_DEFAULT / 1024u);
	else
		doctor_say(doctor, FINDING_OK, AREA, "space", "", "%s left, for a ring of %u MiB per thread", text,
		           SPANRING_RING_BYTES_DEFAULT >> 20);
}

static void look_at_owner(struct doctor *doctor, const struct stat *status) {
	gid_t group;
	if (!S_ISDIR(status->st_mode))
		doctor_say(doctor, FINDING_PROBLEM, AREA, "directory",
		           "remove it, or name another place in SPANRING_DIR", "%.200s is not a directory",
		           doctor->rings);
	else if (system_directory_is_one(status) && spanring__system_directory_look(doctor->rings, &group) == 0)
		doctor_say(doctor, FINDING_OK, AREA, "directory", "", "%.200s, of an agent for all users",
		           doctor->rings);
	else if (status->st_uid != geteuid())
		doctor_say(doctor, FINDING_PROBLEM, AREA, "directory", "name a directory of your own in SPANRING_DIR",
		           "%.200s belongs to user %u: programs of this user (%u) do not write there", doctor->rings,
		           (unsigned)status->st_uid, (unsigned)geteuid());
	else if (status->st_mode & S_IWOTH)
		doctor_say(doctor, FINDING_WARNING, AREA, "directory", "chmod go-rwx on it",
		           "%.200s may be written to by everybody (mode %04o)", doctor->rings,
		           (unsigned)(status->st_mode & 07777));
	else
		doctor_say(doctor, FINDING_OK, AREA, "directory", "", "%.200s, mode %04o", doctor->rings,
		           (unsigned)(status->st_mode & 07777));
}

/* Directories that are named as instances are. */
static uint32_t count_instances(const char *path) {
	DIR *directory = opendir(path);
	uint32_t count = 0;
	for (struct dirent *entry; directory && count < INSTANCES_MAX && (entry = readdir(directory));)
		count += strlen(entry->d_name) == INSTANCE_NAME_BYTES &&
		         strspn(entry->d_name, "0123456789abcdef") == INSTANCE_NAME_BYTES;
	if (directory)
		(void)closedir(directory);
	return count;
}

void doctor_look_at_rings(struct doctor *doctor) {
	struct stat status;
	if (stat(doctor->rings, &status) == 0) {
		look_at_owner(doctor, &status);
		uint32_t count = count_instances(doctor->rings);
		if (count > 0)
			doctor_say(doctor, FINDING_OK, AREA, "programs", "",
			           "%" PRIu32 " with rings there: spanring-analyze rings shows their spans", count);
	} else if (errno == ENOENT) {
		doctor_say(doctor, FINDING_OK, AREA, "directory", "", "%.200s is made by the first program or agent",
		           doctor->rings);
	} else {
		doctor_say(doctor, FINDING_PROBLEM, AREA, "directory", "name another one in SPANRING_DIR", "%.200s: %s",
		           doctor->rings, strerror(errno));
	}
	look_at_place(doctor);
}

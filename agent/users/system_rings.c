/* SPDX-License-Identifier: Apache-2.0 */
#include "system_rings.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "libshm/system_directory.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/xattr.h>

#define UID_DIGITS_MAX 10u
#define ACCESS_LIST "system.posix_acl_default"
#define ACCESS_LIST_VERSION 2u
#define ACCESS_OWNER 0x01u
#define ACCESS_GROUP 0x04u
#define ACCESS_OTHER 0x20u
#define ACCESS_ALL 7u

/* As the kernel takes it, in little endian. */
struct access_entry {
	uint16_t tag;
	uint16_t rights;
	uint32_t id;
};

struct access_list {
	uint32_t version;
	struct access_entry entries[3];
};

_Static_assert(sizeof(struct access_list) == 28, "as the kernel takes it");

/* What is made below gets the rights that its maker asks for, less those of others, whatever the umask. */
static int set_access_list(int fd) {
	static const struct access_list list = {ACCESS_LIST_VERSION,
	                                        {{ACCESS_OWNER, ACCESS_ALL, UINT32_MAX},
	                                         {ACCESS_GROUP, ACCESS_ALL, UINT32_MAX},
	                                         {ACCESS_OTHER, 0, UINT32_MAX}}};
	return fsetxattr(fd, ACCESS_LIST, &list, sizeof(list), 0) < 0 ? -errno : 0;
}

static int refuse(const char *path, const struct log *log, int rc, const char *what) {
	log_error(log,
	          "ring directory %s: %s: %s; as root: install -d -m 3733 -o %u -g %u %s, or name another with --rings "
	          "DIR",
	          path, what, strerror(-rc), (unsigned)geteuid(), (unsigned)getegid(), path);
	return rc;
}

static int set_right(int fd, const struct stat *status, const char *path, const struct log *log) {
	if (status->st_uid != geteuid()) {
		log_error(
		    log,
		    "ring directory %s: belongs to user %u, and this agent is user %u; run it as that user, or as "
		    "root: chown %u %s",
		    path, (unsigned)status->st_uid, (unsigned)geteuid(), (unsigned)geteuid(), path);
		return -EPERM;
	}
	if (status->st_gid != getegid() && fchown(fd, (uid_t)-1, getegid()) < 0)
		return refuse(path, log, -errno, "its group cannot be changed");
	if (fchmod(fd, SYSTEM_DIRECTORY_MODE) < 0)
		return refuse(path, log, -errno, "its mode cannot be changed");
	int rc = set_access_list(fd);
	/* Root needs nobody's leave. */
	if (rc == 0 || geteuid() == 0)
		return 0;
	log_error(
	    log,
	    "ring directory %s: its file system keeps no access lists (%s), so the umask of programs could shut this "
	    "agent out; mount a tmpfs there, or run the agent as root",
	    path, strerror(-rc));
	return rc;
}

int system_rings_open(const char *path, const struct log *log, int *ret_fd) {
	struct stat status;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return refuse(path, log, -errno, "cannot be made");
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0)
		return refuse(path, log, -errno, "cannot be opened");
	int rc = set_right(fd, &status, path, log);
	if (rc == 0)
		*ret_fd = take_fd(&fd);
	return rc;
}

int system_rings_open_as_is(const char *path, const struct log *log, int *ret_fd) {
	struct stat status;
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0) {
		int rc = -errno;
		log_error(log, "ring directory %s: %s; only its agent's user and group, and root, see all programs",
		          path, strerror(-rc));
		return rc;
	}
	if (!system_directory_is_one(&status)) {
		log_error(log, "ring directory %s: not that of an agent for all users; leave --system out", path);
		return -ENOTDIR;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

bool system_rings_uid(const char *name, uint32_t *ret_uid) {
	size_t digits = strspn(name, "0123456789");
	unsigned long long uid;
	if (digits == 0 || digits > UID_DIGITS_MAX || name[digits] || (digits > 1 && name[0] == '0') ||
	    sscanf(name, "%llu", &uid) != 1 || uid >= UINT32_MAX)
		return false;
	*ret_uid = (uint32_t)uid;
	return true;
}

int system_rings_open_user(int rings_fd, const char *name, uint32_t uid, int *ret_fd) {
	struct stat top;
	struct stat status;
	CLEANUP_FD int fd = openat(rings_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOTDIR || errno == ELOOP ? ERR_FOREIGN : -errno;
	if (fstat(rings_fd, &top) < 0 || fstat(fd, &status) < 0)
		return -errno;
	if (!system_directory_user_is_right(&status, uid, top.st_gid))
		return ERR_FOREIGN;
	*ret_fd = take_fd(&fd);
	return 0;
}

bool system_rings_is_below(int fd, const struct stat *status) {
	struct stat above;
	return fstatat(fd, "..", &above, 0) == 0 && system_directory_is_one(&above) &&
	       system_directory_user_is_right(status, status->st_uid, above.st_gid);
}

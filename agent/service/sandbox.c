/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include "agent/settings/config.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "sandbox_filter.h"

#include <fcntl.h>
#include <linux/landlock.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#ifndef LANDLOCK_ACCESS_FS_TRUNCATE
#define LANDLOCK_ACCESS_FS_TRUNCATE (UINT64_C(1) << 14) /* from version 3 on */
#endif
#define VERSION_WITH_REFER 2
#define VERSION_WITH_TRUNCATE 3
#define METRICS_UNIX "unix:"

#define IN_PLACE                                                                                                       \
	(LANDLOCK_ACCESS_FS_WRITE_FILE | LANDLOCK_ACCESS_FS_REMOVE_DIR | LANDLOCK_ACCESS_FS_REMOVE_FILE |              \
	 LANDLOCK_ACCESS_FS_MAKE_DIR | LANDLOCK_ACCESS_FS_MAKE_REG | LANDLOCK_ACCESS_FS_MAKE_SOCK)
#define NOWHERE                                                                                                        \
	(LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK |                   \
	 LANDLOCK_ACCESS_FS_MAKE_FIFO | LANDLOCK_ACCESS_FS_MAKE_SYM)

const char *const sandbox_mode_names[] = {
    [SANDBOX_AUTO] = "auto", [SANDBOX_STRICT] = "strict", [SANDBOX_OFF] = "off", NULL};

static uint64_t rights_of(long version) {
	return IN_PLACE | (version >= VERSION_WITH_REFER ? LANDLOCK_ACCESS_FS_REFER : 0) |
	       (version >= VERSION_WITH_TRUNCATE ? LANDLOCK_ACCESS_FS_TRUNCATE : 0);
}

static int allow(int rules_fd, const char *path, uint64_t rights) {
	CLEANUP_FD int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	struct landlock_path_beneath_attr beneath = {.allowed_access = rights, .parent_fd = fd};
	return syscall(SYS_landlock_add_rule, rules_fd, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ? -errno : 0;
}

/* The folder of the socket, which is made anew at each start. */
static int allow_metrics(int rules_fd, const char *metrics) {
	char path[METRICS_ADDRESS_BYTES];
	if (strncmp(metrics, METRICS_UNIX, sizeof(METRICS_UNIX) - 1) != 0)
		return 0;
	(void)snprintf(path, sizeof(path), "%s", metrics + sizeof(METRICS_UNIX) - 1);
	char *slash = strrchr(path, '/');
	if (!slash)
		return 0; /* refused when it is opened */
	slash[slash == path] = '\0';
	return allow(rules_fd, path, LANDLOCK_ACCESS_FS_MAKE_SOCK | LANDLOCK_ACCESS_FS_REMOVE_FILE);
}

static int restrict_paths(const struct config *config) {
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	if (version < 0)
		return -errno;
	uint64_t rights = rights_of(version);
	struct landlock_ruleset_attr all = {.handled_access_fs = rights | NOWHERE};
	CLEANUP_FD int rules_fd = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof(all), 0);
	if (rules_fd < 0)
		return -errno;
	int rc = allow(rules_fd, config->rings, rights);
	if (rc == 0)
		rc = allow(rules_fd, config->store, rights);
	if (rc == 0)
		rc = allow_metrics(rules_fd, config->metrics);
	if (rc == 0 && syscall(SYS_landlock_restrict_self, rules_fd, 0) < 0)
		rc = -errno;
	return rc;
}

static int refuse(struct sandbox *sandbox, const char *what, int rc) {
	(void)snprintf(sandbox->why, sizeof(sandbox->why), "%s: %s", what,
	               rc == -ENOSYS || rc == -EOPNOTSUPP ? "this kernel has none" : strerror(-rc));
	return rc;
}

int sandbox_enter(const struct config *config, struct sandbox *ret_sandbox) {
	*ret_sandbox = (struct sandbox){.why = "asked for"};
	if (config->sandbox == SANDBOX_OFF)
		return 0;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0) {
		int rc = refuse(ret_sandbox, "new privileges cannot be given up", -errno);
		return config->sandbox == SANDBOX_STRICT ? rc : 0;
	}
	if (config->sandbox != SANDBOX_STRICT)
		return 0;
	/* What cannot be made here cannot be opened either, and the reason is told then. */
	if (config->rings_are_default)
		(void)mkdir(config->rings, 0700);
	(void)mkdir(config->store, 0700);
	int rc = restrict_paths(config);
	if (rc < 0)
		return refuse(ret_sandbox, "writing cannot be restricted to rings and store (Landlock)", rc);
	ret_sandbox->has_paths = true;
	return 0;
}

int sandbox_seal(const struct config *config, struct sandbox *sandbox) {
	if (config->sandbox == SANDBOX_OFF)
		return 0;
	int rc = sandbox_filter_install();
	sandbox->has_filter = rc == 0;
	if (rc < 0)
		(void)refuse(sandbox, "no system call filter (seccomp)", rc);
	else if (config->sandbox == SANDBOX_AUTO)
		(void)snprintf(sandbox->why, sizeof(sandbox->why), "system calls are filtered");
	return config->sandbox == SANDBOX_STRICT ? rc : 0;
}

const char *sandbox_in_use(const struct sandbox *sandbox) {
	return sandbox->has_paths ? "strict" : sandbox->has_filter ? "filter" : "off";
}

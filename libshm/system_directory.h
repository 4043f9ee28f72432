/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring directory of an agent for all users, seen from outside. Both ends ask here.
 *
 *     /run/spanring            the agent's user and group, mode 3733: sticky, so that nobody touches what is another's;
 *         control              setgid, so that all below has the agent's group. Only the agent writes the control file.
 *         1000/                made by user 1000 itself, mode 2770: its owner and the agent's group, no other user
 *             <instance>/ ...  as in any ring directory, with mode 2770 and files of mode 0660
 *
 * A default access list on the top directory makes these modes independent of a program's umask. A program maps the control page,
 * so whoever can cut that file can kill the program: a directory is believed only if it belongs to root or to the program's own
 * user, or stands where none but root can put it; and the control file only if it belongs to the directory's owner.
 */
#ifndef SPANRING_LIBSHM_SYSTEM_DIRECTORY_H
#define SPANRING_LIBSHM_SYSTEM_DIRECTORY_H

#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>

#define SYSTEM_DIRECTORY_PATH "/run/spanring"
#define SYSTEM_DIRECTORY_MODE 03733
#define SYSTEM_DIRECTORY_USER_MODE 02770

/* Has this directory the mode that only an agent for all users gives it? */
static inline bool system_directory_is_one(const struct stat *status) {
	const mode_t mode = S_ISVTX | S_ISGID | S_IWOTH | S_IXOTH;
	return S_ISDIR(status->st_mode) && (status->st_mode & mode) == mode;
}

/* Is the control file of a directory with this owner the agent's own? */
static inline bool system_directory_control_is_right(const struct stat *control, uid_t owner) {
	return S_ISREG(control->st_mode) && control->st_uid == owner && (control->st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

/* Is this the directory of one user below it? Group: of the directory above. */
static inline bool system_directory_user_is_right(const struct stat *status, uid_t user, gid_t group) {
	return S_ISDIR(status->st_mode) && status->st_uid == user && status->st_gid == group &&
	       (status->st_mode & S_ISGID) && (status->st_mode & S_IWOTH) == 0;
}

/* Is `path` one that this process may believe? Its group. 0 or negative errno. */
int spanring__system_directory_look(const char *path, gid_t *ret_group);

#endif

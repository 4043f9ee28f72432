/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The ring directory of an agent for all users, seen from inside (libshm/system_directory.h has the picture): made, set right, and
 * its entries believed or not. An entry is a user's when its name is the decimal uid that owns it; whoever takes another's name gets
 * nothing for it, and is told of once.
 */
#ifndef SPANRING_AGENT_SYSTEM_RINGS_H
#define SPANRING_AGENT_SYSTEM_RINGS_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>

/* Open it, made and set right as far as this process may. 0, or negative errno after one line. */
int system_rings_open(const char *path, const struct log *log, int *ret_fd);

/* Open it as it is, to look: 0, or negative errno after one line. */
int system_rings_open_as_is(const char *path, const struct log *log, int *ret_fd);

/* Is the name a uid? */
bool system_rings_uid(const char *name, uint32_t *ret_uid);

/* Open the directory of that user. 0, ERR_FOREIGN (it is none, or not that user's), or another error. */
int system_rings_open_user(int rings_fd, const char *name, uint32_t uid, int *ret_fd);

/* Is this the right directory of some user, below one for all? */
bool system_rings_is_below(int fd, const struct stat *status);

#endif

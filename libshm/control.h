/* SPDX-License-Identifier: Apache-2.0 */
/* The control page of a ring directory, as a program uses it: is an agent there, does it sleep, wake it. */
#ifndef SPANRING_LIBSHM_CONTROL_H
#define SPANRING_LIBSHM_CONTROL_H

#include "directory.h"
#include <stdbool.h>

/* Map the page read-only; create the file if nobody has, and this is not for all users. 0 or negative errno. */
int spanring__control_map(const struct spanring__directory *directory, int directory_fd,
                          const struct spanring_control **ret_control);

/* An agent holds the lock of this ring directory. */
bool spanring__control_attended(const struct spanring__directory *directory, int directory_fd);

/* Ring the bell if the agent sleeps. Called after head was stored; keeps errno. */
void spanring__control_ring(const struct spanring_control *control);

#endif

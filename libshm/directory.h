/* SPDX-License-Identifier: Apache-2.0 */
/* The ring directory: found or made, checked, measured; and the directory of one instance inside it. */
#ifndef SPANRING_LIBSHM_DIRECTORY_H
#define SPANRING_LIBSHM_DIRECTORY_H

#include <spanring/ring_abi.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SPANRING__PATH_BYTES 1024u
#define SPANRING__INSTANCE_NAME_BYTES (2u * SPANRING_INSTANCE_BYTES + 1u)

/*
 * What programs may leave in a ring directory that no agent looks after. Programs run again and again without an agent
 * would fill the machine's memory otherwise: their rings stay, since somebody may still want to read them.
 */
#define SPANRING__UNATTENDED_BYTES_MAX (UINT64_C(256) << 20)
#define SPANRING__UNATTENDED_INSTANCES_MAX 1000u

struct spanring__directory {
	char path[SPANRING__PATH_BYTES]; /* absolute, so that a later chdir does not matter; empty: private memory */
	bool of_system;                  /* this user's part of one for all users (system_directory.h) */
	gid_t group;                     /* of_system: the agent's */
};

/*
 * From SPANRING_DIR (text or NULL), else that of an agent for all users, else the user's own. 0 or negative errno.
 */
int spanring__directory_choose(const char *preference, struct spanring__directory *ret_directory);

/* The user's own, whatever there is for all users. */
void spanring__directory_choose_own(struct spanring__directory *ret_directory);

/*
 * Open it, made if missing; refuse one that is not a directory of this user. Descriptor or negative errno; of private memory
 * SPANRING__REGION_PRIVATE, here and below.
 */
int spanring__directory_open(const struct spanring__directory *directory);

/* Open the directory of an instance. Descriptor or negative errno. */
int spanring__directory_open_instance(const struct spanring__directory *directory, const char *name);

/* Bytes of all instances; -E2BIG as soon as a limit above is passed. 0 or negative errno. */
int spanring__directory_measure(int directory_fd, uint64_t *ret_bytes);

#endif

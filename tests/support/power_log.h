/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a writer of segments did to its files, in order, so that a loss of power can be played at any point of it. SQLite's operations are caught
 * where its VFS calls the system, those of our code by the linker (--wrap=open,--wrap=rename,--wrap=unlink), synchronisations by
 * fsync and fdatasync of the program's own. Only files of segments count; the table of locks ("-shm") does not outlive a machine.
 *
 * THE DISK. What a file held when it was last synchronised is there. Of what was written since, each piece of 512 bytes may be there or
 * not, by itself and in any order; so may a new size. Names come and go in order, and are sure when the directory was synchronised: of
 * those after that some first ones are there.
 */
#ifndef SPANRING_TESTS_SUPPORT_POWER_LOG_H
#define SPANRING_TESTS_SUPPORT_POWER_LOG_H

#include "seed.h"

#include <stdint.h>

enum power_loss {
	POWER_LOSS_NOTHING, /* all of it had reached the disk */
	POWER_LOSS_ALL,     /* nothing that was not synchronised had */
	POWER_LOSS_SOME,    /* each piece by itself */
	POWER_LOSS_KINDS
};

/* From now on, for this folder. Forgets what was noted before. */
void power_log_start(const char *folder);
void power_log_stop(void);
uint32_t power_log_length(void);

/* Fill an empty folder with what the disk has if power is lost after the first `events` of them. */
void power_log_replay(uint32_t events, enum power_loss loss, struct seed *seed, const char *to);

#endif

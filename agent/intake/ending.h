/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How a process ended that did not say goodbye, where that can be known:
 *
 *     it let go of its process file, and lives       exec: another program has its pid and start time now
 *     it is the command of `record`                  its wait status, as the kernel gives it to its parent
 *     anything else                                  unknown: nobody but its parent is told
 *
 * A process on its way to the end has no memory any more while /proc still calls it alive; it is not taken for one that goes on.
 * The command of `record` has one status however many programs it became: if the last one came by exec and was over before the agent looked,
 * the status is told of the one before, too.
 */
#ifndef SPANRING_AGENT_ENDING_H
#define SPANRING_AGENT_ENDING_H

#include <stdbool.h>
#include <stdint.h>

struct producer;

/* The child of this very program. */
struct ending_command {
	uint32_t pid; /* 0: there is none */
	uint64_t start_time;
	bool ended;
	int status; /* as waitpid gives it, once `ended` */
};

/*
 * Of a producer that is gone: note how. False: this will be known in a moment, ask again when the command has ended or at the next look.
 */
bool ending_find(struct producer *producer, const struct ending_command *command);

#endif

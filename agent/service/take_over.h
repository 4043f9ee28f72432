/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A clean upgrade: the agent that runs on a ring directory is asked to finish by the one that comes after it.
 *
 * Who is asked is what the kernel says of the peer of the status socket, never a number that lies in the ring directory. The old
 * agent ends as after any SIGTERM: it takes what is published, commits, seals, gives up its locks. Programs write into their rings meanwhile,
 * and the new agent goes on at the committed cursors, as after any restart: so nothing is lost, unless rings are full, and nothing
 * is there twice. The locks alone decide who is next; whoever comes second to them is refused like any second agent.
 */
#ifndef SPANRING_AGENT_TAKE_OVER_H
#define SPANRING_AGENT_TAKE_OVER_H

#include "agent/settings/config.h"
#include "base/log.h"

/*
 * Ask it and wait until it is gone; at once where no agent runs. signal_fd ends the wait. EXIT_CODE_OK; after one line EXIT_CODE_HELD (it
 * cannot be asked, or goes on) or EXIT_CODE_FAILED (the wait was ended).
 */
int take_over(const struct config *config, const struct log *log, int signal_fd);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent that runs on a ring directory, for commands that send it a signal. Who that is says the kernel, of the peer of the status
 * socket, never a number that lies in the ring directory.
 */
#ifndef SPANRING_AGENT_HOLDER_H
#define SPANRING_AGENT_HOLDER_H

#include <sys/socket.h>

struct holder {
	struct ucred peer;
	int process_fd; /* names this one process for good; the caller's to close */
};

/*
 * The descriptor names one process for good. An answer that came after it was opened, from a peer of the same number, says that it is the agent and not
 * a process that was given its number. 0; -ENOENT (nobody), -ENXIO (in a pid namespace that we do not see), ERR_FOREIGN (the socket is not its own),
 * -ETIMEDOUT (no answer), -EAGAIN (another one came meanwhile), other errors.
 */
int holder_find(const char *rings, struct holder *ret_holder);

#endif

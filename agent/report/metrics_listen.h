/* SPDX-License-Identifier: Apache-2.0 */
/* The listening socket of the metrics. */
#ifndef SPANRING_AGENT_METRICS_LISTEN_H
#define SPANRING_AGENT_METRICS_LISTEN_H

#include "metrics_address.h"

struct metrics_listener {
	int fd;
	struct metrics_address address;
	char text[METRICS_ADDRESS_BYTES]; /* the address, with the port that was got */
};

/*
 * 0 or negative errno. A socket file that nobody listens on, of an agent that was killed, is replaced; one that is in use, or
 * anything else of that name, is EADDRINUSE.
 */
int metrics_listen(const struct metrics_address *address, struct metrics_listener *ret_listener);
void metrics_unlisten(struct metrics_listener *listener);

#endif

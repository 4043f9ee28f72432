/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words to a service manager, by the protocol of sd_notify(3): datagrams of NAME=value lines to the socket in NOTIFY_SOCKET, whose name may
 * be abstract ("@..."). The protocol is public and stable, so nothing of systemd is linked. Without the variable all of this does
 * nothing.
 */
#ifndef SPANRING_AGENT_NOTIFY_H
#define SPANRING_AGENT_NOTIFY_H

#include "base/log.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#define NOTIFY_TEXT_BYTES 512u

struct notify {
	int fd; /* negative: nobody wants to know */
	struct sockaddr_un address;
	socklen_t address_bytes;
	uint64_t watchdog_ns; /* we are killed when we say nothing for so long; 0: we are not */
};

/*
 * Takes NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID out of the environment: they are for this process and no child of it. A
 * socket that cannot be used gives one warning.
 */
void notify_open(struct notify *ret_notify, const struct log *log);
void notify_close(struct notify *notify);

/* With `must` it waits for room, at most five seconds; else false when there is none now. True if there is nobody. */
bool notify_send(const struct notify *notify, bool must, const char *text);

#endif

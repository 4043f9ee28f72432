/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent as a service: what the manager hears of it and when (notify.h has the form).
 *
 *     READY=1      locks are held, rings and store are open, the ring directory was looked through
 *     RELOADING=1  the configuration is being read again; READY=1 when that is over, also when it was refused
 *     STATUS=      what `systemctl status` shows: at the start, when the store's state changes, every half minute if it says something new
 *     WATCHDOG=1   twice in the time that the manager waits, and only after a turn of the loop: a loop that hangs is killed
 *     STOPPING=1   what is in the rings goes to the store now
 *
 * A store that hangs is no reason to be killed: it holds the store thread only, the loop turns on, and a new agent would find the same store.
 */
#ifndef SPANRING_AGENT_SERVICE_H
#define SPANRING_AGENT_SERVICE_H

#include "notify.h"

#include <stdint.h>

struct agent;

struct service {
	struct notify notify;
	uint64_t watchdog_at_ns;
	uint64_t status_at_ns;
	const char *store_state; /* as told last */
	char status[NOTIFY_TEXT_BYTES];
};

void service_open(struct service *ret_service, const struct log *log);
void service_close(struct service *service);

void service_ready(struct service *service, const struct agent *agent);
void service_reloading(struct service *service);
void service_stopping(struct service *service);

/* After each turn of the loop. */
void service_turn(struct service *service, const struct agent *agent);
/* When the next turn has to be over at the latest; UINT64_MAX: whenever. */
uint64_t service_at_ns(const struct service *service);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control file of the ring directory: the lock that makes this the only agent, and the bell that programs ring.
 *
 * A small thread waits on the bell's futex word and turns a ring into an event that the loop can wait for. It waits
 * once each time the loop arms it, so a program that rings without end costs no more than the loop lets it. Programs
 * cannot change the word, only wake its waiters: a wake that comes before the thread waits would be lost. So
 * doorbell_sleep says "asleep" only when the kernel shows the thread in the queue; after it the caller looks at all
 * heads once more (pair BELL in ring_order.h) and then waits.
 */
#ifndef SPANRING_AGENT_DOORBELL_H
#define SPANRING_AGENT_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

struct doorbell;

/*
 * Open (make, if there is none) the control file, take its lock, start the thread. ERR_HELD: another agent has it;
 * *ret_holder_pid is the pid it left there. ERR_FOREIGN, ERR_NEWER: not a control file of ours.
 */
int doorbell_open(int rings_fd, struct doorbell **ret_bell, uint32_t *ret_holder_pid);
void doorbell_close(struct doorbell *bell);

/* Readable after a ring. */
int doorbell_fd(const struct doorbell *bell);
void doorbell_clear(struct doorbell *bell);

/* Say "asleep". False: the bell cannot be relied on just now, wait for a short time only. */
bool doorbell_sleep(struct doorbell *bell);
void doorbell_awake(struct doorbell *bell);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control file of the ring directory: the lock that makes this the only agent, and the bell that programs ring.
 *
 * The loop waits on the bell's futex word itself where it can (loop_has_futex). Elsewhere a small thread does and turns a ring into an
 * event that the loop can wait for. Either waits once each time it is armed, so a program that rings without end costs no more
 * than the loop lets it. Programs cannot change the word, only wake its waiters: a wake that comes before somebody waits would be
 * lost. So doorbell_sleep says "asleep" only when the kernel has the waiter in the queue; after it the caller looks at all
 * heads once more (pair BELL in ring_order.h) and then waits.
 */
#ifndef SPANRING_AGENT_DOORBELL_H
#define SPANRING_AGENT_DOORBELL_H

#include <stdbool.h>
#include <stdint.h>

struct doorbell;
struct loop;

/*
 * Open (make, if there is none) the control file, take its lock, start the thread if loop needs one. of_system: all users may read the
 * file, and only we write it; one of somebody else is removed; and the lock is on a file of our own, since whoever may read a file may hold
 * a lock on it. ERR_HELD: another agent has it; *ret_holder_pid is the pid it left there. ERR_FOREIGN, ERR_NEWER: not a control file of ours.
 */
int doorbell_open(int rings_fd, bool of_system, struct loop *loop, struct doorbell **ret_bell,
                  uint32_t *ret_holder_pid);
/* After the loop, which may wait on the word. */
void doorbell_close(struct doorbell *bell);

/* Readable after a ring; negative: the loop waits by itself. */
int doorbell_fd(const struct doorbell *bell);
void doorbell_clear(struct doorbell *bell);

/* Say "asleep". False: the bell cannot be relied on just now, wait for a short time only. */
bool doorbell_sleep(struct doorbell *bell);
void doorbell_awake(struct doorbell *bell);

#endif

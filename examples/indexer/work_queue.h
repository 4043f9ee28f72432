/* SPDX-License-Identifier: Apache-2.0 */
/* Paths on their way from the walk to the workers. Bounded: the walk waits for the workers. Safe from any thread. */
#ifndef INDEXER_WORK_QUEUE_H
#define INDEXER_WORK_QUEUE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define WORK_QUEUE_PATHS 1024u

struct work_queue {
	pthread_mutex_t lock;
	pthread_cond_t not_empty;
	pthread_cond_t not_full;
	char *paths[WORK_QUEUE_PATHS];
	uint32_t head; /* free-running: pushed so far */
	uint32_t tail; /* free-running: popped so far */
	bool closed;
};

void work_queue_init(struct work_queue *queue);
void work_queue_done(struct work_queue *queue);

/* Takes ownership of path (from malloc). */
void work_queue_push(struct work_queue *queue, char *path);

/* The next path, now the caller's; NULL when the queue is closed and empty. */
char *work_queue_pop(struct work_queue *queue);

/* Nothing more will be pushed. */
void work_queue_close(struct work_queue *queue);

#endif

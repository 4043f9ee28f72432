/* SPDX-License-Identifier: Apache-2.0 */
#include "work_queue.h"

#include <stdlib.h>

void work_queue_init(struct work_queue *queue) {
	*queue = (struct work_queue){0};
	(void)pthread_mutex_init(&queue->lock, NULL);
	(void)pthread_cond_init(&queue->not_empty, NULL);
	(void)pthread_cond_init(&queue->not_full, NULL);
}

void work_queue_done(struct work_queue *queue) {
	while (queue->tail != queue->head)
		free(queue->paths[queue->tail++ % WORK_QUEUE_PATHS]);
	(void)pthread_cond_destroy(&queue->not_full);
	(void)pthread_cond_destroy(&queue->not_empty);
	(void)pthread_mutex_destroy(&queue->lock);
}

void work_queue_push(struct work_queue *queue, char *path) {
	(void)pthread_mutex_lock(&queue->lock);
	while (queue->head - queue->tail == WORK_QUEUE_PATHS)
		(void)pthread_cond_wait(&queue->not_full, &queue->lock);
	queue->paths[queue->head++ % WORK_QUEUE_PATHS] = path;
	(void)pthread_cond_signal(&queue->not_empty);
	(void)pthread_mutex_unlock(&queue->lock);
}

char *work_queue_pop(struct work_queue *queue) {
	char *path = NULL;
	(void)pthread_mutex_lock(&queue->lock);
	while (queue->head == queue->tail && !queue->closed)
		(void)pthread_cond_wait(&queue->not_empty, &queue->lock);
	if (queue->head != queue->tail) {
		path = queue->paths[queue->tail++ % WORK_QUEUE_PATHS];
		(void)pthread_cond_signal(&queue->not_full);
	}
	(void)pthread_mutex_unlock(&queue->lock);
	return path;
}

void work_queue_close(struct work_queue *queue) {
	(void)pthread_mutex_lock(&queue->lock);
	queue->closed = true;
	(void)pthread_cond_broadcast(&queue->not_empty);
	(void)pthread_mutex_unlock(&queue->lock);
}

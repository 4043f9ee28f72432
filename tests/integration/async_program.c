/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Begins async spans on some threads and ends them on others, in no order, until it is killed or told by its second argument to leave: LOG
 * [COUNT]. Each is entered in the log when it is begun and when it has ended.
 */
#include "async_log.h"

#include <spanring/async.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#define QUEUE 256u

struct item {
	struct spanring_async span;
	uint64_t seq;
};

static struct async_log *entries;
static uint64_t stop_at = UINT64_MAX;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct item queue[QUEUE];
static uint32_t queued;

static int put(const struct item *item) {
	pthread_mutex_lock(&lock);
	int taken = queued < QUEUE;
	if (taken)
		queue[queued++] = *item;
	pthread_mutex_unlock(&lock);
	return taken;
}

/* Any of them: the last one takes its place. */
static int get(uint64_t random, struct item *ret_item) {
	pthread_mutex_lock(&lock);
	int given = queued > QUEUE / 2;
	if (given) {
		uint32_t place = (uint32_t)(random % queued);
		*ret_item = queue[place];
		queue[place] = queue[--queued];
	}
	pthread_mutex_unlock(&lock);
	return given;
}

static void end(const struct item *item) {
	uint64_t thread = item->seq >> ASYNC_LOG_THREAD_SHIFT;
	uint64_t number = item->seq & UINT32_MAX;
	__atomic_store_n(&entries->ending[thread][number], 1, __ATOMIC_RELEASE);
	spanring_async_end(item->span);
	__atomic_store_n(&entries->ended[thread][number], 1, __ATOMIC_RELEASE);
}

static void *work(void *argument) {
	static struct spanring_site site = SPANRING_SITE_INIT("inner", SPANRING_KIND_INTERNAL);
	static struct spanring_site outer = SPANRING_SITE_INIT("outer", SPANRING_KIND_INTERNAL);
	uint64_t thread = (uint64_t)(uintptr_t)argument;
	uint64_t random = thread + 1;
	for (uint64_t number = 0;
	     number < ASYNC_LOG_SPANS && __atomic_load_n(&entries->total, __ATOMIC_RELAXED) < stop_at; number++) {
		struct item item = {.seq = thread << ASYNC_LOG_THREAD_SHIFT | number};
		item.span = spanring_async_begin(number % 2 ? &site : &outer);
		SPANRING_ASYNC_SET_U64(item.span, "seq", item.seq);
		__atomic_store_n(&entries->begun[thread], number + 1, __ATOMIC_RELEASE);
		__atomic_fetch_add(&entries->total, 1, __ATOMIC_RELEASE);
		if (!put(&item))
			end(&item);
		random = random * 6364136223846793005u + 1442695040888963407u;
		if (get(random >> 33, &item))
			end(&item);
	}
	return NULL;
}

int main(int argc, char **argv) {
	pthread_t threads[ASYNC_LOG_THREADS];
	int fd = argc < 2 ? -1 : open(argv[1], O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return 2;
	entries = mmap(NULL, sizeof(*entries), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (entries == MAP_FAILED)
		return 2;
	if (argc > 2)
		stop_at = strtoull(argv[2], NULL, 10);
	for (uintptr_t i = 0; i < ASYNC_LOG_THREADS; i++)
		if (pthread_create(&threads[i], NULL, work, (void *)i) != 0)
			return 2;
	for (unsigned i = 0; i < ASYNC_LOG_THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	if (argc <= 2)
		(void)pause(); /* all is begun that there is room for in the log; the kill is still to come */
	return 0;
}

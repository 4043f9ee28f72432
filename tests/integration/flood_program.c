/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's program that asks for more than its share: so many threads at a time, each with a ring, each with so many spans.
 *
 *     flood THREADS SPANS
 *
 * Says "flooded" on standard error when all threads are done with their spans; keeps all rings until SIGUSR1.
 */
#include <spanring/spanring.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define STACK_BYTES (256u << 10)

static uint64_t spans;
static pthread_barrier_t done;
static pthread_barrier_t leave;

static void *flood(void *context) {
	for (uint64_t i = 0; i < spans; i++) {
		SPANRING_BEGIN(span, "inner");
		spanring_end(span);
	}
	(void)pthread_barrier_wait(&done);
	(void)pthread_barrier_wait(&leave);
	return context;
}

int main(int argc, char **argv) {
	unsigned threads = argc == 3 ? (unsigned)atoi(argv[1]) : 0;
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t release;
	int signal_number;
	if (threads == 0)
		return 2;
	spans = strtoull(argv[2], NULL, 10);
	(void)sigemptyset(&release);
	(void)sigaddset(&release, SIGUSR1);
	(void)pthread_sigmask(SIG_BLOCK, &release, NULL);
	(void)pthread_attr_init(&attributes);
	(void)pthread_attr_setstacksize(&attributes, STACK_BYTES);
	(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	(void)pthread_barrier_init(&done, NULL, threads + 1);
	(void)pthread_barrier_init(&leave, NULL, threads + 1);
	for (unsigned i = 0; i < threads; i++)
		if (pthread_create(&thread, &attributes, flood, NULL) != 0)
			return 1;
	(void)pthread_barrier_wait(&done);
	(void)fprintf(stderr, "flooded\n");
	(void)sigwait(&release, &signal_number);
	(void)pthread_barrier_wait(&leave);
	return 0;
}

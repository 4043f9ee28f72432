/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that loses spans for every reason that no ring tells of: a timer's handler begins some inside the library, and more async spans
 * are begun than may be open. Prints what the library counted: "begun ended open dropped_full dropped_depth dropped_no_ring dropped_async
 * dropped_reentry".
 */
#include <spanring/async.h>
#include <spanring/spanring.h>

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>

#define REENTRIES 20u
#define SPANS_MAX 2000000000u /* a million times what it takes */
#define LOOK_EVERY 4096u
#define ASYNC_OPEN_MAX 65536u
#define ASYNC_OVER 7u

static struct spanring_site site = SPANRING_SITE_INIT("work", SPANRING_KIND_INTERNAL);
static struct spanring_site handler_site = SPANRING_SITE_INIT("handler", SPANRING_KIND_INTERNAL);
static struct spanring_site request_site = SPANRING_SITE_INIT("request", SPANRING_KIND_SERVER);
static struct spanring_async requests[ASYNC_OPEN_MAX + ASYNC_OVER];

static void on_timer(int number) {
	(void)number;
	spanring_end(spanring_begin(&handler_site));
}

static struct spanring_counters counters_now(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters;
}

static void be_interrupted(void) {
	struct sigaction action = {.sa_handler = on_timer, .sa_flags = SA_RESTART};
	struct itimerval often = {.it_interval = {.tv_usec = 500}, .it_value = {.tv_usec = 500}};
	struct itimerval never = {.it_value = {.tv_usec = 0}};
	(void)sigaction(SIGALRM, &action, NULL);
	(void)setitimer(ITIMER_REAL, &often, NULL);
	for (uint32_t i = 0; i < SPANS_MAX; i++) {
		spanring_end(spanring_begin(&site));
		if (i % LOOK_EVERY == 0 && counters_now().dropped_reentry >= REENTRIES)
			break;
	}
	(void)setitimer(ITIMER_REAL, &never, NULL);
}

int main(void) {
	be_interrupted();
	for (uint32_t i = 0; i < ASYNC_OPEN_MAX + ASYNC_OVER; i++)
		requests[i] = spanring_async_begin(&request_site);
	for (uint32_t i = 0; i < ASYNC_OPEN_MAX + ASYNC_OVER; i++)
		spanring_async_end(requests[i]);
	struct spanring_counters counters = counters_now();
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n",
	       counters.begun, counters.ended, counters.open, counters.dropped_full, counters.dropped_depth,
	       counters.dropped_no_ring, counters.dropped_async, counters.dropped_reentry);
	return 0;
}

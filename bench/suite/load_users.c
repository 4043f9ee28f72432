/* SPDX-License-Identifier: Apache-2.0 */
#include "load_users.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "bench/loops/loop.h"
#include "bench/loops/operation_loops.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#define LATE_NS NS_PER_MS
#define RECENT (sizeof(((struct load_figures *)NULL)->recent) / sizeof(double))

struct user {
	struct load_plan *plan;
	struct load_figures *figures;
	uint64_t number;
	uint64_t random;
};

static struct spanring_key user_key = SPANRING_KEY_INIT("load.user");

static uint64_t next_random(uint64_t *state) {
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void sleep_until(uint64_t ns) {
	struct timespec at = {.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR)
		;
}

static uint32_t choose(const struct load_plan *plan, uint64_t *random) {
	uint64_t at = next_random(random) % plan->weight;
	uint32_t i = 0;
	while (at >= plan->mix[i].weight)
		at -= plan->mix[i++].weight;
	return i;
}

static void work_for(uint64_t ns) {
	uint64_t until_ns = clock_monotonic_ns() + ns;
	for (uint64_t i = 0; clock_monotonic_ns() < until_ns; i++)
		loop_keep(operation_work(i));
}

/* True: it was recorded. */
static bool make_request(const struct user *user, struct load_request *request) {
	struct spanring_span span = spanring_begin(&request->site);
	spanring_set_u64(span, &user_key, user->number);
	{
		SPANRING_SPAN(inner, "load.work");
		work_for(request->work_ns);
	}
	spanring_end(span);
	return span.span_id != 0;
}

/* Every latency has the same chance to be kept (Vitter's algorithm R). */
static void keep_sample(struct load_figures *figures, uint64_t *random, double ns) {
	uint64_t number = figures->seen++;
	figures->recent[figures->recent_count++ % RECENT] = ns;
	if (figures->latency.count < SAMPLES_MAX) {
		samples_add(&figures->latency, ns);
		return;
	}
	uint64_t place = next_random(random) % (number + 1);
	if (place < SAMPLES_MAX)
		figures->latency.values[place] = ns;
}

static void note(struct user *user, uint32_t request, bool recorded, uint64_t meant_ns, uint64_t began_ns) {
	struct load_figures *figures = user->figures;
	uint64_t now_ns = clock_monotonic_ns();
	(void)pthread_mutex_lock(&figures->lock);
	figures->done++;
	figures->by_request[request]++;
	figures->late += began_ns > meant_ns + LATE_NS;
	keep_sample(figures, &user->random, (double)(now_ns - meant_ns));
	if (!recorded) {
		figures->errors++;
		if (figures->error_count < LOAD_ERRORS_SHOWN)
			figures->first[figures->error_count++] =
			    (struct load_error){user->number, now_ns - figures->started_ns, request};
	}
	(void)pthread_mutex_unlock(&figures->lock);
}

static void request_at(struct user *user, uint64_t meant_ns) {
	sleep_until(meant_ns);
	uint64_t began_ns = clock_monotonic_ns();
	uint32_t request = choose(user->plan, &user->random);
	bool recorded = make_request(user, &user->plan->mix[request]);
	note(user, request, recorded, meant_ns, began_ns);
}

static void *be_user(void *context) {
	struct user *user = context;
	const struct load_plan *plan = user->plan;
	uint64_t start_ns = user->figures->started_ns;
	uint64_t end_ns = start_ns + plan->duration_ns;
	uint64_t joined_ns = start_ns + plan->ramp_up_ns * user->number / plan->users;
	uint64_t step_ns = plan->closed ? 0 : NS_PER_S * plan->users / plan->rate;
	/* Users begin one after the other within a step, also without a ramp. */
	uint64_t meant_ns = joined_ns + step_ns * user->number / plan->users;
	while (meant_ns < end_ns) {
		request_at(user, meant_ns);
		meant_ns = plan->closed ? clock_monotonic_ns() + plan->think_ns : meant_ns + step_ns;
	}
	return NULL;
}

int load_users_run(struct load_plan *plan, struct load_figures *figures) {
	struct spanring_counters counters;
	struct user *users CLEANUP_FREE = calloc(plan->users, sizeof(*users));
	pthread_t *threads CLEANUP_FREE = calloc(plan->users, sizeof(*threads));
	uint64_t started = 0;
	int rc = 0;
	if (!users || !threads)
		return -ENOMEM;
	(void)pthread_mutex_lock(&figures->lock);
	figures->started_ns = clock_monotonic_ns();
	(void)pthread_mutex_unlock(&figures->lock);
	for (; started < plan->users && rc == 0; started += rc == 0) {
		users[started] = (struct user){plan, figures, started, UINT64_C(0x9e3779b97f4a7c15) * (started + 1)};
		rc = -pthread_create(&threads[started], NULL, be_user, &users[started]);
	}
	for (uint64_t i = 0; i < started; i++)
		(void)pthread_join(threads[i], NULL);
	spanring_counters_read(&counters);
	figures->dropped = counters.dropped_full + counters.dropped_no_ring + counters.dropped_depth;
	figures->ended_ns = clock_monotonic_ns();
	return rc;
}

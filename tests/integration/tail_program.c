/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Traces of every kind that tail keep tells apart: `tail_program TRACES LOG [long]`. Writes to LOG what it made, a line per trace:
 *
 *     <trace id> ordinary|failed|slow|spawned|long
 *
 * ordinary, failed, slow: "request" and in it "db" on one thread, "remote" and in it "below" on a second one; db has an event and, if the trace is to
 *     fail, the status error; a slow request takes SLOW_NS.
 * spawned: "spawner", which fails after its child, another process, has made "grandchild" and ended.
 * long (with a third word): "tour" on a third thread, whose STEPS steps end one by one over LONG_NS before it fails.
 */
#include <spanring/context.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SLOW_NS 40000000L
#define LONG_NS 1200000000L
#define STEPS 6
#define FAILED_EVERY 97
#define SLOW_EVERY 331
#define SPAWNED_EVERY 1009
#define PACE_EVERY 16
#define PACE_NS 1000000L

struct handover {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct spanring_context context;
	bool full;
	bool quit;
};

static struct handover handover = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
static FILE *made;

static void pause_ns(long ns) {
	struct timespec rest = {.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L};
	while (nanosleep(&rest, &rest) != 0)
		;
}

static void say(struct spanring_span span, const char *kind) {
	struct spanring_context context = spanring_context_of(span);
	char text[SPANRING_TRACE_ID_BYTES];
	if (spanring_trace_id_text(&context, text) != 0)
		(void)fprintf(made, "%s %s\n", text, kind);
}

static void *second_thread(void *unused) {
	(void)unused;
	(void)pthread_mutex_lock(&handover.lock);
	for (;;) {
		while (!handover.full && !handover.quit)
			(void)pthread_cond_wait(&handover.changed, &handover.lock);
		if (handover.quit)
			break;
		{
			SPANRING_SPAN_CHILD_OF(span, "remote", &handover.context);
			SPANRING_SPAN(below, "below");
			(void)span;
		}
		handover.full = false;
		(void)pthread_cond_broadcast(&handover.changed);
	}
	(void)pthread_mutex_unlock(&handover.lock);
	return NULL;
}

static void hand_over(struct spanring_context context) {
	(void)pthread_mutex_lock(&handover.lock);
	handover.context = context;
	handover.full = true;
	(void)pthread_cond_broadcast(&handover.changed);
	while (handover.full)
		(void)pthread_cond_wait(&handover.changed, &handover.lock);
	(void)pthread_mutex_unlock(&handover.lock);
}

static void quit(void) {
	(void)pthread_mutex_lock(&handover.lock);
	handover.quit = true;
	(void)pthread_cond_broadcast(&handover.changed);
	(void)pthread_mutex_unlock(&handover.lock);
}

static void *third_thread(void *unused) {
	static struct spanring_key step_key = SPANRING_KEY_INIT("step");
	(void)unused;
	SPANRING_SPAN(tour, "tour");
	say(tour, "long");
	for (uint64_t step = 0; step < STEPS; step++) {
		SPANRING_SPAN(span, "step");
		spanring_set_u64(span, &step_key, step);
		pause_ns(LONG_NS / STEPS);
	}
	spanring_set_status(tour, SPANRING_STATUS_ERROR, "no way");
	return NULL;
}

static void request(bool failed, bool slow) {
	static struct spanring_key number_key = SPANRING_KEY_INIT("number");
	SPANRING_SPAN(root, "request");
	say(root, failed ? "failed" : slow ? "slow" : "ordinary");
	spanring_set_string(root, &number_key, "a text of more than one record, so that it must be joined again");
	{
		SPANRING_SPAN(db, "db");
		SPANRING_EVENT(db, "row");
		if (failed)
			spanring_set_status(db, SPANRING_STATUS_ERROR, "refused");
	}
	hand_over(spanring_context_of(root));
	if (slow)
		pause_ns(SLOW_NS);
}

static int child(void) {
	struct spanring_remote remote;
	if (!spanring_context_from_environment(&remote, NULL))
		return 3;
	SPANRING_SPAN_CHILD_OF(span, "grandchild", &remote.context);
	(void)span;
	return 0;
}

static void spawn(const char *path) {
	static struct spanring_environment environment;
	int status = 0;
	SPANRING_SPAN(root, "spawner");
	struct spanring_context context = spanring_context_of(root);
	say(root, "spawned");
	(void)fflush(made);
	if (spanring_context_to_environment(&context, NULL, NULL, &environment) != 1)
		exit(5);
	pid_t pid = fork();
	if (pid == 0) {
		const char *const argv[] = {path, "child", NULL};
		if (putenv((char *)(uintptr_t)environment.traceparent) == 0)
			(void)execv(path, (char *const *)(uintptr_t)argv);
		_exit(4);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(6);
	spanring_set_status(root, SPANRING_STATUS_ERROR, "as planned");
}

int main(int argc, char **argv) {
	pthread_t second;
	pthread_t third;
	bool with_long = argc > 3;
	if (argc > 1 && strcmp(argv[1], "child") == 0)
		return child();
	if (argc < 3 || !(made = fopen(argv[2], "we")))
		return 2;
	unsigned long traces = strtoul(argv[1], NULL, 10);
	if (pthread_create(&second, NULL, second_thread, NULL) != 0 ||
	    (with_long && pthread_create(&third, NULL, third_thread, NULL) != 0))
		return 2;
	for (unsigned long i = 1; i <= traces; i++) {
		if (i % SPAWNED_EVERY == 0)
			spawn(argv[0]);
		else
			request(i % FAILED_EVERY == 0, i % SLOW_EVERY == 0);
		if (i % PACE_EVERY == 0)
			pause_ns(PACE_NS);
	}
	quit();
	(void)pthread_join(second, NULL);
	if (with_long)
		(void)pthread_join(third, NULL);
	return fclose(made) == 0 ? 0 : 2;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that does as it is told while somebody else decides what is recorded of it. It reads commands from the pipe that its
 * first argument names, one to a line, and answers each with the traces it began, one to a line, then "done":
 *
 *     run N      N traces: "root", in it "child"; handed to a second thread, there "remote"
 *     spawn N    N traces: "root", in it this program as `child`, which begins "grandchild" from its environment
 *     quit
 *
 * A trace is "<trace id> <sampled flag>", as the root's context says; "none" if the handle was empty.
 */
#include <spanring/context.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* One context at a time from the first thread to the second and back. */
struct handover {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct spanring_context context;
	bool full;
	bool quit;
};

static struct handover handover = {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};

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

static void say_trace(const struct spanring_context *context) {
	char text[SPANRING_TRACE_ID_BYTES];
	if (spanring_trace_id_text(context, text) == 0)
		puts("none");
	else
		printf("%s %d\n", text, (context->flags & SPANRING_CONTEXT_UNSAMPLED) == 0);
}

static void run_child(const char *path, const struct spanring_environment *environment) {
	const char *const argv[] = {path, "child", NULL};
	if (putenv((char *)(uintptr_t)environment->traceparent) == 0)
		(void)execv(path, (char *const *)(uintptr_t)argv);
	_exit(4);
}

static int child(void) {
	struct spanring_remote remote;
	if (!spanring_context_from_environment(&remote, NULL))
		return 3;
	SPANRING_SPAN_CHILD_OF(span, "grandchild", &remote.context);
	return 0;
}

static void spawn(const char *path) {
	static struct spanring_environment environment;
	int status = 0;
	SPANRING_SPAN(root, "root");
	struct spanring_context context = spanring_context_of(root);
	say_trace(&context);
	(void)fflush(stdout);
	if (spanring_context_to_environment(&context, NULL, NULL, &environment) != 1)
		exit(5);
	pid_t pid = fork();
	if (pid == 0)
		run_child(path, &environment);
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
		exit(6);
}

static void run(void) {
	SPANRING_SPAN(root, "root");
	struct spanring_context context = spanring_context_of(root);
	say_trace(&context);
	SPANRING_SPAN(span, "child");
	/* The child's context, or the root's if somebody has disabled its site. */
	hand_over(spanring_context_current());
}

int main(int argc, char **argv) {
	char line[64];
	pthread_t thread;
	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "child") == 0)
		return child();
	FILE *commands = fopen(argv[1], "re");
	if (!commands || pthread_create(&thread, NULL, second_thread, NULL) != 0)
		return 2;
	while (fgets(line, sizeof(line), commands) && strcmp(line, "quit\n") != 0) {
		bool spawns = strncmp(line, "spawn ", 6) == 0;
		unsigned long count = strtoul(line + (spawns ? 6 : 4), NULL, 10);
		for (unsigned long i = 0; i < count; i++) {
			if (spawns)
				spawn(argv[0]);
			else
				run();
		}
		puts("done");
		(void)fflush(stdout);
	}
	(void)pthread_mutex_lock(&handover.lock);
	handover.quit = true;
	(void)pthread_cond_broadcast(&handover.changed);
	(void)pthread_mutex_unlock(&handover.lock);
	(void)pthread_join(thread, NULL);
	(void)fclose(commands);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two processes, one trace. `context_program` begins a span and runs itself as `context_program child` with its context in the
 * environment; the child continues the trace and records one of everything: link, event with attributes, scope, limits.
 */
#define SPANRING_SCOPE (&program_scope)
#include <spanring/context.h>

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const struct spanring_scope program_scope = {"test.context", "4.5.6"};

static int child(void) {
	static struct spanring_key retry = SPANRING_KEY_INIT("retry");
	static struct spanring_key attempt = SPANRING_KEY_INIT("attempt");
	static struct spanring_key user = SPANRING_KEY_INIT("user");
	struct spanring_remote remote;
	struct spanring_baggage baggage;
	char name[32];
	if (!spanring_context_from_environment(&remote, &baggage) || strcmp(remote.tracestate, "vendor=1") != 0 ||
	    spanring_baggage_get(&baggage, "user", name, sizeof(name)) < 0)
		return 3;
	SPANRING_SPAN_CHILD_OF(span, "child", &remote.context);
	spanring_set_string(span, &user, name);
	const struct spanring_attribute attributes[] = {spanring_attribute_u64(&attempt, 2)};
	spanring_event_with(span, &retry, attributes, 1);
	spanring_event_with(span, &retry, attributes, 1); /* over the limit that the test sets */
	spanring_link(span, &remote.context);
	const struct spanring_context elsewhere = {7, 8, 9, 0, 0};
	spanring_link(span, &elsewhere);
	return 0;
}

static void run_child(const char *path, const struct spanring_environment *environment) {
	extern char **environ;
	const char *entries[256];
	const char *const argv[] = {path, "child", NULL};
	unsigned count = 0;
	for (char **entry = environ; *entry && count < 250; entry++)
		entries[count++] = *entry;
	entries[count++] = environment->traceparent;
	entries[count++] = environment->tracestate;
	entries[count++] = environment->baggage;
	entries[count] = NULL;
	(void)execve(path, (char *const *)argv, (char *const *)entries);
	_exit(4);
}

int main(int argc, char **argv) {
	if (argc > 1)
		return child();
	struct spanring_baggage baggage;
	struct spanring_environment environment;
	int status = 0;
	SPANRING_SPAN_KIND(span, "parent", SPANRING_KIND_CLIENT);
	spanring_baggage_clear(&baggage);
	if (!spanring_baggage_set(&baggage, "user", "Anna & Bert") ||
	    spanring_context_to_environment(NULL, "vendor=1", &baggage, &environment) != 3)
		return 2;
	pid_t pid = fork();
	if (pid == 0)
		run_child(argv[0], &environment);
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return 5;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 6;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that has the spans "outer" and "inner" open, and an async one "request", when it ends as it is told:
 *
 *     ending_program signal N     kills itself with signal N
 *     ending_program status N     leaves with _exit(N)
 *     ending_program exit         returns from main: "outer" and "inner" are ended by the library, "request" by nobody
 *     ending_program exec         becomes `ending_program wait`
 *     ending_program wait         says "waiting" and waits for a signal; begins no span
 */
#include <spanring/async.h>
#include <spanring/spanring.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct spanring_site outer_site = SPANRING_SITE_INIT("outer", SPANRING_KIND_SERVER);
static struct spanring_site inner_site = SPANRING_SITE_INIT("inner", SPANRING_KIND_INTERNAL);
static struct spanring_site request_site = SPANRING_SITE_INIT("request", SPANRING_KIND_SERVER);

static void become_waiting(const char *path) {
	const char *const argv[] = {path, "wait", NULL};
	(void)execv(path, (char *const *)(uintptr_t)argv);
	_exit(4);
}

int main(int argc, char **argv) {
	int number = argc > 2 ? atoi(argv[2]) : 0;
	if (argc < 2)
		return 2;
	if (strcmp(argv[1], "wait") == 0) {
		(void)fputs("waiting\n", stderr);
		for (;;)
			(void)pause();
	}
	(void)spanring_begin(&outer_site);
	(void)spanring_async_begin(&request_site);
	(void)spanring_begin(&inner_site);
	if (strcmp(argv[1], "signal") == 0)
		(void)raise(number);
	else if (strcmp(argv[1], "status") == 0)
		_exit(number);
	else if (strcmp(argv[1], "exec") == 0)
		become_waiting(argv[0]);
	return strcmp(argv[1], "exit") == 0 ? 0 : 2;
}

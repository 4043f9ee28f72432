/* SPDX-License-Identifier: Apache-2.0 */
#include "interrupt.h"

#include <signal.h>
#include <string.h>

static volatile sig_atomic_t wanted;

static void take_signal(int signal_number) {
	(void)signal_number;
	wanted = 1;
}

void interrupt_watch(void) {
	struct sigaction action;
	struct sigaction before;
	memset(&action, 0, sizeof(action));
	action.sa_handler = take_signal;
	action.sa_flags = (int)(SA_RESTART | SA_RESETHAND);
	/* one that our parent ignores (a job in the background) stays ignored */
	if (sigaction(SIGINT, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
		(void)sigaction(SIGINT, &action, NULL);
}

bool interrupt_wanted(void) {
	return wanted != 0;
}

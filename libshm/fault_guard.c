/* SPDX-License-Identifier: Apache-2.0 */
#include "fault_guard.h"

#include "base/errs.h"

#include <setjmp.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A signal handler reaches nothing but what its thread owns: the one piece of state here that cannot hang off a
 * context.
 */
static _Thread_local struct {
	sigjmp_buf back;
	uintptr_t base;
	size_t bytes;
	volatile sig_atomic_t armed;
} guard;

static void on_sigbus(int signal_number, siginfo_t *info, void *machine) {
	(void)machine;
	if (guard.armed && (uintptr_t)info->si_addr - guard.base < guard.bytes)
		siglongjmp(guard.back, 1);
	/* Not ours: the faulting instruction runs again, without us. */
	struct sigaction fatal = {.sa_handler = SIG_DFL};
	(void)sigaction(signal_number, &fatal, NULL);
}

int fault_guard_install(void) {
	struct sigaction action = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_NODEFER};
	(void)sigemptyset(&action.sa_mask);
	return sigaction(SIGBUS, &action, NULL) < 0 ? -errno : 0;
}

int fault_guard_run(const void *base, size_t bytes, void (*touch)(void *context), void *context) {
	guard.base = (uintptr_t)base;
	guard.bytes = bytes;
	/* The mask is not saved (SA_NODEFER leaves it alone): that would be a system call per ring and look. */
	if (sigsetjmp(guard.back, 0) != 0) {
		guard.armed = 0;
		return ERR_GONE;
	}
	guard.armed = 1;
	touch(context);
	guard.armed = 0;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ending_text.h"

#include <inttypes.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>

/* Numbers differ between processors, and a store stays on its machine mostly: those of this one. */
static const char *const signals[] = {
    [SIGHUP] = "SIGHUP",       [SIGINT] = "SIGINT",   [SIGQUIT] = "SIGQUIT", [SIGILL] = "SIGILL",
    [SIGTRAP] = "SIGTRAP",     [SIGABRT] = "SIGABRT", [SIGBUS] = "SIGBUS",   [SIGFPE] = "SIGFPE",
    [SIGKILL] = "SIGKILL",     [SIGUSR1] = "SIGUSR1", [SIGSEGV] = "SIGSEGV", [SIGUSR2] = "SIGUSR2",
    [SIGPIPE] = "SIGPIPE",     [SIGALRM] = "SIGALRM", [SIGTERM] = "SIGTERM", [SIGIO] = "SIGIO",
    [SIGVTALRM] = "SIGVTALRM", [SIGPROF] = "SIGPROF", [SIGSYS] = "SIGSYS",   [SIGPWR] = "SIGPWR",
    [SIGXCPU] = "SIGXCPU",     [SIGXFSZ] = "SIGXFSZ",
};

static void signal_text(uint32_t number, char ret_text[ENDING_TEXT_BYTES], const char *before) {
	if (number < sizeof(signals) / sizeof(signals[0]) && signals[number])
		(void)snprintf(ret_text, ENDING_TEXT_BYTES, "%s%s", before, signals[number]);
	else
		(void)snprintf(ret_text, ENDING_TEXT_BYTES, "%ssignal %" PRIu32, before, number);
}

const char *ending_text_reason(const struct store_process_account *account, char ret_text[ENDING_TEXT_BYTES]) {
	if (account->state == STORE_PROCESS_EXITED)
		return "exited";
	switch (account->ending) {
	case STORE_ENDING_EXEC:
		return "exec";
	case STORE_ENDING_STATUS:
		(void)snprintf(ret_text, ENDING_TEXT_BYTES, "exit status %" PRIu32, account->ending_value);
		return ret_text;
	case STORE_ENDING_SIGNAL:
		signal_text(account->ending_value, ret_text, "");
		return ret_text;
	default:
		return "died";
	}
}

const char *ending_text_phrase(const struct store_process_account *account, char ret_text[ENDING_TEXT_BYTES]) {
	if (account->state == STORE_PROCESS_EXITED)
		return "exited";
	switch (account->ending) {
	case STORE_ENDING_EXEC:
		return "ran another program";
	case STORE_ENDING_STATUS:
		(void)snprintf(ret_text, ENDING_TEXT_BYTES, "left with status %" PRIu32, account->ending_value);
		return ret_text;
	case STORE_ENDING_SIGNAL:
		signal_text(account->ending_value, ret_text, "was killed by ");
		return ret_text;
	default:
		return "died";
	}
}

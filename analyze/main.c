/* SPDX-License-Identifier: Apache-2.0 */
/* spanring-analyze: find the command, read its words, run it, and make sure that the answer arrived. */
#include "analyze/terminal/interrupt.h"
#include "command.h"
#include "help.h"

#include "base/errs.h"
#include "libstore/reader.h"

#include <spanring/version.h>

#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The reader of our pipe went away (`| head`): not an error, and nobody wants to hear of it. */
static bool output_is_broken_pipe(void) {
	struct pollfd out = {STDOUT_FILENO, POLLOUT, 0};
	return poll(&out, 1, 0) == 1 && (out.revents & (POLLERR | POLLHUP)) != 0;
}

static int finish_output(const struct log *log, int code) {
	int failed = ferror(stdout);
	errno = 0;
	if (fflush(stdout) != 0)
		failed = 1;
	int reason = errno;
	if (!failed || reason == EPIPE || output_is_broken_pipe())
		return code;
	log_error(log, "standard output cannot be written%s%s: make room or write elsewhere, then run again",
	          reason ? ": " : "", reason ? strerror(reason) : "");
	return EXIT_CODE_OUTPUT;
}

static int run_command(const struct command *command, int argc, char **argv, struct log *log) {
	char text[OPTIONS_TEXT_BYTES];
	struct options options;
	if (options_parse(argc, argv, &command->takes, &options, text) != 0) {
		log_error(log, "%s: %s", command->name, text);
		return EXIT_CODE_USAGE;
	}
	if (options.help) {
		help_command(command);
		return EXIT_CODE_OK;
	}
	if (options.quiet)
		log->level = LOG_LEVEL_ERROR;
	struct context context = {
	    .options = &options, .terminal = terminal_detect(STDOUT_FILENO, options.color), .log = *log};
	return command->run(&context);
}

static int dispatch(int argc, char **argv, struct log *log) {
	const char *word = argc > 1 ? argv[1] : NULL;
	if (!word) {
		log_error(log, "which command? 'spanring-analyze help' lists them");
		return EXIT_CODE_USAGE;
	}
	if (strcmp(word, "--version") == 0 || strcmp(word, "-V") == 0 || strcmp(word, "version") == 0) {
		printf("spanring-analyze %s\nSQLite %s\n", SPANRING_VERSION_STRING, store_sqlite_version());
		return EXIT_CODE_OK;
	}
	if (strcmp(word, "help") == 0 && argc > 3 && strcmp(argv[2], "--search") == 0)
		return help_search(log, argv[3]);
	if (strcmp(word, "help") == 0 && argc > 2)
		return help_topic(log, argv[2]);
	if (strcmp(word, "help") == 0 || strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
		help_overview(stdout);
		return EXIT_CODE_OK;
	}
	const struct command *command = help_find_command(word);
	if (!command)
		return help_unknown(log, "command", word);
	return run_command(command, argc - 2, argv + 2, log);
}

int main(int argc, char **argv) {
	struct log log = {.program = PROGRAM_NAME, .level = LOG_LEVEL_INFO};
	(void)signal(SIGPIPE, SIG_IGN);
	interrupt_watch();
	return finish_output(&log, dispatch(argc, argv, &log));
}

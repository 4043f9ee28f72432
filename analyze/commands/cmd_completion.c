/* SPDX-License-Identifier: Apache-2.0 */
/* completion: the script by which a shell completes our words, out of the same tables that read them. */
#include "analyze/command.h"
#include "analyze/help.h"

#include "base/completion.h"
#include "base/errs.h"
#include "base/suggest.h"

#include <string.h>

#define COMMANDS_MAX 128u

static const char help[] = "  spanring-analyze completion bash > /etc/bash_completion.d/spanring-analyze\n"
                           "  spanring-analyze completion zsh > ~/.zfunc/_spanring-analyze\n"
                           "  spanring-analyze completion fish > ~/.config/fish/completions/spanring-analyze.fish\n"
                           "\n"
                           "Prints a script that completes commands, options and their values. An installed\n"
                           "Spanring has put it where the shells look.\n";

static int refuse(const struct context *context, const char *shell) {
	size_t count = 0;
	while (completion_shells[count])
		count++;
	const char *nearest = suggest_nearest(shell, completion_shells, count);
	if (nearest)
		log_error(&context->log, "completion: unknown shell '%s': did you mean '%s'?", shell, nearest);
	else
		log_error(&context->log, "completion: unknown shell '%s': give bash, zsh or fish", shell);
	return EXIT_CODE_USAGE;
}

static int run(const struct context *context) {
	static struct completion_word words[COMMANDS_MAX][OPTIONS_WORDS_MAX];
	static struct completion_command commands[COMMANDS_MAX];
	struct completion completion = {.program = PROGRAM_NAME, .commands = commands};
	const struct command *command;
	for (size_t i = 0; i < COMMANDS_MAX && (command = help_command_at(i)); i++) {
		commands[i] = (struct completion_command){.name = command->name,
		                                          .summary = command->summary,
		                                          .words = words[i],
		                                          .word_count = options_words(&command->takes, words[i])};
		completion.command_count++;
	}
	if (completion_print(stdout, context->options->leading[0], &completion) != 0)
		return refuse(context, context->options->leading[0]);
	return EXIT_CODE_OK;
}

static const char *const leading[] = {"shell", NULL};

const struct command command_completion = {
    .name = "completion",
    .summary = "a script that completes our words in a shell",
    .help = help,
    .takes = {.allowed = OPTION_COLOR | OPTION_QUIET | OPTION_NO_STORE, .leading = leading},
    .run = run,
};

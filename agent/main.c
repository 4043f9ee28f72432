/* SPDX-License-Identifier: Apache-2.0 */
#include "agent/commands/attach.h"
#include "agent/commands/ctl.h"
#include "agent/commands/manual.h"
#include "agent/commands/ps.h"
#include "agent/commands/record.h"
#include "agent/commands/top.h"
#include "agent/report/status.h"
#include "agent/settings/config.h"
#include "agent/settings/config_help.h"
#include "agent/settings/config_show.h"
#include "agent/settings/reload.h"
#include "base/errs.h"
#include "base/log_limit.h"
#include "base/suggest.h"
#include "lifecycle.h"

#include <spanring/version.h>
#include <stdio.h>
#include <string.h>

static int command_run(struct config *config, const struct log *log) {
	return lifecycle_run(config, log);
}

static int command_reload(struct config *config, const struct log *log) {
	return reload_command(config, log);
}

static int command_status(struct config *config, const struct log *log) {
	return status_command(config, log);
}

static int command_top(struct config *config, const struct log *log) {
	return top_command(config, log);
}

static int command_ctl(struct config *config, const struct log *log) {
	return ctl_command(config, log);
}

static int command_ps(struct config *config, const struct log *log) {
	return ps_command(config, log);
}

static int command_config(struct config *config, const struct log *log) {
	return config_show(config, log);
}

static const struct command {
	const char *word;
	enum config_command id;
	int (*run)(struct config *config, const struct log *log);
} commands[] = {{"run", CONFIG_RUN, command_run},          {"record", CONFIG_RECORD, record_command},
                {"attach", CONFIG_ATTACH, attach_command}, {"config", CONFIG_CONFIG, command_config},
                {"reload", CONFIG_RELOAD, command_reload}, {"status", CONFIG_STATUS, command_status},
                {"top", CONFIG_TOP, command_top},          {"ps", CONFIG_PS, command_ps},
                {"ctl", CONFIG_CTL, command_ctl}};

static int say(const char *text) {
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_CODE_OUTPUT : EXIT_CODE_OK;
}

static int say_help(void) {
	config_help_print(stdout);
	return say("");
}

#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static const struct command *find_command(const char *word) {
	for (size_t i = 0; i < COMMANDS; i++)
		if (strcmp(word, commands[i].word) == 0)
			return &commands[i];
	return NULL;
}

static int refuse_command(const struct log *log, const char *word) {
	const char *words[COMMANDS];
	for (size_t i = 0; i < COMMANDS; i++)
		words[i] = commands[i].word;
	const char *near = suggest_nearest(word, words, COMMANDS);
	if (near)
		log_error(log, "unknown command \"%s\"; did you mean %s?", word, near);
	else
		log_error(
		    log,
		    "unknown command \"%s\"; give run, record, attach, config, reload, status, top, ps or ctl, or see "
		    "spanring-agent --help",
		    word);
	return EXIT_CODE_USAGE;
}

static int complete(const char *shell, const struct log *log) {
	const char *words[COMMANDS];
	for (size_t i = 0; i < COMMANDS; i++)
		words[i] = commands[i].word;
	return manual_print_completion(shell, words, COMMANDS, log);
}

static int say_help_of(const struct command *command) {
	return command->id == CONFIG_CTL ? say(ctl_help()) : say_help();
}

static int help(const struct log *log, const char *word) {
	const struct command *command = word ? find_command(word) : NULL;
	if (word && !command)
		return refuse_command(log, word);
	return command ? say_help_of(command) : say_help();
}

static int run_command(const struct command *command, int argc, char **argv, struct log *log) {
	static struct config config; /* large: two paths */
	int rc = config_parse(command->id, argc, argv, log, &config);
	if (rc != 0)
		return rc < 0 ? EXIT_CODE_USAGE : say_help_of(command);
	static struct log_limit limit = LOG_LIMIT_INIT;
	bool collects = command->id == CONFIG_RUN || command->id == CONFIG_RECORD || command->id == CONFIG_ATTACH;
	config_log(&config, log);
	log->limit = collects ? &limit : NULL;
	return command->run(&config, log);
}

int main(int argc, char **argv) {
	struct log log = {.program = "spanring-agent", .level = LOG_LEVEL_INFO, .journal = log_is_journal()};
	if (argc < 2) {
		log_error(
		    &log,
		    "no command; give run, record, attach, config, reload, status, top, ps or ctl, or see spanring-agent --help");
		return EXIT_CODE_USAGE;
	}
	const char *word = argv[1];
	if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0)
		return help(&log, argc > 2 ? argv[2] : NULL);
	if (strcmp(word, "--version") == 0)
		return say("spanring-agent " SPANRING_VERSION_STRING "\n");
	if (argc == 3 && strcmp(word, "completion") == 0)
		return complete(argv[2], &log);
	if (argc == 3 && strcmp(word, "man") == 0)
		return manual_write_pages(argv[2], &log);
	const struct command *command = find_command(word);
	return command ? run_command(command, argc - 1, argv + 1, &log) : refuse_command(&log, word);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "base/errs.h"
#include "config.h"
#include "lifecycle.h"
#include "record.h"
#include "status.h"

#include <spanring/version.h>
#include <stdio.h>
#include <string.h>

static int command_run(struct config *config, const struct log *log) {
	return lifecycle_run(config, log);
}

static int command_status(struct config *config, const struct log *log) {
	return status_command(config, log);
}

static const struct command {
	const char *word;
	enum config_command id;
	int (*run)(struct config *config, const struct log *log);
} commands[] = {{"run", CONFIG_RUN, command_run},
                {"record", CONFIG_RECORD, record_command},
                {"status", CONFIG_STATUS, command_status}};

static int say(const char *text) {
	return fputs(text, stdout) < 0 || fflush(stdout) != 0 ? EXIT_CODE_OUTPUT : EXIT_CODE_OK;
}

int main(int argc, char **argv) {
	struct log log = {.program = "spanring-agent", .level = LOG_LEVEL_INFO};
	if (argc < 2) {
		log_error(&log, "no command; give run, record or status, or see spanring-agent --help");
		return EXIT_CODE_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 || strcmp(argv[1], "help") == 0)
		return say(config_help());
	if (strcmp(argv[1], "--version") == 0)
		return say("spanring-agent " SPANRING_VERSION_STRING "\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (strcmp(argv[1], commands[i].word) != 0)
			continue;
		static struct config config; /* large: two paths */
		int rc = config_parse(commands[i].id, argc - 1, argv + 1, &log, &config);
		if (rc != 0)
			return rc > 0 ? say(config_help()) : EXIT_CODE_USAGE;
		if (config.quiet)
			log.level = LOG_LEVEL_WARNING;
		return commands[i].run(&config, &log);
	}
	log_error(&log, "unknown command \"%s\"; give run, record or status, or see spanring-agent --help", argv[1]);
	return EXIT_CODE_USAGE;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of a command line against any bytes: of each command of the analyzer, and of `spanring-agent run` and `record`. They are understood, or
 * refused with one line that says why; what is understood is within its limits.
 *
 *     input := words, each ended by a zero byte or the end; the first byte of all chooses the command
 */
#include "agent/settings/config.h"
#include "analyze/options/options.h"

#include <stdlib.h>
#include <string.h>

#define WORDS_MAX 40

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct option_own own[] = {{"--out", 'o', OPTION_VALUE_TEXT},     {"--threshold", 0, OPTION_VALUE_SHARE},
                                        {"--metric", 0, OPTION_VALUE_LIST},    {"--budget", 'b', OPTION_VALUE_BYTES},
                                        {"--every", 0, OPTION_VALUE_DURATION}, {"--depth", 'd', OPTION_VALUE_COUNT},
                                        {"--invert", 'i', OPTION_VALUE_NONE}};
static const char *const subcommands[] = {"list", "show", NULL};
static const char *const leading[] = {"FILE", NULL};

/* Commands as they are, and one that has everything a command can have. */
static const struct options_wanted wanted[] = {
    {.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_LIMIT |
                OPTION_SORT | OPTION_GROUPS | OPTION_EXACT | OPTION_THREADS},
    {.allowed = OPTIONS_COMMON | OPTION_LIMIT | OPTION_ATTRIBUTES, .takes_trace = true},
    {.allowed = OPTIONS_COMMON | OPTION_SQL},
    {.allowed = OPTIONS_COMMON | OPTION_IMPORT},
    {.allowed = OPTIONS_COMMON | OPTION_LAST | OPTION_RINGS},
    {.allowed = OPTIONS_COMMON | OPTION_NAME_WORD | OPTION_CSV},
    {.allowed = OPTIONS_COMMON | OPTION_TWO_STORES, .own = own, .own_count = sizeof(own) / sizeof(own[0])},
    {.allowed = OPTIONS_COMMON,
     .own = own,
     .own_count = sizeof(own) / sizeof(own[0]),
     .subcommands = subcommands,
     .leading = leading},
};
#define WANTED (sizeof(wanted) / sizeof(wanted[0]))

static void require(bool condition) {
	if (!condition)
		abort();
}

static void analyze(const struct options_wanted *command, int argc, char **argv) {
	static struct options options;
	char text[OPTIONS_TEXT_BYTES] = "";
	if (options_parse(argc, argv, command, &options, text) != 0) {
		require(text[0] && memchr(text, 0, sizeof(text)));
		return;
	}
	require(options.threads <= OPTIONS_THREADS_MAX && options.last <= OPTIONS_LAST_MAX);
	require(options.file_count <= (size_t)argc && (options.help || !options.json || !options.csv));
	for (uint32_t i = 0; i < command->own_count; i++)
		require(options.own[i].list_count <= OPTIONS_LIST_MAX);
}

static void hear(void *context, enum log_level level, const char *message) {
	unsigned *lines = context;
	(void)level;
	require(*message);
	(*lines)++;
}

static void run_agent(enum config_command command, int argc, char **argv) {
	static struct config config;
	unsigned lines = 0;
	const struct log log = {.program = "fuzz", .level = LOG_LEVEL_ERROR, .hear = hear, .context = &lines};
	int rc = config_parse(command, argc, argv, &log, &config);
	require(rc >= 0 || lines == 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static char command[] = "run";
	char *argv[WORDS_MAX + 2] = {command};
	int argc = 1;
	if (size == 0)
		return 0;
	char *words = malloc(size);
	require(words != NULL);
	memcpy(words, data + 1, size - 1);
	words[size - 1] = 0;
	for (char *at = words; at < words + size && argc <= WORDS_MAX; at += strlen(at) + 1)
		argv[argc++] = at;
	argv[argc] = NULL;
	if (data[0] % (WANTED + 2) < WANTED)
		analyze(&wanted[data[0] % (WANTED + 2)], argc - 1, argv + 1);
	else
		run_agent(data[0] % 2 ? CONFIG_RECORD : CONFIG_RUN, argc, argv);
	free(words);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "manual.h"

#include "agent/settings/config_help.h"
#include "agent/settings/options.h"
#include "base/cleanup.h"
#include "base/completion.h"
#include "base/errs.h"
#include "base/man_page.h"
#include "ctl.h"

#include <string.h>

#define WORD_BYTES 40u
#define COMMANDS_MAX 16u

static int write_page(const char *folder, const struct man_page *page, const struct log *log) {
	int rc = page->text ? man_page_write(folder, page) : -ENOMEM;
	if (rc == 0)
		return EXIT_CODE_OK;
	log_error(log, "%s/%s.1: %s: name a folder that can be written to", folder, page->name, strerror(-rc));
	return EXIT_CODE_OUTPUT;
}

int manual_write_pages(const char *folder, const struct log *log) {
	CLEANUP_FREE char *text = NULL;
	size_t bytes = 0;
	FILE *file = open_memstream(&text, &bytes);
	if (file) {
		config_help_print(file);
		(void)fclose(file);
	}
	const struct man_page pages[] = {
	    {"spanring-agent", "collect spans from programs into a store", text,
	     "spanring-agent-ctl(1), spanring-analyze(1), spanring-bench(1), spanring(3)"},
	    {"spanring-agent-ctl", "change what programs record while they run", ctl_help(),
	     "spanring-agent(1), spanring(3)"},
	};
	int code = EXIT_CODE_OK;
	for (size_t i = 0; code == EXIT_CODE_OK && i < sizeof(pages) / sizeof(pages[0]); i++)
		code = write_page(folder, &pages[i], log);
	return code;
}

int manual_print_completion(const char *shell, const char *const *commands, size_t command_count,
                            const struct log *log) {
	static char texts[OPTIONS_COUNT][WORD_BYTES];
	static struct completion_word words[OPTIONS_COUNT];
	struct completion_command rows[COMMANDS_MAX];
	size_t count = command_count < COMMANDS_MAX ? command_count : COMMANDS_MAX;
	for (size_t id = 0; id < OPTIONS_COUNT; id++) {
		const struct options_entry *entry = &options_table[id];
		(void)snprintf(texts[id], WORD_BYTES, "--%s", entry->name);
		words[id] = (struct completion_word){texts[id], entry->letter, entry->value != NULL, entry->choices};
	}
	for (size_t i = 0; i < count; i++)
		rows[i] = (struct completion_command){commands[i], "command of spanring-agent", words, OPTIONS_COUNT};
	const struct completion completion = {"spanring-agent", rows, count};
	if (completion_print(stdout, shell, &completion) == 0)
		return EXIT_CODE_OK;
	log_error(log, "unknown shell \"%s\"; give bash, zsh or fish", shell);
	return EXIT_CODE_USAGE;
}

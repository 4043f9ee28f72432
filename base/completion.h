/* SPDX-License-Identifier: Apache-2.0 */
/* Scripts that complete a program's words in a shell, made from the tables that the program itself reads them by. */
#ifndef SPANRING_BASE_COMPLETION_H
#define SPANRING_BASE_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct completion_word {
	const char *word; /* "--json" */
	char letter;      /* of "-n"; 0: none */
	bool takes_value;
	const char *const *choices; /* of the value; ends in NULL; NULL: a file, or anything */
};

struct completion_command {
	const char *name;
	const char *summary; /* one line without quotes */
	const struct completion_word *words;
	size_t word_count;
};

struct completion {
	const char *program;
	const struct completion_command *commands;
	size_t command_count;
};

/* Shells that are known; ends in NULL. */
extern const char *const completion_shells[];

/* 0; -EINVAL: no such shell. */
int completion_print(FILE *file, const char *shell, const struct completion *completion);

#endif

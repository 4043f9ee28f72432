/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Three dialects of one thing: the first word is a command, a word that begins with '-' is an option of that command, a value is one of
 * its choices where it has any, and all else is a file.
 */
#include "completion.h"

#include <errno.h>
#include <string.h>

const char *const completion_shells[] = {"bash", "zsh", "fish", NULL};

/* A name of a shell function: spanring-analyze -> _spanring_analyze. */
static void print_function(FILE *file, const char *program) {
	(void)fputc('_', file);
	for (; *program; program++)
		(void)fputc(*program == '-' ? '_' : *program, file);
}

static void print_choices(FILE *file, const char *const *choices) {
	for (size_t i = 0; choices[i]; i++)
		(void)fprintf(file, "%s%s", i ? " " : "", choices[i]);
}

/* ---- bash: one function, a case for each command, inside it a case for the word before */

static void bash_values(FILE *file, const struct completion_command *command) {
	for (size_t i = 0; i < command->word_count; i++) {
		const struct completion_word *word = &command->words[i];
		if (!word->takes_value)
			continue;
		(void)fprintf(file, "    %s:%s", command->name, word->word);
		if (word->letter)
			(void)fprintf(file, "|%s:-%c", command->name, word->letter);
		(void)fputs(") ", file);
		if (word->choices) {
			(void)fputs("COMPREPLY=($(compgen -W '", file);
			print_choices(file, word->choices);
			(void)fputs("' -- \"$current\")); return ;;\n", file);
		} else {
			(void)fputs("COMPREPLY=($(compgen -f -- \"$current\")); return ;;\n", file);
		}
	}
}

static void bash_words(FILE *file, const struct completion_command *command) {
	(void)fprintf(file, "    %s) words='", command->name);
	for (size_t i = 0; i < command->word_count; i++)
		(void)fprintf(file, "%s%s", i ? " " : "", command->words[i].word);
	(void)fputs("' ;;\n", file);
}

static void print_bash(FILE *file, const struct completion *completion) {
	print_function(file, completion->program);
	(void)fputs("() {\n"
	            "  local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} words=\n"
	            "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	            "    COMPREPLY=($(compgen -W '",
	            file);
	for (size_t i = 0; i < completion->command_count; i++)
		(void)fprintf(file, "%s ", completion->commands[i].name);
	(void)fputs("help --help --version' -- \"$current\"))\n"
	            "    return\n"
	            "  fi\n"
	            "  case ${COMP_WORDS[1]}:$before in\n",
	            file);
	for (size_t i = 0; i < completion->command_count; i++)
		bash_values(file, &completion->commands[i]);
	(void)fputs("  esac\n"
	            "  case ${COMP_WORDS[1]} in\n",
	            file);
	for (size_t i = 0; i < completion->command_count; i++)
		bash_words(file, &completion->commands[i]);
	(void)fputs("  esac\n"
	            "  case $current in\n"
	            "    -*) COMPREPLY=($(compgen -W \"$words\" -- \"$current\")) ;;\n"
	            "    *) COMPREPLY=($(compgen -f -- \"$current\")) ;;\n"
	            "  esac\n"
	            "}\n"
	            "complete -o filenames -F ",
	            file);
	print_function(file, completion->program);
	(void)fprintf(file, " %s\n", completion->program);
}

/* ---- zsh: _describe of the commands, then _arguments of one */

static void zsh_word(FILE *file, const struct completion_word *word) {
	const char *value = word->takes_value ? "=" : "";
	(void)fprintf(file, " '%s%s", word->word, value);
	if (word->takes_value)
		(void)fputs(word->choices ? ":value:(" : ":value:_files", file);
	if (word->takes_value && word->choices) {
		print_choices(file, word->choices);
		(void)fputc(')', file);
	}
	(void)fputc('\'', file);
	if (word->letter)
		(void)fprintf(file, " '-%c%s'", word->letter, word->takes_value ? "+:value:_files" : "");
}

static void print_zsh(FILE *file, const struct completion *completion) {
	(void)fprintf(file, "#compdef %s\n", completion->program);
	print_function(file, completion->program);
	(void)fputs("() {\n"
	            "  local -a commands\n"
	            "  commands=(\n",
	            file);
	for (size_t i = 0; i < completion->command_count; i++)
		(void)fprintf(file, "    '%s:%s'\n", completion->commands[i].name, completion->commands[i].summary);
	(void)fputs("    'help:what the program can do'\n"
	            "  )\n"
	            "  if (( CURRENT == 2 )); then\n"
	            "    _describe command commands\n"
	            "    return\n"
	            "  fi\n"
	            "  case $words[2] in\n",
	            file);
	for (size_t i = 0; i < completion->command_count; i++) {
		const struct completion_command *command = &completion->commands[i];
		(void)fprintf(file, "    %s) _arguments", command->name);
		for (size_t w = 0; w < command->word_count; w++)
			zsh_word(file, &command->words[w]);
		(void)fputs(" '*:file:_files' ;;\n", file);
	}
	(void)fputs("    *) _files ;;\n"
	            "  esac\n"
	            "}\n",
	            file);
	print_function(file, completion->program);
	(void)fputs(" \"$@\"\n", file);
}

/* ---- fish: a line for each word */

static void fish_word(FILE *file, const struct completion *completion, const struct completion_command *command,
                      const struct completion_word *word) {
	(void)fprintf(file, "complete -c %s -n '__fish_seen_subcommand_from %s' -l %s", completion->program,
	              command->name, word->word + strspn(word->word, "-"));
	if (word->letter)
		(void)fprintf(file, " -s %c", word->letter);
	if (word->takes_value)
		(void)fputs(" -r", file);
	if (word->takes_value && word->choices) {
		(void)fputs(" -f -a '", file);
		print_choices(file, word->choices);
		(void)fputc('\'', file);
	}
	(void)fputc('\n', file);
}

static void print_fish(FILE *file, const struct completion *completion) {
	for (size_t i = 0; i < completion->command_count; i++) {
		const struct completion_command *command = &completion->commands[i];
		(void)fprintf(file, "complete -c %s -n __fish_use_subcommand -f -a %s -d '%s'\n", completion->program,
		              command->name, command->summary);
		for (size_t w = 0; w < command->word_count; w++)
			fish_word(file, completion, command, &command->words[w]);
	}
	(void)fprintf(file, "complete -c %s -n __fish_use_subcommand -f -a help -d 'what the program can do'\n",
	              completion->program);
}

int completion_print(FILE *file, const char *shell, const struct completion *completion) {
	if (strcmp(shell, "bash") == 0)
		print_bash(file, completion);
	else if (strcmp(shell, "zsh") == 0)
		print_zsh(file, completion);
	else if (strcmp(shell, "fish") == 0)
		print_fish(file, completion);
	else
		return -EINVAL;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Between the files of this folder: the command line while it is read. */
#ifndef SPANRING_ANALYZE_OPTIONS_PARSER_H
#define SPANRING_ANALYZE_OPTIONS_PARSER_H

#include "options.h"

/* A subcommand, the leading words, two stores, and one more to complain about. */
#define PLAIN_WORDS_MAX (1u + OPTIONS_LEADING_MAX + 2u + 1u)

struct parser {
	struct options *options;
	const struct options_wanted *wanted;
	const char *plain[PLAIN_WORDS_MAX];
	size_t plain_count;
	char *text;
};

/* Writes the one line; always -EINVAL. */
__attribute__((format(printf, 2, 3))) int options_refuse(struct parser *parser, const char *format, ...);

/* The value of word `own` of the command; NULL for a switch. 0 or -EINVAL. */
int options_take_own(struct parser *parser, uint32_t own, const char *value);

/* All words are read: say what each plain one is. 0 or -EINVAL. */
int options_place_plain(struct parser *parser);

#endif

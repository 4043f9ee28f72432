/* SPDX-License-Identifier: Apache-2.0 */
/* What the plain words are: in which order, and how many, is a matter of the command. */
#include "options_parser.h"

#include "analyze/kernels/trace_id.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool is_trace(const char *word) {
	struct trace_id_pattern pattern;
	return trace_id_parse(word, &pattern) == 0;
}

/* STORE and a statement, or the statement alone; what is left is a store or nothing. */
static int take_statement(struct parser *parser) {
	if (parser->plain_count == 0)
		return options_refuse(
		    parser, "which statement? spanring-analyze sql STORE 'SELECT ...', or - for standard input");
	if (parser->plain_count > 2)
		return options_refuse(parser, "unexpected word '%.40s': put the statement in quotes", parser->plain[2]);
	parser->options->sql = parser->plain[--parser->plain_count];
	return 0;
}

static int place_files(struct parser *parser) {
	struct options *options = parser->options;
	if (options->file_count == 0)
		return options_refuse(parser, "which file? Give one or more, or - for standard input");
	if (!options->store)
		options->store = getenv("SPANRING_STORE");
	if (!options->store || !*options->store)
		return options_refuse(parser, "into which store? Give --into STORE, or set SPANRING_STORE");
	return 0;
}

/* NAME and STORE in this order, or NAME alone; what is left is a store or nothing. */
static int take_name(struct parser *parser) {
	if (parser->plain_count == 0)
		return options_refuse(parser,
		                      "which spans? Give a name and a store: spanring-analyze histogram NAME STORE");
	if (parser->plain_count > 2)
		return options_refuse(parser, "unexpected word '%.40s': one name and one store", parser->plain[2]);
	parser->options->name = parser->plain[0];
	parser->plain[0] = parser->plain[1];
	parser->plain_count--;
	return 0;
}

static void shift(struct parser *parser) {
	memmove(parser->plain, parser->plain + 1, --parser->plain_count * sizeof(parser->plain[0]));
}

static void take_subcommand(struct parser *parser) {
	const char *const *known = parser->wanted->subcommands;
	for (; known && *known && parser->plain_count > 0; known++) {
		if (strcmp(*known, parser->plain[0]) != 0)
			continue;
		parser->options->subcommand = *known;
		shift(parser);
		return;
	}
}

static int take_leading(struct parser *parser) {
	const char *const *leading = parser->wanted->leading;
	for (size_t i = 0; leading && leading[i]; i++) {
		if (parser->plain_count == 0)
			return options_refuse(parser, "which %s? --help shows how the command is called", leading[i]);
		parser->options->leading[i] = parser->plain[0];
		shift(parser);
	}
	return 0;
}

/* The trace and its store in either order; a word that is a file is the store. */
static int take_trace(struct parser *parser) {
	const char **plain = parser->plain;
	size_t count = parser->plain_count;
	if (count > 2)
		return options_refuse(parser, "unexpected word '%s': one store at a time", plain[count - 1]);
	if (count == 0 || (count == 1 && !is_trace(plain[0]) && access(plain[0], F_OK) == 0))
		return options_refuse(parser, "which trace? Give its id and a store: spanring-analyze trace ID STORE");
	bool swapped = count == 2 && !is_trace(plain[0]) && is_trace(plain[1]);
	if (count == 2 && access(plain[0], F_OK) == 0 && access(plain[1], F_OK) != 0)
		swapped = true;
	parser->options->trace = plain[swapped ? 1 : 0];
	plain[0] = plain[swapped ? 0 : 1];
	parser->plain_count--;
	return 0;
}

static int take_two_stores(struct parser *parser) {
	if (parser->plain_count < 2)
		return options_refuse(parser, "which stores? Give two: the one before, and the one after");
	parser->options->store_after = parser->plain[1];
	parser->plain_count--;
	if ((parser->wanted->allowed & OPTION_NAME_LAST) && parser->plain_count == 2) {
		parser->options->name = parser->plain[2];
		parser->plain_count--;
	}
	return 0;
}

static int take_store(struct parser *parser) {
	struct options *options = parser->options;
	uint32_t allowed = parser->wanted->allowed;
	bool two = (allowed & OPTION_TWO_STORES) != 0;
	size_t most = allowed & OPTION_NO_STORE ? 0 : 1;
	if (parser->plain_count > most)
		return options_refuse(parser, "unexpected word '%s'%s",
		                      parser->plain[two ? 2 : parser->plain_count - 1],
		                      allowed & OPTION_RINGS      ? ": one ring directory at a time"
		                      : allowed & OPTION_NO_STORE ? ": --help shows how the command is called"
		                      : two                       ? ": two stores"
		                                                  : ": one store at a time");
	options->store = parser->plain_count == 1 ? parser->plain[0] : NULL;
	if (allowed & (OPTION_RINGS | OPTION_NO_STORE))
		return 0;
	if (!options->store)
		options->store = getenv("SPANRING_STORE");
	if (options->store && !*options->store)
		options->store = NULL;
	if (!options->store && !(allowed & OPTION_STORE_OPTIONAL))
		return options_refuse(parser,
		                      "which store? Give a store directory or a segment file, or set SPANRING_STORE");
	return 0;
}

static int check_together(struct parser *parser) {
	const struct options *options = parser->options;
	if (options->json && options->csv)
		return options_refuse(parser, "--json or --csv, not both");
	if (options->since_wall_ns && options->until_wall_ns && options->since_wall_ns >= options->until_wall_ns)
		return options_refuse(parser, "--since is not before --until: no span can match");
	return 0;
}

int options_place_plain(struct parser *parser) {
	uint32_t allowed = parser->wanted->allowed;
	if (allowed & OPTION_IMPORT)
		return place_files(parser);
	take_subcommand(parser);
	int rc = take_leading(parser);
	if (rc == 0 && (allowed & OPTION_SQL))
		rc = take_statement(parser);
	if (rc == 0 && (allowed & OPTION_NAME_WORD))
		rc = take_name(parser);
	if (rc == 0 && parser->wanted->takes_trace)
		rc = take_trace(parser);
	if (rc == 0 && (allowed & OPTION_TWO_STORES))
		rc = take_two_stores(parser);
	if (rc == 0)
		rc = take_store(parser);
	return rc ? rc : check_together(parser);
}

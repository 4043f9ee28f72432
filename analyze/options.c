/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include "analyze/kernels/time_point.h"
#include "analyze/kernels/trace_id.h"

#include "base/clock.h"
#include "base/suggest.h"
#include "base/units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LIMIT_MAX UINT64_C(1000000000)

enum option_id {
	ID_JSON,
	ID_SINCE,
	ID_UNTIL,
	ID_SERVICE,
	ID_NAME,
	ID_COLOR,
	ID_QUIET,
	ID_LIMIT,
	ID_SORT,
	ID_NO_ATTRIBUTES,
	ID_ATTRIBUTES,
	ID_LAST,
	ID_EXACT,
	ID_WHERE,
	ID_CSV,
	ID_DEADLINE,
	ID_MEMORY,
	ID_FROM,
	ID_INTO,
	ID_KEEP_GOING,
	ID_TOP,
	ID_GROUP_BY,
	ID_INTERVAL,
	ID_THREADS,
	ID_HELP
};

struct option_word {
	const char *word;
	char letter;
	bool takes_value;
	uint32_t allowed_by; /* 0: always */
};

static const struct option_word words[] = {
    [ID_JSON] = {"--json", 0, false, OPTION_JSON},
    [ID_SINCE] = {"--since", 0, true, OPTION_TIME},
    [ID_UNTIL] = {"--until", 0, true, OPTION_TIME},
    [ID_SERVICE] = {"--service", 0, true, OPTION_SERVICE},
    [ID_NAME] = {"--name", 0, true, OPTION_NAME},
    [ID_COLOR] = {"--color", 0, true, OPTION_COLOR},
    [ID_QUIET] = {"--quiet", 'q', false, OPTION_QUIET},
    [ID_LIMIT] = {"--limit", 'n', true, OPTION_LIMIT},
    [ID_SORT] = {"--sort", 0, true, OPTION_SORT},
    [ID_NO_ATTRIBUTES] = {"--no-attributes", 0, false, OPTION_ATTRIBUTES},
    [ID_ATTRIBUTES] = {"--attributes", 0, false, OPTION_WITH_ATTRIBUTES},
    [ID_LAST] = {"--last", 0, true, OPTION_LAST},
    [ID_EXACT] = {"--exact", 0, false, OPTION_EXACT},
    [ID_WHERE] = {"--where", 0, true, OPTION_WHERE},
    [ID_CSV] = {"--csv", 0, false, OPTION_SQL | OPTION_GROUPS},
    [ID_DEADLINE] = {"--deadline", 0, true, OPTION_SQL},
    [ID_MEMORY] = {"--memory", 0, true, OPTION_SQL},
    [ID_FROM] = {"--from", 0, true, OPTION_IMPORT},
    [ID_INTO] = {"--into", 0, true, OPTION_IMPORT},
    [ID_KEEP_GOING] = {"--keep-going", 0, false, OPTION_IMPORT},
    [ID_TOP] = {"--top", 0, true, OPTION_GROUPS},
    [ID_GROUP_BY] = {"--group-by", 0, true, OPTION_GROUPS},
    [ID_INTERVAL] = {"--interval", 0, true, OPTION_GROUPS},
    [ID_THREADS] = {"--threads", 0, true, OPTION_THREADS},
    [ID_HELP] = {"--help", 'h', false, 0},
};
#define WORD_COUNT (sizeof(words) / sizeof(words[0]))

struct parser {
	struct options *options;
	uint32_t allowed;
	const char *plain[3];
	size_t plain_count;
	char *text;
};

__attribute__((format(printf, 2, 3))) static int refuse(struct parser *parser, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(parser->text, OPTIONS_TEXT_BYTES, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int take_time(struct parser *parser, const char *word, const char *value, uint64_t *ret_wall_ns) {
	if (time_point_parse(value, clock_wall_ns(), ret_wall_ns) == 0)
		return 0;
	return refuse(parser, "%s '%s': give a time like 2026-11-20T18:43:30Z, or how long ago, like 10m or 2h", word,
	              value);
}

static int take_limit(struct parser *parser, const char *value) {
	char *end = NULL;
	errno = 0;
	unsigned long long limit = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || errno != 0 || limit > LIMIT_MAX)
		return refuse(parser, "--limit '%s': give a number, 0 for no limit", value);
	parser->options->limit = limit;
	parser->options->has_limit = true;
	return 0;
}

static int take_last(struct parser *parser, const char *value) {
	char *end = NULL;
	errno = 0;
	unsigned long long last = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || errno != 0 || last > OPTIONS_LAST_MAX)
		return refuse(parser, "--last '%s': give a number from 0 to %u", value, OPTIONS_LAST_MAX);
	parser->options->last = last;
	parser->options->has_last = true;
	return 0;
}

static int take_interval(struct parser *parser, const char *value) {
	if (units_parse_duration(value, &parser->options->interval_ns) == 0 && parser->options->interval_ns > 0)
		return 0;
	return refuse(parser, "--interval '%s': give a duration, like 10s or 5m", value);
}

static int take_threads(struct parser *parser, const char *value) {
	char *end = NULL;
	unsigned long threads = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || threads < 1 || threads > OPTIONS_THREADS_MAX)
		return refuse(parser, "--threads '%s': give a number from 1 to %u", value, OPTIONS_THREADS_MAX);
	parser->options->threads = threads;
	return 0;
}

static int take_color(struct parser *parser, const char *value) {
	static const char *const choices[] = {
	    [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};
	for (size_t i = 0; i < sizeof(choices) / sizeof(choices[0]); i++) {
		if (strcmp(value, choices[i]) == 0) {
			parser->options->color = (enum color_choice)i;
			return 0;
		}
	}
	return refuse(parser, "--color '%s': give auto, always or never", value);
}

static int take_deadline(struct parser *parser, const char *value) {
	if (units_parse_duration(value, &parser->options->deadline_ns) == 0 && parser->options->deadline_ns > 0)
		return 0;
	return refuse(parser, "--deadline '%s': give a duration, like 30s", value);
}

static int take_memory(struct parser *parser, const char *value) {
	if (units_parse_bytes(value, &parser->options->memory_bytes) == 0 && parser->options->memory_bytes > 0)
		return 0;
	return refuse(parser, "--memory '%s': give a size, like 256MiB", value);
}

/* Of an option without a value; NULL: it has one. */
static bool *switch_of(struct options *options, enum option_id id) {
	switch (id) {
	case ID_JSON:
		return &options->json;
	case ID_QUIET:
		return &options->quiet;
	case ID_NO_ATTRIBUTES:
		return &options->no_attributes;
	case ID_ATTRIBUTES:
		return &options->attributes;
	case ID_EXACT:
		return &options->exact;
	case ID_CSV:
		return &options->csv;
	case ID_KEEP_GOING:
		return &options->keep_going;
	case ID_HELP:
		return &options->help;
	default:
		return NULL;
	}
}

/* Of an option whose value is taken as it stands; NULL: it is not. */
static const char **text_of(struct options *options, enum option_id id) {
	switch (id) {
	case ID_SERVICE:
		return &options->service;
	case ID_NAME:
		return &options->name;
	case ID_SORT:
		return &options->sort;
	case ID_GROUP_BY:
		return &options->group_by;
	case ID_WHERE:
		return &options->where;
	case ID_FROM:
		return &options->from;
	case ID_INTO:
		return &options->store;
	default:
		return NULL;
	}
}

static int take_parsed(struct parser *parser, enum option_id id, const char *value) {
	switch (id) {
	case ID_SINCE:
		return take_time(parser, "--since", value, &parser->options->since_wall_ns);
	case ID_UNTIL:
		return take_time(parser, "--until", value, &parser->options->until_wall_ns);
	case ID_COLOR:
		return take_color(parser, value);
	case ID_LIMIT:
	case ID_TOP:
		return take_limit(parser, value);
	case ID_LAST:
		return take_last(parser, value);
	case ID_INTERVAL:
		return take_interval(parser, value);
	case ID_DEADLINE:
		return take_deadline(parser, value);
	case ID_MEMORY:
		return take_memory(parser, value);
	case ID_THREADS:
		return take_threads(parser, value);
	default:
		return -EINVAL;
	}
}

static int take(struct parser *parser, enum option_id id, const char *value) {
	bool *is_given = switch_of(parser->options, id);
	const char **text = text_of(parser->options, id);
	if (is_given)
		*is_given = true;
	else if (text)
		*text = value;
	else
		return take_parsed(parser, id, value);
	return 0;
}

static bool allows(const struct parser *parser, size_t id) {
	return words[id].allowed_by == 0 || (words[id].allowed_by & parser->allowed) != 0;
}

static int refuse_unknown(struct parser *parser, const char *word, size_t word_bytes) {
	const char *known[WORD_COUNT];
	size_t count = 0;
	char typed[64];
	(void)snprintf(typed, sizeof(typed), "%.*s", (int)(word_bytes < 63 ? word_bytes : 63), word);
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (allows(parser, i))
			known[count++] = words[i].word;
	const char *nearest = suggest_nearest(typed, known, count);
	if (nearest)
		return refuse(parser, "unknown option '%s': did you mean '%s'?", typed, nearest);
	return refuse(parser, "unknown option '%s': --help lists them", typed);
}

/* One option at argv[*at]; moves *at past its value. */
static int take_option(struct parser *parser, int argc, char **argv, int *at) {
	const char *word = argv[*at];
	const char *equals = strncmp(word, "--", 2) == 0 ? strchr(word, '=') : NULL;
	size_t word_bytes = equals ? (size_t)(equals - word) : strlen(word);
	for (size_t i = 0; i < WORD_COUNT; i++) {
		bool by_word = strlen(words[i].word) == word_bytes && strncmp(words[i].word, word, word_bytes) == 0;
		bool by_letter = words[i].letter && word_bytes == 2 && word[0] == '-' && word[1] == words[i].letter;
		if (!by_word && !by_letter)
			continue;
		if (!allows(parser, i))
			return refuse(parser, "option '%s' does not apply to this command: --help lists those that do",
			              words[i].word);
		if (!words[i].takes_value)
			return equals ? refuse(parser, "option '%s' takes no value", words[i].word)
			              : take(parser, (enum option_id)i, NULL);
		if (!equals && *at + 1 >= argc)
			return refuse(parser, "option '%s' needs a value", words[i].word);
		return take(parser, (enum option_id)i, equals ? equals + 1 : argv[++*at]);
	}
	return refuse_unknown(parser, word, word_bytes);
}

static bool is_trace(const char *word) {
	struct trace_id_pattern pattern;
	return trace_id_parse(word, &pattern) == 0;
}

/* STORE and a statement, or the statement alone; what is left is a store or nothing. */
static int take_statement(struct parser *parser) {
	if (parser->plain_count == 0)
		return refuse(parser,
		              "which statement? spanring-analyze sql STORE 'SELECT ...', or - for standard input");
	if (parser->plain_count > 2)
		return refuse(parser, "unexpected word '%.40s': put the statement in quotes", parser->plain[2]);
	parser->options->sql = parser->plain[--parser->plain_count];
	return 0;
}

static int place_files(struct parser *parser) {
	struct options *options = parser->options;
	if (options->file_count == 0)
		return refuse(parser, "which file? Give one or more, or - for standard input");
	if (!options->store)
		options->store = getenv("SPANRING_STORE");
	if (!options->store || !*options->store)
		return refuse(parser, "into which store? Give --into STORE, or set SPANRING_STORE");
	return 0;
}

/* NAME and STORE in this order, or NAME alone; what is left is a store or nothing. */
static int take_name(struct parser *parser) {
	if (parser->plain_count == 0)
		return refuse(parser, "which spans? Give a name and a store: spanring-analyze histogram NAME STORE");
	if (parser->plain_count > 2)
		return refuse(parser, "unexpected word '%.40s': one name and one store", parser->plain[2]);
	parser->options->name = parser->plain[0];
	parser->plain[0] = parser->plain[1];
	parser->plain_count--;
	return 0;
}

static int place_plain(struct parser *parser, bool takes_trace) {
	struct options *options = parser->options;
	const char **plain = parser->plain;
	size_t count = parser->plain_count;
	if (count > (takes_trace ? 2u : 1u))
		return refuse(parser, "unexpected word '%s': one %s at a time", plain[count - 1],
		              parser->allowed & OPTION_RINGS ? "ring directory" : "store");
	if (parser->allowed & OPTION_RINGS) {
		options->store = count == 1 ? plain[0] : NULL;
		return 0;
	}
	if (takes_trace) {
		if (count == 0 || (count == 1 && !is_trace(plain[0]) && access(plain[0], F_OK) == 0))
			return refuse(parser, "which trace? Give its id and a store: spanring-analyze trace ID STORE");
		/* either order; a word that is a file is the store */
		bool swapped = count == 2 && !is_trace(plain[0]) && is_trace(plain[1]);
		if (count == 2 && access(plain[0], F_OK) == 0 && access(plain[1], F_OK) != 0)
			swapped = true;
		options->trace = plain[swapped ? 1 : 0];
		options->store = count == 2 ? plain[swapped ? 0 : 1] : NULL;
	} else {
		options->store = count == 1 ? plain[0] : NULL;
	}
	if (!options->store)
		options->store = getenv("SPANRING_STORE");
	if (!options->store || !*options->store)
		return refuse(parser, "which store? Give a store directory or a segment file, or set SPANRING_STORE");
	if (options->json && options->csv)
		return refuse(parser, "--json or --csv, not both");
	if (options->since_wall_ns && options->until_wall_ns && options->since_wall_ns >= options->until_wall_ns)
		return refuse(parser, "--since is not before --until: no span can match");
	return 0;
}

int options_parse(int argc, char **argv, uint32_t allowed, bool takes_trace, struct options *ret_options,
                  char ret_text[OPTIONS_TEXT_BYTES]) {
	struct options options = {.color = COLOR_AUTO};
	struct parser parser = {.options = &options, .allowed = allowed, .text = ret_text};
	bool plain_only = false;
	for (int at = 0; at < argc; at++) {
		if (!plain_only && strcmp(argv[at], "--") == 0) {
			plain_only = true;
			continue;
		}
		if (!plain_only && argv[at][0] == '-' && argv[at][1] != 0) {
			int rc = take_option(&parser, argc, argv, &at);
			if (rc != 0)
				return rc;
			continue;
		}
		/* To the front, where all before it were: the files of import are that part of argv. */
		if (allowed & OPTION_IMPORT)
			argv[options.file_count++] = argv[at];
		else if (parser.plain_count < sizeof(parser.plain) / sizeof(parser.plain[0]))
			parser.plain[parser.plain_count++] = argv[at];
	}
	options.files = (const char *const *)argv;
	if (!options.help) {
		int rc = allowed & OPTION_SQL ? take_statement(&parser) : 0;
		if (allowed & OPTION_NAME_WORD)
			rc = take_name(&parser);
		if (rc == 0)
			rc = allowed & OPTION_IMPORT ? place_files(&parser) : place_plain(&parser, takes_trace);
		if (rc != 0)
			return rc;
	}
	*ret_options = options;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "options_parser.h"

#include "analyze/kernels/time_point.h"

#include "base/clock.h"
#include "base/completion.h"
#include "base/suggest.h"
#include "base/units.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    [ID_CSV] = {"--csv", 0, false, OPTION_SQL | OPTION_GROUPS | OPTION_CSV},
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

int options_refuse(struct parser *parser, const char *format, ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(parser->text, OPTIONS_TEXT_BYTES, format, arguments);
	va_end(arguments);
	return -EINVAL;
}

static int take_time(struct parser *parser, const char *word, const char *value, uint64_t *ret_wall_ns) {
	if (time_point_parse(value, clock_wall_ns(), ret_wall_ns) == 0)
		return 0;
	return options_refuse(parser, "%s '%s': give a time like 2026-11-20T18:43:30Z, or how long ago, like 10m or 2h",
	                      word, value);
}

static int take_limit(struct parser *parser, const char *value) {
	char *end = NULL;
	errno = 0;
	unsigned long long limit = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || errno != 0 || limit > LIMIT_MAX)
		return options_refuse(parser, "--limit '%s': give a number, 0 for no limit", value);
	parser->options->limit = limit;
	parser->options->has_limit = true;
	return 0;
}

static int take_last(struct parser *parser, const char *value) {
	char *end = NULL;
	errno = 0;
	unsigned long long last = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || errno != 0 || last > OPTIONS_LAST_MAX)
		return options_refuse(parser, "--last '%s': give a number from 0 to %u", value, OPTIONS_LAST_MAX);
	parser->options->last = last;
	parser->options->has_last = true;
	return 0;
}

static int take_interval(struct parser *parser, const char *value) {
	if (units_parse_duration(value, &parser->options->interval_ns) == 0 && parser->options->interval_ns > 0)
		return 0;
	return options_refuse(parser, "--interval '%s': give a duration, like 10s or 5m", value);
}

static int take_threads(struct parser *parser, const char *value) {
	char *end = NULL;
	unsigned long threads = strtoul(value, &end, 10);
	if (*value < '0' || *value > '9' || *end != 0 || threads < 1 || threads > OPTIONS_THREADS_MAX)
		return options_refuse(parser, "--threads '%s': give a number from 1 to %u", value, OPTIONS_THREADS_MAX);
	parser->options->threads = threads;
	return 0;
}

static const char *const color_choices[] = {
    [COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never", NULL};

static int take_color(struct parser *parser, const char *value) {
	for (size_t i = 0; color_choices[i]; i++) {
		if (strcmp(value, color_choices[i]) == 0) {
			parser->options->color = (enum color_choice)i;
			return 0;
		}
	}
	return options_refuse(parser, "--color '%s': give auto, always or never", value);
}

static int take_deadline(struct parser *parser, const char *value) {
	if (units_parse_duration(value, &parser->options->deadline_ns) == 0 && parser->options->deadline_ns > 0)
		return 0;
	return options_refuse(parser, "--deadline '%s': give a duration, like 30s", value);
}

static int take_memory(struct parser *parser, const char *value) {
	if (units_parse_bytes(value, &parser->options->memory_bytes) == 0 && parser->options->memory_bytes > 0)
		return 0;
	return options_refuse(parser, "--memory '%s': give a size, like 256MiB", value);
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
	return words[id].allowed_by == 0 || (words[id].allowed_by & parser->wanted->allowed) != 0;
}

_Static_assert(WORD_COUNT + OPTIONS_OWN_MAX <= OPTIONS_WORDS_MAX, "all words of a command have a place");

size_t options_words(const struct options_wanted *wanted, struct completion_word *ret_words) {
	size_t count = 0;
	for (uint32_t i = 0; i < wanted->own_count; i++)
		ret_words[count++] = (struct completion_word){wanted->own[i].word, wanted->own[i].letter,
		                                              wanted->own[i].value != OPTION_VALUE_NONE, NULL};
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (words[i].allowed_by == 0 || (words[i].allowed_by & wanted->allowed) != 0)
			ret_words[count++] = (struct completion_word){
			    words[i].word, words[i].letter, words[i].takes_value, i == ID_COLOR ? color_choices : NULL};
	return count;
}

static int refuse_unknown(struct parser *parser, const char *word, size_t word_bytes) {
	const char *known[WORD_COUNT + OPTIONS_OWN_MAX];
	size_t count = 0;
	char typed[64];
	(void)snprintf(typed, sizeof(typed), "%.*s", (int)(word_bytes < 63 ? word_bytes : 63), word);
	for (size_t i = 0; i < WORD_COUNT; i++)
		if (allows(parser, i))
			known[count++] = words[i].word;
	for (uint32_t i = 0; i < parser->wanted->own_count; i++)
		known[count++] = parser->wanted->own[i].word;
	const char *nearest = suggest_nearest(typed, known, count);
	if (nearest)
		return options_refuse(parser, "unknown option '%s': did you mean '%s'?", typed, nearest);
	return options_refuse(parser, "unknown option '%s': --help lists them", typed);
}

/* An option as it is typed: --word, --word=value, or a letter of -qn3: what follows it is its value, or else more letters. */
struct typed {
	const char *word;
	size_t word_bytes;
	const char *value; /* behind '=' or behind the letter; NULL: nothing is */
	char letter;       /* 0: it is a word */
};

static struct typed typed_of(const char *word) {
	const char *equals = strchr(word, '=');
	return (struct typed){word, equals ? (size_t)(equals - word) : strlen(word), equals ? equals + 1 : NULL, 0};
}

static bool is_word(const struct typed *typed, const char *word, char letter) {
	if (typed->letter)
		return typed->letter == letter;
	return strlen(word) == typed->word_bytes && strncmp(word, typed->word, typed->word_bytes) == 0;
}

/* The value of an option, moving *at past it when it is a word of its own; NULL of a switch. 0 or -EINVAL. */
static int value_of(struct parser *parser, const struct typed *typed, const char *word, bool takes_value, int argc,
                    char **argv, int *at, const char **ret_value) {
	*ret_value = typed->value;
	if (!takes_value) {
		*ret_value = NULL;
		return typed->value && !typed->letter ? options_refuse(parser, "option '%s' takes no value", word) : 0;
	}
	if (typed->value)
		return 0;
	if (*at + 1 >= argc)
		return options_refuse(parser, "option '%s' needs a value", word);
	*ret_value = argv[++*at];
	return 0;
}

/* *ret_switch: it has no value, so that another letter may follow. */
static int take_typed(struct parser *parser, const struct typed *typed, int argc, char **argv, int *at,
                      bool *ret_switch) {
	const struct options_wanted *wanted = parser->wanted;
	const char *value = NULL;
	for (uint32_t i = 0; i < wanted->own_count; i++) {
		if (!is_word(typed, wanted->own[i].word, wanted->own[i].letter))
			continue;
		*ret_switch = wanted->own[i].value == OPTION_VALUE_NONE;
		int rc = value_of(parser, typed, wanted->own[i].word, !*ret_switch, argc, argv, at, &value);
		return rc ? rc : options_take_own(parser, i, value);
	}
	for (size_t i = 0; i < WORD_COUNT; i++) {
		if (!is_word(typed, words[i].word, words[i].letter))
			continue;
		if (!allows(parser, i))
			return options_refuse(parser,
			                      "option '%s' does not apply to this command: --help lists those that do",
			                      words[i].word);
		*ret_switch = !words[i].takes_value;
		int rc = value_of(parser, typed, words[i].word, words[i].takes_value, argc, argv, at, &value);
		return rc ? rc : take(parser, (enum option_id)i, value);
	}
	return refuse_unknown(parser, typed->word, typed->word_bytes);
}

/* The option, or the letters, at argv[*at]; moves *at past its value. */
static int take_option(struct parser *parser, int argc, char **argv, int *at) {
	const char *word = argv[*at];
	bool more = true;
	if (word[1] == '-') {
		struct typed typed = typed_of(word);
		return take_typed(parser, &typed, argc, argv, at, &more);
	}
	int rc = 0;
	for (const char *letter = word + 1; *letter && more && rc == 0; letter++) {
		struct typed typed = {word, strlen(word), letter[1] ? letter + 1 : NULL, *letter};
		rc = take_typed(parser, &typed, argc, argv, at, &more);
	}
	return rc;
}

int options_parse(int argc, char **argv, const struct options_wanted *wanted, struct options *ret_options,
                  char ret_text[OPTIONS_TEXT_BYTES]) {
	struct parser parser = {.options = ret_options, .wanted = wanted, .text = ret_text};
	bool plain_only = false;
	*ret_options = (struct options){.color = COLOR_AUTO};
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
		if (wanted->allowed & OPTION_IMPORT)
			argv[ret_options->file_count++] = argv[at];
		else if (parser.plain_count < PLAIN_WORDS_MAX)
			parser.plain[parser.plain_count++] = argv[at];
	}
	ret_options->files = (const char *const *)argv;
	return ret_options->help ? 0 : options_place_plain(&parser);
}

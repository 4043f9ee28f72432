/* SPDX-License-Identifier: Apache-2.0 */
#include "words.h"

#include "base/errs.h"
#include "base/suggest.h"
#include "base/units.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static int refuse_unknown(const struct words *words, const char *command, const char *word) {
	const char *names[WORDS_MAX + 1];
	uint32_t count = 0;
	for (; count < words->count; count++)
		names[count] = words->table[count].name;
	names[count++] = "help";
	const char *nearest = suggest_nearest(word + strspn(word, "-"), names, count);
	log_error(words->log, "%s: unknown option '%s'%s%s%s", command, word,
	          nearest ? ": did you mean '--" : ": see --help", nearest ? nearest : "", nearest ? "'?" : "");
	return EXIT_CODE_USAGE;
}

static int refuse_value(const struct words *words, const char *command, const struct word *word, const char *value) {
	char low[UNITS_TEXT_BYTES], high[UNITS_TEXT_BYTES];
	switch (word->kind) {
	case WORD_NUMBER:
		log_error(words->log, "%s: --%s '%s': give a number from %" PRIu64 " to %" PRIu64, command, word->name,
		          value, word->min, word->max);
		break;
	case WORD_DURATION:
		log_error(words->log, "%s: --%s '%s': give a time from %s to %s, like 500ms or 10s", command,
		          word->name, value, units_format_duration((double)word->min, low),
		          units_format_duration((double)word->max, high));
		break;
	case WORD_RATIO:
	case WORD_SWITCH:
	case WORD_TEXT:
	case WORD_FORMAT:
		log_error(words->log, "%s: --%s '%s': give a number above 0, like 1.5", command, word->name, value);
		break;
	}
	return EXIT_CODE_USAGE;
}

static bool take_number(const struct word *word, const char *value) {
	char *end;
	errno = 0;
	unsigned long long number = strtoull(value, &end, 10);
	if (errno != 0 || *end != 0 || *value < '0' || *value > '9' || number < word->min || number > word->max)
		return false;
	*(uint64_t *)word->place = number;
	return true;
}

static bool take_duration(const struct word *word, const char *value) {
	uint64_t ns;
	if (units_parse_duration(value, &ns) < 0 || ns < word->min || ns > word->max)
		return false;
	*(uint64_t *)word->place = ns;
	return true;
}

static bool take_ratio(const struct word *word, const char *value) {
	char *end;
	double ratio = strtod(value, &end);
	if (end == value || *end != 0 || !isfinite(ratio) || ratio <= 0)
		return false;
	*(double *)word->place = ratio;
	return true;
}

static bool take(const struct word *word, const char *value) {
	switch (word->kind) {
	case WORD_SWITCH:
		*(bool *)word->place = true;
		return true;
	case WORD_FORMAT:
		*(enum result_format *)word->place = (enum result_format)word->min;
		return true;
	case WORD_TEXT:
		*(const char **)word->place = value;
		return true;
	case WORD_NUMBER:
		return take_number(word, value);
	case WORD_DURATION:
		return take_duration(word, value);
	case WORD_RATIO:
		return take_ratio(word, value);
	}
	return false;
}

static const struct word *find(const struct words *words, const char *text, size_t bytes) {
	for (uint32_t i = 0; i < words->count; i++)
		if (strlen(words->table[i].name) == bytes && strncmp(words->table[i].name, text, bytes) == 0)
			return &words->table[i];
	return NULL;
}

/* One option at argv[*at]; moves *at past its value. -1: go on. */
static int take_option(const struct words *words, int argc, char **argv, int *at) {
	const char *text = argv[*at] + 2;
	size_t bytes = strcspn(text, "=");
	const struct word *word = find(words, text, bytes);
	if (!word)
		return refuse_unknown(words, argv[0], argv[*at]);
	const char *value = text[bytes] ? text + bytes + 1 : NULL;
	bool takes_value = word->kind != WORD_SWITCH && word->kind != WORD_FORMAT;
	if (takes_value && !value && *at + 1 < argc)
		value = argv[++*at];
	if (takes_value != (value != NULL)) {
		log_error(words->log, "%s: option '--%s' %s", argv[0], word->name,
		          takes_value ? "needs a value" : "takes no value");
		return EXIT_CODE_USAGE;
	}
	return take(word, value) ? -1 : refuse_value(words, argv[0], word, value);
}

static int take_plain(struct words *words, const char *command, const char *word) {
	if (words->plain_count == words->plain_max) {
		log_error(words->log, "%s: unexpected word '%s': see --help", command, word);
		return EXIT_CODE_USAGE;
	}
	words->plain[words->plain_count++] = word;
	words->plain[words->plain_count] = NULL;
	return -1;
}

int words_read(struct words *words, int argc, char **argv) {
	bool plain_only = false;
	int code = -1;
	for (int at = 1; at < argc && code < 0; at++) {
		if (!plain_only && (strcmp(argv[at], "--help") == 0 || strcmp(argv[at], "-h") == 0)) {
			(void)fputs(words->help, stdout);
			return EXIT_CODE_OK;
		}
		if (!plain_only && strcmp(argv[at], "--") == 0)
			plain_only = true;
		else if (!plain_only && argv[at][0] == '-' && argv[at][1] == '-')
			code = take_option(words, argc, argv, &at);
		else if (!plain_only && argv[at][0] == '-' && argv[at][1] != 0)
			code = refuse_unknown(words, argv[0], argv[at]);
		else
			code = take_plain(words, argv[0], argv[at]);
		plain_only = plain_only || (words->plain_is_command && words->plain_count > 0);
	}
	return code;
}

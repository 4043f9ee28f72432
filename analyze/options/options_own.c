/* SPDX-License-Identifier: Apache-2.0 */
/* The words that one command alone has. */
#include "options_parser.h"

#include "base/units.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool parse_count(const char *text, uint64_t *ret_number) {
	char *end = NULL;
	errno = 0;
	unsigned long long number = strtoull(text, &end, 10);
	if (*text < '0' || *text > '9' || *end != 0 || errno != 0)
		return false;
	*ret_number = number;
	return true;
}

/* "20%" or "0.2" */
static bool parse_share(const char *text, double *ret_share) {
	char *end = NULL;
	double share = strtod(text, &end);
	if (end == text || !((*text >= '0' && *text <= '9') || *text == '.') || !isfinite(share))
		return false;
	bool percent = strcmp(end, "%") == 0;
	*ret_share = percent ? share / 100 : share;
	return percent || *end == 0;
}

static int take_list(struct parser *parser, const char *word, const char *value, struct option_given *given) {
	if (given->list_count == OPTIONS_LIST_MAX)
		return options_refuse(parser, "option '%s' at most %u times", word, OPTIONS_LIST_MAX);
	given->list[given->list_count++] = value;
	return 0;
}

int options_take_own(struct parser *parser, uint32_t own, const char *value) {
	const char *word = parser->wanted->own[own].word;
	struct option_given *given = &parser->options->own[own];
	given->is_given = true;
	given->text = value;
	switch (parser->wanted->own[own].value) {
	case OPTION_VALUE_NONE:
	case OPTION_VALUE_TEXT:
		return 0;
	case OPTION_VALUE_COUNT:
		return parse_count(value, &given->number)
		           ? 0
		           : options_refuse(parser, "%s '%s': give a number", word, value);
	case OPTION_VALUE_DURATION:
		if (units_parse_duration(value, &given->number) == 0)
			return 0;
		return options_refuse(parser, "%s '%s': give a duration, like 250us or 10s", word, value);
	case OPTION_VALUE_BYTES:
		if (units_parse_bytes(value, &given->number) == 0)
			return 0;
		return options_refuse(parser, "%s '%s': give a size, like 64KiB", word, value);
	case OPTION_VALUE_SHARE:
		return parse_share(value, &given->share)
		           ? 0
		           : options_refuse(parser, "%s '%s': give a share, like 20%%", word, value);
	case OPTION_VALUE_LIST:
		return take_list(parser, word, value, given);
	}
	return -EINVAL;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl_words.h"

#include "base/units.h"

#include <errno.h>
#include <string.h>

struct reading {
	char *const *words;
	uint32_t count;
	uint32_t at;
	const struct log *log;
};

static const char *next_word(struct reading *reading) {
	return reading->at < reading->count ? reading->words[reading->at++] : NULL;
}

static int refuse(const struct reading *reading, const char *action, const char *word, const char *wanted) {
	if (word)
		log_error(reading->log, "ctl: %s %s: give %s", action, word, wanted);
	else
		log_error(reading->log, "ctl: %s: nothing after it; give %s", action, wanted);
	return -EINVAL;
}

static int read_ratio(struct reading *reading, struct ctl_change *change) {
	const char *word = next_word(reading);
	change->action = CTL_RATIO;
	if (!word || !spanring__sampling_ratio(word, &change->value))
		return refuse(reading, "ratio", word, "a number from 0 to 1, such as 0.01");
	return 0;
}

/* A number behind the name is its argument: no action begins with a digit. */
static int read_sampler(struct reading *reading, struct ctl_change *change) {
	struct spanring__sampling sampling = {0};
	change->action = CTL_SAMPLER;
	change->name = next_word(reading);
	if (!change->name || !spanring__sampling_set(&sampling, change->name, NULL))
		return refuse(reading, "sampler", change->name,
		              "always_on, always_off, traceidratio, parentbased_always_on, parentbased_always_off or "
		              "parentbased_traceidratio");
	const char *word = reading->at < reading->count ? reading->words[reading->at] : "";
	if ((*word < '0' || *word > '9') && *word != '.' && *word != '-')
		return 0;
	change->argument = next_word(reading);
	if (!spanring__sampling_has_ratio(change->name)) {
		log_error(reading->log, "ctl: sampler %s has no argument; leave out %s", change->name, word);
		return -EINVAL;
	}
	if (!spanring__sampling_set(&sampling, change->name, change->argument))
		return refuse(reading, change->name, word, "a number from 0 to 1, such as 0.01");
	return 0;
}

static int read_statistics(struct reading *reading, struct ctl_change *change) {
	const char *word = next_word(reading);
	if (!word || (strcmp(word, "on") != 0 && strcmp(word, "off") != 0))
		return refuse(reading, "statistics", word, "on or off");
	change->action = word[1] == 'n' ? CTL_STATISTICS_ON : CTL_STATISTICS_OFF;
	return 0;
}

static int read_duration(struct reading *reading, enum ctl_action action, struct ctl_change *change) {
	const char *word = next_word(reading);
	change->action = action;
	if (!word || units_parse_duration(word, &change->value) < 0)
		return refuse(reading, "duration-min", word, "a time such as 5ms, or 0 for none");
	return 0;
}

static int read_site(struct reading *reading, struct ctl_change *change) {
	change->name = next_word(reading);
	if (!change->name || !*change->name)
		return refuse(reading, "site", NULL, "the name of a site or a pattern such as 'parse*'");
	const char *word = next_word(reading);
	if (word && strcmp(word, "duration-min") == 0)
		return read_duration(reading, CTL_SITE_DURATION_MIN, change);
	if (!word || (strcmp(word, "enable") != 0 && strcmp(word, "disable") != 0))
		return refuse(reading, "site", word ? word : change->name,
		              "enable, disable or duration-min TIME after the name");
	change->action = *word == 'e' ? CTL_SITE_ENABLE : CTL_SITE_DISABLE;
	return 0;
}

static int read_change(struct reading *reading, struct ctl_change *change) {
	const char *word = next_word(reading);
	if (strcmp(word, "enable") == 0 || strcmp(word, "disable") == 0) {
		change->action = *word == 'e' ? CTL_ENABLE : CTL_DISABLE;
		return 0;
	}
	if (strcmp(word, "ratio") == 0)
		return read_ratio(reading, change);
	if (strcmp(word, "sampler") == 0)
		return read_sampler(reading, change);
	if (strcmp(word, "statistics") == 0)
		return read_statistics(reading, change);
	if (strcmp(word, "duration-min") == 0)
		return read_duration(reading, CTL_DURATION_MIN, change);
	if (strcmp(word, "site") == 0)
		return read_site(reading, change);
	log_error(
	    reading->log,
	    "ctl: unknown action \"%s\"; give show, enable, disable, ratio, sampler, statistics, duration-min or site, "
	    "or see spanring-agent ctl --help",
	    word);
	return -EINVAL;
}

static bool is_target(const char *word) {
	size_t digits = strspn(word, "0123456789abcdef");
	size_t decimal = strspn(word, "0123456789");
	return strcmp(word, "all") == 0 || (!word[digits] && digits >= 8 && digits <= 32) ||
	       (!word[decimal] && decimal > 0 && decimal < 8);
}

int ctl_words_parse(char *const *words, uint32_t count, const struct log *log, struct ctl_request *ret_request) {
	struct reading reading = {.words = words, .count = count, .log = log};
	*ret_request = (struct ctl_request){.target = next_word(&reading)};
	if (!ret_request->target || !is_target(ret_request->target)) {
		log_error(log,
		          "ctl: %s%sgive the pid of a traced program, 8 or more digits of an instance, or all; "
		          "spanring-agent ps lists them",
		          ret_request->target ? ret_request->target : "no program named",
		          ret_request->target ? ": " : "; ");
		return -EINVAL;
	}
	if (count == 2 && strcmp(words[1], "show") == 0) {
		ret_request->show = true;
		return 0;
	}
	if (count == 1) {
		log_error(
		    log,
		    "ctl: nothing to do; give show, enable, disable, ratio, sampler, statistics, duration-min or site");
		return -EINVAL;
	}
	while (reading.at < count) {
		struct ctl_change *change = &ret_request->changes[ret_request->count];
		if (ret_request->count == CTL_CHANGES_MAX) {
			log_error(log, "ctl: more than %u actions; give the rest to a second ctl", CTL_CHANGES_MAX);
			return -EINVAL;
		}
		uint32_t from = reading.at;
		int rc = read_change(&reading, change);
		if (rc < 0)
			return rc;
		change->words = words + from;
		change->word_count = reading.at - from;
		ret_request->count++;
	}
	return 0;
}

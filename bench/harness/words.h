/* SPDX-License-Identifier: Apache-2.0 */
/* The words of one command's line: a table, read once. */
#ifndef SPANRING_BENCH_WORDS_H
#define SPANRING_BENCH_WORDS_H

#include "base/log.h"
#include "result.h"

#include <stdbool.h>
#include <stdint.h>

enum word_kind {
	WORD_SWITCH,   /* bool */
	WORD_NUMBER,   /* uint64_t, from min to max */
	WORD_DURATION, /* uint64_t, nanoseconds, from min to max */
	WORD_RATIO,    /* double, greater than 0 */
	WORD_TEXT,     /* const char * */
	WORD_FORMAT    /* enum result_format: --json, --csv, --markdown; `min` is the format */
};

struct word {
	const char *name; /* without its dashes */
	enum word_kind kind;
	void *place;
	uint64_t min;
	uint64_t max;
};

#define WORDS_MAX 40u

/* Words that every command of the harness takes. */
#define WORDS_OF_FORMAT(place_)                                                                                        \
	{"json", WORD_FORMAT, place_, RESULT_JSON, 0}, {"csv", WORD_FORMAT, place_, RESULT_CSV, 0}, {                  \
		"markdown", WORD_FORMAT, place_, RESULT_MARKDOWN, 0                                                    \
	}

/*
 * Read argv (argv[0] is the command). Plain words go to plain, at most plain_max, their number to *ret_plain; what stands behind "--"
 * goes there unread, and all plain words behind the first count as such with plain_is_command. -1: go on; an exit code: help was printed, or one
 * line on what is wrong.
 */
struct words {
	const struct log *log;
	const char *help;
	const struct word *table;
	uint32_t count;
	bool plain_is_command;
	uint32_t plain_max;
	const char **plain; /* room for plain_max and a NULL */
	uint32_t plain_count;
};
int words_read(struct words *words, int argc, char **argv);

#endif

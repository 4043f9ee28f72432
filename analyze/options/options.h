/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of the command line. Those that several commands take have one meaning for all and a field of their own in `struct options`; a command
 * says which of them it takes (OPTION_*). Words of one command alone are a table of that command (struct option_own), and its values are asked
 * for by their place in it.
 *
 * Plain words come in this order: a subcommand, leading words, stores. options_parse puts each where it belongs.
 */
#ifndef SPANRING_ANALYZE_OPTIONS_H
#define SPANRING_ANALYZE_OPTIONS_H

#include "analyze/terminal/terminal.h"
#include "base/completion.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTION_JSON (1u << 0)
#define OPTION_COLOR (1u << 1)
#define OPTION_QUIET (1u << 2)
#define OPTION_TIME (1u << 3) /* --since, --until */
#define OPTION_SERVICE (1u << 4)
#define OPTION_NAME (1u << 5)
#define OPTION_LIMIT (1u << 6)
#define OPTION_SORT (1u << 7)
#define OPTION_ATTRIBUTES (1u << 8)      /* --no-attributes */
#define OPTION_CSV (1u << 9)             /* --csv */
#define OPTION_NO_STORE (1u << 10)       /* of the plain words none is a store */
#define OPTION_STORE_OPTIONAL (1u << 11) /* without one the command finds what to say */
#define OPTION_TWO_STORES (1u << 12)     /* before and after */

#define OPTION_WITH_ATTRIBUTES (1u << 16) /* --attributes */
#define OPTION_LAST (1u << 17)            /* --last */
#define OPTION_RINGS (1u << 18)           /* the plain word is a ring directory and may be missing */
#define OPTION_EXACT (1u << 19)           /* --exact */
#define OPTION_WHERE (1u << 20)           /* --where */
#define OPTION_IMPORT (1u << 24)          /* --from, --into, --keep-going; the plain words are files */
#define OPTION_NAME_WORD (1u << 22)       /* one of the plain words is a glob of names, and comes first */
#define OPTION_NAME_LAST (1u << 23)       /* behind two stores there may be a glob of names */
#define OPTION_GROUPS (1u << 21)          /* --group-by, --interval, --csv */
#define OPTION_THREADS (1u << 27)         /* --threads */

#define OPTION_SQL (1u << 28) /* the last plain word is a statement; --csv, --deadline, --memory */

#define OPTIONS_COMMON (OPTION_JSON | OPTION_COLOR | OPTION_QUIET)
#define OPTIONS_TEXT_BYTES 256u
#define OPTIONS_LAST_MAX 10000u
#define OPTIONS_THREADS_MAX 16u
#define OPTIONS_OWN_MAX 16u
#define OPTIONS_LEADING_MAX 2u

enum option_value {
	OPTION_VALUE_NONE, /* a switch */
	OPTION_VALUE_TEXT,
	OPTION_VALUE_COUNT,    /* a whole number */
	OPTION_VALUE_DURATION, /* number is nanoseconds */
	OPTION_VALUE_BYTES,
	OPTION_VALUE_SHARE, /* 20% or 0.2: share is 0.2 */
	OPTION_VALUE_LIST,  /* a text; may be given again, each time one more is kept */
};

/* A word of one command: "--threshold". */
struct option_own {
	const char *word;
	char letter; /* of "-o"; 0: none */
	enum option_value value;
};

#define OPTIONS_LIST_MAX 32u

struct option_given {
	bool is_given;
	const char *text; /* as typed */
	uint64_t number;
	double share;
	const char *list[OPTIONS_LIST_MAX]; /* OPTION_VALUE_LIST: in the order of the command line */
	size_t list_count;
};

/* What a command takes. */
struct options_wanted {
	uint32_t allowed; /* OPTION_* */
	bool takes_trace; /* one of the two plain words is a trace id */
	const struct option_own *own;
	uint32_t own_count;             /* at most OPTIONS_OWN_MAX */
	const char *const *subcommands; /* a first plain word that is one of these is no store; ends with NULL */
	const char *const
	    *leading; /* what the plain words before the store are, for messages: "FILE"; ends with NULL */
};

struct options {
	const char *store;       /* of `rings`: the ring directory, NULL when none was given; of two the one before */
	const char *store_after; /* OPTION_TWO_STORES */
	const char *subcommand;  /* NULL: none was given */
	const char *leading[OPTIONS_LEADING_MAX];
	struct option_given own[OPTIONS_OWN_MAX];
	const char *trace; /* the trace id, of commands that take one */
	const char *service;
	const char *name;
	const char *sort;
	const char *where;
	const char *sql;          /* the statement, of the command that takes one */
	const char *from;         /* of import, as the next ones */
	const char *const *files; /* what store is to get */
	size_t file_count;
	bool keep_going;
	const char *group_by;
	uint64_t interval_ns;   /* 0: none */
	uint64_t since_wall_ns; /* 0: none */
	uint64_t until_wall_ns;
	uint64_t limit;
	uint64_t last;    /* of --last; has_last */
	uint64_t threads; /* 0: one for each core */
	bool has_limit;
	bool has_last;
	uint64_t deadline_ns; /* of --deadline and --memory; 0: not given */
	uint64_t memory_bytes;
	bool json;
	bool csv;
	bool quiet;
	bool no_attributes;
	bool attributes;
	bool exact;
	bool help;
	enum color_choice color;
};

/* Read the words after the command. The texts point into argv or the environment. 0, or -EINVAL with one line in ret_text. */
int options_parse(int argc, char **argv, const struct options_wanted *wanted, struct options *ret_options,
                  char ret_text[OPTIONS_TEXT_BYTES]);

/* The words that such a command takes, for completion; room for OPTIONS_WORDS_MAX. Returns how many. */
#define OPTIONS_WORDS_MAX 64u
size_t options_words(const struct options_wanted *wanted, struct completion_word *ret_words);

#endif

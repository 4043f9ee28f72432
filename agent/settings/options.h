/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting of the agent, once. This table makes the flags, the keys of the configuration file, the environment variables, the
 * help text, the defaults, what `spanring-agent config` prints and the reference in docs/operating.md (a test compares it). A value has one
 * way in, options_set, and one way out, options_text, whose text options_set takes again.
 */
#ifndef SPANRING_AGENT_OPTIONS_H
#define SPANRING_AGENT_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OPTIONS_VARIABLE_PREFIX "SPANRING_AGENT_"
#define OPTIONS_WHY_BYTES 256u
#define OPTIONS_RATIO_BYTES 32u
#define OPTIONS_RATIO_OWN "own" /* programs sample as they choose */

struct config;

enum options_id {
	OPTIONS_RINGS,
	OPTIONS_STORE,
	OPTIONS_SYSTEM,
	OPTIONS_PRESET,
	OPTIONS_MEMORY_CAP,
	OPTIONS_IO,
	OPTIONS_SANDBOX,
	OPTIONS_LOG_FORMAT,
	OPTIONS_LOG_LEVEL,
	OPTIONS_QUIET,
	OPTIONS_METRICS,
	OPTIONS_BATCH_SIZE,
	OPTIONS_FLUSH_INTERVAL,
	OPTIONS_MAX_WAIT,
	OPTIONS_DURABILITY,
	OPTIONS_RETAIN_BYTES,
	OPTIONS_RETAIN_AGE,
	OPTIONS_RETAIN_FREE,
	OPTIONS_MERGE_BUDGET,
	OPTIONS_SEGMENT_SPANS,
	OPTIONS_BREAKER_FAILURES,
	OPTIONS_BREAKER_PAUSE,
	OPTIONS_STALL_AFTER,
	OPTIONS_QUOTA_PROGRAMS,
	OPTIONS_QUOTA_RINGS,
	OPTIONS_QUOTA_BYTES,
	OPTIONS_QUOTA_SPANS,
	OPTIONS_QUOTA_NAMES,
	OPTIONS_RATIO,
	OPTIONS_MEMORY_INTERVAL,
	OPTIONS_STATISTICS_INTERVAL,
	OPTIONS_TAIL_KEEP,
	OPTIONS_TAIL_RATIO,
	OPTIONS_TAIL_SLOW,
	OPTIONS_TAIL_RARE,
	OPTIONS_TAIL_FIRST,
	OPTIONS_TAIL_WAIT,
	OPTIONS_TAIL_MEMORY,
	OPTIONS_CONFIG,
	OPTIONS_TAKE_OVER,
	OPTIONS_HEAP,
	OPTIONS_ATTACH_DURATION,
	OPTIONS_JSON,
	OPTIONS_EACH_RING,
	OPTIONS_INTERVAL,
	OPTIONS_SORT,
	OPTIONS_LIMIT,
	OPTIONS_ONCE,
	OPTIONS_COUNT
};

enum options_type {
	OPTIONS_PATH,
	OPTIONS_DURATION,
	OPTIONS_DURATION_OR_NEVER, /* 0: never */
	OPTIONS_BYTES,
	OPTIONS_BYTES_OR_NONE, /* 0: no limit */
	OPTIONS_NUMBER,
	OPTIONS_NUMBER_OR_NONE, /* 0: no limit */
	OPTIONS_CHOICE,         /* a uint32_t or an enum: the number of the word */
	OPTIONS_SHARE,          /* from 0 to 1, or OPTIONS_RATIO_OWN; kept as text */
	OPTIONS_ADDRESS,        /* of metrics_address.h; kept as text */
	OPTIONS_TAIL_SHARE,     /* from 0 to 1; kept as text */
	OPTIONS_SLOWNESS,       /* a percentile or a time; kept as text */
	OPTIONS_SWITCH
};

/* Rising: the higher one decides. */
enum options_source {
	OPTIONS_FROM_DEFAULT,
	OPTIONS_FROM_PRESET,
	OPTIONS_FROM_FILE,
	OPTIONS_FROM_ENVIRONMENT,
	OPTIONS_FROM_FLAG
};

struct options_origin {
	enum options_source source;
	uint32_t line; /* of the file */
};

struct options_entry {
	const char *name;           /* of the flag, and of the key */
	char letter;                /* of the flag; 0: none */
	const char *section;        /* of the file; NULL: not to be set there */
	const char *variable;       /* NULL: none */
	const char *value;          /* what the help calls the value; NULL: a flag without one */
	const char *usual;          /* default; NULL: found out when needed */
	const char *usual_record;   /* default of record, where it is another one */
	const char *usual_system;   /* default for all users, likewise */
	const char *const *choices; /* ends in NULL */
	const char *about;          /* lines of at most 55 columns */
	enum options_type type;
	size_t place; /* in struct config */
	uint64_t min;
	uint64_t max;
	bool reloads;     /* counts from a reload on; else a change needs a restart */
	bool is_of_place; /* record: file and environment do not decide it, its rings, store and sockets are its own */
};

extern const struct options_entry options_table[OPTIONS_COUNT];
/* Of the file, in order; ends in NULL. */
extern const char *const options_sections[];

/* OPTIONS_COUNT if there is none. */
enum options_id options_find(const char *name);
/* The name nearest to a mistyped one, of those that may stand in a file; NULL: none is near. */
const char *options_nearest(const char *typed);

/* 0, or -EINVAL and what to give instead; then the config is as it was. */
int options_set(enum options_id id, const char *text, struct config *config, char ret_why[OPTIONS_WHY_BYTES]);

/* The value as options_set takes it, cut where it does not fit; returns ret_text. */
const char *options_text(enum options_id id, const struct config *config, char *ret_text, size_t text_bytes);

/* "1ms to 1m", "64 to 65536"; "" where there are no bounds. */
const char *options_bounds(enum options_id id, char ret_text[OPTIONS_WHY_BYTES]);

#endif

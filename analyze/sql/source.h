/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store behind tables of one SQLite connection. Its reader is open while a statement has a cursor on one of them, and only then: all tables
 * of the statement see one prefix of what an agent commits, and a shell that waits for its user holds nothing. What the planner asks about
 * sizes is answered from the last look.
 *
 * DAMAGE. A table that leaves out rows would answer wrongly without a word, so damage is an error of the statement that meets it, unless the
 * owner of the connection takes the words and says them himself (on_damage).
 */
#ifndef SPANRING_ANALYZE_SQL_SOURCE_H
#define SPANRING_ANALYZE_SQL_SOURCE_H

#include "libstore/reader.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SOURCE_TEXT_BYTES 1024u

/* What one segment holds, for estimates. */
struct source_part {
	uint64_t start_wall_ns; /* both 0: no spans */
	uint64_t end_wall_ns;
	uint64_t spans;
};

struct source_sizes {
	struct source_part *parts;
	size_t part_count;
	uint64_t spans;
	uint64_t attributes;
	uint64_t events;
	uint64_t links;
	uint64_t processes;
	uint64_t rings;
	uint64_t sites;
};

/* What all tables of a connection share. */
struct source_host {
	struct source *sources;
	unsigned users;                                     /* modules and functions that were given it */
	uint64_t batches_read;                              /* decoded, since the connection was opened */
	void (*on_damage)(void *context, const char *text); /* NULL: damage is an error */
	bool (*is_stopped)(void *context);                  /* NULL: never; looked at between batches */
	void *context;
};

struct source {
	struct source_host *host;
	struct source *next;
	char *path;
	unsigned users; /* tables */
	unsigned cursors;
	size_t damage_seen;
	struct store_reader *reader; /* while there are cursors */
	const struct store_overview *overview;
	struct source_sizes sizes;
};

/* The store at that path, looked at once. 0, or a negative errno with one line in ret_text. */
int source_get(struct source_host *host, const char *path, struct source **ret_source,
               char ret_text[SOURCE_TEXT_BYTES]);
/* NULL is fine. */
void source_put(struct source *source);

/* A cursor comes, and goes. */
int source_enter(struct source *source, char ret_text[SOURCE_TEXT_BYTES]);
void source_leave(struct source *source);

/* 0, or ERR_DAMAGED with the words when damage was met since the last time and nobody takes them. */
int source_check(struct source *source, char ret_text[SOURCE_TEXT_BYTES]);

#endif

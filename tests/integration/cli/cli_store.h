/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A store with known content, made by libstore's own writer, for the tests of the commands.
 *
 *     process 100 "frontend"  ring 0   trace A: GET /users -> authenticate, query (error, attributes, event); an orphan
 *     process 200 "indexer"   ring 0   CLI_INDEX_SPANS x "index file", each a trace of its own, durations cli_index_duration(i)
 *                             ring 1   2 spans with hostile and wide names, heap bytes counted
 *
 * Two segments; one attribute of trace A lies in a batch of the first segment, its span in the second. Memory samples: process 100
 * grows by 1 MiB a second, process 200 has one sample, the agent 4321 two.
 */
#ifndef SPANRING_TESTS_CLI_STORE_H
#define SPANRING_TESTS_CLI_STORE_H

#include <stddef.h>
#include <stdint.h>

#define CLI_INDEX_SPANS 1000u
#define CLI_WALL_OFFSET_NS (UINT64_C(1795200000) * 1000000000u) /* 2026-11-20T18:40:00Z */
#define CLI_INDEX_START_NS (UINT64_C(20) * 1000000000u)         /* monotonic; one span a millisecond */
#define CLI_TRACE_A "4bf92f3577b34da6a3ce929d0e0e4736"
#define CLI_TRACE_A_LOW "a3ce929d0e0e4736"
#define CLI_EVIL_NAME "evil\x1b[31m\nname"
#define CLI_WIDE_NAME "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e index"

enum cli_defect {
	CLI_BALANCED,
	CLI_LIVE,       /* the ring of process 200 is alive: 5 more spans have ended than are stored */
	CLI_GAP,        /* the same of a ring that is not alive */
	CLI_DUPLICATES, /* the agent says it stored fewer */
	CLI_STATISTICS, /* not a defect: rollups of all names, and of "index file" as many spans again were sampled out */
	CLI_UNCOUNTED   /* as CLI_STATISTICS, but the last reading was lost: fewer spans in rollups than records */
};

uint64_t cli_index_duration(uint32_t i);

/* Fails the test if it cannot be made. */
void cli_store_make(const char *directory, enum cli_defect defect);
/* A store in which nothing was stored yet. */
void cli_store_make_empty(const char *directory);

#define CLI_PATH_BYTES 1024u
/* First segment file of a store. */
void cli_store_segment(const char *directory, char ret_path[CLI_PATH_BYTES]);

#endif

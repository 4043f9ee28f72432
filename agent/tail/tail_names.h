/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the agent knows of span names for tail keep: how often each came, in all and in this window and the one before, and how long the spans
 * take that enter a process under it, out of the statistics channel, which counts them whether they are recorded or not.
 *
 * Durations go into bins of a sixteenth of an octave. The limit of a name is the upper edge of the bin with its percentile, so at most the
 * share beyond the percentile is above it, also where all spans take the same time; it stands after TAIL_NAMES_SPANS_MIN spans. When a
 * name has TAIL_NAMES_SPANS_HALVE of them all its bins are halved: what was counts ever less.
 *
 * Bounded: TAIL_NAMES_MAX names, of which those that found no place are never rare or new, and histograms as far as their bytes reach.
 * A name with its whole text is the key: numbers of a catalog last no longer than its segment.
 */
#ifndef SPANRING_AGENT_TAIL_NAMES_H
#define SPANRING_AGENT_TAIL_NAMES_H

#include "libstore/catalog.h"
#include "libstore/rollup.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAIL_NAMES_MAX 4096u
#define TAIL_NAMES_WINDOW_NS (UINT64_C(60) * 1000000000)
#define TAIL_NAMES_SPANS_MIN 100u
#define TAIL_NAMES_SPANS_HALVE (UINT64_C(1) << 20)
#define TAIL_NAMES_STEPS 16u /* bins of an octave */
#define TAIL_NAMES_BINS (61u * TAIL_NAMES_STEPS)

struct tail_name {
	char *text;
	uint32_t text_bytes;
	bool enters;      /* spans of this name enter a process */
	uint32_t *bins;   /* NULL: none yet, or no bytes left */
	uint64_t spans;   /* in the bins */
	uint64_t slow_ns; /* UINT64_MAX: not known */
	uint64_t count;   /* of spans decided, ever */
	uint64_t window;  /* of them in this window, and in the one before */
	uint64_t window_before;
	uint64_t looked; /* in the decision under way */
};

struct tail_names {
	struct tail_name *names; /* number 0 stands for those that found no place */
	uint32_t count;
	uint32_t *slots; /* hash -> number; 0: empty */
	uint16_t *of_site;
	uint32_t site_room;
	uint32_t generation; /* of the catalog whose sites of_site has */
	uint64_t window_ends_ns;
	size_t bytes_left; /* for bins */
	uint64_t seed;
};

/* 0 or -ENOMEM. */
int tail_names_init(struct tail_names *names, size_t bin_bytes);
void tail_names_done(struct tail_names *names);

/* The name of a site of this catalog; without memory that of number 0. */
struct tail_name *tail_names_of(struct tail_names *names, const struct catalog *catalog, uint32_t generation,
                                uint32_t site);

/* Begin a decision: none was looked at in it, and windows that are over end. */
void tail_names_begin(struct tail_names *names, uint64_t now_ns);

/* How long the spans of a step took, in bins of the histogram of their name. */
void tail_names_learn(struct tail_names *names, const struct catalog *catalog, uint32_t generation,
                      const struct store_rollup *rollup, uint32_t per_million);

#endif

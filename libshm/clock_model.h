/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From ticks of the processor's counter to nanoseconds of CLOCK_MONOTONIC.
 *
 * The kernel steers CLOCK_MONOTONIC by changing its rate, so the map is a line of pieces. Once a second the agent reads
 * both clocks as one pair; the new piece begins where the old one has come to and is tilted so that it meets the
 * measured rate and takes back the old piece's error within the next second. So the map is continuous and never runs
 * backwards: the order of two records is that of their ticks, a duration is never negative, and the error stays below a
 * microsecond. Older pieces are kept for records that waited in a ring.
 *
 *      ns |                 . /      piece k+1: steered to meet the next measured pair
 *         |              ./
 *         |         __/              piece k
 *         |    __--                  what came before piece 0: its line prolonged
 *         +----------------------- ticks
 */
#ifndef SPANRING_LIBSHM_CLOCK_MODEL_H
#define SPANRING_LIBSHM_CLOCK_MODEL_H

#include <stdint.h>

#define CLOCK_MODEL_PIECES 64u

/* One moment on both clocks. */
struct clock_model_pair {
	uint64_t ticks;
	uint64_t ns;
};

struct clock_model_piece {
	uint64_t ticks;
	uint64_t ns;
	uint64_t ns_per_tick_q40; /* nanoseconds per tick, 24.40 fixed point */
};

struct clock_model {
	struct clock_model_pair origin; /* first pair measured */
	struct clock_model_pair last;   /* newest pair measured */
	struct clock_model_piece pieces[CLOCK_MODEL_PIECES];
	uint32_t newest; /* index of the newest piece; older ones lie before it, round the ring */
	uint32_t count;
};

/* Ticks of this kind (SPANRING_CLOCK_*) can be read on this machine: 0 or -ENOTSUP. The best of several tries. */
int clock_model_pair_read(uint32_t clock_kind, struct clock_model_pair *ret_pair);

/* The counter of this machine's processor: SPANRING_CLOCK_TSC, SPANRING_CLOCK_CNTVCT or 0. */
uint32_t clock_model_counter_kind(void);

/* Two pairs some milliseconds apart. */
void clock_model_init(struct clock_model *model, struct clock_model_pair first, struct clock_model_pair second);
void clock_model_renew(struct clock_model *model, struct clock_model_pair now);

/* Nanoseconds per 2^32 ticks over all that was measured so far; never 0. For durations of any age. */
uint64_t clock_model_scale_q32(const struct clock_model *model);

/* Never decreasing in ticks; held within 0 .. INT64_MAX. */
uint64_t clock_model_ns(const struct clock_model *model, uint64_t ticks);

/*
 * The same for ticks from before the agent was there, along the line from the program's own pair at its attach to the
 * model's origin. An anchor that makes no sense is not used.
 */
uint64_t clock_model_ns_before(const struct clock_model *model, struct clock_model_pair anchor, uint64_t ticks);

#endif

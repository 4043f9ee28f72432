/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program that measures its own spans from inside and from outside, with the clock that nobody else uses:
 *
 *     outside                 begin           inside                 end             outside
 *        o0 ------------------> | ------------> i0 --- work --- i1 ---> | ------------> o1
 *
 * i1 - i0 <= duration of the span <= o1 - o0, whatever interrupts it. As ranks keep that order, so do percentiles. Prints for each name
 * "name count inside-p50 outside-p50 inside-p90 outside-p90 inside-p99 outside-p99", then "total N": the spans it ended.
 *
 *     measured_program SPANS FILLERS SEED
 *
 * SPANS of each name, of 20 to 400 us: "even" spreads over all octaves alike, "rare" is short nine times in ten. FILLERS spans "filler" of no
 * length follow each.
 */
#include <spanring/spanring.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SPANS_MAX 20000u
#define WORK_NS_MIN 20000u
#define WORK_NS_MAX 400000u
#define WORK_NS_SHORT_MAX 40000u
#define WORK_NS_LONG_MIN 200000u

struct measured {
	uint64_t inside_ns[SPANS_MAX];
	uint64_t outside_ns[SPANS_MAX];
};

static struct spanring_site even_site = SPANRING_SITE_INIT("even", SPANRING_KIND_INTERNAL);
static struct spanring_site rare_site = SPANRING_SITE_INIT("rare", SPANRING_KIND_INTERNAL);
static struct spanring_site filler_site = SPANRING_SITE_INIT("filler", SPANRING_KIND_INTERNAL);
static struct measured even;
static struct measured rare;

static uint64_t now_ns(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t random_below(uint64_t *state, uint64_t below) {
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return (*state >> 33) % below;
}

/* Any octave is as likely as any other. */
static uint64_t even_ns(uint64_t *state) {
	uint64_t octave_ns = (uint64_t)WORK_NS_MIN << random_below(state, 5);
	uint64_t work_ns = octave_ns + random_below(state, octave_ns);
	return work_ns < WORK_NS_MAX ? work_ns : WORK_NS_MAX;
}

static uint64_t rare_ns(uint64_t *state) {
	if (random_below(state, 10) > 0)
		return WORK_NS_MIN + random_below(state, WORK_NS_SHORT_MAX - WORK_NS_MIN);
	return WORK_NS_LONG_MIN + random_below(state, WORK_NS_MAX - WORK_NS_LONG_MIN);
}

static void measure(struct spanring_site *site, struct measured *measured, size_t index, uint64_t work_ns) {
	uint64_t outside_ns = now_ns();
	struct spanring_span span = spanring_begin(site);
	uint64_t inside_ns = now_ns();
	uint64_t until_ns = inside_ns + work_ns;
	uint64_t at_ns;
	do
		at_ns = now_ns();
	while (at_ns < until_ns);
	spanring_end(span);
	measured->outside_ns[index] = now_ns() - outside_ns;
	measured->inside_ns[index] = at_ns - inside_ns;
}

static int by_value(const void *a, const void *b) {
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;
	return left < right ? -1 : left > right;
}

/* The nearest rank of the percentile. */
static uint64_t percentile(const uint64_t *sorted, size_t count, unsigned percent) {
	return sorted[(count * percent + 99) / 100 - 1];
}

static void say(const char *name, struct measured *measured, size_t count) {
	static const unsigned percents[] = {50, 90, 99};
	qsort(measured->inside_ns, count, sizeof(uint64_t), by_value);
	qsort(measured->outside_ns, count, sizeof(uint64_t), by_value);
	printf("%s %zu", name, count);
	for (size_t i = 0; i < sizeof(percents) / sizeof(percents[0]); i++)
		printf(" %" PRIu64 " %" PRIu64, percentile(measured->inside_ns, count, percents[i]),
		       percentile(measured->outside_ns, count, percents[i]));
	(void)putchar('\n');
}

int main(int argc, char **argv) {
	size_t spans = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	size_t fillers = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
	uint64_t seed = argc > 3 ? strtoull(argv[3], NULL, 10) : 1;
	if (spans == 0 || spans > SPANS_MAX)
		return 2;
	for (size_t i = 0; i < spans; i++) {
		measure(&even_site, &even, i, even_ns(&seed));
		measure(&rare_site, &rare, i, rare_ns(&seed));
		for (size_t n = 0; n < 2 * fillers; n++)
			spanring_end(spanring_begin(&filler_site));
	}
	say("even", &even, spans);
	say("rare", &rare, spans);
	printf("total %zu\n", 2 * spans * (1 + fillers));
	return 0;
}

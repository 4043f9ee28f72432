/* SPDX-License-Identifier: Apache-2.0 */
#include "workload.h"

#include "base/cleanup.h"

#include <assert.h>
#include <math.h>
#include <spanring/spanring.h>
#include <string.h>

#define TRACE_SPANS_MIN 5u
#define TRACE_SPANS_MAX 50u
#define TRACE_SPANS_MEAN 17.9
#define TRACE_MORE_MEAN 16.5 /* of the exponential that, cut at 45, makes that mean */
#define TRACE_DEPTH_MAX 16u
#define ZIPF_EXPONENT 1.1
#define SELF_SIGMA 0.8
#define TAIL_SHARE 0.01
#define TAIL_SHAPE 1.5
#define TAIL_FACTOR_MAX 1000.0
#define REMOTE_SHARE 0.25
#define ERROR_SHARE 0.01
#define NETWORK_NS_MEAN 80000.0
#define CHILD_SHARE 0.7 /* how likely the next span of a trace is a child of the one before */
#define NO_PARENT UINT32_MAX

/* A span on its way: who its parent is, by index, while ids are not given yet. */
struct draft {
	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t span_id;
	uint64_t trace_lo;
	uint32_t parent;
	uint16_t name;
	uint8_t stream;
	uint8_t bits;
	uint64_t trace_hi;
};

struct generator {
	uint64_t state;
	struct draft *drafts;
	uint32_t count;
	uint64_t now_ns; /* when the next trace begins */
	double trace_gap_ns;
	double name_cumulative[WORKLOAD_NAMES];
	double name_median_ns[WORKLOAD_NAMES];
	uint64_t trace_hi[WORKLOAD_STREAMS];
	uint64_t trace_counter[WORKLOAD_STREAMS];
};

static uint64_t mix(uint64_t value) {
	value = (value ^ (value >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
	value = (value ^ (value >> 27)) * UINT64_C(0x94d049bb133111eb);
	return value ^ (value >> 31);
}

static uint64_t next(struct generator *generator) {
	return mix(generator->state += UINT64_C(0x9e3779b97f4a7c15));
}

/* In (0, 1). */
static double uniform(struct generator *generator) {
	return ((double)(next(generator) >> 11) + 0.5) * 0x1.0p-53;
}

static double exponential(struct generator *generator, double mean) {
	return -mean * log(uniform(generator));
}

static double normal(struct generator *generator) {
	double radius = sqrt(-2.0 * log(uniform(generator)));
	return radius * cos(2.0 * M_PI * uniform(generator));
}

static void generator_init(struct generator *generator, uint64_t seed) {
	double sum = 0;
	generator->state = mix(seed);
	for (uint32_t i = 0; i < WORKLOAD_NAMES; i++) {
		sum += pow((double)i + 1.0, -ZIPF_EXPONENT);
		generator->name_cumulative[i] = sum;
		generator->name_median_ns[i] = 2000.0 * pow(250.0, uniform(generator));
	}
	for (uint32_t i = 0; i < WORKLOAD_NAMES; i++)
		generator->name_cumulative[i] /= sum;
	for (uint32_t i = 0; i < WORKLOAD_STREAMS; i++) {
		generator->trace_hi[i] = next(generator) | 1;
		generator->trace_counter[i] = next(generator);
	}
}

static uint16_t draw_name(struct generator *generator) {
	double at = uniform(generator);
	uint32_t low = 0, high = WORKLOAD_NAMES - 1;
	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (generator->name_cumulative[middle] < at)
			low = middle + 1;
		else
			high = middle;
	}
	return (uint16_t)low;
}

static uint32_t draw_trace_spans(struct generator *generator) {
	for (;;) {
		double more = exponential(generator, TRACE_MORE_MEAN);
		if (more <= TRACE_SPANS_MAX - TRACE_SPANS_MIN)
			return TRACE_SPANS_MIN + (uint32_t)more;
	}
}

static uint64_t draw_self_ns(struct generator *generator, uint16_t name) {
	double self = generator->name_median_ns[name] * exp(SELF_SIGMA * normal(generator));
	if (uniform(generator) < TAIL_SHARE)
		self *= fmin(pow(uniform(generator), -1.0 / TAIL_SHAPE), TAIL_FACTOR_MAX);
	return (uint64_t)self + 1;
}

/* One trace while it is made: the open spans, each with the own time it still has to spend, and the trace's clock. */
struct walk {
	uint32_t open[TRACE_DEPTH_MAX];
	uint64_t rest_ns[TRACE_DEPTH_MAX];
	uint64_t delay_ns[TRACE_DEPTH_MAX]; /* of the network, on the way back to the parent */
	uint32_t depth;
	uint64_t now_ns;
};

static void walk_end(struct generator *generator, struct walk *walk) {
	walk->depth--;
	walk->now_ns += walk->rest_ns[walk->depth];
	generator->drafts[walk->open[walk->depth]].end_ns = walk->now_ns;
	walk->now_ns += walk->delay_ns[walk->depth];
}

static void walk_begin(struct generator *generator, struct walk *walk) {
	bool root = walk->depth == 0;
	uint32_t parent = root ? NO_PARENT : walk->open[walk->depth - 1];
	bool remote = !root && uniform(generator) < REMOTE_SHARE;
	struct draft *draft = &generator->drafts[generator->count];
	uint64_t hop_ns = remote ? (uint64_t)exponential(generator, NETWORK_NS_MEAN) : 0;
	*draft = (struct draft){.parent = parent, .name = draw_name(generator)};
	if (root || remote)
		draft->stream = (uint8_t)(next(generator) % WORKLOAD_STREAMS);
	else
		draft->stream = generator->drafts[parent].stream;
	if (root) {
		draft->trace_hi = generator->trace_hi[draft->stream];
		draft->trace_lo = mix(generator->trace_counter[draft->stream] += UINT64_C(0x9e3779b97f4a7c15));
	} else {
		draft->trace_hi = generator->drafts[parent].trace_hi;
		draft->trace_lo = generator->drafts[parent].trace_lo;
	}
	draft->bits = root || remote ? SPANRING_KIND_SERVER : SPANRING_KIND_INTERNAL;
	if (remote)
		draft->bits |= SPANRING_BITS_REMOTE_PARENT;
	if (uniform(generator) < ERROR_SHARE)
		draft->bits |= (uint8_t)(SPANRING_STATUS_ERROR << SPANRING_BITS_STATUS_SHIFT);

	uint64_t self_ns = draw_self_ns(generator, draft->name);
	uint64_t before_ns = (uint64_t)((double)self_ns * uniform(generator));
	draft->start_ns = walk->now_ns + hop_ns;
	walk->now_ns = draft->start_ns + before_ns;
	walk->open[walk->depth] = generator->count++;
	walk->rest_ns[walk->depth] = self_ns - before_ns;
	walk->delay_ns[walk->depth] = hop_ns;
	walk->depth++;
}

static void generate_trace(struct generator *generator) {
	struct walk walk = {.now_ns = generator->now_ns};
	uint32_t spans = draw_trace_spans(generator);
	walk_begin(generator, &walk);
	for (uint32_t i = 1; i < spans; i++) {
		while (walk.depth > 1 && (walk.depth == TRACE_DEPTH_MAX || uniform(generator) > CHILD_SHARE))
			walk_end(generator, &walk);
		walk_begin(generator, &walk);
	}
	while (walk.depth > 0)
		walk_end(generator, &walk);
	generator->now_ns += (uint64_t)exponential(generator, generator->trace_gap_ns);
}

static int compare_start(const void *a, const void *b, void *argument) {
	const struct draft *drafts = argument;
	const struct draft *left = &drafts[*(const uint32_t *)a], *right = &drafts[*(const uint32_t *)b];
	return (left->start_ns > right->start_ns) - (left->start_ns < right->start_ns);
}

static int compare_end(const void *a, const void *b, void *argument) {
	const struct draft *drafts = argument;
	const struct draft *left = &drafts[*(const uint32_t *)a], *right = &drafts[*(const uint32_t *)b];
	return (left->end_ns > right->end_ns) - (left->end_ns < right->end_ns);
}

/* Indices of the drafts of each stream, stream after stream; ret_first[s] is where stream s begins. */
static uint32_t *group_by_stream(const struct generator *generator, uint32_t ret_first[WORKLOAD_STREAMS + 1]) {
	uint32_t fill[WORKLOAD_STREAMS];
	uint32_t *order = calloc(generator->count, sizeof(*order));
	if (!order)
		return NULL;
	memset(ret_first, 0, (WORKLOAD_STREAMS + 1) * sizeof(ret_first[0]));
	for (uint32_t i = 0; i < generator->count; i++)
		ret_first[generator->drafts[i].stream + 1]++;
	for (uint32_t s = 0; s < WORKLOAD_STREAMS; s++) {
		ret_first[s + 1] += ret_first[s];
		fill[s] = ret_first[s];
	}
	for (uint32_t i = 0; i < generator->count; i++)
		order[fill[generator->drafts[i].stream]++] = i;
	return order;
}

static struct spanring_span_record finish(const struct generator *generator, const struct draft *draft) {
	struct spanring_span_record record = {
	    .start_ticks = draft->start_ns,
	    .duration_ticks = draft->end_ns - draft->start_ns,
	    .span_id = draft->span_id,
	    .parent_id = draft->parent == NO_PARENT ? 0 : generator->drafts[draft->parent].span_id,
	    .trace_hi = draft->trace_hi,
	    .trace_lo = draft->trace_lo,
	    .tail = {.ref = draft->name, .type = SPANRING_RECORD_SPAN, .bits = draft->bits},
	};
	return record;
}

static int emit(struct generator *generator, struct workload *workload) {
	uint32_t first[WORKLOAD_STREAMS + 1];
	CLEANUP_FREE uint32_t *order = group_by_stream(generator, first);
	if (!order)
		return -ENOMEM;
	for (uint32_t s = 0; s < WORKLOAD_STREAMS; s++) {
		uint64_t id = next(generator) >> 1;
		qsort_r(order + first[s], first[s + 1] - first[s], sizeof(*order), compare_start, generator->drafts);
		for (uint32_t i = first[s]; i < first[s + 1]; i++)
			generator->drafts[order[i]].span_id = ++id;
	}
	for (uint32_t s = 0; s < WORKLOAD_STREAMS; s++) {
		struct workload_stream *stream = &workload->streams[s];
		uint32_t count = first[s + 1] - first[s];
		stream->records = calloc(count > 0 ? count : 1, sizeof(*stream->records));
		if (!stream->records)
			return -ENOMEM;
		stream->count = count;
		qsort_r(order + first[s], count, sizeof(*order), compare_end, generator->drafts);
		for (uint32_t i = 0; i < count; i++)
			stream->records[i] = finish(generator, &generator->drafts[order[first[s] + i]]);
	}
	return 0;
}

int workload_generate(uint64_t span_count, double spans_per_second, uint64_t seed, struct workload *ret_workload) {
	struct workload workload = {0};
	struct generator generator = {.trace_gap_ns = TRACE_SPANS_MEAN / spans_per_second * 1e9};
	assert(span_count >= WORKLOAD_SPANS_MIN && span_count <= WORKLOAD_SPANS_MAX);
	CLEANUP_FREE struct draft *drafts = calloc(span_count + TRACE_SPANS_MAX, sizeof(*drafts));
	if (!drafts)
		return -ENOMEM;
	generator.drafts = drafts;
	generator_init(&generator, seed);
	while (generator.count < span_count)
		generate_trace(&generator);
	int rc = emit(&generator, &workload);
	if (rc < 0) {
		workload_done(&workload);
		return rc;
	}
	workload.span_count = generator.count;
	for (uint32_t i = 0; i < generator.count; i++) {
		if (drafts[i].end_ns > workload.duration_ns)
			workload.duration_ns = drafts[i].end_ns;
	}
	*ret_workload = workload;
	return 0;
}

void workload_done(struct workload *workload) {
	for (uint32_t s = 0; s < WORKLOAD_STREAMS; s++)
		free(workload->streams[s].records);
	*workload = (struct workload){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spanring-bench codec: what a batch costs to encode and to decode, whole and in the parts that questions ask for, and what each column takes. Pure
 * functions over memory; the batches are those of the agent: the generated workload, drained every 10 ms, 64k spans each. The floor is a copy of
 * the rows.
 */
#include "base/clock.h"
#include "bench/case.h"
#include "bench/feed/quiet_feed.h"
#include "libstore/decode.h"
#include "libstore/encode.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define QUICK_SPANS 100000u

enum figure {
	COPY,
	ENCODE,
	DECODE_ALL,
	DECODE_SITE_ORDER,
	DECODE_DURATION,
	DECODE_START,
	DECODE_SELF,
	DECODE_SPAN_ID,
	BYTES_ALL,
	BYTES_BLOOM,
	BYTES_COLUMN,
	FIGURES = BYTES_COLUMN + FORMAT_COLUMN_HEAP_NET + 1
};

#define SPEED "M spans/s"
#define BYTES "bytes/span"

static const struct report_line lines[FIGURES] = {
    [COPY] = {"copy_million_spans_per_second", "floor: copy of the rows, 64 bytes each", SPEED, NULL},
    [ENCODE] = {"encode_million_spans_per_second", "encode", SPEED, NULL},
    [DECODE_ALL] = {"decode_million_spans_per_second", "decode all columns", SPEED, "18"},
    [DECODE_SITE_ORDER] = {"decode_in_site_order_million_spans_per_second", "durations in order of sites", SPEED, NULL},
    [DECODE_DURATION] = {"decode_durations_million_spans_per_second", "durations and sites, by row", SPEED, NULL},
    [DECODE_START] = {"decode_starts_million_spans_per_second", "starts", SPEED, NULL},
    [DECODE_SELF] = {"decode_self_million_spans_per_second", "what self times need", SPEED, NULL},
    [DECODE_SPAN_ID] = {"decode_span_ids_million_spans_per_second", "traces and span ids", SPEED, NULL},
    [BYTES_ALL] = {"bytes_per_span", "all columns and the bloom filter", BYTES, "10.5"},
    [BYTES_BLOOM] = {"bloom_bytes_per_span", "  bloom filter of trace ids", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_TRACE] = {"trace_bytes_per_span", "  trace", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_SPAN_ID] = {"span_id_bytes_per_span", "  span id", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_PARENT] = {"parent_bytes_per_span", "  parent", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_START] = {"start_bytes_per_span", "  start", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_DURATION] = {"duration_bytes_per_span", "  duration", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_SITE] = {"site_bytes_per_span", "  site", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_THREAD] = {"thread_bytes_per_span", "  thread", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_KIND] = {"kind_bytes_per_span", "  kind", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_STATUS] = {"status_bytes_per_span", "  status", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_FLAGS] = {"flags_bytes_per_span", "  flags", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_HEAP_ALLOC] = {"heap_alloc_bytes_per_span", "  heap, allocated", BYTES, NULL},
    [BYTES_COLUMN + FORMAT_COLUMN_HEAP_NET] = {"heap_net_bytes_per_span", "  heap, net", BYTES, NULL},
};

static const uint32_t wanted[BYTES_ALL] = {
    [DECODE_ALL] = STORE_COLUMNS_ALL,
    [DECODE_SITE_ORDER] = STORE_IN_SITE_ORDER | STORE_COLUMN_DURATION,
    [DECODE_DURATION] = STORE_COLUMN_DURATION | STORE_COLUMN_SITE,
    [DECODE_START] = STORE_COLUMN_START,
    [DECODE_SELF] =
        STORE_COLUMN_TRACE | STORE_COLUMN_PARENT_ROW | STORE_COLUMN_START | STORE_COLUMN_DURATION | STORE_COLUMN_SITE,
    [DECODE_SPAN_ID] = STORE_COLUMN_TRACE | STORE_COLUMN_SPAN_ID,
};

struct measuring {
	struct encoder *encoder;
	struct decoder *decoder;
	struct store_span *copy;
	uint64_t ns[BYTES_ALL];
	uint64_t bytes[FIGURES];
	uint64_t spans;
};

static int measure_batch(void *context, const struct batch *batch) {
	struct measuring *measuring = context;
	struct format_batch encoded;
	struct store_columns columns;
	uint64_t from_ns = clock_thread_cpu_ns();
	memcpy(measuring->copy, batch->spans, batch->span_count * sizeof(*batch->spans));
	__asm__ volatile("" : : "r"(measuring->copy) : "memory");
	uint64_t now_ns = clock_thread_cpu_ns();
	measuring->ns[COPY] += now_ns - from_ns;
	encode(measuring->encoder, batch, &encoded);
	from_ns = clock_thread_cpu_ns();
	measuring->ns[ENCODE] += from_ns - now_ns;
	for (uint32_t i = DECODE_ALL; i < BYTES_ALL; i++) {
		int rc = decode(measuring->decoder, &encoded, wanted[i], &columns);
		if (rc < 0)
			return rc;
		now_ns = clock_thread_cpu_ns();
		measuring->ns[i] += now_ns - from_ns;
		from_ns = now_ns;
	}
	for (uint32_t i = 0; i < FORMAT_COLUMNS; i++) {
		measuring->bytes[BYTES_ALL] += encoded.columns[i].bytes;
		if (i <= FORMAT_COLUMN_HEAP_NET)
			measuring->bytes[BYTES_COLUMN + i] += encoded.columns[i].bytes;
	}
	measuring->bytes[BYTES_ALL] += encoded.bloom_bytes;
	measuring->bytes[BYTES_BLOOM] += encoded.bloom_bytes;
	measuring->spans += batch->span_count;
	return 0;
}

static int measure_workload(struct measuring *measuring, const struct workload *workload) {
	struct busy_feed feed = {0};
	int rc = busy_feed_open(NULL, measure_batch, measuring, &feed);
	if (rc == 0)
		rc = busy_feed_take(&feed, workload);
	busy_feed_close(&feed);
	return rc;
}

static int run(const struct stage *stage, double *values) {
	struct measuring measuring = {0};
	struct workload workload = {0};
	uint64_t spans = stage->options->is_quick ? QUICK_SPANS : stage->options->spans;
	int rc = encoder_new(&measuring.encoder);
	if (rc == 0)
		rc = decoder_new(&measuring.decoder);
	measuring.copy = malloc(BATCH_SPANS_MAX * sizeof(*measuring.copy));
	if (rc == 0)
		rc =
		    measuring.copy ? workload_generate(spans, WORKLOAD_RATE, stage->options->seed, &workload) : -ENOMEM;
	if (rc == 0)
		rc = measure_workload(&measuring, &workload);
	for (uint32_t i = 0; i < BYTES_ALL && rc == 0; i++)
		values[i] = (double)measuring.spans * 1e3 / (double)measuring.ns[i];
	for (uint32_t i = BYTES_ALL; i < FIGURES && rc == 0; i++)
		values[i] = (double)measuring.bytes[i] / (double)measuring.spans;
	workload_done(&workload);
	encoder_free(measuring.encoder);
	decoder_free(measuring.decoder);
	free(measuring.copy);
	return rc;
}

int codec_bench_run(const struct bench_options *options) {
	static const struct bench_case bench = {
	    .schema = "bench-codec/1",
	    .title = "Batches of the generated workload: encoded and decoded, one core",
	    .note =
	        "Only full batches; a bar for speed is what should be reached, one for bytes what should not be exceeded.",
	    .lines = lines,
	    .figure_count = FIGURES,
	    .run = run,
	};
	return case_run(&bench, options);
}

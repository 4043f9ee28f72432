/* SPDX-License-Identifier: Apache-2.0 */
/* What a burst leaves in the agent's buffers is given back when it has been quiet for a while, and they work as before. */
#include "support/cmocka.h"

#include "agent/footprint/memory_cap.h"
#include "libstore/checksum.h"
#include "libstore/encode.h"

#include <string.h>

#define CAP_BYTES (UINT64_C(64) << 20)
#define NOW_NS UINT64_C(1000000000)

/* Trees of two spans: enough to touch all of a batch and of what encodes it. */
static void fill(struct batch *batch, uint32_t spans) {
	batch_clear(batch);
	for (uint32_t i = 0; i < spans; i++) {
		struct store_span span = {.trace_lo = i / 2 + 1,
		                          .span_id = UINT64_C(0x9e3779b97f4a7c15) * (i + 1),
		                          .start_ns = NOW_NS + i * 977u,
		                          .duration_ns = 1000 + i % 4093,
		                          .site = 1 + i % 7,
		                          .thread = 1};
		batch_add_span(batch, &span);
	}
}

static uint64_t encoded_sum(struct encoder *encoder, struct batch *batch) {
	struct format_batch encoded;
	uint64_t sum = 0;
	encode(encoder, batch, &encoded);
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		sum = checksum64(encoded.columns[i].data, encoded.columns[i].bytes, sum);
	return sum;
}

static void only_large_batches_are_waited_for(void **state) {
	(void)state;
	struct memory_cap memory;
	struct batch *batch;
	assert_int_equal(batch_new(&batch), 0);
	memory_cap_init(&memory, CAP_BYTES, 0);
	fill(batch, MEMORY_CAP_ROWS_MIN);
	memory_cap_note(&memory, batch, NOW_NS);
	assert_false(memory_cap_may_rest(&memory, NOW_NS + 10 * MEMORY_CAP_REST_NS));
	fill(batch, MEMORY_CAP_ROWS_MIN + 1);
	memory_cap_note(&memory, batch, NOW_NS);
	assert_false(memory_cap_may_rest(&memory, NOW_NS + MEMORY_CAP_REST_NS - 1));
	assert_true(memory_cap_may_rest(&memory, NOW_NS + MEMORY_CAP_REST_NS));
	batch_free(batch);
}

static void a_rest_gives_back_and_takes_nothing(void **state) {
	(void)state;
	struct memory_cap memory;
	struct batch *batches[2];
	struct encoder *encoder;
	uint64_t sums[2];
	memory_cap_init(&memory, CAP_BYTES, 0);
	assert_int_equal(encoder_new(&encoder), 0);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(batch_new(&batches[i]), 0);
		fill(batches[i], BATCH_SPANS_MAX - (uint32_t)i);
		memory_cap_note(&memory, batches[i], NOW_NS);
		sums[i] = encoded_sum(encoder, batches[i]);
		batch_clear(batches[i]);
	}
	uint64_t before = memory_cap_own_bytes();
	encoder_rest(encoder);
	uint64_t between = memory_cap_own_bytes();
	memory_cap_rest(&memory, batches, 2);
	uint64_t after = memory_cap_own_bytes();
	/* half of what the rows take, at least: the rest is for pages at the edges and what else the process does */
	assert_true(before - between > BATCH_SPANS_MAX * sizeof(struct store_span) / 2);
	assert_true(between - after > BATCH_SPANS_MAX * sizeof(struct store_span));
	assert_false(memory_cap_may_rest(&memory, NOW_NS + 2 * MEMORY_CAP_REST_NS));
	for (int i = 0; i < 2; i++) {
		assert_int_equal(batches[i]->room_rows, BATCH_SPANS_MAX);
		fill(batches[i], BATCH_SPANS_MAX - (uint32_t)i);
		assert_int_equal(encoded_sum(encoder, batches[i]), sums[i]);
		batch_free(batches[i]);
	}
	encoder_free(encoder);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(only_large_batches_are_waited_for),
	    cmocka_unit_test(a_rest_gives_back_and_takes_nothing),
	};
	return cmocka_run_group_tests_name("agent memory cap", tests, NULL, NULL);
}

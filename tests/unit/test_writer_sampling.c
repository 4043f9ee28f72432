/* SPDX-License-Identifier: Apache-2.0 */
/* Traces that are not kept: what is recorded, counted and handed on, with statistics and without. */
#include "support/cmocka.h"

#include "ring_view.h"

#include <fcntl.h>
#include <spanring/spanring.h>
#include <spanring/statistics_abi.h>
#include <string.h>
#include <sys/stat.h>

#define MANY_SITES 400u

static const struct spanring_context kept_parent = {1, 2, 3, 0, 0};
static const struct spanring_context left_out_parent = {4, 5, 6, SPANRING_CONTEXT_UNSAMPLED, 0};

static struct spanring_counters counters_now(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters;
}

static struct spanring_site explicit_site = SPANRING_SITE_INIT("explicit", SPANRING_KIND_INTERNAL);

static struct spanring_span begin_below(const struct spanring_context *parent) {
	struct spanring_begin_options options = {.parent = parent};
	return spanring_begin_with(&explicit_site, &options);
}

/* One tree of three in a trace that is not kept, with all that a span can be given. */
static void left_out_tree(void) {
	SPANRING_BEGIN(root, "root");
	SPANRING_BEGIN(child, "child");
	SPANRING_SET_U64(child, "key", 1);
	SPANRING_EVENT(child, "event");
	spanring_link(child, &kept_parent);
	spanring_set_status(child, SPANRING_STATUS_ERROR, "why");
	/* The inner one is asked first: its trace may have had no id before. */
	struct spanring_context inner = spanring_context_current();
	struct spanring_context context = spanring_context_of(root);
	CHECK(context.flags == SPANRING_CONTEXT_UNSAMPLED && (context.trace_hi | context.trace_lo) != 0);
	CHECK(inner.flags == SPANRING_CONTEXT_UNSAMPLED);
	CHECK(inner.trace_hi == context.trace_hi && inner.trace_lo == context.trace_lo && inner.span_id != 0);
	SPANRING_BEGIN(leaf, "leaf");
	spanring_end(leaf);
	spanring_end(child);
	spanring_end(root);
}

static void check_left_out(uint64_t spans) {
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == spans && counters.ended == spans && counters.open == 0);
	CHECK(counters.sampled_out == spans && counters.misuse == 0);
	CHECK(counters.dropped_attributes == 0 && counters.dropped_events == 0 && counters.dropped_links == 0);
}

static void two_trees(void) {
	left_out_tree();
	left_out_tree();
	check_left_out(6);
}

static void test_nothing_of_it_is_recorded(void **state) {
	(void)state;
	static const char *const statistics[] = {"true", "false"};
	static const char *const samplers[] = {"always_off", "parentbased_always_off", "traceidratio"};
	for (unsigned i = 0; i < 6; i++) {
		setenv("OTEL_TRACES_SAMPLER", samplers[i % 3], 1);
		setenv("OTEL_TRACES_SAMPLER_ARG", "0", 1);
		setenv("SPANRING_STATISTICS", statistics[i / 3], 1);
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, two_trees, VIEW_EXIT));
		assert_int_equal(view->rings[0].count, 1);
		assert_int_equal(view_count(view, SPANRING_RECORD_THREAD), 1);
		view_close(view);
		view_renew();
	}
}

/* A parent that is kept, inside a trace that is not: its children are kept, what comes after them is not. */
static void kept_inside(void) {
	SPANRING_BEGIN(outer, "outer");
	SPANRING_BEGIN(middle, "middle");
	struct spanring_span kept = begin_below(&kept_parent);
	CHECK(spanring_context_of(kept).flags == 0);
	SPANRING_BEGIN(below, "below");
	SPANRING_SET_U64(below, "key", 1);
	spanring_end(below);
	struct spanring_span left_out = begin_below(&left_out_parent);
	SPANRING_BEGIN(lost, "lost");
	spanring_end(lost);
	spanring_end(left_out);
	spanring_end(kept);
	SPANRING_BEGIN(after, "after");
	spanring_end(after);
	spanring_end(middle);
	spanring_end(outer);
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == 7 && counters.open == 0 && counters.sampled_out == 5 && counters.misuse == 0);
}

static void test_a_kept_parent_inside(void **state) {
	(void)state;
	static const char *const statistics[] = {"true", "false"};
	setenv("OTEL_TRACES_SAMPLER", "parentbased_always_off", 1);
	for (unsigned i = 0; i < 2; i++) {
		setenv("SPANRING_STATISTICS", statistics[i], 1);
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, kept_inside, VIEW_EXIT));
		const struct spanring_span_record *kept = view_span(view, "explicit");
		const struct spanring_span_record *below = view_span(view, "below");
		assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 2);
		assert_int_equal(kept->parent_id, kept_parent.span_id);
		assert_int_equal(kept->trace_lo, kept_parent.trace_lo);
		assert_int_equal(below->parent_id, kept->span_id);
		assert_non_null(view_attribute(view, below->span_id, "key"));
		view_close(view);
		view_renew();
	}
}

/* The default: a remote parent that is not kept takes its children along, and nobody else. */
static void remote_parent(void) {
	struct spanring_span left_out = begin_below(&left_out_parent);
	SPANRING_BEGIN(child, "child");
	SPANRING_BEGIN(grandchild, "grandchild");
	spanring_end(child); /* not the innermost */
	spanring_end(grandchild);
	spanring_end(left_out);
	SPANRING_BEGIN(next, "next");
	spanring_end(next);
	spanring_end(left_out);
	spanring_end(child);
	struct spanring_counters counters = counters_now();
	CHECK(counters.begun == 4 && counters.open == 0 && counters.sampled_out == 3 && counters.misuse == 2);
}

static void test_a_remote_parent(void **state) {
	(void)state;
	static const char *const statistics[] = {"true", "false"};
	for (unsigned i = 0; i < 2; i++) {
		setenv("SPANRING_STATISTICS", statistics[i], 1);
		struct view_instance *view =
		    view_open(view_scratch.rings, view_run(view_scratch.rings, remote_parent, VIEW_EXIT));
		assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
		assert_non_null(view_span(view, "next"));
		view_close(view);
		view_renew();
	}
}

/* --- statistics ----------------------------------------------------------------------------------------------------- */

static struct spanring_site many[MANY_SITES];
static char names[MANY_SITES][16];

static void many_sites(void) {
	for (unsigned i = 0; i < MANY_SITES; i++) {
		(void)snprintf(names[i], sizeof(names[i]), "site %u", i);
		many[i] = (struct spanring_site)SPANRING_SITE_INIT(names[i], SPANRING_KIND_INTERNAL);
		for (unsigned n = 0; n <= i % 3; n++) {
			struct spanring_span span = spanring_begin(&many[i]);
			if (i % 2 == 0)
				spanring_set_status(span, SPANRING_STATUS_ERROR, NULL);
			spanring_end(span);
		}
	}
	struct spanring_counters counters = counters_now();
	CHECK(counters.statistics_overflowed == MANY_SITES - (SPANRING_STATISTICS_BLOCKS_MAX - 1));
}

struct statistics_file {
	struct spanring_statistics_header header;
	struct spanring_site_statistics blocks[SPANRING_STATISTICS_BLOCKS_MAX];
};

static struct statistics_file *load(const struct view_instance *view) {
	char path[sizeof(view_scratch.rings) + 64];
	struct stat status;
	struct statistics_file *file = calloc(1, sizeof(*file));
	assert_non_null(file);
	(void)snprintf(path, sizeof(path), "%s/%s/%s0000", view_scratch.rings, view->name, SPANRING_STATISTICS_PREFIX);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0 && fstat(fd, &status) == 0);
	assert_int_equal(read(fd, file, sizeof(*file)), status.st_size);
	(void)close(fd);
	assert_int_equal(file->header.magic, SPANRING_STATISTICS_MAGIC);
	assert_int_equal(file->header.block_bytes, sizeof(file->blocks[0]));
	assert_memory_equal(file->header.instance, view->header->instance, SPANRING_INSTANCE_BYTES);
	assert_int_equal(status.st_size,
	                 SPANRING_STATISTICS_BLOCKS_OFFSET + file->header.block_count * sizeof(file->blocks[0]));
	return file;
}

static uint64_t spans_of(const struct spanring_site_statistics *block) {
	uint64_t sum = 0;
	for (unsigned i = 0; i < SPANRING_STATISTICS_BINS; i++)
		sum += block->bins[i];
	return sum;
}

static void test_more_sites_than_blocks(void **state) {
	(void)state;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, many_sites, VIEW_EXIT));
	struct statistics_file *file = load(view);
	assert_int_equal(file->header.block_count, SPANRING_STATISTICS_BLOCKS_MAX);
	assert_int_equal(file->blocks[0].site, SPANRING_SITE_OVERFLOW);
	uint64_t all = 0, errors = 0, beyond = 0;
	for (unsigned i = 0; i < MANY_SITES; i++) {
		all += 1 + i % 3;
		errors += i % 2 == 0 ? 1 + i % 3 : 0;
		beyond += i >= SPANRING_STATISTICS_BLOCKS_MAX - 1 ? 1 + i % 3 : 0;
	}
	uint64_t found = 0, failed = 0;
	for (unsigned i = 0; i < SPANRING_STATISTICS_BLOCKS_MAX; i++) {
		const struct spanring_site_statistics *block = &file->blocks[i];
		uint64_t spans = spans_of(block);
		found += spans;
		failed += block->errors;
		assert_true(spans > 0 && block->min_ticks <= block->max_ticks);
		assert_in_range(block->sum_ticks, block->min_ticks * spans, block->max_ticks * spans);
	}
	assert_int_equal(found, all);
	assert_int_equal(failed, errors);
	assert_int_equal(spans_of(&file->blocks[0]), beyond);
	free(file);
	view_close(view);
}

static void test_bins(void **state) {
	(void)state;
	for (uint32_t bin = 0; bin < SPANRING_STATISTICS_BINS; bin++) {
		uint64_t floor = spanring_statistics_bin_floor(bin), next = spanring_statistics_bin_floor(bin + 1);
		assert_int_equal(spanring_statistics_bin(floor), bin);
		assert_int_equal(spanring_statistics_bin(next - 1), bin);
		assert_true(next - floor <= 1 || (next - floor) * 64 <= floor);
	}
	assert_int_equal(spanring_statistics_bin(UINT64_MAX), SPANRING_STATISTICS_BINS - 1);
	assert_int_equal(spanring_statistics_bin_floor(SPANRING_STATISTICS_BINS), SPANRING_STATISTICS_TICKS_LAST + 1);
}

static int forget_environment(void **state) {
	unsetenv("OTEL_TRACES_SAMPLER");
	unsetenv("OTEL_TRACES_SAMPLER_ARG");
	unsetenv("SPANRING_STATISTICS");
	return view_tear_down(state);
}

#define SAMPLING_TEST(test) cmocka_unit_test_setup_teardown(test, view_set_up, forget_environment)

int main(void) {
	const struct CMUnitTest tests[] = {
	    SAMPLING_TEST(test_nothing_of_it_is_recorded),
	    SAMPLING_TEST(test_a_kept_parent_inside),
	    SAMPLING_TEST(test_a_remote_parent),
	    SAMPLING_TEST(test_more_sites_than_blocks),
	    cmocka_unit_test(test_bins),
	};
	return cmocka_run_group_tests_name("writer sampling", tests, NULL, NULL);
}

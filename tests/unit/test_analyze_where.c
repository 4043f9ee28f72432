/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filter expressions against the plain definition: random expressions over random spans, each row judged by itself, values looked up in
 * a list. Then what is refused, where and in which words.
 */
#include "support/cmocka.h"
#include "support/seed.h"

#include "analyze/where/where_eval.h"
#include "base/errs.h"

#include <spanring/record.h>

#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define ROWS 200u
#define NAMES 9u
#define ATTRIBUTES_MAX 600u
#define TEXT_BYTES 4096u
#define OFFSET_NS UINT64_C(1700000000000000000)

static const char *const names[NAMES + 1] = {"",          "http.get", "http.put", "db",    "n",
                                             "odd \"k\"", "b",        "f",        "event", "retry"};
#define KEY_FIRST 4u
#define KEYS 4u

/* A batch, and spans of another one whose values lie in `first`. */
struct world {
	struct store_overview overview;
	struct store_process_view processes[2];
	struct store_segment_view segment;
	struct store_site sites[5];
	struct store_thread threads[4];
	struct store_columns first; /* strays alone: no span */
	struct store_columns rows;
	uint64_t trace_hi[ROWS], trace_lo[ROWS], span_id[ROWS], parent_id[ROWS], start_ns[ROWS], duration_ns[ROWS];
	uint32_t site[ROWS], thread[ROWS], heap_alloc[ROWS];
	int32_t heap_net[ROWS];
	uint8_t kind[ROWS], status[ROWS], flags[ROWS];
	struct store_attribute attributes[2][ATTRIBUTES_MAX];
	uint32_t attribute_row[2][ATTRIBUTES_MAX];
	struct store_event events[2][ATTRIBUTES_MAX];
	uint32_t event_row[2][ATTRIBUTES_MAX];
	char text[2][TEXT_BYTES];
};

static void add_attribute(struct world *world, struct seed *seed, uint32_t row) {
	static const char *const texts[] = {"", "/x", "/users", "7", "true"};
	struct store_columns *columns = seed_below(seed, 3) ? &world->rows : &world->first;
	unsigned side = columns == &world->first;
	uint32_t at = columns->attribute_count;
	struct store_attribute *attribute = &world->attributes[side][at];
	if (at == ATTRIBUTES_MAX || columns->text_bytes + 16 > TEXT_BYTES)
		return;
	double real = seed_below(seed, 9) ? (double)seed_below(seed, 20) / 2 : (double)NAN;
	*attribute = (struct store_attribute){.trace_lo = world->trace_lo[row],
	                                      .span_id = world->span_id[row],
	                                      .key = KEY_FIRST + (uint32_t)seed_below(seed, KEYS),
	                                      .event_index = seed_below(seed, 10) == 0,
	                                      .type = (uint8_t)(1 + seed_below(seed, 5))};
	attribute->value = attribute->type == SPANRING_VALUE_BOOL ? seed_below(seed, 2) : seed_below(seed, 12);
	if (attribute->type == SPANRING_VALUE_I64)
		attribute->value -= 5;
	if (attribute->type == SPANRING_VALUE_F64)
		memcpy(&attribute->value, &real, sizeof(real));
	if (attribute->type == SPANRING_VALUE_STRING) {
		const char *text = texts[seed_below(seed, 5)];
		attribute->value = columns->text_bytes;
		attribute->text_bytes = (uint32_t)strlen(text);
		memcpy(&world->text[side][columns->text_bytes], text, strlen(text));
		columns->text_bytes += attribute->text_bytes;
	}
	world->attribute_row[side][at] = side ? 0 : row;
	columns->attribute_count++;
}

static void add_event(struct world *world, struct seed *seed, uint32_t row) {
	struct store_columns *columns = seed_below(seed, 3) ? &world->rows : &world->first;
	unsigned side = columns == &world->first;
	if (columns->event_count == ATTRIBUTES_MAX)
		return;
	world->events[side][columns->event_count] = (struct store_event){.trace_lo = world->trace_lo[row],
	                                                                 .span_id = world->span_id[row],
	                                                                 .name = 8 + (uint32_t)seed_below(seed, 2)};
	world->event_row[side][columns->event_count++] = side ? 0 : row;
}

static void fill_row(struct world *world, struct seed *seed, uint32_t row) {
	world->trace_hi[row] = 1 + seed_below(seed, 3);
	world->trace_lo[row] = UINT64_C(0xa000000000000000) + seed_below(seed, 3);
	world->span_id[row] = 100 + row;
	world->parent_id[row] = seed_below(seed, 2) ? 100 + seed_below(seed, ROWS) : 0;
	world->start_ns[row] = seed_below(seed, 2000);
	world->duration_ns[row] = seed_below(seed, 50) ? seed_below(seed, 20) * 1000 : INT64_MAX;
	world->site[row] = (uint32_t)seed_below(seed, 5);
	world->thread[row] = (uint32_t)seed_below(seed, 4);
	world->heap_alloc[row] = (uint32_t)seed_below(seed, 10);
	world->heap_net[row] = (int32_t)seed_below(seed, 10) - 5;
	world->kind[row] = (uint8_t)seed_below(seed, 5);
	world->status[row] = (uint8_t)seed_below(seed, 3);
	world->flags[row] = (uint8_t)seed_below(seed, 16);
}

static void fill_columns(struct world *world, struct store_columns *columns, unsigned side) {
	columns->segment = &world->segment;
	columns->attributes = world->attributes[side];
	columns->attribute_row = world->attribute_row[side];
	columns->text = world->text[side];
	columns->events = world->events[side];
	columns->event_row = world->event_row[side];
}

static void fill_world(struct world *world, struct seed *seed) {
	memset(world, 0, sizeof(*world));
	world->overview = (struct store_overview){
	    .names = names, .name_count = NAMES, .processes = world->processes, .process_count = 2};
	world->processes[0] = (struct store_process_view){.pid = 10, .service = "web"};
	world->processes[1] = (struct store_process_view){.pid = 20, .service = ""};
	world->segment = (struct store_segment_view){.wall_offset_ns = OFFSET_NS,
	                                             .site_count = 4,
	                                             .sites = world->sites,
	                                             .thread_count = 3,
	                                             .threads = world->threads};
	for (uint32_t i = 1; i < 5; i++)
		world->sites[i] = (struct store_site){.name = i % 4, .scope_name = i == 2 ? 3 : 0};
	for (uint32_t i = 1; i < 4; i++)
		world->threads[i] = (struct store_thread){.process = i - 1, .tid = 40 + i, .name = i};
	fill_columns(world, &world->first, 1);
	fill_columns(world, &world->rows, 0);
	world->rows.span_count = ROWS;
	for (uint32_t row = 0; row < ROWS; row++)
		fill_row(world, seed, row);
	for (uint32_t row = 0; row < ROWS; row++) {
		for (uint64_t i = seed_below(seed, 5); i > 0; i--)
			add_attribute(world, seed, row);
		if (seed_below(seed, 3) == 0)
			add_event(world, seed, row);
	}
	struct store_columns *rows = &world->rows;
	rows->trace_hi = world->trace_hi;
	rows->trace_lo = world->trace_lo;
	rows->span_id = world->span_id;
	rows->parent_id = world->parent_id;
	rows->start_ns = world->start_ns;
	rows->duration_ns = world->duration_ns;
	rows->site = world->site;
	rows->thread = world->thread;
	rows->heap_alloc_units = world->heap_alloc;
	rows->heap_net_units = world->heap_net;
	rows->kind = world->kind;
	rows->status = world->status;
	rows->flags = world->flags;
}

/* --- the plain definition ---------------------------------------------------------------------------------------- */

/* A leaf: its text, and the same by hand. */
struct leaf {
	const char *text;
	bool (*passes)(const struct world *world, uint32_t row);
};

/* Of a key set twice, the last in this batch, else the last of the batch before. */
static const struct store_attribute *attribute_of(const struct world *world, uint32_t row, uint32_t key,
                                                  const char **ret_text) {
	const struct store_attribute *found = NULL;
	for (unsigned side = 0; side < 2 && !found; side++) {
		const struct store_columns *columns = side ? &world->first : &world->rows;
		for (uint32_t i = 0; i < columns->attribute_count; i++) {
			const struct store_attribute *attribute = &columns->attributes[i];
			if (attribute->key == key && attribute->event_index == 0 &&
			    attribute->span_id == world->span_id[row] && attribute->trace_lo == world->trace_lo[row]) {
				found = attribute;
				*ret_text = columns->text;
			}
		}
	}
	return found;
}

static bool number_of(const struct world *world, uint32_t row, uint32_t key, double *ret_number) {
	const char *text = NULL;
	const struct store_attribute *attribute = attribute_of(world, row, key, &text);
	if (!attribute)
		return false;
	if (attribute->type == SPANRING_VALUE_F64)
		memcpy(ret_number, &attribute->value, sizeof(*ret_number));
	else if (attribute->type == SPANRING_VALUE_I64)
		*ret_number = (double)(int64_t)attribute->value;
	else
		*ret_number = (double)attribute->value;
	return attribute->type >= SPANRING_VALUE_I64 && attribute->type <= SPANRING_VALUE_F64;
}

static bool text_is(const struct world *world, uint32_t row, uint32_t key, const char *wanted) {
	const char *text = NULL;
	const struct store_attribute *attribute = attribute_of(world, row, key, &text);
	return attribute && attribute->type == SPANRING_VALUE_STRING && attribute->text_bytes == strlen(wanted) &&
	       memcmp(text + attribute->value, wanted, strlen(wanted)) == 0;
}

static uint32_t name_of(const struct world *world, uint32_t row) {
	return world->site[row] <= 4 ? world->sites[world->site[row]].name : 0;
}

static uint32_t process_of(const struct world *world, uint32_t row) {
	return world->thread[row] ? world->threads[world->thread[row]].process : 0;
}

static bool has_event(const struct world *world, uint32_t row, uint32_t name) {
	for (unsigned side = 0; side < 2; side++) {
		const struct store_columns *columns = side ? &world->first : &world->rows;
		for (uint32_t i = 0; i < columns->event_count; i++)
			if (columns->events[i].span_id == world->span_id[row] &&
			    columns->events[i].trace_lo == world->trace_lo[row] && columns->events[i].name == name)
				return true;
	}
	return false;
}

#define LEAF(name, condition)                                                                                          \
	static bool name(const struct world *world, uint32_t row) {                                                    \
		double number = 0;                                                                                     \
		const char *text = NULL;                                                                               \
		(void)number;                                                                                          \
		(void)text;                                                                                            \
		return condition;                                                                                      \
	}

LEAF(longer, world->duration_ns[row] > 5000)
LEAF(at_most, world->duration_ns[row] <= 7000)
LEAF(one_of_durations, world->duration_ns[row] == 2000 || world->duration_ns[row] == 9000)
LEAF(started, OFFSET_NS + world->start_ns[row] >= OFFSET_NS + 1000)
LEAF(failed, world->status[row] == 2)
LEAF(not_server, world->kind[row] != 1)
LEAF(is_db, name_of(world, row) == 3)
LEAF(is_http, name_of(world, row) == 1 || name_of(world, row) == 2)
LEAF(in_web, process_of(world, row) == 1)
LEAF(not_web, process_of(world, row) == 2)
LEAF(scoped, world->sites[world->site[row]].scope_name == 3)
LEAF(in_trace, world->trace_hi[row] == 2 && world->trace_lo[row] == UINT64_C(0xa000000000000001))
LEAF(root, world->parent_id[row] == 0)
LEAF(by_id, world->span_id[row] == 0x70)
LEAF(thread_id, world->thread[row] != 0 && 40 + world->thread[row] >= 42)
LEAF(thread_name, world->thread[row] == 3)
LEAF(pid, process_of(world, row) == 2)
LEAF(allocated, (world->flags[row] & STORE_SPAN_HEAP) && world->heap_alloc[row] * 16 > 64)
LEAF(freed, (world->flags[row] & STORE_SPAN_HEAP) && world->heap_net[row] * 16 <= -32)
LEAF(cut, (world->flags[row] & (STORE_SPAN_OPEN | STORE_SPAN_UNFINISHED)) != 0)
LEAF(retried, has_event(world, row, 9))
LEAF(number_above, number_of(world, row, 4, &number) && number > 4.5)
LEAF(number_is, number_of(world, row, 4, &number) && number == -3)
LEAF(odd_text, text_is(world, row, 5, "/x"))
LEAF(odd_number_text, text_is(world, row, 5, "7"))
LEAF(has_b, attribute_of(world, row, 6, &text) != NULL)
LEAF(true_b, attribute_of(world, row, 6, &text) && attribute_of(world, row, 6, &text)->type == SPANRING_VALUE_BOOL &&
                 attribute_of(world, row, 6, &text)->value)
LEAF(glob_f, text_is(world, row, 7, "/x") || text_is(world, row, 7, "/users"))
LEAF(unequal_f, attribute_of(world, row, 7, &text) != NULL && !text_is(world, row, 7, "/x"))
LEAF(list_n, text_is(world, row, 4, "/users") || (number_of(world, row, 4, &number) && (number == 1 || number == 2)))
LEAF(never, (text != NULL && world->kind[row] > 7))

static const struct leaf leaves[] = {
    {"duration > 5us", longer},
    {"duration <= 7us", at_most},
    {"duration in (2us, 9us)", one_of_durations},
    {"start >= 2023-11-14T22:13:20.000001Z", started},
    {"status = error", failed},
    {"kind != server", not_server},
    {"name = \"db\"", is_db},
    {"name ~ http.*", is_http},
    {"service = web", in_web},
    {"service in (\"\") and pid = 20", not_web},
    {"scope = db", scoped},
    {"trace = 0000000000000002a000000000000001", in_trace},
    {"parent = none", root},
    {"span = 0000000000000070", by_id},
    {"thread >= 42", thread_id},
    {"thread.name = db", thread_name},
    {"pid = 20", pid},
    {"heap.allocated > 64", allocated},
    {"heap.net <= -32B", freed},
    {"unfinished", cut},
    {"event.name = retry", retried},
    {"attr.n > 4.5", number_above},
    {"attr.n=-3", number_is},
    {"attr.\"odd \\\"k\\\"\" = '/x'", odd_text},
    {"attr.'odd \\x22k\\\"' == \"7\"", odd_number_text},
    {"attr.b", has_b},
    {"attr.b = true", true_b},
    {"attr.f ~ '/*'", glob_f},
    {"attr.f != \"/x\"", unequal_f},
    {"attr.n in (1, 2, \"/users\")", list_n},
    {"attr.nobody = 1", never},
};
#define LEAVES (sizeof(leaves) / sizeof(leaves[0]))

/* A random expression: its text goes behind what is in `text`, its truth by row to `truth`. */
static void make(struct seed *seed, const struct world *world, unsigned depth, char *text, bool *truth) {
	uint64_t choice = depth == 0 ? 0 : seed_below(seed, 5);
	if (choice < 2) {
		const struct leaf *leaf = &leaves[seed_below(seed, LEAVES)];
		strcat(text, "(");
		strcat(text, leaf->text);
		strcat(text, ")");
		for (uint32_t row = 0; row < ROWS; row++)
			truth[row] = leaf->passes(world, row);
		return;
	}
	if (choice == 2) {
		strcat(text, "not ");
		make(seed, world, 0, text, truth);
		for (uint32_t row = 0; row < ROWS; row++)
			truth[row] = !truth[row];
		return;
	}
	bool right[ROWS];
	strcat(text, "(");
	make(seed, world, depth - 1, text, truth);
	strcat(text, choice == 3 ? " and " : " OR ");
	make(seed, world, depth - 1, text, right);
	strcat(text, ")");
	for (uint32_t row = 0; row < ROWS; row++)
		truth[row] = choice == 3 ? truth[row] && right[row] : truth[row] || right[row];
}

static void check(const struct world *world, const char *text, const bool *truth) {
	static struct where where;
	struct where_error error;
	struct where_filter *filter = NULL;
	uint8_t keep[ROWS];
	if (where_parse(text, &where, &error) != 0 || where_check(&where, OFFSET_NS, &error) != 0)
		fail_msg("%s: column %u: %s", text, error.column, error.text);
	struct where_bounds bounds = where_get_bounds(&where);
	assert_int_equal(where_bind(&where, &world->overview, &filter), 0);
	if (where_observes(filter))
		assert_int_equal(where_observe(filter, &world->first), 0);
	assert_int_equal(where_rows(filter, &world->rows, keep), 0);
	where_filter_free(filter);
	for (uint32_t row = 0; row < ROWS; row++) {
		if (keep[row] != truth[row])
			fail_msg("%s: row %u is %d", text, row, keep[row]);
		uint64_t wall_ns = OFFSET_NS + world->start_ns[row];
		bool inside = world->duration_ns[row] >= bounds.duration_ns_min && wall_ns <= bounds.until_wall_ns &&
		              wall_ns + world->duration_ns[row] >= bounds.since_wall_ns &&
		              (!bounds.has_trace || world->trace_lo[row] == bounds.trace_lo);
		if (keep[row] && !inside)
			fail_msg("%s: row %u is outside of the bounds", text, row);
	}
}

static void every_leaf(void **state) {
	static struct world world;
	struct seed seed = seed_start("where leaves");
	(void)state;
	for (unsigned round = 0; round < 3 + seed_rounds(5); round++) {
		fill_world(&world, &seed);
		for (size_t i = 0; i < LEAVES; i++) {
			bool truth[ROWS];
			for (uint32_t row = 0; row < ROWS; row++)
				truth[row] = leaves[i].passes(&world, row);
			check(&world, leaves[i].text, truth);
		}
	}
}

static void random_expressions(void **state) {
	static struct world world;
	struct seed seed = seed_start("where");
	(void)state;
	for (unsigned round = 0; round < 50 + seed_rounds(500); round++) {
		char text[WHERE_TEXT_BYTES_MAX] = "";
		bool truth[ROWS];
		if (round % 20 == 0)
			fill_world(&world, &seed);
		make(&seed, &world, 1 + (unsigned)seed_below(&seed, 4), text, truth);
		check(&world, text, truth);
	}
}

/* --- what is refused --------------------------------------------------------------------------------------------- */

static void refusals(void **state) {
	static const struct {
		const char *text;
		uint32_t column;
		const char *words;
	} cases[] = {
	    {"", 0, "expected a field"},
	    {"   ", 3, "the expression ends"},
	    {"durations > 5ms", 0, "did you mean 'duration'"},
	    {"colour = red", 0, "unknown field 'colour'"},
	    {"attr. = 1", 0, "unknown field"},
	    {"duration > 5", 11, "a duration like 5ms"},
	    {"duration > ", 11, "expected a value, but the expression ends"},
	    {"duration 5ms", 9, "expected and, or or the end, not '5ms'"},
	    {"duration", 8, "expected = != < <= > >= or in behind duration"},
	    {"duration ~ 5ms", 9, "behind duration"},
	    {"status < error", 7, "behind status"},
	    {"status = failed", 9, "unset, ok or error"},
	    {"kind = 7", 7, "internal, server"},
	    {"start > yesterday", 8, "a time like"},
	    {"trace = xyz", 8, "hexadecimal"},
	    {"span = 12", 7, "16 hexadecimal digits"},
	    {"pid = -1", 6, "a whole number"},
	    {"heap.net > 1ms", 11, "a number of bytes"},
	    {"unfinished = perhaps", 13, "true or false"},
	    {"name = \"open", 7, "has no end"},
	    {"name = \"a\\q\"", 9, "expected \\\""},
	    {"name = \"a\\x0\"", 9, "expected \\\""},
	    {"name = \"a\\x00\"", 9, "expected \\\""},
	    {"name ! x", 5, "expected an operator"},
	    {"(name = x", 9, "expected and, or or )"},
	    {"name = x)", 8, "expected and, or or the end"},
	    {"name in x", 8, "( behind in"},
	    {"name in ()", 9, "a value"},
	    {"name in (a b)", 11, ", or )"},
	    {"name not x", 9, "expected in"},
	    {"name = and", 7, "a value"},
	    {"and", 0, "a field"},
	    {"name = a or", 11, "a field"},
	    {"name = a name = b", 9, "expected and, or or the end"},
	    {", name = a", 0, "a field"},
	};
	static struct where where;
	struct where_error error;
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = where_parse(cases[i].text, &where, &error);
		if (rc == 0)
			rc = where_check(&where, OFFSET_NS, &error);
		if (rc != -EINVAL || error.column != cases[i].column || !strstr(error.text, cases[i].words))
			fail_msg("%s: %d, column %u: %s", cases[i].text, rc, error.column, error.text);
	}
}

static int parse_repeated(const char *part, unsigned times, const char *tail, const char *closing) {
	static struct where where;
	static char text[8 * WHERE_TEXT_BYTES_MAX];
	struct where_error error;
	text[0] = 0;
	for (unsigned i = 0; i < times; i++)
		strcat(text, part);
	strcat(text, tail);
	for (unsigned i = 0; i < times; i++)
		strcat(text, closing);
	return where_parse(text, &where, &error);
}

static void limits(void **state) {
	(void)state;
	assert_int_equal(parse_repeated("(", WHERE_DEPTH_MAX, "unfinished", ")"), 0);
	assert_int_equal(parse_repeated("(", WHERE_DEPTH_MAX + 1, "unfinished", ")"), -EINVAL);
	assert_int_equal(parse_repeated("not ", WHERE_DEPTH_MAX, "unfinished", ""), 0);
	assert_int_equal(parse_repeated("not ", WHERE_DEPTH_MAX + 1, "unfinished", ""), -EINVAL);
	assert_int_equal(parse_repeated("unfinished or ", WHERE_NODES_MAX / 2 - 1, "unfinished", ""), 0);
	assert_int_equal(parse_repeated("unfinished or ", WHERE_NODES_MAX / 2, "unfinished", ""), -EINVAL);
	assert_int_equal(parse_repeated("x", WHERE_TEXT_BYTES_MAX - 1, "", ""), 0);
	assert_int_equal(parse_repeated("x", WHERE_TEXT_BYTES_MAX, "", ""), -EINVAL);
	assert_int_equal(parse_repeated("", 0, "name in (", ""), -EINVAL);
	assert_int_equal(parse_repeated("pid in (1) or ", 1, "pid = 2", ""), 0);
}

static void too_many_attributes(void **state) {
	static struct world world;
	static struct where where;
	struct seed seed = seed_start("where attributes");
	struct where_error error;
	struct where_filter *filter = NULL;
	(void)state;
	fill_world(&world, &seed);
	/* keys that the store does not know are one */
	assert_int_equal(where_parse("attr.n = 1 and attr.x = 1 and attr.y = 1", &where, &error), 0);
	assert_int_equal(where_check(&where, OFFSET_NS, &error), 0);
	assert_int_equal(where_bind(&where, &world.overview, &filter), 0);
	where_filter_free(filter);
	struct span_values *values = NULL;
	uint32_t slot = 0;
	assert_int_equal(span_values_new(&values), 0);
	for (uint32_t key = 1; key <= SPAN_VALUES_KEYS_MAX; key++)
		assert_int_equal(span_values_want(values, key, &slot), 0);
	assert_int_equal(span_values_want(values, 1, &slot), 0);
	assert_int_equal(slot, 0);
	assert_int_equal(span_values_want(values, SPAN_VALUES_KEYS_MAX + 1, &slot), ERR_LIMIT);
	span_values_free(values);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(every_leaf), cmocka_unit_test(random_expressions),  cmocka_unit_test(refusals),
	    cmocka_unit_test(limits),     cmocka_unit_test(too_many_attributes),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

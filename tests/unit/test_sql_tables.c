/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The tables of a store in SQLite (analyze/sql) against the rows that were written, and the plans that leave batches out against the same
 * questions asked so that nothing can be left out.
 */
#include "support/cmocka.h"

#include "store_fixture.h"
#include "store_rows.h"

#include "sql/quantile_functions.h"
#include "sql/tables.h"

#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_BYTES 1024

struct answer {
	int code;
	char text[TEXT_BYTES]; /* of the first column of the first row, or the error */
	uint64_t rows;
	uint64_t sum; /* of hashes of rows, whatever their order */
};

static int make(void **state) {
	static struct store_fixture fixture;
	store_fixture_make(&fixture);
	*state = &fixture;
	return 0;
}

static int clean(void **state) {
	store_fixture_remove(*state);
	return 0;
}

static sqlite3 *connect_to(const char *store) {
	sqlite3 *db = NULL;
	char *message = NULL;
	assert_int_equal(sqlite3_open(":memory:", &db), SQLITE_OK);
	assert_int_equal(tables_register(db, NULL), SQLITE_OK);
	if (store && tables_open(db, store, &message) != SQLITE_OK)
		fail_msg("%s", message);
	return db;
}

static uint64_t hash(uint64_t sum, const char *text) {
	for (; *text; text++)
		sum = (sum ^ (unsigned char)*text) * UINT64_C(0x100000001b3);
	return (sum ^ 0xff) * UINT64_C(0x100000001b3);
}

static struct answer run(sqlite3 *db, const char *sql) {
	struct answer answer = {0};
	sqlite3_stmt *statement = NULL;
	answer.code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);
	while (answer.code == SQLITE_OK && sqlite3_step(statement) == SQLITE_ROW) {
		uint64_t row = UINT64_C(0xcbf29ce484222325);
		for (int i = 0; i < sqlite3_column_count(statement); i++) {
			const char *text = (const char *)sqlite3_column_text(statement, i);
			row = hash(row, text ? text : "NULL");
			if (answer.rows == 0 && i == 0)
				(void)snprintf(answer.text, TEXT_BYTES, "%s", text ? text : "NULL");
		}
		answer.rows++;
		answer.sum += row;
	}
	int code = sqlite3_finalize(statement);
	answer.code = answer.code ? answer.code : code;
	if (answer.code)
		(void)snprintf(answer.text, TEXT_BYTES, "%s", sqlite3_errmsg(db));
	return answer;
}

__attribute__((format(printf, 2, 3))) static struct answer ask(sqlite3 *db, const char *format, ...) {
	char sql[4096];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(sql, sizeof(sql), format, arguments);
	va_end(arguments);
	struct answer answer = run(db, sql);
	if (answer.code)
		fail_msg("%s: %s", sql, answer.text);
	return answer;
}

static uint64_t clamp(uint64_t value) {
	return value > INT64_MAX ? INT64_MAX : value;
}

static uint64_t wall(uint64_t time_ns) {
	return time_ns > UINT64_MAX - FIXTURE_WALL_OFFSET_NS ? INT64_MAX : clamp(time_ns + FIXTURE_WALL_OFFSET_NS);
}

/* Site 1 is the one for all that found no place, the others are named in order; threads 1, 2, ... belong to process 1, 2, 1, ... */
static void span_text(const struct store_span *span, char text[TEXT_BYTES]) {
	char parent[20] = "NULL";
	char duration[24] = "NULL";
	if (span->parent_id)
		(void)snprintf(parent, sizeof(parent), "%016" PRIx64, span->parent_id);
	if (!(span->flags & STORE_SPAN_OPEN))
		(void)snprintf(duration, sizeof(duration), "%" PRIu64, clamp(span->duration_ns));
	(void)snprintf(text, TEXT_BYTES, "%016" PRIx64 "%016" PRIx64 "|%016" PRIx64 "|%s|%" PRIu64 "|%s|%s|%u",
	               span->trace_hi, span->trace_lo, span->span_id, parent, wall(span->start_ns), duration,
	               span->status == 2   ? "error"
	               : span->status == 1 ? "ok"
	                                   : "unset",
	               span->thread);
}

#define SPAN_TEXT                                                                                                      \
	"SELECT trace_id||'|'||span_id||'|'||ifnull(parent_id,'NULL')||'|'||start_ns||'|'||ifnull(duration_ns,'NULL')" \
	"||'|'||status||'|'||ifnull(tid,0) FROM spans"

static uint64_t sum_of_spans(const struct store_rows *rows) {
	uint64_t sum = 0;
	char text[TEXT_BYTES];
	for (size_t i = 0; i < rows->span_count; i++) {
		span_text(&rows->spans[i], text);
		sum += hash(UINT64_C(0xcbf29ce484222325), text);
	}
	return sum;
}

static uint64_t sum_of_events(const struct store_rows *rows) {
	uint64_t sum = 0;
	char text[TEXT_BYTES];
	for (size_t i = 0; i < rows->event_count; i++) {
		(void)snprintf(text, sizeof(text), "%016" PRIx64 "|%016" PRIx64 "|%u|%" PRIu64,
		               rows->events[i].trace_lo, rows->events[i].span_id, rows->events[i].event_index,
		               wall(rows->events[i].time_ns));
		sum += hash(UINT64_C(0xcbf29ce484222325), text);
	}
	return sum;
}

static uint64_t sum_of_links(const struct store_rows *rows) {
	uint64_t sum = 0;
	char text[TEXT_BYTES];
	for (size_t i = 0; i < rows->link_count; i++) {
		const struct store_link *link = &rows->links[i];
		(void)snprintf(text, sizeof(text),
		               "%016" PRIx64 "|%016" PRIx64 "|%016" PRIx64 "%016" PRIx64 "|%016" PRIx64, link->trace_lo,
		               link->span_id, link->linked_trace_hi, link->linked_trace_lo, link->linked_span_id);
		sum += hash(UINT64_C(0xcbf29ce484222325), text);
	}
	return sum;
}

static void check_store(sqlite3 *db, const struct store_rows *expected) {
	struct answer spans = ask(db, SPAN_TEXT);
	assert_int_equal(spans.rows, expected->span_count);
	assert_int_equal(spans.sum, sum_of_spans(expected));
	struct answer events = ask(db, "SELECT trace_id_low||'|'||span_id||'|'||event_index||'|'||time_ns FROM events");
	assert_int_equal(events.rows, expected->event_count);
	assert_int_equal(events.sum, sum_of_events(expected));
	struct answer links =
	    ask(db, "SELECT trace_id_low||'|'||span_id||'|'||linked_trace_id||'|'||linked_span_id FROM links");
	assert_int_equal(links.rows, expected->link_count);
	assert_int_equal(links.sum, sum_of_links(expected));
	struct answer attributes = ask(db, "SELECT * FROM attributes");
	assert_int_equal(attributes.rows, expected->attribute_count);
}

/* Beside the writer and after it; the tables see what was committed since the last statement. */
static void tables_hold_what_was_written(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("sql_tables");
	struct store_rows expected = {0};
	store_fixture_open(fixture);
	sqlite3 *db = connect_to(fixture->scratch.store);
	for (uint64_t i = 1; i <= 8; i++) {
		store_rows_fill(fixture->batch, &seed, (enum store_shape)(i % STORE_SHAPES),
		                (uint32_t)seed_below(&seed, 500), FIXTURE_IDS);
		store_rows_add_batch(&expected, fixture->batch);
		assert_int_equal(store_fixture_commit(fixture, i * 1000), 0);
		if (i % 3 == 0)
			store_fixture_catalog(fixture);
		check_store(db, &expected);
	}
	store_fixture_close(fixture);
	check_store(db, &expected);
	assert_string_equal(ask(db, "SELECT count(*) FROM processes").text, "2");
	assert_string_equal(ask(db, "SELECT pid||service FROM processes WHERE process=1").text, "101name 1");
	assert_string_equal(ask(db, "SELECT count(*) FROM memory_samples").text, "8");
	assert_string_equal(ask(db, "SELECT max(rss_bytes) FROM memory_samples WHERE pid=101").text, "32768000");
	assert_string_equal(ask(db, "SELECT count(*) FROM site_stats").text, "0");
	assert_string_equal(ask(db, "SELECT count(*) FROM losses").text, "0");
	assert_string_equal(ask(db, "SELECT spans_stored||' '||spans_open FROM processes WHERE rings>0").text,
	                    "8000 3");
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	store_rows_free(&expected);
}

#define BATCHES 12u
#define BATCH_STEP_NS UINT64_C(1000000000)

/* Twelve batches in four segments; batch i starts in its own second and lasts i to 2i microseconds. */
static void make_layers(struct store_fixture *fixture, struct seed *seed) {
	store_fixture_open(fixture);
	for (uint64_t i = 1; i <= BATCHES; i++) {
		store_rows_fill(fixture->batch, seed, STORE_SHAPE_TREES, 200, FIXTURE_IDS);
		fixture->batch->attribute_count = fixture->batch->event_count = fixture->batch->link_count = 0;
		for (uint32_t row = 0; row < fixture->batch->span_count; row++) {
			struct store_span *span = &fixture->batch->spans[row];
			span->start_ns = i * BATCH_STEP_NS + seed_below(seed, BATCH_STEP_NS / 2);
			span->duration_ns = 1000 * i + seed_below(seed, 1000 * i);
			span->flags &= (uint8_t)~STORE_SPAN_OPEN;
			span->site = i > 3 && span->site == 5 ? 6 : span->site; /* a name of the first segment only */
		}
		assert_int_equal(store_fixture_commit(fixture, i * 1000), 0);
		if (i % 3 == 0)
			store_fixture_catalog(fixture);
	}
	store_fixture_close(fixture);
}

static uint64_t batches_of(sqlite3 *db, const char *condition) {
	uint64_t before = strtoull(ask(db, "SELECT spanring_batches_read()").text, NULL, 10);
	(void)ask(db, "SELECT count(*) FROM spans WHERE %s", condition);
	return strtoull(ask(db, "SELECT spanring_batches_read()").text, NULL, 10) - before;
}

static void conditions_leave_batches_unread(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("sql_prune");
	char condition[256];
	make_layers(fixture, &seed);
	sqlite3 *db = connect_to(fixture->scratch.store);
	uint64_t base_ns = FIXTURE_WALL_OFFSET_NS;
	assert_int_equal(batches_of(db, "1"), BATCHES);
	(void)snprintf(condition, sizeof(condition), "start_ns >= %" PRIu64 " AND start_ns < %" PRIu64,
	               base_ns + 4 * BATCH_STEP_NS, base_ns + 6 * BATCH_STEP_NS);
	assert_int_equal(batches_of(db, condition), 2);
	(void)snprintf(condition, sizeof(condition), "end_ns < %" PRIu64, base_ns + 2 * BATCH_STEP_NS);
	assert_int_equal(batches_of(db, condition), 1);
	assert_true(batches_of(db, "duration_ns > 22000") <= 1);
	assert_int_equal(batches_of(db, "duration_ns > 22000 AND duration_ns < 3"), 0);
	assert_int_equal(batches_of(db, "name = 'name 4'"), 12); /* all catalogs of the fixture have it */
	assert_int_equal(batches_of(db, "name = 'no such name'"), 0);
	assert_int_equal(batches_of(db, "service GLOB 'no*'"), 0);
	assert_int_equal(batches_of(db, "trace_id = 'what'"), 0);
	assert_int_equal(batches_of(db, "start_ns = NULL"), 0);
	struct answer trace = ask(db, "SELECT trace_id FROM spans WHERE batch = 2 LIMIT 1");
	(void)snprintf(condition, sizeof(condition), "trace_id = '%.40s'", trace.text);
	uint64_t read = batches_of(db, condition);
	assert_true(read >= 1 && read <= 3); /* a bloom filter may say "maybe" once too often */
	struct answer plan =
	    ask(db, "EXPLAIN QUERY PLAN SELECT 1 FROM spans WHERE name='a' AND start_ns>1 AND kind='b'");
	(void)plan;
	sqlite3_stmt *statement = NULL;
	assert_int_equal(sqlite3_prepare_v2(db, "EXPLAIN QUERY PLAN SELECT 1 FROM spans WHERE name='a' AND start_ns>1",
	                                    -1, &statement, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	const char *detail = (const char *)sqlite3_column_text(statement, 3);
	if (!strstr(detail, "name= start_ns>"))
		fail_msg("%s", detail);
	assert_int_equal(sqlite3_finalize(statement), SQLITE_OK);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A random condition twice: as a plan may use it, and with a unary plus, which hides it from the plan. */
static void random_condition(struct seed *seed, sqlite3 *db, char open[512], char hidden[512]) {
	static const char *const operators[] = {"=", "<", "<=", ">", ">="};
	const char *operator= operators[seed_below(seed, 5)];
	char value[128];
	const char *column;
	switch (seed_below(seed, 8)) {
	case 0:
	case 1:
		column = seed_below(seed, 2) ? "start_ns" : "end_ns";
		(void)snprintf(value, sizeof(value), "%" PRIu64 "%s",
		               FIXTURE_WALL_OFFSET_NS + seed_below(seed, (BATCHES + 2) * BATCH_STEP_NS),
		               seed_below(seed, 4) ? "" : ".5");
		break;
	case 2:
		column = "duration_ns";
		(void)snprintf(value, sizeof(value), "%s%" PRIu64 "%s", seed_below(seed, 8) ? "" : "-",
		               seed_below(seed, 30000), seed_below(seed, 3) ? "" : ".25");
		break;
	case 3:
		column = seed_below(seed, 2) ? "name" : "service";
		operator= seed_below(seed, 2) ? "=" : "GLOB";
		(void)snprintf(value, sizeof(value), "'%s%" PRIu64 "'", seed_below(seed, 3) ? "name " : "*",
		               seed_below(seed, FIXTURE_IDS + 2));
		break;
	case 4:
		column = "process";
		operator= "=";
		(void)snprintf(value, sizeof(value), "%" PRIu64, seed_below(seed, 4));
		break;
	case 5:
		column = "trace_id";
		operator= "=";
		(void)snprintf(
		    value, sizeof(value), "'%.40s'",
		    ask(db, "SELECT trace_id FROM spans LIMIT 1 OFFSET %" PRIu64, seed_below(seed, 2400)).text);
		break;
	case 6:
		column = "name";
		operator= "IN";
		(void)snprintf(value, sizeof(value), "('name 1','name 7','NAME 3')");
		break;
	default:
		column = seed_below(seed, 2) ? "duration_ns" : "name";
		(void)snprintf(value, sizeof(value), "%s", seed_below(seed, 2) ? "'5000'" : "NULL");
	}
	(void)snprintf(open, 512, "%s %s %s", column, operator, value);
	(void)snprintf(hidden, 512, "+%s %s %s", column, operator, value);
}

static void conditions_change_no_answer(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("sql_conditions");
	make_layers(fixture, &seed);
	sqlite3 *db = connect_to(fixture->scratch.store);
	const unsigned rounds = seed_rounds(200);
	uint64_t found = 0;
	/* A column compared behind "+" has no affinity: the values above are of the column's own type, or of no column's. */
	for (unsigned i = 0; i < rounds; i++) {
		char open[3][512];
		char hidden[3][512];
		const char *join = seed_below(&seed, 3) ? "AND" : "OR";
		for (unsigned k = 0; k < 3; k++)
			do
				random_condition(&seed, db, open[k], hidden[k]);
			while (strstr(open[k], "'5000'") && strstr(open[k], "duration"));
		struct answer pushed =
		    ask(db, SPAN_TEXT " WHERE (%s) %s (%s) AND (%s)", open[0], join, open[1], open[2]);
		struct answer plain =
		    ask(db, SPAN_TEXT " WHERE (%s) %s (%s) AND (%s)", hidden[0], join, hidden[1], hidden[2]);
		found += plain.rows;
		if (pushed.rows != plain.rows || pushed.sum != plain.sum)
			fail_msg("%s %s %s AND %s: %" PRIu64 " rows, not %" PRIu64, open[0], join, open[1], open[2],
			         pushed.rows, plain.rows);
	}
	assert_true(found > 0 || rounds < 50); /* a few conditions may all be too narrow */
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static int by_double(const void *a, const void *b) {
	double left = *(const double *)a;
	double right = *(const double *)b;
	return left < right ? -1 : left > right;
}

static void quantiles_are_nearest_ranks(void **state) {
	(void)state;
	static const double shares[] = {0, 0.01, 0.5, 0.9, 0.95, 0.99, 0.999, 1};
	struct seed seed = seed_start("sql_quantiles");
	sqlite3 *db = connect_to(NULL);
	sqlite3_stmt *insert = NULL;
	(void)ask(db, "CREATE TABLE v(x)");
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO v VALUES(?)", -1, &insert, NULL), SQLITE_OK);
	for (unsigned i = seed_rounds(60); i > 0; i--) {
		double values[300];
		size_t count = 1 + seed_below(&seed, 300);
		bool real = seed_below(&seed, 2);
		uint64_t range = seed_below(&seed, 3) ? UINT64_C(1) << seed_below(&seed, 50) : 3;
		(void)ask(db, "DELETE FROM v");
		(void)ask(db, "INSERT INTO v VALUES(NULL)");
		for (size_t k = 0; k < count; k++) {
			sqlite3_int64 whole = (sqlite3_int64)seed_below(&seed, range) - (sqlite3_int64)(range / 3);
			values[k] = real ? (double)whole / 7 : (double)whole;
			if (real)
				(void)sqlite3_bind_double(insert, 1, values[k]);
			else
				(void)sqlite3_bind_int64(insert, 1, whole);
			assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
			(void)sqlite3_reset(insert);
		}
		qsort(values, count, sizeof(values[0]), by_double);
		for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
			size_t rank = (size_t)ceil(shares[k] * (double)count);
			double wanted = values[rank > 0 ? rank - 1 : 0];
			assert_string_equal(ask(db, "SELECT quantile(x, %.17g) = %.17g FROM v", shares[k], wanted).text,
			                    "1");
		}
		assert_string_equal(ask(db, "SELECT p50(x)=quantile(x,.5) AND p99(x)=quantile(x,.99) AND p90(x)="
		                            "quantile(x,.9) AND p95(x)=quantile(x,.95) AND quantile_error(x)=0 FROM v")
		                        .text,
		                    "1");
	}
	assert_int_equal(sqlite3_finalize(insert), SQLITE_OK);
	assert_string_equal(ask(db, "SELECT p50(x) FROM v WHERE 0").text, "NULL");
	assert_string_equal(ask(db, "SELECT p50(NULL)").text, "NULL");
	assert_string_equal(ask(db, "SELECT p50(x) FROM (SELECT 9223372036854775807 x UNION ALL SELECT "
	                            "9223372036854775806 UNION ALL SELECT -9223372036854775807)")
	                        .text,
	                    "9223372036854775806");
	assert_int_equal(run(db, "SELECT p50('text')").code, SQLITE_ERROR);
	assert_int_equal(run(db, "SELECT quantile(1, 1.5)").code, SQLITE_ERROR);
	assert_int_equal(run(db, "SELECT quantile(1, 'x')").code, SQLITE_ERROR);
	assert_int_equal(run(db, "SELECT quantile(a, a) FROM (SELECT 0.1 a UNION SELECT 0.2)").code, SQLITE_ERROR);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Beyond the room for values the answer is within the error that the aggregate states. */
static void many_values_are_binned_within_the_error(void **state) {
	(void)state;
	sqlite3 *db = connect_to(NULL);
	(void)ask(db, "CREATE TABLE v(x)");
	(void)ask(db,
	          "INSERT INTO v WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n WHERE i<%u) "
	          "SELECT i*i - 1000000 FROM n",
	          QUANTILE_VALUES_MAX + 1000);
	assert_string_equal(ask(db, "SELECT quantile_error(x) FROM v").text, "0.004");
	assert_string_equal(
	    ask(db, "SELECT quantile_error(x) FROM (SELECT x FROM v LIMIT %u)", QUANTILE_VALUES_MAX).text, "0.0");
	static const double shares[] = {0, 0.0005, 0.1, 0.5, 0.9, 0.99, 1};
	for (size_t k = 0; k < sizeof(shares) / sizeof(shares[0]); k++) {
		double count = QUANTILE_VALUES_MAX + 1000;
		double rank = ceil(shares[k] * count);
		double exact = (rank > 0 ? rank : 1) * (rank > 0 ? rank : 1) - 1000000;
		double got = strtod(ask(db, "SELECT quantile(x, %.17g) FROM v", shares[k]).text, NULL);
		if (fabs(got - exact) > QUANTILE_BINNED_ERROR * fabs(exact))
			fail_msg("%g: %g, not %g", shares[k], got, exact);
	}
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void flip_bit(const char *path, uint64_t bit) {
	int fd = open(path, O_RDWR | O_CLOEXEC);
	unsigned char byte = 0;
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &byte, 1, (off_t)(bit / 8)), 1);
	byte ^= (unsigned char)(1u << bit % 8);
	assert_int_equal(pwrite(fd, &byte, 1, (off_t)(bit / 8)), 1);
	assert_int_equal(close(fd), 0);
}

/* Every answer of a damaged segment is the right one, or an error that names the file. */
static void damage_is_an_error_with_the_file(void **state) {
	static const char *const questions[] = {SPAN_TEXT,
	                                        "SELECT * FROM attributes",
	                                        "SELECT * FROM events",
	                                        "SELECT * FROM links",
	                                        "SELECT * FROM processes",
	                                        "SELECT * FROM memory_samples",
	                                        "SELECT * FROM losses",
	                                        "SELECT * FROM site_stats",
	                                        "SELECT name, p99(duration_ns) FROM spans GROUP BY name"};
	enum { QUESTIONS = sizeof(questions) / sizeof(questions[0]) };
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("sql_damage");
	struct answer sound[QUESTIONS];
	char path[SCRATCH_PATH_BYTES];
	struct stat status;
	unsigned errors = 0;
	store_fixture_open(fixture);
	store_rows_fill(fixture->batch, &seed, STORE_SHAPE_TREES, 400, FIXTURE_IDS);
	assert_int_equal(store_fixture_commit(fixture, 1000), 0);
	store_fixture_close(fixture);
	store_fixture_segment(fixture, 0, path);
	assert_int_equal(stat(path, &status), 0);
	sqlite3 *db = connect_to(path);
	for (unsigned k = 0; k < QUESTIONS; k++)
		sound[k] = ask(db, "%s", questions[k]);
	const unsigned rounds = seed_rounds(400);
	for (unsigned i = 0; i < rounds; i++) {
		/* The first is in the word that makes it a database: few rounds may all hit what nobody reads. */
		uint64_t bit = i == 0 ? 0 : seed_below(&seed, (uint64_t)status.st_size * 8);
		unsigned k = (unsigned)seed_below(&seed, QUESTIONS);
		flip_bit(path, bit);
		struct answer answer = run(db, questions[k]);
		if (answer.code) {
			errors++;
			if (!strstr(answer.text, path))
				fail_msg("bit %" PRIu64 ": '%s' does not name the file", bit, answer.text);
		} else if (answer.rows != sound[k].rows || answer.sum != sound[k].sum) {
			fail_msg("bit %" PRIu64 ": another answer to %s", bit, questions[k]);
		}
		flip_bit(path, bit);
	}
	assert_true(errors > 0);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* A view of the main file, which may come from a stranger, cannot reach a store; one of the session can. */
static void schemas_of_strangers_open_nothing(void **state) {
	struct store_fixture *fixture = *state;
	struct seed seed = seed_start("sql_direct");
	make_layers(fixture, &seed);
	sqlite3 *db = connect_to(fixture->scratch.store);
	(void)ask(db, "CREATE VIRTUAL TABLE main.hidden USING spanring_spans('%s')", fixture->scratch.store);
	(void)ask(db, "CREATE VIEW v AS SELECT * FROM hidden");
	(void)ask(db, "CREATE VIEW w AS SELECT spanring_open('/')");
	(void)ask(db, "CREATE TEMP VIEW t AS SELECT count(*) AS n FROM spans");
	assert_true(run(db, "SELECT * FROM v").code != SQLITE_OK);
	assert_true(run(db, "SELECT * FROM w").code != SQLITE_OK);
	assert_string_equal(ask(db, "SELECT n FROM t").text, "2400");
	assert_true(run(db, "INSERT INTO spans(name) VALUES('x')").code != SQLITE_OK);
	assert_true(run(db, "DELETE FROM spans").code != SQLITE_OK);
	assert_true(run(db, "SELECT spanring_open('/no/such/place')").code != SQLITE_OK);
	assert_true(run(db, "SELECT spanring_open(NULL)").code != SQLITE_OK);
	assert_true(run(db, "CREATE VIRTUAL TABLE temp.x USING spanring_spans").code != SQLITE_OK);
	assert_int_equal(ask(db, "SELECT spanring_open('%s')", fixture->scratch.store).rows, 1);
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(tables_hold_what_was_written, make, clean),
	    cmocka_unit_test_setup_teardown(conditions_leave_batches_unread, make, clean),
	    cmocka_unit_test_setup_teardown(conditions_change_no_answer, make, clean),
	    cmocka_unit_test(quantiles_are_nearest_ranks),
	    cmocka_unit_test(many_values_are_binned_within_the_error),
	    cmocka_unit_test_setup_teardown(damage_is_an_error_with_the_file, make, clean),
	    cmocka_unit_test_setup_teardown(schemas_of_strangers_open_nothing, make, clean),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}

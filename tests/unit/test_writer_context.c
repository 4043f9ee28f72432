/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts from and for other processes: the standards' own examples, every way to be malformed, and round trips. */
#include "support/cmocka.h"

#include "ring_view.h"

#include <errno.h>
#include <signal.h>
#include <spanring/context.h>
#include <string.h>

#define TRACE "4bf92f3577b34da6a3ce929d0e0e4736"
#define SPAN "00f067aa0ba902b7"
#define PARENT "00-" TRACE "-" SPAN "-01"

static uint64_t malformed(void) {
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	return counters.contexts_malformed;
}

static void valid_traceparents(void **state) {
	(void)state;
	static const struct {
		const char *text;
		uint32_t flags;
	} valid[] = {
	    {PARENT, 1},
	    {"00-" TRACE "-" SPAN "-00", 0},
	    {"00-" TRACE "-" SPAN "-03", 3},
	    {"00-" TRACE "-" SPAN "-ff", 3},
	    {"01-" TRACE "-" SPAN "-01", 1},
	    {"cc-" TRACE "-" SPAN "-03", 1},
	    {"cc-" TRACE "-" SPAN "-01-what-the-future-will-be-like", 1},
	    {"fe-" TRACE "-" SPAN "-01-", 1},
	};
	uint64_t before = malformed();
	for (size_t i = 0; i < sizeof(valid) / sizeof(valid[0]); i++) {
		struct spanring_remote remote;
		assert_true(spanring_remote_extract(valid[i].text, NULL, &remote));
		assert_true(remote.context.trace_hi == UINT64_C(0x4bf92f3577b34da6));
		assert_true(remote.context.trace_lo == UINT64_C(0xa3ce929d0e0e4736));
		assert_true(remote.context.span_id == UINT64_C(0x00f067aa0ba902b7));
		assert_int_equal(remote.flags, valid[i].flags);
		assert_string_equal(remote.tracestate, "");
	}
	assert_true(malformed() == before);
}

static void malformed_traceparents(void **state) {
	(void)state;
	static const char *const invalid[] = {
	    "00",
	    "00-" TRACE "-" SPAN,
	    "00-" TRACE "-" SPAN "-",
	    "00-" TRACE "-" SPAN "-1",
	    "00-" TRACE "-" SPAN "-011",
	    "00-" TRACE "-" SPAN "-01-",
	    "00-" TRACE "-" SPAN "-01-more",
	    "ff-" TRACE "-" SPAN "-01",
	    "0-" TRACE "-" SPAN "-01",
	    "000-" TRACE "-" SPAN "-01",
	    ".0-" TRACE "-" SPAN "-01",
	    "cc-" TRACE "-" SPAN "-01.what",
	    "00-4BF92F3577B34DA6A3CE929D0E0E4736-" SPAN "-01",
	    "00-" TRACE "-00F067AA0BA902B7-01",
	    "00-" TRACE "-" SPAN "-0A",
	    "0G-" TRACE "-" SPAN "-01",
	    "00-00000000000000000000000000000000-" SPAN "-01",
	    "00-" TRACE "-0000000000000000-01",
	    "00-.bf92f3577b34da6a3ce929d0e0e4736-" SPAN "-01",
	    "00-" TRACE "-.0f067aa0ba902b7-01",
	    "00-" TRACE "-" SPAN "-.1",
	    "00_" TRACE "_" SPAN "_01",
	    " " PARENT,
	    PARENT " ",
	    "00-" TRACE SPAN "-01",
	};
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		struct spanring_remote remote;
		struct spanring_remote zero;
		uint64_t before = malformed();
		memset(&zero, 0, sizeof(zero));
		memset(&remote, 0x55, sizeof(remote));
		if (spanring_remote_extract(invalid[i], "a=1", &remote))
			fail_msg("accepted: %s", invalid[i]);
		assert_memory_equal(&remote, &zero, sizeof(zero));
		assert_true(malformed() == before + 1);
	}
}

static void an_absent_context_is_not_counted(void **state) {
	(void)state;
	struct spanring_remote remote;
	struct spanring_baggage baggage;
	uint64_t before = malformed();
	assert_false(spanring_remote_extract(NULL, NULL, &remote));
	assert_false(spanring_remote_extract("", "a=1", &remote));
	assert_true(spanring_remote_extract(PARENT, "", &remote));
	assert_false(spanring_baggage_extract(NULL, &baggage));
	assert_false(spanring_baggage_extract("", &baggage));
	assert_true(malformed() == before);
}

static void check_tracestate(const char *text, const char *expected) {
	struct spanring_remote remote;
	uint64_t before = malformed();
	assert_true(spanring_remote_extract(PARENT, text, &remote));
	assert_string_equal(remote.tracestate, expected ? expected : "");
	if (malformed() != before + !expected)
		fail_msg("tracestate: %s", text);
}

static void tracestates(void **state) {
	(void)state;
	static const char *const invalid[] = {
	    "foo",         "foo=",        "=1",       "foo =1",   "foo=1=2", "FOO=1",    "0foo=1",
	    "_foo=1",      "foo@=1",      "@f=1",     "f@@b=1",   "f@b@c=1", "f@0b=1",   "foo.b=1",
	    "foo=1,foo=1", "foo=1,foo=2", "foo=\x7f", "foo=\x80", "foo\t=1", "foo=a\tb", "foo=1;bar",
	    "f o=1",       "foo=1,b",     "foo= =1",  "a=1,=",
	};
	check_tracestate("congo=t61rcWkgMzE", "congo=t61rcWkgMzE");
	check_tracestate("rojo=00f067aa0ba902b7,congo=t61rcWkgMzE", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE");
	check_tracestate(" a=1 \t,, b=2,\t", "a=1,b=2");
	check_tracestate("fw529a3039@dt=FfFfFfFf,0t@v=1", "fw529a3039@dt=FfFfFfFf,0t@v=1");
	check_tracestate("a-_*/0=a b", "a-_*/0=a b");
	check_tracestate(",", "");
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++)
		if (strcmp(invalid[i], "foo=1;bar") != 0)
			check_tracestate(invalid[i], NULL);
	check_tracestate("foo=1;bar", "foo=1;bar"); /* a semicolon is like any other */
}

static void tracestate_limits(void **state) {
	(void)state;
	char text[2000];
	char key[258];
	size_t used = 0;
	for (unsigned i = 0; i < 32; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sk%u=1", i ? "," : "", i);
	check_tracestate(text, text);
	(void)snprintf(text + used, sizeof(text) - used, ",k32=1");
	check_tracestate(text, NULL);
	memset(key, 'k', 257);
	key[256] = '\0';
	(void)snprintf(text, sizeof(text), "%s=1", key);
	check_tracestate(text, text);
	key[256] = 'k';
	key[257] = '\0';
	(void)snprintf(text, sizeof(text), "%s=1", key);
	check_tracestate(text, NULL);
	key[256] = '\0';
	(void)snprintf(text, sizeof(text), "a=%s,b=%s,c=3", key, key); /* 258 + 1 + 258 bytes are too many */
	char expected[300];
	(void)snprintf(expected, sizeof(expected), "a=%s", key);
	check_tracestate(text, expected);
	(void)snprintf(text, sizeof(text), "a=%.*s,b=%.*s", 254, key, 253, key); /* 512 */
	check_tracestate(text, text);
}

static void a_context_comes_back(void **state) {
	(void)state;
	char text[SPANRING_TRACEPARENT_BYTES];
	const struct spanring_context contexts[] = {
	    {UINT64_C(0x4bf92f3577b34da6), UINT64_C(0xa3ce929d0e0e4736), UINT64_C(0x00f067aa0ba902b7), 0, 0},
	    {0, 1, 1, 0, 0},
	    {UINT64_MAX, UINT64_MAX, UINT64_MAX, 0, 0},
	    {UINT64_C(1) << 63, 0, UINT64_C(1) << 63, 0, 0},
	};
	for (size_t i = 0; i < sizeof(contexts) / sizeof(contexts[0]); i++) {
		struct spanring_remote remote;
		assert_int_equal(spanring_traceparent_inject(&contexts[i], SPANRING_FLAG_SAMPLED | 0xf0, text), 55);
		assert_true(spanring_remote_extract(text, NULL, &remote));
		assert_memory_equal(&remote.context, &contexts[i], sizeof(contexts[i]));
		assert_int_equal(remote.flags, SPANRING_FLAG_SAMPLED);
	}
	assert_int_equal(spanring_traceparent_inject(&contexts[0], SPANRING_FLAG_SAMPLED, text), 55);
	assert_string_equal(text, PARENT);
	const struct spanring_context no_trace = {0, 0, 1, 0, 0};
	const struct spanring_context no_span = {1, 1, 0, 0, 0};
	assert_int_equal(spanring_traceparent_inject(&no_trace, 1, text), 0);
	assert_string_equal(text, "");
	assert_int_equal(spanring_traceparent_inject(&no_span, 1, text), 0);
}

static void the_sampled_flag_goes_along(void **state) {
	(void)state;
	static const struct {
		const char *flags;
		bool sampled;
	} cases[] = {{"00", false}, {"01", true}, {"02", false}, {"03", true}, {"fe", false}, {"ff", true}};
	char text[SPANRING_TRACEPARENT_BYTES];
	char header[SPANRING_TRACEPARENT_BYTES];
	struct spanring_environment environment;
	struct spanring_remote remote;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		(void)snprintf(header, sizeof(header), "%.53s%s", PARENT, cases[i].flags);
		assert_true(spanring_remote_extract(header, NULL, &remote));
		assert_int_equal(remote.context.flags, cases[i].sampled ? 0 : SPANRING_CONTEXT_UNSAMPLED);
		assert_int_equal(remote.flags & SPANRING_FLAG_SAMPLED, cases[i].sampled);
		/* What the caller says of the flag does not count, what the context says does. */
		assert_int_equal(spanring_traceparent_inject(&remote.context, SPANRING_FLAG_SAMPLED, text), 55);
		assert_string_equal(text + 53, cases[i].sampled ? "01" : "00");
		assert_int_equal(spanring_traceparent_inject(&remote.context, SPANRING_FLAG_RANDOM, text), 55);
		assert_string_equal(text + 53, cases[i].sampled ? "03" : "02");
		assert_int_equal(spanring_context_to_environment(&remote.context, NULL, NULL, &environment), 1);
		assert_string_equal(environment.traceparent + strlen(environment.traceparent) - 2,
		                    cases[i].sampled ? "01" : "00");
	}
	remote.context.flags = ~SPANRING_CONTEXT_UNSAMPLED; /* others are ignored */
	assert_int_equal(spanring_traceparent_inject(&remote.context, 0, text), 55);
	assert_string_equal(text + 53, "01");
}

static void check_member(const struct spanring_baggage *baggage, const char *key, const char *expected) {
	char value[256];
	int bytes = spanring_baggage_get(baggage, key, value, sizeof(value));
	if (!expected) {
		assert_int_equal(bytes, -ENOENT);
		return;
	}
	assert_int_equal(bytes, strlen(expected));
	assert_string_equal(value, expected);
}

static void baggage_is_read(void **state) {
	(void)state;
	struct spanring_baggage baggage;
	assert_true(
	    spanring_baggage_extract("key1=value1;property1;property2, key2 = value2 , key3=a%20b;p=v", &baggage));
	assert_int_equal(baggage.count, 3);
	assert_string_equal(baggage.text, "key1=value1;property1;property2,key2 = value2,key3=a%20b;p=v");
	check_member(&baggage, "key1", "value1");
	check_member(&baggage, "key2", "value2");
	check_member(&baggage, "key3", "a b");
	check_member(&baggage, "key", NULL);
	char two[3];
	assert_int_equal(spanring_baggage_get(&baggage, "key1", two, sizeof(two)), 6);
	assert_string_equal(two, "va");
	assert_int_equal(spanring_baggage_get(&baggage, "key1", NULL, 0), 6);
	assert_true(spanring_baggage_extract("k=", &baggage));
	check_member(&baggage, "k", "");
	assert_true(spanring_baggage_extract("a=12,b=2,a=", &baggage)); /* the later counts */
	assert_string_equal(baggage.text, "b=2,a=");
	assert_true(spanring_baggage_extract("a=12,a=", &baggage));
	assert_string_equal(baggage.text, "a=");
	assert_true(spanring_baggage_extract("k=a=b%3d", &baggage));
	check_member(&baggage, "k", "a=b=");
}

static void malformed_baggage(void **state) {
	(void)state;
	static const char *const invalid[] = {"a",     "=1",      "a=1,",    ",a=1",     "a=1,,b=2", "a b=1",
	                                      "a=b c", "a=\"b\"", "a=b\\",   "a=%",      "a=%4",     "a=%zz",
	                                      "a=1;",  "a=1;b c", "a=1;p=%", "a=1;=v",   "a=\x80",   "\xc3=1",
	                                      "a(=1",  "a=1,b",   "a=\x01",  "a=1;p=\"", " ",        ";"};
	for (size_t i = 0; i < sizeof(invalid) / sizeof(invalid[0]); i++) {
		struct spanring_baggage baggage;
		uint64_t before = malformed();
		if (spanring_baggage_extract(invalid[i], &baggage))
			fail_msg("accepted: %s", invalid[i]);
		assert_int_equal(baggage.count, 0);
		assert_string_equal(baggage.text, "");
		assert_true(malformed() == before + 1);
	}
}

static void baggage_is_set(void **state) {
	(void)state;
	struct spanring_baggage baggage;
	struct spanring_baggage copy;
	spanring_baggage_clear(&baggage);
	assert_true(spanring_baggage_set(&baggage, "user", "Amélie, \"50%\"; \\x\n"));
	assert_true(spanring_baggage_set(&baggage, "a", "1"));
	assert_true(spanring_baggage_set(&baggage, "b", "2"));
	check_member(&baggage, "user", "Amélie, \"50%\"; \\x\n");
	assert_true(spanring_baggage_extract(baggage.text, &copy));
	check_member(&copy, "user", "Amélie, \"50%\"; \\x\n");
	assert_true(spanring_baggage_set(&baggage, "a", "one"));
	assert_int_equal(baggage.count, 3);
	check_member(&baggage, "a", "one");
	check_member(&baggage, "b", "2");
	assert_true(spanring_baggage_remove(&baggage, "user"));
	assert_false(spanring_baggage_remove(&baggage, "user"));
	assert_string_equal(baggage.text, "b=2,a=one");
	assert_true(spanring_baggage_remove(&baggage, "a") && spanring_baggage_remove(&baggage, "b"));
	assert_true(baggage.count == 0 && baggage.bytes == 0);
	assert_false(spanring_baggage_set(&baggage, "", "1"));
	assert_false(spanring_baggage_set(&baggage, "a b", "1"));
	assert_false(spanring_baggage_set(&baggage, "a=b", "1"));
	assert_true(baggage.count == 0 && baggage.text[0] == '\0');
}

static void baggage_limits(void **state) {
	(void)state;
	struct spanring_baggage baggage;
	static char text[10000];
	char key[16];
	size_t used = 0;
	for (unsigned i = 0; i < 70; i++)
		used += (size_t)snprintf(text + used, sizeof(text) - used, "%sk%u=1", i ? "," : "", i);
	assert_true(spanring_baggage_extract(text, &baggage));
	assert_int_equal(baggage.count, 64);
	assert_int_equal(baggage.left_out, 6);
	check_member(&baggage, "k63", "1");
	assert_false(spanring_baggage_set(&baggage, "one.more", "1"));
	assert_true(spanring_baggage_set(&baggage, "k0", "2"));
	check_member(&baggage, "k0", "2");
	spanring_baggage_clear(&baggage);
	memset(text, 'x', sizeof(text));
	text[8190] = '\0';
	assert_true(spanring_baggage_set(&baggage, "k", text)); /* 8192 bytes */
	assert_int_equal(baggage.bytes, 8192);
	assert_true(spanring_baggage_set(&baggage, "k", text));
	assert_false(spanring_baggage_set(&baggage, "l", ""));
	text[8190] = 'x';
	text[8191] = '\0';
	assert_false(spanring_baggage_set(&baggage, "k", text));
	assert_int_equal(baggage.bytes, 8192);
	spanring_baggage_clear(&baggage);
	memset(text, ' ', 3000);
	text[3000] = '\0';
	assert_false(spanring_baggage_set(&baggage, "k", text)); /* encoded three times as long */
	for (unsigned i = 0; i < 9; i++) {
		(void)snprintf(key, sizeof(key), "k%u", i);
		memset(text, 'x', 1000);
		text[1000] = '\0';
		assert_int_equal(spanring_baggage_set(&baggage, key, text), i < 8);
	}
}

static char handler_text[SPANRING_LOG_TEXT_BYTES];

static void on_signal(int number) {
	(void)number;
	(void)spanring_log_text(handler_text);
}

static void log_lines(void) {
	char text[SPANRING_LOG_TEXT_BYTES];
	char trace[SPANRING_TRACE_ID_BYTES];
	char id[SPANRING_SPAN_ID_BYTES];
	char expected[128];
	CHECK(spanring_log_text(text) == 0 && text[0] == '\0');
	SPANRING_SPAN(span, "logged");
	struct spanring_context context = spanring_context_current();
	CHECK(spanring_trace_id_text(&context, trace) == 32 && spanring_span_id_text(&context, id) == 16);
	(void)snprintf(expected, sizeof(expected), "trace_id=%016lx%016lx span_id=%016lx",
	               (unsigned long)context.trace_hi, (unsigned long)context.trace_lo, (unsigned long)span.span_id);
	CHECK(spanring_log_text(text) == strlen(expected) && strcmp(text, expected) == 0);
	CHECK(strncmp(text + 9, trace, 32) == 0 && strcmp(text + 50, id) == 0);
	struct sigaction action = {.sa_handler = on_signal};
	CHECK(sigaction(SIGUSR1, &action, NULL) == 0 && raise(SIGUSR1) == 0);
	CHECK(strcmp(handler_text, expected) == 0);
	const struct spanring_context none = {0, 0, 0, 0, 0};
	CHECK(spanring_trace_id_text(&none, trace) == 0 && trace[0] == '\0');
	CHECK(spanring_span_id_text(&none, id) == 0 && id[0] == '\0');
}

static void ids_for_log_lines(void **state) {
	(void)state;
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, log_lines, VIEW_EXIT)));
}

static void continue_trace(void) {
	struct spanring_remote remote;
	struct spanring_baggage baggage;
	CHECK(!spanring_remote_extract("nonsense", NULL, &remote)); /* counted before there is a process file */
	CHECK(spanring_context_from_environment(&remote, &baggage));
	CHECK(strcmp(remote.tracestate, "vendor=1") == 0 && baggage.count == 1);
	SPANRING_SPAN_CHILD_OF(span, "continued", &remote.context);
	CHECK(malformed() == 1);
	struct spanring_environment environment;
	CHECK(spanring_context_to_environment(NULL, remote.tracestate, &baggage, &environment) == 3);
	CHECK(strncmp(environment.traceparent, "TRACEPARENT=00-" TRACE "-", 48) == 0);
	CHECK(strcmp(environment.tracestate, "TRACESTATE=vendor=1") == 0);
	CHECK(strcmp(environment.baggage, "BAGGAGE=user=7") == 0);
	const struct spanring_context none = {0, 0, 0, 0, 0};
	CHECK(spanring_context_to_environment(&none, "vendor=1", NULL, &environment) == 0);
	CHECK(environment.traceparent[0] == '\0' && environment.tracestate[0] == '\0');
	/* No parent: a new trace. */
	CHECK(!spanring_remote_extract("nonsense", NULL, &remote));
	SPANRING_SPAN_CHILD_OF(root, "root", &remote.context);
}

static void the_environment_carries_a_context(void **state) {
	(void)state;
	assert_int_equal(setenv("TRACEPARENT", PARENT, 1), 0);
	assert_int_equal(setenv("TRACESTATE", "vendor=1", 1), 0);
	assert_int_equal(setenv("BAGGAGE", "user=7", 1), 0);
	struct view_instance *view =
	    view_open(view_scratch.rings, view_run(view_scratch.rings, continue_trace, VIEW_EXIT));
	const struct spanring_span_record *span = view_span(view, "continued");
	assert_true(span->trace_hi == UINT64_C(0x4bf92f3577b34da6) && span->parent_id == UINT64_C(0x00f067aa0ba902b7));
	assert_true(span->tail.bits & SPANRING_BITS_REMOTE_PARENT);
	assert_int_equal(view_span(view, "root")->parent_id, 0);
	assert_int_equal(view->header->contexts_malformed, 2);
	view_close(view);
	assert_int_equal(unsetenv("TRACEPARENT") | unsetenv("TRACESTATE") | unsetenv("BAGGAGE"), 0);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(valid_traceparents),
	    cmocka_unit_test(malformed_traceparents),
	    cmocka_unit_test(an_absent_context_is_not_counted),
	    cmocka_unit_test(tracestates),
	    cmocka_unit_test(tracestate_limits),
	    cmocka_unit_test(a_context_comes_back),
	    cmocka_unit_test(the_sampled_flag_goes_along),
	    cmocka_unit_test(baggage_is_read),
	    cmocka_unit_test(malformed_baggage),
	    cmocka_unit_test(baggage_is_set),
	    cmocka_unit_test(baggage_limits),
	    VIEW_TEST(ids_for_log_lines),
	    VIEW_TEST(the_environment_carries_a_context),
	};
	return cmocka_run_group_tests_name("context", tests, NULL, NULL);
}

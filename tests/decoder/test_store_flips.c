/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One bit of a sealed segment at a time: every question is answered as before, or the reader names damage. Questions are asked one by one and each of
 * them by itself must be right or complain, since a command asks one.
 *
 * Bytes in the middle of unused room of a page (nothing but zeros around) are left to samples; with SPANRING_TEST_SCALE of 10 every bit of all
 * others is turned.
 */
#include "dump_segment.h"
#include "rich_file.h"

#include "support/cmocka.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SPANS 12u
#define FLIPS 4000u
#define ALL_SCALE 10
#define NEAR_BYTES 8u /* of a byte that is not zero */
#define QUESTIONS 7u

struct answer {
	char *text;
	size_t bytes;
	size_t damages; /* that it named */
};

struct answers {
	bool refused; /* or damage was named on opening: no command goes on without saying so */
	struct answer answers[QUESTIONS];
};

static struct rich_file file;
static struct answers sound;
static uint64_t known_trace;

static size_t damages_of(const struct store_reader *reader) {
	size_t count = 0;
	(void)store_reader_damage(reader, &count);
	return count;
}

static int note_trace(void *context, const struct store_columns *columns) {
	(void)context;
	if (columns->span_count)
		known_trace = columns->trace_lo[columns->span_count / 2];
	return 0;
}

static void ask(FILE *to, struct store_reader *reader, unsigned question) {
	const struct store_overview *overview = store_reader_overview(reader);
	const struct store_segment_view *view = overview->segments;
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL | STORE_COLUMN_CHILD_SUMS};
	switch (question) {
	case 0:
		dump_overview(to, overview);
		return;
	case 1:
		dump_reader_rollups(to, reader);
		return;
	case 2:
		dump_samples(to, reader);
		return;
	case 3:
		scan.columns = STORE_IN_SITE_ORDER | STORE_COLUMN_SITE | STORE_COLUMN_DURATION;
		break;
	case 4:
		scan.has_trace = true;
		scan.trace_lo = known_trace;
		break;
	case 5:
		scan.since_wall_ns = view->start_ns_min + view->wall_offset_ns + 1;
		scan.until_wall_ns = view->end_ns_max + view->wall_offset_ns - 1;
		scan.duration_ns_min = 1000;
		break;
	default:
		break;
	}
	dump_scan(to, reader, scan);
}

static void free_answers(struct answers *answers) {
	for (unsigned i = 0; i < QUESTIONS; i++)
		free(answers->answers[i].text);
	memset(answers, 0, sizeof(*answers));
}

static void ask_all(struct answers *ret_answers) {
	struct store_reader *reader = NULL;
	char text[512] = "";
	memset(ret_answers, 0, sizeof(*ret_answers));
	if (store_reader_open(file.path, &reader, text, sizeof(text))) {
		assert_non_null(strstr(text, file.path));
		ret_answers->refused = true;
		return;
	}
	ret_answers->refused = damages_of(reader) > 0;
	for (unsigned i = 0; i < QUESTIONS && !ret_answers->refused; i++) {
		struct answer *answer = &ret_answers->answers[i];
		size_t before = damages_of(reader);
		FILE *to = open_memstream(&answer->text, &answer->bytes);
		assert_non_null(to);
		ask(to, reader, i);
		assert_int_equal(fclose(to), 0);
		answer->damages = damages_of(reader) - before;
	}
	store_reader_close(reader);
}

/* 1: it was named. */
static unsigned check_flip(size_t at, unsigned bit) {
	uint8_t byte = (uint8_t)(file.bytes[at] ^ 1u << bit);
	struct answers answers;
	assert_int_equal(pwrite(file.fd, &byte, 1, (off_t)at), 1);
	ask_all(&answers);
	bool named = answers.refused;
	for (unsigned i = 0; i < QUESTIONS && !answers.refused; i++) {
		const struct answer *answer = &answers.answers[i];
		const struct answer *right = &sound.answers[i];
		named |= answer->damages > 0;
		if (answer->damages == 0 &&
		    (answer->bytes != right->bytes || memcmp(answer->text, right->text, right->bytes) != 0))
			fail_msg("bit %u of byte %zu (page %zu, offset %zu): question %u has another answer, and no "
			         "complaint",
			         bit, at, at / 16384 + 1, at % 16384, i);
	}
	free_answers(&answers);
	assert_int_equal(pwrite(file.fd, &file.bytes[at], 1, (off_t)at), 1);
	return named;
}

static bool is_used(size_t at) {
	size_t first = at < NEAR_BYTES ? 0 : at - NEAR_BYTES;
	for (size_t i = first; i < file.count && i <= at + NEAR_BYTES; i++)
		if (file.bytes[i])
			return true;
	return false;
}

static void a_flipped_bit_is_named_or_does_nothing(void **state) {
	struct seed seed = seed_start("store flips");
	const char *scale = getenv("SPANRING_TEST_SCALE");
	unsigned named = 0;
	unsigned flips = 0;
	(void)state;
	for (unsigned i = 0; i < seed_rounds(FLIPS); i++) {
		size_t at = (size_t)seed_below(&seed, file.count);
		while (i % 4 && !is_used(at))
			at = (size_t)seed_below(&seed, file.count);
		named += check_flip(at, (unsigned)seed_below(&seed, 8));
		flips++;
	}
	bool all = SANITIZER_SLOWDOWN == 1 && scale && strtol(scale, NULL, 10) >= ALL_SCALE;
	for (size_t at = 0; all && at < file.count; at++) {
		for (unsigned bit = 0; bit < 8 && is_used(at); bit++, flips++)
			named += check_flip(at, bit);
	}
	print_message("%zu bytes, %u flips, %u named, the others changed no answer\n", file.count, flips, named);
	assert_true(named > flips / 10);
}

static int make(void **state) {
	struct store_reader *reader = NULL;
	struct store_scan scan = {.columns = STORE_COLUMNS_ALL, .on_batch = note_trace};
	char text[512];
	(void)state;
	rich_file_make(&file, SPANS);
	assert_int_equal(store_reader_open(file.path, &reader, text, sizeof(text)), 0);
	assert_int_equal(store_reader_scan(reader, &scan), 0);
	store_reader_close(reader);
	ask_all(&sound);
	assert_false(sound.refused);
	for (unsigned i = 0; i < QUESTIONS; i++)
		assert_true(sound.answers[i].bytes > 0 && sound.answers[i].damages == 0);
	return 0;
}

static int clean(void **state) {
	(void)state;
	free_answers(&sound);
	rich_file_remove(&file);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {cmocka_unit_test(a_flipped_bit_is_named_or_does_nothing)};
	return cmocka_run_group_tests_name("flipped bits", tests, make, clean);
}

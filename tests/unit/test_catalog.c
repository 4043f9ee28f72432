/* SPDX-License-Identifier: Apache-2.0 */
/* One id per thing, the same for ever, and a bound on everything. */
#include "support/cmocka.h"

#include "base/errs.h"
#include "libstore/catalog_rows.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void the_same_thing_has_one_id(void **state) {
	(void)state;
	struct catalog *catalog = NULL;
	uint32_t id = 0;
	uint32_t again = 0;
	assert_int_equal(catalog_new(&catalog), 0);
	assert_int_equal(catalog_string(catalog, STORE_OVERFLOW_NAME, strlen(STORE_OVERFLOW_NAME), &id), 0);
	assert_int_equal(id, 1);
	for (uint32_t i = 0; i < 5000; i++) {
		char name[32];
		int length = snprintf(name, sizeof(name), "name %u", i);
		assert_int_equal(catalog_string(catalog, name, (size_t)length, &id), 0);
		assert_int_equal(id, i + 2);
		struct store_site site = {id, 0, i, 0, 0, 0};
		assert_int_equal(catalog_site(catalog, &site, &id), 0);
		assert_int_equal(id, i + 2);
	}
	assert_int_equal(catalog_string(catalog, "name 77", 7, &again), 0);
	assert_int_equal(again, 79);
	struct store_process process = {.instance = "one", .pid = 1};
	assert_int_equal(catalog_process(catalog, &process, &id), 0);
	process.pid = 2; /* the instance is the key */
	assert_int_equal(catalog_process(catalog, &process, &again), 0);
	assert_int_equal(id, again);
	assert_int_equal(catalog_process_at(catalog, id)->pid, 1);
	catalog_free(catalog);
}

static void long_names_are_cut_and_zeros_end_them(void **state) {
	(void)state;
	struct catalog *catalog = NULL;
	uint32_t id = 0;
	size_t bytes = 65536;
	char *name = malloc(bytes);
	assert_non_null(name);
	memset(name, 'x', bytes);
	assert_int_equal(catalog_new(&catalog), 0);
	assert_int_equal(catalog_string(catalog, name, bytes, &id), 0);
	assert_int_equal(catalog_string_at(catalog, id)->bytes, CATALOG_STRING_BYTES_MAX);
	assert_int_equal(catalog_string(catalog, "a\0b", 3, &id), 0);
	assert_int_equal(catalog_string_at(catalog, id)->bytes, 1);
	free(name);
	catalog_free(catalog);
}

static void full_tables_say_so(void **state) {
	(void)state;
	struct catalog *catalog = NULL;
	uint32_t id = 0;
	char name[CATALOG_STRING_BYTES_MAX];
	memset(name, 'x', sizeof(name));
	assert_int_equal(catalog_new(&catalog), 0);
	for (uint32_t i = 0; i < CATALOG_TEXT_BYTES_MAX / CATALOG_STRING_BYTES_MAX + 2; i++) {
		(void)snprintf(name, 16, "%u", i);
		name[strlen(name)] = 'x';
		assert_int_equal(catalog_string(catalog, name, sizeof(name), &id), 0);
	}
	assert_int_equal(id, 1);
	for (uint32_t i = 0; i < CATALOG_SITES_MAX + 10; i++) {
		struct store_site site = {1, 1, i, 9, 0, 0};
		assert_int_equal(catalog_site(catalog, &site, &id), 0);
	}
	assert_int_equal(id, 1);
	for (uint32_t i = 0; i < CATALOG_PROCESSES_MAX; i++) {
		struct store_process process = {0};
		memcpy(process.instance, &i, sizeof(i));
		assert_int_equal(catalog_process(catalog, &process, &id), 0);
	}
	struct store_process process = {.instance = "one too many"};
	assert_int_equal(catalog_process(catalog, &process, &id), ERR_FULL);
	catalog_free(catalog);
}

#define THREADS 4
#define NAMES 20000u

struct interning {
	struct catalog *catalog;
	uint32_t ids[NAMES];
};

static void *intern_all(void *argument) {
	struct interning *interning = argument;
	for (uint32_t i = 0; i < NAMES; i++) {
		char name[16];
		int length = snprintf(name, sizeof(name), "%u", i);
		if (catalog_string(interning->catalog, name, (size_t)length, &interning->ids[i]))
			return interning;
	}
	return NULL;
}

static void threads_agree(void **state) {
	(void)state;
	struct catalog *catalog = NULL;
	pthread_t threads[THREADS];
	struct interning *work = calloc(THREADS, sizeof(*work));
	assert_non_null(work);
	assert_int_equal(catalog_new(&catalog), 0);
	for (int i = 0; i < THREADS; i++) {
		work[i].catalog = catalog;
		assert_int_equal(pthread_create(&threads[i], NULL, intern_all, &work[i]), 0);
	}
	/* What is counted can be read while the others go on. */
	for (uint32_t count = 0; count < NAMES;) {
		count = catalog_counts(catalog).strings;
		const struct catalog_text *text = catalog_string_at(catalog, count);
		assert_true(text->bytes > 0);
	}
	for (int i = 0; i < THREADS; i++) {
		void *failed = NULL;
		assert_int_equal(pthread_join(threads[i], &failed), 0);
		assert_null(failed);
		assert_memory_equal(work[0].ids, work[i].ids, sizeof(work[0].ids));
	}
	assert_int_equal(catalog_counts(catalog).strings, NAMES + 1);
	catalog_free(catalog);
	free(work);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(the_same_thing_has_one_id),
	    cmocka_unit_test(long_names_are_cut_and_zeros_end_them),
	    cmocka_unit_test(full_tables_say_so),
	    cmocka_unit_test(threads_agree),
	};
	return cmocka_run_group_tests_name("catalog", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Row B35 (threat T15): plugins that trace, loaded and unloaded again and again beside threads that have used them; several copies
 * and versions of the library in one process. Nothing crashes, nothing is left behind by another round, and each copy records into
 * an instance of its own, or declines and can say why.
 */
#include "support/cmocka.h"

#include "host_plugin.h"
#include "ring_view.h"
#include "support/child.h"
#include "support/sanitizer.h"
#include "support/seed.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>

#define CYCLES 100u /* 1,000 in a campaign of scale 10 */
#define UNLOADS 10u
#define SPANS_PER_CYCLE 3u

struct plugin {
	void *handle;
	unsigned (*spans)(unsigned count);
	void (*counters)(struct spanring_counters *ret_counters);
	const char *(*version)(void);
};

/* A function out of a void pointer, as POSIX has it. */
static void find(void *handle, const char *name, void *ret_function) {
	void *found = dlsym(handle, name);
	CHECK(found);
	memcpy(ret_function, &found, sizeof(found));
}

static struct plugin load(const char *path, int flags) {
	struct plugin plugin = {.handle = dlopen(path, RTLD_NOW | flags)};
	if (!plugin.handle)
		(void)fprintf(stderr, "%s\n", dlerror());
	CHECK(plugin.handle);
	find(plugin.handle, "host_plugin_spans", &plugin.spans);
	find(plugin.handle, "host_plugin_counters", &plugin.counters);
	find(plugin.handle, "host_plugin_version", &plugin.version);
	return plugin;
}

static unsigned count_lines(const char *path) {
	unsigned count = 0;
	FILE *file = fopen(path, "re");
	CHECK(file);
	for (int c = getc(file); c != EOF; c = getc(file))
		count += c == '\n';
	(void)fclose(file);
	return count;
}

static unsigned count_entries(const char *path) {
	unsigned count = 0;
	DIR *directory = opendir(path);
	CHECK(directory);
	while (readdir(directory))
		count++;
	(void)closedir(directory);
	return count;
}

static const char *cycled_path;
static int cycled_flags;

struct bystander {
	pthread_barrier_t meeting;
};

/* A thread that wrote spans in the first round and ends after the last unloading. */
static void *uses_it_once(void *argument) {
	struct bystander *bystander = argument;
	struct plugin plugin = load(cycled_path, cycled_flags);
	CHECK(plugin.spans(SPANS_PER_CYCLE) == SPANS_PER_CYCLE);
	CHECK(dlclose(plugin.handle) == 0);
	(void)pthread_barrier_wait(&bystander->meeting);
	(void)pthread_barrier_wait(&bystander->meeting);
	return NULL;
}

static void cycles(void) {
	struct bystander bystander;
	pthread_t thread;
	unsigned mappings = 0, descriptors = 0;
	CHECK(pthread_barrier_init(&bystander.meeting, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, uses_it_once, &bystander) == 0);
	(void)pthread_barrier_wait(&bystander.meeting);
	for (unsigned i = 0; i < seed_rounds(CYCLES); i++) {
		struct plugin plugin = load(cycled_path, cycled_flags);
		CHECK(plugin.spans(SPANS_PER_CYCLE) == SPANS_PER_CYCLE);
		CHECK(dlclose(plugin.handle) == 0);
		if (i > 0)
			continue;
		mappings = count_lines("/proc/self/maps");
		descriptors = count_entries("/proc/self/fd");
	}
	CHECK(SANITIZER_SLOWDOWN > 1 || count_lines("/proc/self/maps") == mappings);
	CHECK(count_entries("/proc/self/fd") == descriptors);
	(void)pthread_barrier_wait(&bystander.meeting);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void check_cycles(const char *path, int flags) {
	cycled_path = path;
	cycled_flags = flags;
	struct view_instance *view = view_open(view_scratch.rings, view_run(view_scratch.rings, cycles, VIEW_EXIT));
	assert_int_equal(view_count_instances(view_scratch.rings), 1);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), (seed_rounds(CYCLES) + 1u) * SPANS_PER_CYCLE);
	view_close(view);
}

static void test_plugin_with_the_static_library(void **state) {
	(void)state;
	check_cycles(SPANRING_TEST_PLUGIN_STATIC, RTLD_LOCAL);
}

static void test_plugin_with_the_shared_library(void **state) {
	(void)state;
	check_cycles(SPANRING_TEST_PLUGIN_SHARED, RTLD_LOCAL);
}

static void test_deep_binding(void **state) {
	(void)state;
	if (SANITIZER_SLOWDOWN > 1)
		skip(); /* they refuse it */
	check_cycles(SPANRING_TEST_PLUGIN_STATIC, RTLD_DEEPBIND);
	view_renew();
	check_cycles(SPANRING_TEST_PLUGIN_SHARED, RTLD_DEEPBIND);
}

/* Each round loads a fresh copy, which attaches anew and takes its hooks along when it goes. */
static void unloads(void) {
	struct bystander bystander;
	pthread_t thread;
	int status;
	CHECK(pthread_barrier_init(&bystander.meeting, NULL, 2) == 0);
	CHECK(pthread_create(&thread, NULL, uses_it_once, &bystander) == 0);
	(void)pthread_barrier_wait(&bystander.meeting);
	for (unsigned i = 0; i < UNLOADS; i++) {
		struct plugin plugin = load(cycled_path, RTLD_LOCAL);
		CHECK(plugin.spans(SPANS_PER_CYCLE) == SPANS_PER_CYCLE);
		CHECK(dlclose(plugin.handle) == 0);
	}
	pid_t pid = child_fork();
	CHECK(pid >= 0);
	if (pid == 0)
		exit(0);
	CHECK(waitpid(pid, &status, 0) == pid && status == 0);
	(void)pthread_barrier_wait(&bystander.meeting);
	CHECK(pthread_join(thread, NULL) == 0);
}

static void test_a_copy_that_is_really_unloaded(void **state) {
	(void)state;
	cycled_path = SPANRING_TEST_PLUGIN_BY_HAND;
	cycled_flags = RTLD_LOCAL;
	(void)view_run(view_scratch.rings, unloads, VIEW_EXIT);
	assert_int_equal(view_count_instances(view_scratch.rings), UNLOADS + 1u);
}

/* The program's own copy is a static one. */
static void copies(void) {
	const char *const paths[] = {SPANRING_TEST_PLUGIN_STATIC, SPANRING_TEST_PLUGIN_SHARED,
	                             SPANRING_TEST_PLUGIN_NEWER};
	SPANRING_BEGIN(outer, "of the program");
	CHECK(outer.span_id != 0);
	for (unsigned i = 0; i < 3; i++) {
		struct spanring_counters counters;
		struct plugin plugin = load(paths[i], RTLD_LOCAL);
		CHECK(plugin.spans(SPANS_PER_CYCLE) == SPANS_PER_CYCLE);
		plugin.counters(&counters);
		CHECK(counters.begun == SPANS_PER_CYCLE && counters.open == 0 && counters.misuse == 0);
		CHECK((strcmp(plugin.version(), SPANRING_VERSION_STRING) == 0) == (i < 2));
	}
	CHECK(spanring_context_current().span_id == outer.span_id);
	spanring_end(outer);
}

static void test_copies_side_by_side(void **state) {
	(void)state;
	(void)view_run(view_scratch.rings, copies, VIEW_EXIT);
	assert_int_equal(view_count_instances(view_scratch.rings), 4);
}

/* A library of another contract does not touch the directory of this one, whoever comes first. */
static void other_contract(void) {
	struct spanring_counters counters;
	SPANRING_BEGIN(outer, "of the program");
	struct plugin plugin = load(SPANRING_TEST_PLUGIN_OTHER_ABI, RTLD_LOCAL);
	CHECK(plugin.spans(SPANS_PER_CYCLE) == 0);
	plugin.counters(&counters);
	CHECK(counters.begun == 0 && counters.reason == SPANRING_REASON_DIRECTORY);
	spanring_end(outer);
	spanring_counters_read(&counters);
	CHECK(counters.ended == 1);
}

static void test_another_contract_declines(void **state) {
	(void)state;
	pid_t pid = view_run(view_scratch.rings, other_contract, VIEW_EXIT);
	struct view_instance *view = view_open(view_scratch.rings, pid);
	assert_int_equal(view_count(view, SPANRING_RECORD_SPAN), 1);
	assert_int_equal(view_count_instances(view_scratch.rings), 1);
	view_close(view);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_plugin_with_the_static_library),
	    VIEW_TEST(test_plugin_with_the_shared_library),
	    VIEW_TEST(test_deep_binding),
	    VIEW_TEST(test_a_copy_that_is_really_unloaded),
	    VIEW_TEST(test_copies_side_by_side),
	    VIEW_TEST(test_another_contract_declines),
	};
	return cmocka_run_group_tests_name("host dlopen", tests, NULL, NULL);
}

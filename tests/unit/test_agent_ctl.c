/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: `ctl` and `ps` read and change exactly the words that they are asked to, in real process files, right or wrong, also several at
 * once.
 * Method: files made by hand (agent_files.h), looked at through the test's own mapping.
 */
#include "support/cmocka.h"

#include "agent/commands/ctl_file.h"
#include "agent/commands/ctl_words.h"
#include "agent/commands/ps_list.h"
#include "agent_files.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "support/child.h"

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define ALL (UINT64_C(1) << 63)
#define WORDS_MAX 64u
#define WRITERS 4u
#define CHANGES 50u
#define LOOK_MS 200

static const struct log quiet = {.program = "test", .level = LOG_LEVEL_ERROR};

/* Splits "1234 ratio 0.01"; the words live in ret_text. */
static int parse(const char *text, char ret_text[512], char *ret_words[WORDS_MAX], struct ctl_request *ret_request) {
	uint32_t count = 0;
	char *rest = NULL;
	(void)snprintf(ret_text, 512, "%s", text);
	for (char *word = strtok_r(ret_text, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		ret_words[count++] = word;
	return ctl_words_parse(ret_words, count, &quiet, ret_request);
}

static const struct spanring_site_control *control_of(const struct agent_files *files, uint32_t site) {
	return (const void *)((const char *)files->process + SPANRING_SITE_CONTROL_OFFSET + (site - 1) * 16u);
}

static int change(const struct agent_files *files, const char *text, struct ctl_outcome *ret_outcome) {
	char copy[512];
	char *words[WORDS_MAX];
	struct ctl_request request;
	struct ps_instance instance;
	assert_int_equal(parse(text, copy, words, &request), 0);
	int rc = ps_instance_open(files->rings_fd, AGENT_FILES_NAME, &instance);
	if (rc == 0)
		rc = ctl_file_change(instance.directory_fd, &instance.reader, &request, ret_outcome);
	ps_instance_close(&instance);
	return rc;
}

static void must_change(const struct agent_files *files, const char *text) {
	struct ctl_outcome outcome;
	if (change(files, text, &outcome) != 0)
		fail_msg("%s", text);
}

static void words_mean_what_they_say(void **state) {
	(void)state;
	char text[512];
	char *words[WORDS_MAX];
	struct ctl_request request;
	assert_int_equal(parse("1234 show", text, words, &request), 0);
	assert_true(request.show && request.count == 0);
	assert_int_equal(parse("all enable ratio 0.5 sampler traceidratio 0.25 sampler always_off statistics off "
	                       "duration-min 5ms site a* disable site b duration-min 0 disable",
	                       text, words, &request),
	                 0);
	static const enum ctl_action actions[] = {
	    CTL_ENABLE,       CTL_RATIO,        CTL_SAMPLER,           CTL_SAMPLER, CTL_STATISTICS_OFF,
	    CTL_DURATION_MIN, CTL_SITE_DISABLE, CTL_SITE_DURATION_MIN, CTL_DISABLE};
	assert_int_equal(request.count, sizeof(actions) / sizeof(actions[0]));
	for (uint32_t i = 0; i < request.count; i++)
		assert_int_equal(request.changes[i].action, actions[i]);
	assert_true(request.changes[1].value == ALL / 2 && request.changes[5].value == 5000000);
	assert_string_equal(request.changes[2].argument, "0.25");
	assert_null(request.changes[3].argument);
	assert_string_equal(request.changes[6].name, "a*");
	assert_int_equal(request.changes[2].word_count, 3);
	static const char *const wrong[] = {
	    "",
	    "1234",
	    "12x4 enable",
	    "0123456 show show",
	    "12345678901234567890123456789012a show",
	    "-1 show",
	    "ALL show",
	    "1234 show enable",
	    "1234 enable show",
	    "1234 ratio",
	    "1234 ratio 2",
	    "1234 ratio -0.5",
	    "1234 ratio 0,5",
	    "1234 sampler",
	    "1234 sampler never",
	    "1234 sampler always_on 0.5",
	    "1234 sampler traceidratio 1.5",
	    "1234 sampler traceidratio -1",
	    "1234 statistics",
	    "1234 statistics maybe",
	    "1234 duration-min",
	    "1234 duration-min 5",
	    "1234 duration-min soon",
	    "1234 site",
	    "1234 site a",
	    "1234 site a erase",
	    "1234 site a duration-min",
	    "1234 site a duration-min 5",
	    "1234 enabled",
	    ("1234 enable enable enable enable enable enable enable enable enable enable "
	     "enable enable enable enable enable enable enable")};
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (parse(wrong[i], text, words, &request) != -EINVAL)
			fail_msg("accepted: %s", wrong[i]);
}

static void each_action_changes_its_word(void **state) {
	(void)state;
	struct agent_files files;
	agent_files_make(&files);
	struct spanring_process_header *header = files.process;
	header->control_flags = SPANRING_CONTROL_PARENT_BASED | SPANRING_CONTROL_STATISTICS;
	header->sampler_threshold = ALL;
	must_change(&files, "all ratio 0.25");
	assert_true(header->sampler == SPANRING_SAMPLER_TRACEIDRATIO && header->sampler_threshold == ALL / 4);
	assert_int_equal(header->control_flags, SPANRING_CONTROL_PARENT_BASED | SPANRING_CONTROL_STATISTICS);
	must_change(&files, "all statistics off");
	/* That they were switched at all is remembered: they no longer cover the whole life. */
	assert_int_equal(header->control_flags, SPANRING_CONTROL_PARENT_BASED | SPANRING_CONTROL_SWITCHED);
	must_change(&files, "all sampler always_off statistics on");
	assert_int_equal(header->control_flags, SPANRING_CONTROL_STATISTICS | SPANRING_CONTROL_SWITCHED);
	assert_true(header->sampler == SPANRING_SAMPLER_ALWAYS_OFF && header->sampler_threshold == 0);
	must_change(&files, "all sampler parentbased_traceidratio 0.5 duration-min 5ms");
	assert_true(header->sampler == SPANRING_SAMPLER_TRACEIDRATIO && header->sampler_threshold == ALL / 2);
	assert_true(header->duration_min_ns == 5000000);
	must_change(&files, "all duration-min 0 sampler always_on");
	assert_true(header->duration_min_ns == 0 && header->sampler_threshold == ALL);
	/* Words of others, and of the tables, stay. */
	assert_true(header->state == SPANRING_PROCESS_RUNNING && header->site_count == 2 && header->string_count == 4);
	agent_files_remove(&files);
}

static void every_change_gives_a_value_never_seen(void **state) {
	(void)state;
	struct agent_files files;
	agent_files_make(&files);
	struct spanring_process_header *header = files.process;
	assert_true(header->enabled == 1 && header->control_generation == 0);
	must_change(&files, "all ratio 0.5");
	assert_true(header->enabled == 2 && header->control_generation == 2);
	must_change(&files, "all disable");
	assert_true(header->enabled == 0 && header->control_generation == 3);
	must_change(&files, "all ratio 1");
	assert_true(header->enabled == 0 && header->control_generation == 4);
	must_change(&files, "all disable");
	must_change(&files, "all enable");
	assert_true(header->enabled == 6 && header->control_generation == 6);
	must_change(&files, "all disable enable");
	assert_true(header->enabled == 7);
	header->enabled = header->control_generation = UINT32_MAX;
	must_change(&files, "all ratio 1");
	assert_true(header->enabled == 1 && header->control_generation == 1);
	/* Disabled before anything was ever changed: 1 was its first value. */
	header->enabled = header->control_generation = 0;
	must_change(&files, "all enable");
	assert_true(header->enabled == 2);
	agent_files_remove(&files);
}

static void sites_are_found_by_name(void **state) {
	(void)state;
	struct agent_files files;
	struct ctl_outcome outcome;
	struct ps_instance instance;
	struct ctl_site site;
	uint32_t id = 0;
	agent_files_make(&files);
	assert_int_equal(change(&files, "all site wor? disable site work duration-min 7us", &outcome), 0);
	assert_true(outcome.matched[0] == 1 && outcome.matched[1] == 1);
	assert_true(control_of(&files, 2)->flags == SPANRING_SITE_DISABLED &&
	            control_of(&files, 2)->duration_min_ns == 7000);
	assert_true(control_of(&files, 1)->flags == 0 && control_of(&files, 1)->duration_min_ns == 0);
	assert_int_equal(files.process->control_flags, SPANRING_CONTROL_SITES);
	assert_int_equal(ps_instance_open(files.rings_fd, AGENT_FILES_NAME, &instance), 0);
	assert_int_equal(ctl_file_next_site(&instance.reader, &id, &site), 1);
	assert_true(id == 2 && site.entry.line == 7 && site.control.duration_min_ns == 7000);
	assert_string_equal(site.name, "work");
	assert_string_equal(site.file, "work.c");
	assert_int_equal(ctl_file_next_site(&instance.reader, &id, &site), 0);
	ps_instance_close(&instance);
	assert_int_equal(change(&files, "all site * enable", &outcome), 0);
	assert_int_equal(outcome.matched[0], 2);
	assert_int_equal(files.process->control_flags, SPANRING_CONTROL_SITES); /* the duration is still there */
	assert_int_equal(change(&files, "all site * duration-min 0", &outcome), 0);
	assert_int_equal(files.process->control_flags, 0);
	uint32_t before = files.process->enabled;
	assert_int_equal(change(&files, "all site nothing* disable", &outcome), 0);
	assert_true(outcome.matched[0] == 0 && files.process->enabled == before + 1);
	agent_files_remove(&files);
}

static void hostile_words_are_read_with_care(void **state) {
	(void)state;
	struct agent_files files;
	struct ps_instance instance;
	struct ctl_outcome outcome;
	struct ctl_state words;
	agent_files_make(&files);
	files.process->sampler = 77;
	files.process->sampler_threshold = UINT64_MAX;
	assert_int_equal(ps_instance_open(files.rings_fd, AGENT_FILES_NAME, &instance), 0);
	assert_int_equal(ctl_file_state(&instance.reader, &words), 0);
	assert_true(words.sampling.threshold == ALL);
	assert_string_equal(spanring__sampling_name(&words.sampling), "unknown");
	ps_instance_close(&instance);
	/* A table that cannot be: its sites are not found; the process is changed all the same. */
	files.process->site_count = UINT32_MAX;
	assert_int_equal(change(&files, "all site * disable ratio 0.5", &outcome), 0);
	assert_true(outcome.matched[0] == 0 && files.process->sampler_threshold == ALL / 2);
	/* A site whose name lies outside of the arena: nothing is changed. */
	files.process->site_count = 2;
	struct spanring_string_entry *strings = (void *)((char *)files.process + SPANRING_STRING_INDEX_OFFSET);
	strings[1].offset = UINT32_MAX;
	assert_int_equal(change(&files, "all site * disable ratio 1", &outcome), ERR_DAMAGED);
	assert_true(files.process->sampler_threshold == ALL / 2 && control_of(&files, 1)->flags == 0);
	assert_int_equal(change(&files, "all ratio 1", &outcome), 0);
	agent_files_remove(&files);
}

static void other_files_are_left_alone(void **state) {
	(void)state;
	struct agent_files files;
	struct ctl_outcome outcome;
	agent_files_make(&files);
	files.process->magic++;
	assert_int_equal(change(&files, "all disable", &outcome), ERR_FOREIGN);
	files.process->magic--;
	files.process->features_incompat = 1;
	assert_int_equal(change(&files, "all disable", &outcome), ERR_NEWER);
	files.process->features_incompat = 0;
	files.process->site_control_offset = 0;
	assert_int_equal(change(&files, "all disable", &outcome), ERR_DAMAGED);
	files.process->site_control_offset = SPANRING_SITE_CONTROL_OFFSET;
	assert_int_equal(linkat(files.directory_fd, SPANRING_PROCESS_NAME, files.rings_fd, "second", 0), 0);
	assert_int_equal(change(&files, "all disable", &outcome), ERR_FOREIGN);
	assert_int_equal(unlinkat(files.rings_fd, "second", 0), 0);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(files.directory_fd, SPANRING_PROCESS_NAME, 65534, 65534, 0), 0);
		assert_int_equal(change(&files, "all disable", &outcome), ERR_FOREIGN);
		assert_int_equal(fchownat(files.directory_fd, SPANRING_PROCESS_NAME, 0, 0, 0), 0);
	}
	assert_true(files.process->enabled == 1);
	must_change(&files, "all disable");
	assert_int_equal(renameat(files.directory_fd, SPANRING_PROCESS_NAME, files.rings_fd, "target"), 0);
	assert_int_equal(symlinkat("../target", files.directory_fd, SPANRING_PROCESS_NAME), 0);
	assert_int_equal(change(&files, "all enable", &outcome), ERR_FOREIGN);
	assert_true(files.process->enabled == 0);
	agent_files_remove(&files);
}

static void a_file_cut_short_is_gone(void **state) {
	(void)state;
	struct agent_files files;
	struct ps_instance instance;
	struct ctl_outcome outcome;
	struct ctl_state words;
	char text[512];
	char *argv[WORDS_MAX];
	struct ctl_request request;
	agent_files_skip_faults();
	agent_files_make(&files);
	assert_int_equal(fault_guard_install(), 0);
	assert_int_equal(parse("all disable", text, argv, &request), 0);
	assert_int_equal(ps_instance_open(files.rings_fd, AGENT_FILES_NAME, &instance), 0);
	int fd = openat(files.directory_fd, SPANRING_PROCESS_NAME, O_RDWR | O_CLOEXEC);
	/* Half of it is left: what is looked at first is there, the table of sites is not. */
	assert_int_equal(ftruncate(fd, SPANRING_SITE_CONTROL_OFFSET), 0);
	assert_int_equal(ctl_file_change(instance.directory_fd, &instance.reader, &request, &outcome), ERR_GONE);
	assert_int_equal(ftruncate(fd, 0), 0);
	assert_int_equal(ctl_file_state(&instance.reader, &words), ERR_GONE);
	assert_int_equal(change(&files, "all disable", &outcome), ERR_FOREIGN);
	ps_instance_close(&instance);
	(void)close(fd);
	agent_files_remove(&files);
}

/* Lost changes would leave the generation behind. */
static void several_at_once_lose_no_change(void **state) {
	(void)state;
	struct agent_files files;
	pid_t pids[WRITERS];
	agent_files_make(&files);
	for (unsigned i = 0; i < WRITERS; i++) {
		pids[i] = child_fork();
		assert_true(pids[i] >= 0);
		if (pids[i] > 0)
			continue;
		struct ctl_outcome outcome;
		unsigned failed = 0;
		for (unsigned turn = 0; turn < CHANGES; turn++)
			failed +=
			    change(&files, i % 2 ? "all ratio 0.5" : "all site work disable ratio 0.25", &outcome) != 0;
		_exit(failed ? 1 : 0);
	}
	for (unsigned i = 0; i < WRITERS; i++) {
		int status;
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	}
	assert_int_equal(files.process->enabled, 1 + WRITERS * CHANGES);
	assert_int_equal(files.process->control_generation, 1 + WRITERS * CHANGES);
	agent_files_remove(&files);
}

static void a_change_waits_for_the_lock(void **state) {
	(void)state;
	struct agent_files files;
	int status;
	char byte = 0;
	int ready[2];
	agent_files_make(&files);
	int fd = openat(files.directory_fd, SPANRING_PROCESS_NAME, O_RDWR | O_CLOEXEC);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
	assert_int_equal(pipe(ready), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct ctl_outcome outcome;
		(void)close(fd); /* the lock is the description's, which this is a copy of */
		if (write(ready[1], "x", 1) != 1)
			_exit(2);
		int rc = change(&files, "all ratio 0.5", &outcome);
		_exit(rc == 0 && write(ready[1], "y", 1) == 1 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	/* However long we look, it does not come: the time only says how hard we try. */
	struct pollfd changed = {ready[0], POLLIN, 0};
	assert_int_equal(poll(&changed, 1, LOOK_MS), 0);
	assert_int_equal(files.process->enabled, 1);
	(void)close(fd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	assert_int_equal(files.process->enabled, 2);
	(void)close(ready[0]);
	(void)close(ready[1]);
	agent_files_remove(&files);
}

static void the_list_shows_what_the_files_say(void **state) {
	(void)state;
	struct agent_files files;
	struct ps_list list;
	struct config config = {0};
	agent_files_make(&files);
	(void)snprintf(config.rings, sizeof(config.rings), "%s", files.scratch.rings);
	files.ring->begun_open = UINT64_C(10) << SPANRING_BEGUN_SHIFT | 3;
	files.ring->dropped_full = 2;
	files.ring->dropped_depth = 1;
	files.process->dropped_no_ring = 4;
	assert_int_equal(mkdirat(files.rings_fd, "00000000000000000000000000000000", 0700), 0); /* no process file */
	assert_int_equal(mkdirat(files.rings_fd, "11111111111111111111111111111111.tmp", 0700), 0);
	assert_int_equal(symlinkat(AGENT_FILES_NAME, files.rings_fd, "22222222222222222222222222222222"), 0);
	assert_int_equal(ps_list_read(&config, &quiet, &list), 0);
	assert_true(list.count == 1 && list.foreign == 1 && list.refused == 0);
	const struct ps_row *row = &list.rows[0];
	assert_string_equal(row->instance, AGENT_FILES_NAME);
	assert_string_equal(row->service, "test");
	assert_int_equal(row->pid, getpid());
	assert_int_equal(row->state, PS_RUNNING);
	assert_true(row->rings == 1 && row->begun == 14 && row->open == 3 && row->dropped == 7);
	assert_true(row->control.enabled == 1);
	ps_list_close(&list);
	files.process->state = SPANRING_PROCESS_EXITED;
	assert_int_equal(ps_list_read(&config, &quiet, &list), 0);
	assert_int_equal(list.rows[0].state, PS_EXITED);
	ps_list_close(&list);
	(void)snprintf(config.rings, sizeof(config.rings), "%s/none", files.scratch.rings);
	assert_int_equal(ps_list_read(&config, &quiet, &list), EXIT_CODE_INPUT);
	config.rings_are_default = true;
	assert_int_equal(ps_list_read(&config, &quiet, &list), 0);
	assert_int_equal(list.count, 0);
	ps_list_close(&list);
	agent_files_remove(&files);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(words_mean_what_they_say),
	    cmocka_unit_test(each_action_changes_its_word),
	    cmocka_unit_test(every_change_gives_a_value_never_seen),
	    cmocka_unit_test(sites_are_found_by_name),
	    cmocka_unit_test(hostile_words_are_read_with_care),
	    cmocka_unit_test(other_files_are_left_alone),
	    cmocka_unit_test(a_file_cut_short_is_gone),
	    cmocka_unit_test(several_at_once_lose_no_change),
	    cmocka_unit_test(a_change_waits_for_the_lock),
	    cmocka_unit_test(the_list_shows_what_the_files_say),
	};
	return cmocka_run_group_tests_name("agent_ctl", tests, NULL, NULL);
}

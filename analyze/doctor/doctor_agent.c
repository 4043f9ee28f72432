/* SPDX-License-Identifier: Apache-2.0 */
/* The agent of the ring directory, asked by its own program: `spanring-agent status --json`. */
#include "doctor.h"

#include "analyze/import/json_reader.h"

#include "base/cleanup.h"
#include "base/sibling.h"

#include <spanring/version.h>

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define AREA "agent"
#define WORD_BYTES 128u
#define STATUS_NOT_FOUND 127

struct answer {
	char version[WORD_BYTES];
	char pid[WORD_BYTES];
	char store[WORD_BYTES];
	char io[WORD_BYTES];
	char io_reason[WORD_BYTES];
	char store_state[WORD_BYTES];
	char store_error[WORD_BYTES];
	char store_remedy[WORD_BYTES];
	char memory_state[WORD_BYTES];
};

static char *place_of(struct answer *answer, const char *key) {
	const struct {
		const char *key;
		char *place;
	} places[] = {{"version", answer->version},
	              {"agent_pid", answer->pid},
	              {"store", answer->store},
	              {"io", answer->io},
	              {"io_reason", answer->io_reason},
	              {"store_state", answer->store_state},
	              {"store_error", answer->store_error},
	              {"store_remedy", answer->store_remedy},
	              {"memory_state", answer->memory_state}};
	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		if (strcmp(places[i].key, key) == 0)
			return places[i].place;
	return NULL;
}

/* The texts and numbers at the top of the document; 0 or negative errno. */
static int read_answer(int fd, struct answer *ret_answer) {
	struct byte_source source;
	struct json_reader reader;
	enum json_type type;
	int rc = byte_source_open(fd, &source);
	if (rc < 0)
		return rc;
	json_reader_init(&reader, &source);
	rc = json_reader_value(&reader, &type);
	if (rc == 0 && type != JSON_OBJECT)
		rc = -EINVAL;
	int more = 0;
	while (rc == 0 && (more = json_reader_key(&reader)) == 1) {
		char *place = place_of(ret_answer, reader.text);
		rc = place ? json_reader_value(&reader, &type) : json_reader_skip(&reader);
		if (rc == 0 && place && (type == JSON_STRING || type == JSON_NUMBER))
			(void)snprintf(place, WORD_BYTES, "%s", reader.text);
	}
	json_reader_done(&reader);
	byte_source_done(&source);
	return rc ? rc : more;
}

/* Start the agent's program; what it prints can be read from ret_fd. 0 or negative errno. */
static int start(const char *rings, pid_t *ret_pid, int *ret_fd) {
	char path[PATH_MAX];
	char option[PATH_MAX];
	int ends[2];
	posix_spawn_file_actions_t actions;
	(void)snprintf(option, sizeof(option), "%s", rings);
	char *const words[] = {path, "status", "--json", "--rings", option, NULL};
	sibling_program("spanring-agent", path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	int rc = posix_spawn_file_actions_init(&actions);
	if (rc == 0) {
		rc = posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
		if (rc == 0)
			rc = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
		if (rc == 0)
			rc = posix_spawnp(ret_pid, path, &actions, NULL, words, environ);
		(void)posix_spawn_file_actions_destroy(&actions);
	}
	(void)close(ends[1]);
	if (rc != 0)
		(void)close(ends[0]);
	else
		*ret_fd = ends[0];
	return -rc;
}

static void say_what_it_is(struct doctor *doctor, const struct answer *answer) {
	bool same = strcmp(answer->version, SPANRING_VERSION_STRING) == 0;
	doctor_say(doctor, same ? FINDING_OK : FINDING_NOTE, AREA, "running",
	           same ? "" : "restart it: the new one takes over with nothing lost",
	           "process %s, version %s, store %s", answer->pid, answer->version, answer->store);
	doctor_say(doctor, FINDING_OK, AREA, "reads by", "", "%s: %s", answer->io, answer->io_reason);
	if (strcmp(answer->store_state, "ok") != 0)
		doctor_say(doctor, FINDING_PROBLEM, AREA, "store", answer->store_remedy, "%s: %s", answer->store_state,
		           answer->store_error);
	if (strcmp(answer->memory_state, "ok") != 0)
		doctor_say(doctor, FINDING_WARNING, AREA, "memory", "raise --memory-cap", "%s", answer->memory_state);
}

static void say_none(struct doctor *doctor) {
	char remedy[DOCTOR_TEXT_BYTES];
	(void)snprintf(remedy, sizeof(remedy),
	               "spanring-agent run%s%.300s; or record one program: spanring-agent record -- ./app",
	               doctor->rings_are_given ? " --rings " : "", doctor->rings_are_given ? doctor->rings : "");
	doctor_say(doctor, FINDING_NOTE, AREA, "running", remedy,
	           "none on this ring directory: programs keep their newest spans in their rings, nothing is stored");
}

void doctor_look_at_agent(struct doctor *doctor) {
	struct answer answer = {0};
	CLEANUP_FD int fd = FD_NONE;
	pid_t pid = 0;
	int status = 0;
	int rc = start(doctor->rings, &pid, &fd);
	if (rc == 0)
		rc = read_answer(fd, &answer);
	if (pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == STATUS_NOT_FOUND)
		rc = -ENOENT;
	if (pid == 0 || rc == -ENOENT)
		doctor_say(doctor, FINDING_WARNING, AREA, "program", "install spanring-agent beside spanring-analyze",
		           "spanring-agent is not found: nothing can be recorded from here");
	else if (rc < 0 || !*answer.version)
		say_none(doctor);
	else
		say_what_it_is(doctor, &answer);
}

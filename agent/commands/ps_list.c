/* SPDX-License-Identifier: Apache-2.0 */
#include "ps_list.h"

#include "agent/footprint/sampler.h"
#include "agent/intake/claim.h"
#include "agent/intake/discovery.h"
#include "agent/users/system_rings.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"
#include "libshm/fault_guard.h"
#include "libshm/ring_reader.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>

#define NAMES_MAX (4u * PS_ROWS_MAX) /* looked at in one directory */
#define ROWS_STEP 64u
#define REFUSALS_SAID 16u

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

/* The names in an open directory, from its start. */
static DIR *open_names(int directory_fd) {
	CLEANUP_FD int fd = openat(directory_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (directory)
		(void)take_fd(&fd);
	return directory;
}

const char *ps_state_text(enum ps_state state) {
	static const char *const texts[] = {"running", "exited", "died", "unknown"};
	return texts[state];
}

const char *ps_refusal_text(int rc) {
	if (rc == ERR_NEWER)
		return "written by a newer version; use its spanring-agent";
	if (rc == ERR_FOREIGN)
		return "not a traced process of this directory's owner; left alone";
	if (rc == ERR_DAMAGED)
		return "its process file breaks the format; left alone";
	if (rc == ERR_GONE)
		return "its files are gone or cut short";
	if (rc == ERR_HELD)
		return "another spanring-agent ctl holds its lock; try again";
	return strerror(-rc);
}

int ps_instance_open(int rings_fd, const char *name, struct ps_instance *ret_instance) {
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	struct stat status;
	*ret_instance = (struct ps_instance){.directory_fd = FD_NONE, .reader = {.fd = FD_NONE}};
	if (strlen(name) != PRODUCER_NAME_BYTES - 1 || !text_hex_decode(name, instance, sizeof(instance)))
		return ERR_FOREIGN;
	CLEANUP_FD int fd = openat(rings_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? ERR_FOREIGN : -errno;
	if (fstat(fd, &status) < 0)
		return -errno;
	int rc = process_reader_open(fd, instance, &ret_instance->reader, &ret_instance->identity);
	if (rc < 0)
		return rc;
	struct stat rings;
	bool ours = ret_instance->reader.uid == status.st_uid &&
	            (geteuid() == 0 || (fstat(rings_fd, &rings) == 0 && rings.st_uid == status.st_uid));
	ret_instance->directory_fd = take_fd(&fd);
	return ours ? 0 : ERR_FOREIGN;
}

void ps_instance_close(struct ps_instance *instance) {
	process_reader_close(&instance->reader);
	if (instance->directory_fd >= 0)
		(void)close(instance->directory_fd);
	instance->directory_fd = FD_NONE;
}

static enum ps_state state_of(const struct ps_instance *instance, uint32_t said) {
	int mapped = process_reader_mapped(&instance->reader);
	const struct sampler_target target = {
	    .pid = instance->identity.pid, .start_time = instance->identity.start_time, .uid = instance->reader.uid};
	if (said == SPANRING_PROCESS_EXITED)
		return PS_EXITED;
	if (mapped >= 0)
		return mapped ? PS_RUNNING : PS_DEAD;
	if (instance->identity.pid_namespace != sampler_pid_namespace())
		return PS_UNKNOWN;
	enum sampler_life life = sampler_life(&target);
	return life == SAMPLER_ALIVE ? PS_RUNNING : life == SAMPLER_DEAD ? PS_DEAD : PS_UNKNOWN;
}

static void add_ring(const struct ps_instance *instance, const uint8_t *id, const char *name, struct ps_row *row) {
	struct ring_reader_expect expect = {.uid = instance->reader.uid, .read_only = true};
	struct ring_reader_look look;
	struct ring_reader reader;
	memcpy(expect.instance, id, sizeof(expect.instance));
	if (!ring_reader_index(name, &expect.ring_index) ||
	    ring_reader_open(instance->directory_fd, name, &expect, &reader) < 0)
		return;
	if (ring_reader_look(&reader, &look) == 0) {
		row->rings++;
		row->begun += look.begun;
		row->open += look.open;
		row->dropped += look.dropped_full + look.dropped_depth;
	}
	ring_reader_close(&reader);
}

static void add_rings(const struct ps_instance *instance, struct ps_row *row) {
	uint8_t id[SPANRING_INSTANCE_BYTES];
	CLEANUP(close_directory) DIR *directory = open_names(instance->directory_fd);
	const struct dirent *entry;
	(void)text_hex_decode(row->instance, id, sizeof(id));
	for (uint32_t i = 0; directory && i < NAMES_MAX && (entry = readdir(directory)); i++)
		add_ring(instance, id, entry->d_name, row);
}

static int read_row(int rings_fd, const char *name, struct ps_row *ret_row) {
	CLEANUP(ps_instance_close) struct ps_instance instance;
	struct process_reader_counters counters;
	int rc = ps_instance_open(rings_fd, name, &instance);
	if (rc == 0)
		rc = process_reader_counters(&instance.reader, &counters);
	if (rc == 0)
		rc = ctl_file_state(&instance.reader, &ret_row->control);
	if (rc < 0)
		return rc;
	memcpy(ret_row->instance, name, PRODUCER_NAME_BYTES);
	memcpy(ret_row->service, instance.identity.service, sizeof(ret_row->service));
	memcpy(ret_row->command, instance.identity.command, sizeof(ret_row->command));
	ret_row->pid = instance.identity.pid;
	ret_row->pid_namespace = instance.identity.pid_namespace;
	ret_row->start_time = instance.identity.start_time;
	ret_row->uid = (uint32_t)instance.reader.uid;
	ret_row->claim = claim_find(&instance.identity, instance.reader.uid, sampler_pid_namespace());
	ret_row->state = state_of(&instance, counters.state);
	ret_row->begun = ret_row->dropped = counters.dropped_no_ring;
	add_rings(&instance, ret_row);
	return 0;
}

static int take_name(struct ps_list *list, int rings_fd, const char *name, const struct log *log) {
	if (list->count % ROWS_STEP == 0) {
		struct ps_row *grown = realloc(list->rows, (list->count + ROWS_STEP) * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		list->rows = grown;
	}
	struct ps_row *row = &list->rows[list->count];
	memset(row, 0, sizeof(*row));
	int rc = read_row(rings_fd, name, row);
	row->rings_fd = rings_fd;
	if (rc == 0)
		list->count++;
	/* Gone while we look: as if it had gone before. */
	if (rc == 0 || rc == -ENOENT)
		return 0;
	if (rc == ERR_FOREIGN)
		list->foreign++;
	else
		list->refused++;
	if (list->foreign + list->refused <= REFUSALS_SAID)
		log_warning(log, "%s: %s", name, ps_refusal_text(rc));
	return 0;
}

static int by_pid(const void *left, const void *right) {
	const struct ps_row *a = left;
	const struct ps_row *b = right;
	if (a->pid != b->pid)
		return a->pid < b->pid ? -1 : 1;
	return strcmp(a->instance, b->instance);
}

static int read_names(struct ps_list *list, int rings_fd, const struct log *log) {
	CLEANUP(close_directory) DIR *directory = open_names(rings_fd);
	if (!directory)
		return -errno;
	const struct dirent *entry;
	for (uint32_t i = 0; i < NAMES_MAX && list->count < PS_ROWS_MAX && (entry = readdir(directory)); i++) {
		if (strspn(entry->d_name, "0123456789abcdef") != PRODUCER_NAME_BYTES - 1 ||
		    entry->d_name[PRODUCER_NAME_BYTES - 1])
			continue;
		int rc = take_name(list, rings_fd, entry->d_name, log);
		if (rc < 0)
			return rc;
	}
	return 0;
}

/* Takes the descriptor. */
static int keep_fd(struct ps_list *list, int rings_fd) {
	CLEANUP_FD int fd = rings_fd;
	int *grown = realloc(list->rings_fds, (list->rings_count + 1) * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->rings_fds = grown;
	list->rings_fds[list->rings_count++] = take_fd(&fd);
	return 0;
}

/* The directories of all users that are right; a wrong one is its user's trouble. */
static int read_users(struct ps_list *list, int top_fd, const struct log *log) {
	CLEANUP(close_directory) DIR *directory = open_names(top_fd);
	if (!directory)
		return -errno;
	const struct dirent *entry;
	int rc = 0;
	for (uint32_t i = 0; rc == 0 && i < NAMES_MAX && list->count < PS_ROWS_MAX && (entry = readdir(directory));
	     i++) {
		uint32_t uid;
		int fd;
		if (!system_rings_uid(entry->d_name, &uid) ||
		    system_rings_open_user(top_fd, entry->d_name, uid, &fd) < 0)
			continue;
		rc = keep_fd(list, fd);
		if (rc == 0)
			rc = read_names(list, fd, log);
	}
	return rc;
}

static int read_system(struct ps_list *list, const struct config *config, const struct log *log) {
	CLEANUP_FD int fd = FD_NONE;
	if (system_rings_open_as_is(config->rings, log, &fd) < 0)
		return EXIT_CODE_INPUT;
	return read_users(list, fd, log);
}

static int read_own(struct ps_list *list, const struct config *config, const struct log *log) {
	int fd;
	/* The default one is made by the first program that is traced. */
	if (config->rings_are_default && access(config->rings, F_OK) < 0 && errno == ENOENT)
		return 0;
	if (discovery_open_rings(config->rings, false, log, &fd) < 0)
		return EXIT_CODE_INPUT;
	int rc = keep_fd(list, fd);
	return rc < 0 ? rc : read_names(list, fd, log);
}

int ps_list_read(const struct config *config, const struct log *log, struct ps_list *ret_list) {
	struct sigaction ignore = {.sa_handler = SIG_IGN};
	*ret_list = (struct ps_list){0};
	int rc = sigaction(SIGIO, &ignore, NULL) < 0 ? -errno : fault_guard_install();
	if (rc < 0) {
		log_error(log, "signals: %s", strerror(-rc));
		return EXIT_CODE_FAILED;
	}
	rc = config->system ? read_system(ret_list, config, log) : read_own(ret_list, config, log);
	if (ret_list->count > 0)
		qsort(ret_list->rows, ret_list->count, sizeof(*ret_list->rows), by_pid);
	if (rc >= 0)
		return rc;
	log_error(log, "ring directory %s: %s", config->rings, strerror(-rc));
	ps_list_close(ret_list);
	return EXIT_CODE_FAILED;
}

void ps_list_close(struct ps_list *list) {
	for (uint32_t i = 0; i < list->rings_count; i++)
		(void)close(list->rings_fds[i]);
	free(list->rings_fds);
	free(list->rows);
	*list = (struct ps_list){0};
}

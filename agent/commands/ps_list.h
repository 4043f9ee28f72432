/* SPDX-License-Identifier: Apache-2.0 */
/* The traced processes of a ring directory, as their files say; no agent is asked. Same distrust as the agent's. */
#ifndef SPANRING_AGENT_PS_LIST_H
#define SPANRING_AGENT_PS_LIST_H

#include "agent/intake/producer.h"
#include "agent/settings/config.h"
#include "ctl_file.h"
#include "libshm/process_reader.h"

#define PS_ROWS_MAX 8192u

enum ps_state {
	PS_RUNNING,
	PS_EXITED, /* shut down in good order; an agent has not taken all of it yet */
	PS_DEAD,   /* killed; the same */
	PS_UNKNOWN /* the kernel will not say */
};

struct ps_row {
	char instance[PRODUCER_NAME_BYTES];
	uint32_t pid;
	uint64_t pid_namespace;
	uint64_t start_time;
	uint32_t uid;   /* as the kernel says */
	uint32_t claim; /* STORE_CLAIM_*: where it says something else */
	int rings_fd;   /* of the list */
	enum ps_state state;
	char service[sizeof(((struct process_reader_identity *)NULL)->service)];
	char command[sizeof(((struct process_reader_identity *)NULL)->command)];
	uint32_t rings;
	uint64_t begun;
	uint64_t open;
	uint64_t dropped;
	struct ctl_state control;
};

struct ps_list {
	int *rings_fds; /* one, none where nothing is traced, or one of each user */
	uint32_t rings_count;
	struct ps_row *rows; /* by pid */
	uint32_t count;
	uint32_t foreign; /* names that are no instances of this user; said, and of no further account */
	uint32_t refused; /* instances that cannot be read; said */
};

/* An instance, open. */
struct ps_instance {
	int directory_fd;
	struct process_reader reader;
	struct process_reader_identity identity;
};

/* 0, or an exit code after one line was logged. The list is closed either way. Ignores SIGIO from here on. */
int ps_list_read(const struct config *config, const struct log *log, struct ps_list *ret_list);
void ps_list_close(struct ps_list *list);

/* 0, ERR_FOREIGN (not an instance, or not of one owner), ERR_NEWER, ERR_DAMAGED or a system error. */
int ps_instance_open(int rings_fd, const char *name, struct ps_instance *ret_instance);
void ps_instance_close(struct ps_instance *instance);

const char *ps_state_text(enum ps_state state);
/* Why an instance cannot be used. */
const char *ps_refusal_text(int rc);

/* May it be told something? */
static inline bool ps_is_living(const struct ps_row *row) {
	return row->state == PS_RUNNING || row->state == PS_UNKNOWN;
}

#endif

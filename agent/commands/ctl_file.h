/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control words of one process file, read and changed. The file belongs to a program that may be broken or hostile: it is
 * opened and checked as the agent does, of its words only copies are used, and a file that is cut short meanwhile is ERR_GONE.
 *
 * A CHANGE is one for the program, whatever it consists of: under the write lock the words and site controls are stored, then,
 * with release, a value of `enabled` that was never there before (pair CONTROL). A program that is disabled keeps its 0; the
 * generation counts on all the same, so that the value it gets when it is enabled again is new to each of its threads.
 */
#ifndef SPANRING_AGENT_CTL_FILE_H
#define SPANRING_AGENT_CTL_FILE_H

#include "ctl_words.h"
#include "libshm/process_reader.h"

#include <sys/types.h>

#define CTL_LOCK_WAIT_NS UINT64_C(5000000000)

struct ctl_state {
	uint32_t enabled;
	struct spanring__sampling sampling; /* the threshold is at most 2^63 */
};

/* Sites that a change found, by its number. */
struct ctl_outcome {
	uint32_t matched[CTL_CHANGES_MAX];
	bool left_alone; /* a gentle change found a sampler that somebody has chosen */
};

/* One site that is not as sites begin. */
struct ctl_site {
	uint32_t id;
	struct spanring_site_entry entry;
	struct spanring_site_control control;
	char name[SPANRING_NAME_BYTES_MAX + 1];
	char file[SPANRING_NAME_BYTES_MAX + 1]; /* "" if it has none */
};

/* 0 or ERR_GONE. */
int ctl_file_state(const struct process_reader *reader, struct ctl_state *ret_state);

/*
 * Do what the request asks. directory_fd is the instance's, reader its process file. 0; ERR_FOREIGN when it is not the file that
 * was read, ERR_HELD when another ctl kept the lock for longer than CTL_LOCK_WAIT_NS (a gentle change: at all, or -EAGAIN), ERR_DAMAGED,
 * ERR_GONE, or a system error; then nothing was changed.
 */
int ctl_file_change(int directory_fd, struct process_reader *reader, const struct ctl_request *request,
                    struct ctl_outcome *ret_outcome);

/* The first such site from *id on (0: from the start), *id its number. 1; 0 when there is no more; or an error. */
int ctl_file_next_site(struct process_reader *reader, uint32_t *id, struct ctl_site *ret_site);

#endif

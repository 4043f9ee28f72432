/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Finds instances and rings. inotify tells of new names; a look through the directories at the start, every few seconds
 * and after an overflow of its queue makes up for all that it may not tell. Names are only candidates: what they name
 * is checked when it is opened.
 */
#ifndef SPANRING_AGENT_DISCOVERY_H
#define SPANRING_AGENT_DISCOVERY_H

#include "base/log.h"
#include "roster.h"

#define DISCOVERY_RESCAN_NS (UINT64_C(10) * 1000000000)
#define DISCOVERY_REFUSED_MAX 64u

struct config_only;

struct discovery {
	int rings_fd;
	bool of_system; /* one directory per user below it */
	int inotify_fd;
	int watch;          /* of_system: of the ring directory */
	bool rescan_wanted; /* inotify has lost names, or somebody waits for a place: look through everything soon */
	uint64_t our_namespace;
	struct roster *roster;
	const struct log *log;
	const struct config_only *only;                           /* NULL: all instances are collected */
	char refused[DISCOVERY_REFUSED_MAX][PRODUCER_NAME_BYTES]; /* instances told of already, the newest ones */
	uint32_t refused_next;
	bool hint_closed; /* someone let go of a file: a process may have ended */
};

/*
 * Ring directory: opened, made if `make`, checked (ours, not writable by others). 0 or negative errno, and then one
 * line was logged.
 */
int discovery_open_rings(const char *path, bool make, const struct log *log, int *ret_fd);

/* The users are known after it. */
int discovery_open(int rings_fd, bool of_system, struct roster *roster, const struct log *log,
                   struct discovery *ret_discovery);
void discovery_close(struct discovery *discovery);

/* Take what inotify has. */
void discovery_events(struct discovery *discovery);

/* Look through everything. */
void discovery_rescan(struct discovery *discovery);
void discovery_rescan_producer(struct discovery *discovery, struct producer *producer);

/*
 * Remove the files and the directory of an instance whose last row is committed. False: its process file is still there, which its
 * owner can bring about.
 */
bool discovery_remove_files(const struct discovery *discovery, const struct producer *producer);

#endif

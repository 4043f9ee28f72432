/* SPDX-License-Identifier: Apache-2.0 */
#include "discovery.h"

#include "agent/settings/config.h"
#include "agent/users/system_rings.h"
#include "async.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/shared_file.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>

#define EVENT_BYTES 16384u
#define EVENT_READS_MAX 64u /* of EVENT_BYTES in one turn: a flood of names must not keep the agent from draining */
/* Names looked at in one directory: over any honest number, under what would stall the agent. */
#define NAMES_MAX (4u * ROSTER_PRODUCERS_MAX)
#define UNFINISHED_AGE_S 60
#define REFUSALS_SAID 16u

static void close_directory(DIR **directory) {
	if (*directory)
		(void)closedir(*directory);
}

/* What stands in it, with a position of its own; NULL: there is no such directory. */
static DIR *list(int at_fd, const char *name) {
	int fd = openat(at_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *directory = fd < 0 ? NULL : fdopendir(fd);
	if (!directory && fd >= 0)
		(void)close(fd);
	return directory;
}

int discovery_open_rings(const char *path, bool make, const struct log *log, int *ret_fd) {
	if (make && mkdir(path, 0700) < 0 && errno != EEXIST) {
		int rc = -errno;
		log_error(log, "ring directory %s: cannot be made: %s; name another with --rings DIR", path,
		          strerror(errno));
		return rc;
	}
	CLEANUP_FD int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat status;
	if (fd < 0 || fstat(fd, &status) < 0) {
		int rc = -errno;
		log_error(log, "ring directory %s: %s; give an existing directory with --rings DIR", path,
		          strerror(errno));
		return rc;
	}
	bool shared = (status.st_mode & (S_IWGRP | S_IWOTH)) != 0 && (status.st_mode & S_ISVTX) == 0 &&
	              !system_rings_is_below(fd, &status);
	if (shared || (status.st_uid != geteuid() && geteuid() != 0)) {
		log_error(log, "ring directory %s: %s; use a directory of your own with mode 0700", path,
		          shared ? "others may write in it" : "it belongs to another user");
		return -EPERM;
	}
	if (faccessat(fd, ".", W_OK | X_OK, AT_EACCESS) < 0) {
		int rc = -errno;
		log_error(log, "ring directory %s: not writable: %s", path, strerror(errno));
		return rc;
	}
	*ret_fd = take_fd(&fd);
	return 0;
}

/* A path for inotify that cannot be redirected between open and watch. */
static int watch_directory(const struct discovery *discovery, int directory_fd, uint32_t mask) {
	char path[64];
	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", directory_fd);
	return inotify_add_watch(discovery->inotify_fd, path, mask);
}

void discovery_close(struct discovery *discovery) {
	if (discovery->inotify_fd >= 0)
		(void)close(discovery->inotify_fd);
	discovery->inotify_fd = FD_NONE;
}

/* Will the same thing be refused the next time, too? */
static bool refused_for_good(int rc) {
	return rc == ERR_FOREIGN || rc == ERR_NEWER || rc == ERR_DAMAGED;
}

static const char *refusal_text(int rc) {
	if (rc == ERR_NEWER)
		return "written by a newer version; left alone, update the agent to collect it";
	if (rc == ERR_FOREIGN)
		return "not a file of its place; ignored";
	if (rc == ERR_DAMAGED)
		return "breaks the ring format; ignored";
	if (rc == -ESTALE)
		return "of an earlier boot; ignored";
	return strerror(-rc);
}

/* Said for the first few only: a flood of bad names must not become a flood of lines. The status counts them all. */
static void say_refused(struct discovery *discovery, const char *directory, const char *name, int rc) {
	if (discovery->roster->refused++ < REFUSALS_SAID)
		log_event(discovery->log, LOG_LEVEL_WARNING, "ring_refused",
		          LOG_FIELDS(LOG_TEXT("directory", directory), LOG_TEXT("file", name)), "%s%s%s: %s", directory,
		          *name ? "/" : "", name, refusal_text(rc));
}

static void refuse_instance(struct discovery *discovery, const char *name, int rc) {
	if (!refused_for_good(rc) && rc != -ESTALE && rc != -EACCES) {
		log_debug(discovery->log, "%s: %s; tried again later", name, strerror(-rc));
		return;
	}
	for (uint32_t i = 0; i < DISCOVERY_REFUSED_MAX; i++)
		if (strcmp(discovery->refused[i], name) == 0)
			return;
	(void)snprintf(discovery->refused[discovery->refused_next], PRODUCER_NAME_BYTES, "%s", name);
	discovery->refused_next = (discovery->refused_next + 1) % DISCOVERY_REFUSED_MAX;
	say_refused(discovery, name, "", rc);
}

static void take_async(struct discovery *discovery, struct producer *producer) {
	int rc = async_open(producer, discovery->roster);
	if (rc < 0 && !refused_for_good(rc))
		log_debug(discovery->log, "%s/" SPANRING_ASYNC_NAME ": %s; tried again later", producer->name,
		          strerror(-rc));
	if (rc == 0 || !refused_for_good(rc))
		return;
	producer->async_refused = true;
	producer->refused_count++;
	producer->newer = producer->newer || rc == ERR_NEWER;
	say_refused(discovery, producer->name, SPANRING_ASYNC_NAME, rc);
}

static void put_off_ring(struct discovery *discovery, struct user *user) {
	user->rings_waiting++;
	if (!(user->said & USERS_SAID_RINGS))
		log_warning(discovery->log,
		            "user %u: more rings than its quota; the others wait, and are lost if their program ends "
		            "before there is room (--quota-rings, --quota-bytes)",
		            user->uid);
	user->said |= USERS_SAID_RINGS;
}

static void take_ring(struct discovery *discovery, struct producer *producer, const char *name) {
	uint32_t index;
	if (strcmp(name, SPANRING_ASYNC_NAME) == 0) {
		take_async(discovery, producer);
		return;
	}
	if (!ring_reader_index(name, &index) || (producer->refused[index / 8] & (1u << (index % 8))))
		return;
	for (uint32_t i = 0; i < producer->feed_count; i++)
		if (producer->feeds[i]->books.ring_index == index)
			return;
	struct roster *roster = discovery->roster;
	if (!users_ring_fits(&roster->users, producer->user, SPANRING_RING_BYTES_MIN)) {
		put_off_ring(discovery, producer->user);
		return;
	}
	if (roster->feed_count == ROSTER_RINGS_MAX) {
		roster->rings_over_limit++;
		return;
	}
	struct feed *feed;
	int rc = feed_open(producer, name, index, roster_resume(roster, producer->instance, index), &feed);
	if (rc == 0 && !users_ring_fits(&roster->users, producer->user, feed_bytes(feed))) {
		feed_free(feed);
		put_off_ring(discovery, producer->user);
		return;
	}
	if (rc == 0) {
		if (roster_add_feed(roster, producer, feed) < 0)
			feed_free(feed);
		return;
	}
	if (!refused_for_good(rc)) {
		log_debug(discovery->log, "%s/%s: %s; tried again later", producer->name, name, strerror(-rc));
		return;
	}
	producer->refused[index / 8] |= (uint8_t)(1u << (index % 8));
	producer->refused_count++;
	producer->newer = producer->newer || rc == ERR_NEWER;
	say_refused(discovery, producer->name, name, rc);
}

void discovery_rescan_producer(struct discovery *discovery, struct producer *producer) {
	CLEANUP(close_directory) DIR *directory = list(producer->directory_fd, ".");
	if (!directory)
		return;
	const struct dirent *entry;
	for (uint32_t i = 0; i < NAMES_MAX && (entry = readdir(directory)); i++)
		take_ring(discovery, producer, entry->d_name);
}

static bool is_instance_name(const char *name) {
	size_t length = strlen(name);
	for (const char *at = name; *at; at++)
		if (!isdigit((unsigned char)*at) && (*at < 'a' || *at > 'f'))
			return false;
	return length == PRODUCER_NAME_BYTES - 1;
}

/* Known already? Of another user: then whoever came second has copied a name. */
static bool is_known(struct discovery *discovery, const struct user *user, const char *name) {
	const struct producer *known = roster_find(discovery->roster, name);
	if (known && known->user != user)
		refuse_instance(discovery, name, ERR_FOREIGN);
	return known != NULL;
}

static void put_off_program(struct discovery *discovery, struct user *user) {
	user->programs_waiting++;
	if (!(user->said & USERS_SAID_PROGRAMS))
		log_warning(discovery->log,
		            "user %u: more than %llu programs; the others wait until one ends (--quota-programs)",
		            user->uid, (unsigned long long)discovery->roster->users.quota.programs);
	user->said |= USERS_SAID_PROGRAMS;
}

/* Of the right user, where there are several. */
static int open_instance(struct discovery *discovery, struct user *user, const char *name,
                         struct producer **ret_producer) {
	int rc = producer_open(user->directory_fd, name, discovery->our_namespace, ret_producer);
	if (rc < 0)
		return rc;
	(*ret_producer)->user = user;
	if (!discovery->of_system || (uint32_t)(*ret_producer)->reader.uid == user->uid)
		return 0;
	producer_free(*ret_producer);
	return ERR_FOREIGN;
}

static bool is_wanted(const struct discovery *discovery, const char *name) {
	const struct config_only *only = discovery->only;
	for (uint32_t i = 0; only && i < only->count; i++)
		if (strcmp(only->instances[i], name) == 0)
			return true;
	return !only || only->count == 0;
}

static void take_instance(struct discovery *discovery, struct user *user, const char *name) {
	struct roster *roster = discovery->roster;
	if (!is_instance_name(name) || !is_wanted(discovery, name) || is_known(discovery, user, name))
		return;
	if (!users_program_fits(&roster->users, user)) {
		put_off_program(discovery, user);
		return;
	}
	if (roster->producer_count == ROSTER_PRODUCERS_MAX) {
		roster->producers_over_limit++;
		return;
	}
	struct producer *producer;
	int rc = open_instance(discovery, user, name, &producer);
	if (rc == -ENOENT) {
		/* What an agent killed while clearing up left behind; a directory with anything in it stays. */
		(void)unlinkat(user->directory_fd, name, AT_REMOVEDIR);
		return;
	}
	if (rc < 0) {
		refuse_instance(discovery, name, rc);
		return;
	}
	if (roster_add_producer(roster, producer) < 0) {
		producer_free(producer);
		return;
	}
	/* Watch first, then look: a ring made between the two is seen twice rather than never. */
	producer->watch = watch_directory(discovery, producer->directory_fd, IN_MOVED_TO | IN_CLOSE_WRITE | IN_ONLYDIR);
	discovery_rescan_producer(discovery, producer);
	totals_greet(producer);
	pace_begin(producer);
}

/* Nobody has it open or mapped for writing, as far as the kernel will say. */
static bool is_abandoned(int directory_fd, const char *name) {
	struct shared_file file;
	if (shared_file_open(directory_fd, name, O_RDONLY, &file) < 0)
		return false;
	bool abandoned = fcntl(file.fd, F_SETLEASE, F_RDLCK) == 0;
	if (abandoned)
		(void)fcntl(file.fd, F_SETLEASE, F_UNLCK);
	(void)close(file.fd);
	return abandoned;
}

/*
 * "<hex>.tmp": a process that died, or still is, before it showed its directory. One that holds no file open any more
 * is gone.
 */
static void sweep_unfinished(const struct user *user, const char *name) {
	size_t length = strlen(name);
	size_t suffix = sizeof(SPANRING_TMP_SUFFIX) - 1;
	struct stat status;
	if (length != PRODUCER_NAME_BYTES - 1 + suffix || strcmp(name + length - suffix, SPANRING_TMP_SUFFIX) != 0 ||
	    fstatat(user->directory_fd, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode) ||
	    status.st_mtime + UNFINISHED_AGE_S > (time_t)(clock_wall_ns() / NS_PER_S))
		return;
	CLEANUP(close_directory) DIR *directory = list(user->directory_fd, name);
	if (!directory)
		return;
	const struct dirent *entry;
	for (uint32_t i = 0; i < 2 * SPANRING_RINGS_MAX + 8 && (entry = readdir(directory)); i++)
		if (entry->d_name[0] != '.' && is_abandoned(dirfd(directory), entry->d_name))
			(void)unlinkat(dirfd(directory), entry->d_name, 0);
	(void)unlinkat(user->directory_fd, name, AT_REMOVEDIR);
}

/* Names that are no user's cost nothing; the name of a user that is not that user's is told of once, and looked at again. */
static void take_user(struct discovery *discovery, const char *name) {
	struct users *users = &discovery->roster->users;
	struct user *user;
	uint32_t uid;
	int fd;
	if (!system_rings_uid(name, &uid) || users_find(users, uid))
		return;
	int rc = system_rings_open_user(discovery->rings_fd, name, uid, &fd);
	/* The directory is ours, so what stands in another's place can be cleared away unless it holds something. */
	if (rc == ERR_FOREIGN && unlinkat(discovery->rings_fd, name, 0) < 0)
		(void)unlinkat(discovery->rings_fd, name, AT_REMOVEDIR);
	if (rc == 0)
		rc = users_add(users, uid, fd, &user);
	if (rc < 0) {
		refuse_instance(discovery, name, rc);
		return;
	}
	user->watch = watch_directory(discovery, user->directory_fd, IN_MOVED_TO | IN_ONLYDIR);
}

static void rescan_users(struct discovery *discovery) {
	CLEANUP(close_directory) DIR *directory = list(discovery->rings_fd, ".");
	if (!directory)
		return;
	const struct dirent *entry;
	for (uint32_t i = 0; i < NAMES_MAX && (entry = readdir(directory)); i++)
		take_user(discovery, entry->d_name);
}

/* A directory of one user: the whole of it is that user's. */
static int add_only_user(struct discovery *discovery) {
	struct stat status;
	struct user *user;
	int fd = fcntl(discovery->rings_fd, F_DUPFD_CLOEXEC, 0);
	if (fd < 0 || fstat(fd, &status) < 0)
		return -errno;
	int rc = users_add(&discovery->roster->users, (uint32_t)status.st_uid, fd, &user);
	if (rc == 0)
		user->watch = watch_directory(discovery, fd, IN_MOVED_TO | IN_ONLYDIR);
	return rc;
}

int discovery_open(int rings_fd, bool of_system, struct roster *roster, const struct log *log,
                   struct discovery *ret_discovery) {
	*ret_discovery = (struct discovery){.rings_fd = rings_fd,
	                                    .of_system = of_system,
	                                    .watch = -1,
	                                    .roster = roster,
	                                    .log = log,
	                                    .our_namespace = sampler_pid_namespace()};
	ret_discovery->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
	if (ret_discovery->inotify_fd < 0)
		return -errno;
	if (!of_system)
		return add_only_user(ret_discovery);
	ret_discovery->watch = watch_directory(ret_discovery, rings_fd, IN_CREATE | IN_MOVED_TO | IN_ONLYDIR);
	rescan_users(ret_discovery);
	return 0;
}

static void rescan_user(struct discovery *discovery, struct user *user) {
	CLEANUP(close_directory) DIR *directory = list(user->directory_fd, ".");
	if (!directory)
		return;
	const struct dirent *entry;
	user->programs_waiting = 0;
	user->rings_waiting = 0;
	for (uint32_t i = 0; i < NAMES_MAX && (entry = readdir(directory)); i++) {
		take_instance(discovery, user, entry->d_name);
		sweep_unfinished(user, entry->d_name);
	}
}

void discovery_rescan(struct discovery *discovery) {
	discovery->rescan_wanted = false;
	if (discovery->of_system)
		rescan_users(discovery);
	for (uint32_t i = 0; i < discovery->roster->users.count; i++)
		rescan_user(discovery, discovery->roster->users.items[i]);
	for (uint32_t i = 0; i < discovery->roster->producer_count; i++)
		discovery_rescan_producer(discovery, discovery->roster->producers[i]);
}

/* Watched first, then looked through, as programs are. */
static void take_user_now(struct discovery *discovery, const char *name) {
	uint32_t before = discovery->roster->users.count;
	take_user(discovery, name);
	if (discovery->roster->users.count > before)
		rescan_user(discovery, discovery->roster->users.items[before]);
}

static void take_event(struct discovery *discovery, const struct inotify_event *event) {
	if (event->len == 0 || !(event->mask & (IN_MOVED_TO | IN_CREATE | IN_CLOSE_WRITE)))
		return;
	if (event->wd == discovery->watch) {
		take_user_now(discovery, event->name);
		return;
	}
	struct user *user = users_find_watch(&discovery->roster->users, event->wd);
	if (user) {
		take_instance(discovery, user, event->name);
		return;
	}
	struct producer *producer = roster_find_watch(discovery->roster, event->wd);
	if (!producer)
		return;
	if (event->mask & IN_CLOSE_WRITE)
		discovery->hint_closed = true;
	else
		take_ring(discovery, producer, event->name);
}

void discovery_events(struct discovery *discovery) {
	_Alignas(struct inotify_event) char buffer[EVENT_BYTES];
	for (uint32_t reads = 0; reads < EVENT_READS_MAX; reads++) {
		ssize_t got = read(discovery->inotify_fd, buffer, sizeof(buffer));
		if (got <= 0)
			break;
		for (ssize_t at = 0; at < got;) {
			const struct inotify_event *event = (const void *)(buffer + at);
			discovery->rescan_wanted = discovery->rescan_wanted || (event->mask & IN_Q_OVERFLOW);
			take_event(discovery, event);
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

bool discovery_remove_files(const struct discovery *discovery, const struct producer *producer) {
	if (producer->watch >= 0)
		(void)inotify_rm_watch(discovery->inotify_fd, producer->watch);
	if (producer->newer)
		return true;
	/*
	 * Rings and their like, then the process file, then the directory: killed in between, the next agent still understands the
	 * rest.
	 */
	CLEANUP(close_directory) DIR *directory = list(producer->directory_fd, ".");
	const struct dirent *entry;
	/* By prefix: also a ring that its thread did not live to finish. */
	for (uint32_t i = 0; directory && i < NAMES_MAX && (entry = readdir(directory)); i++)
		if (strncmp(entry->d_name, SPANRING_RING_PREFIX, sizeof(SPANRING_RING_PREFIX) - 1) == 0 ||
		    strncmp(entry->d_name, SPANRING_STATISTICS_PREFIX, sizeof(SPANRING_STATISTICS_PREFIX) - 1) == 0)
			(void)unlinkat(producer->directory_fd, entry->d_name, 0);
	(void)unlinkat(producer->directory_fd, SPANRING_ASYNC_NAME, 0);
	(void)unlinkat(producer->directory_fd, SPANRING_ASYNC_NAME SPANRING_TMP_SUFFIX, 0);
	bool removed = unlinkat(producer->directory_fd, SPANRING_PROCESS_NAME, 0) == 0 || errno == ENOENT;
	if (unlinkat(producer->user->directory_fd, producer->name, AT_REMOVEDIR) < 0)
		log_debug(discovery->log, "%s: not empty after clearing up; left alone", producer->name);
	return removed;
}

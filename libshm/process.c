/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A process attaches when its first span begins: one lock, one try. What can go wrong goes wrong here, before anything is
 * recorded, and leaves the program as it was: `spanring__enabled` then points to a constant 0 and a span costs one load.
 *
 * STATE. The library has no choice but to keep process-wide state, and all of it hangs off the two pointers and the hook of
 * the next lines. The state page is MADV_WIPEONFORK: in a child, made by whatever call, it reads as zeros, which is stage
 * NEW with a free lock, so the child attaches afresh. The tables are ordinary memory: the child keeps its numbers.
 *
 * WHAT A CHILD INHERITS. All of the process file is MADV_DONTFORK but its first page, because the inlined begin of the child
 * looks at header.enabled through spanring__enabled until the child attaches. Nothing writes to that page there: the state
 * that knows its address is gone. After fork(2) proper a hook drops the page too.
 *
 * A vfork(2) child shares all memory with its suspended parent, and is indistinguishable from it: a span begun there is
 * recorded as the parent's.
 */
#include "process.h"
#include "control.h"
#include "control_words.h"
#include "identity.h"
#include "region.h"
#include "span_limits.h"
#include "testing.h"
#include "testing_clock.h"
#include "thread_ring.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/membarrier.h>
#include <spanring/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const uint32_t word_on = 1;
static const uint32_t word_off = 0;

const uint32_t *spanring__enabled = &word_on;

static struct spanring__process *process_page;
static struct spanring__tables *process_tables;
static struct spanring_process_header *inherited_page;
static pthread_once_t hooks_once = PTHREAD_ONCE_INIT;
static int hooks_rc;
/* 1 while this thread holds the lock or waits for it. */
static __thread uint32_t lock_depth __attribute__((tls_model("initial-exec")));

static void set_enabled(const uint32_t *word) {
	__atomic_store_n(&spanring__enabled, word, __ATOMIC_RELEASE);
}

void spanring__process_switch_off(void) {
	set_enabled(&word_off);
}

static void after_fork_in_child(void) {
	struct spanring_process_header *page = inherited_page;
	lock_depth = 0;
	if (!page)
		return;
	inherited_page = NULL;
	if (spanring__enabled == &page->enabled)
		set_enabled(&word_on);
	(void)munmap(page, SPANRING_PAGE_BYTES);
}

static void register_hooks(void) {
	hooks_rc = spanring__thread_hooks();
	if (hooks_rc == 0)
		hooks_rc = -pthread_atfork(NULL, NULL, after_fork_in_child);
}

bool spanring__process_is_locked_here(void) {
	return ring_order_get(&lock_depth) != 0;
}

struct spanring__process *spanring__process_get(void) {
	return __atomic_load_n(&process_page, __ATOMIC_ACQUIRE);
}

struct spanring__process *spanring__process_lock(void) {
	struct spanring__process *process = spanring__process_get();
	if (spanring__process_is_locked_here())
		return NULL;
	if (!process) {
		struct spanring__process *expected = NULL;
		process = spanring__region_private(sizeof(*process), 1);
		if (!process)
			return NULL;
		if (!__atomic_compare_exchange_n(&process_page, &expected, process, false, __ATOMIC_ACQ_REL,
		                                 __ATOMIC_ACQUIRE)) {
			(void)munmap(process, sizeof(*process));
			process = expected;
		}
	}
	ring_order_put(&lock_depth, lock_depth + 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	(void)pthread_mutex_lock(&process->lock);
	return process;
}

bool spanring__process_try_lock(struct spanring__process *process) {
	ring_order_put(&lock_depth, lock_depth + 1);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	if (pthread_mutex_trylock(&process->lock) == 0)
		return true;
	ring_order_put(&lock_depth, lock_depth - 1);
	return false;
}

/* Free for a signal handler only once it is free. */
void spanring__process_unlock(struct spanring__process *process) {
	(void)pthread_mutex_unlock(&process->lock);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
	ring_order_put(&lock_depth, lock_depth - 1);
}

static bool is_true(const char *text) {
	return text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0);
}

static uint64_t choose_ring_bytes(const char *text) {
	uint64_t bytes = 0;
	for (const char *at = text; at && *at; at++) {
		if (*at < '0' || *at > '9' || bytes > SPANRING_RING_BYTES_MAX)
			return SPANRING_RING_BYTES_DEFAULT;
		bytes = bytes * 10 + (uint64_t)(*at - '0');
	}
	if (bytes < SPANRING_RING_BYTES_MIN || bytes > SPANRING_RING_BYTES_MAX || (bytes & (bytes - 1)) != 0)
		return SPANRING_RING_BYTES_DEFAULT;
	return bytes;
}

static uint64_t choose_publish_records(uint64_t ring_bytes) {
	uint64_t part = ring_bytes / SPANRING_RECORD_BYTES / SPANRING_PUBLISH_PARTS;
	return part < SPANRING_PUBLISH_RECORDS ? part : SPANRING_PUBLISH_RECORDS;
}

uint32_t spanring__process_reason_of(int rc) {
	switch (rc) {
	case -ENOSPC:
	case -EDQUOT:
	case -EFBIG:
	case -ENOMEM:
		return SPANRING_REASON_SPACE;
	case -E2BIG:
		return SPANRING_REASON_LIMIT;
	case -EACCES:
	case -EPERM:
	case -EROFS:
	case -ENOENT:
	case -ENOTDIR:
	case -ELOOP:
	case -EEXIST:
	case -EISDIR:
	case -ENAMETOOLONG:
	case -EMEDIUMTYPE:
		return SPANRING_REASON_DIRECTORY;
	default:
		return SPANRING_REASON_SYSTEM;
	}
}

static void fill_header(struct spanring__process *process, struct spanring_process_header *header) {
	struct spanring__ticks_anchor anchor;
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	header->sites_max = SPANRING_SITES_MAX;
	header->strings_max = SPANRING_STRINGS_MAX;
	header->site_table_offset = SPANRING_SITE_TABLE_OFFSET;
	header->string_index_offset = SPANRING_STRING_INDEX_OFFSET;
	header->string_arena_offset = SPANRING_STRING_ARENA_OFFSET;
	header->string_arena_bytes = SPANRING_STRING_ARENA_BYTES;
	header->site_control_offset = SPANRING_SITE_CONTROL_OFFSET;
	spanring__identity_fill(header);
	spanring__tables_publish_all(process->tables, header);
	spanring__ticks_anchor_take(process->clock_kind, &anchor);
	header->clock_kind = process->clock_kind;
	header->anchor_ticks = anchor.ticks;
	header->anchor_monotonic_ns = anchor.monotonic_ns;
	header->anchor_wall_ns = anchor.wall_ns;
	process->publish_records = 1;
	if (!process->testing && syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED, 0, 0) == 0) {
		header->flags |= SPANRING_PROCESS_HAS_MEMBARRIER;
		process->publish_records = choose_publish_records(process->ring_bytes);
	}
	header->state = SPANRING_PROCESS_RUNNING;
	spanring__control_words_fill(header);
	header->magic = SPANRING_PROCESS_MAGIC;
}

static int make_process_file(struct spanring__process *process, int instance_fd, const uint8_t *instance,
                             struct spanring_process_header **ret_header) {
	void *address;
	int rc = spanring__region_create(instance_fd, SPANRING_PROCESS_NAME, SPANRING_PROCESS_FILE_BYTES, &address);
	if (rc < 0)
		return rc;
	(void)madvise((uint8_t *)address + SPANRING_PAGE_BYTES, SPANRING_PROCESS_FILE_BYTES - SPANRING_PAGE_BYTES,
	              MADV_DONTFORK);
	*ret_header = address;
	memcpy((*ret_header)->instance, instance, SPANRING_INSTANCE_BYTES);
	fill_header(process, *ret_header);
	return 0;
}

static void adopt_header(struct spanring__process *process, struct spanring_process_header *header) {
	header->misuse = process->misuse_early;
	header->contexts_malformed = process->contexts_malformed_early;
	__atomic_store_n(&process->header, header, __ATOMIC_RELEASE);
}

/* <hex>.tmp with a complete process file inside, then <hex>. Private memory has no names. */
static int make_instance(struct spanring__process *process, int directory_fd) {
	static const char digits[] = "0123456789abcdef";
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	char name[SPANRING__INSTANCE_NAME_BYTES + sizeof(SPANRING_TMP_SUFFIX)];
	struct spanring_process_header *header = NULL;
	int rc, fd;
	spanring__ids_random(instance, sizeof(instance));
	if (directory_fd == SPANRING__REGION_PRIVATE) {
		rc = make_process_file(process, directory_fd, instance, &header);
		if (rc == 0)
			adopt_header(process, header);
		return rc;
	}
	for (unsigned i = 0; i < sizeof(instance); i++) {
		process->instance_name[2 * i] = digits[instance[i] >> 4];
		process->instance_name[2 * i + 1] = digits[instance[i] & 15];
	}
	(void)snprintf(name, sizeof(name), "%s%s", process->instance_name, SPANRING_TMP_SUFFIX);
	if (mkdirat(directory_fd, name, process->directory.of_system ? 0770 : 0700) < 0)
		return -errno;
	fd = openat(directory_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	rc = fd < 0 ? -errno : make_process_file(process, fd, instance, &header);
	if (rc < 0)
		goto fail;
	if (renameat(directory_fd, name, directory_fd, process->instance_name) < 0) {
		rc = -errno;
		(void)munmap(header, SPANRING_PROCESS_FILE_BYTES);
		(void)unlinkat(fd, SPANRING_PROCESS_NAME, 0);
		goto fail;
	}
	adopt_header(process, header);
	(void)close(fd);
	return 0;
fail:
	if (fd >= 0)
		(void)close(fd);
	(void)unlinkat(directory_fd, name, AT_REMOVEDIR);
	return rc;
}

static int attach_in_directory(struct spanring__process *process, int directory_fd) {
	int rc = spanring__control_map(&process->directory, directory_fd, &process->control);
	if (rc < 0)
		return rc;
	if (!process->testing && !spanring__control_attended(&process->directory, directory_fd)) {
		rc = spanring__directory_measure(directory_fd, &process->unattended_bytes);
		if (rc < 0)
			return rc;
	}
	return make_instance(process, directory_fd);
}

/* In test mode all is private: no directory, the clock and the reader of testing.h. */
static int attach_testing(struct spanring__process *process) {
	spanring__testing_clock_stop(); /* as inherited by a child that is not in test mode */
	if (!spanring__testing_wanted())
		return 0;
	process->testing = spanring__testing_new();
	if (!process->testing)
		return -ENOMEM;
	process->clock_kind = SPANRING_CLOCK_MONOTONIC;
	spanring__testing_clock_begin(0);
	return 0;
}

/* A program with more rights than its caller does not let the caller choose where it writes. */
static int open_directory(struct spanring__process *process) {
	const char *preference = process->testing ? NULL : secure_getenv("SPANRING_DIR");
	int rc = process->testing ? 0 : spanring__directory_choose(preference, &process->directory);
	int fd = rc < 0 ? rc : spanring__directory_open(&process->directory);
	if (fd >= 0 || !process->directory.of_system || (preference && *preference))
		return fd;
	/* Somebody has taken this user's place there. */
	spanring__directory_choose_own(&process->directory);
	return spanring__directory_open(&process->directory);
}

static int attach(struct spanring__process *process) {
	struct spanring__ticks_anchor first, second;
	if (is_true(getenv("SPANRING_DISABLED")) || is_true(getenv("OTEL_SDK_DISABLED"))) {
		process->reason = SPANRING_REASON_DISABLED;
		return -ECANCELED;
	}
	process->clock_kind = spanring__ticks_choose(getenv("SPANRING_CLOCK"));
	int rc = attach_testing(process);
	if (rc < 0)
		return rc;
	process->ring_bytes = choose_ring_bytes(getenv("SPANRING_RING_BYTES"));
	spanring__span_limits_choose(&process->limits);
	spanring__ticks_anchor_take(process->clock_kind, &first);
	(void)pthread_once(&hooks_once, register_hooks);
	if (hooks_rc < 0)
		return hooks_rc;
	if (!process_tables)
		process_tables = spanring__tables_new();
	process->tables = process_tables;
	if (!process->tables)
		return -ENOMEM;
	int fd = open_directory(process);
	if (fd < 0)
		return fd;
	rc = attach_in_directory(process, fd);
	(void)close(fd);
	spanring__ticks_anchor_take(process->clock_kind, &second);
	if (process->testing)
		spanring__testing_clock_begin(SPANRING_TESTING_STEP_NS);
	process->publish_ticks = spanring__ticks_per(process->clock_kind, SPANRING_PUBLISH_NS, &first, &second);
	return rc;
}

int spanring__process_attach(struct spanring__process *process) {
	if (process->stage == SPANRING__STAGE_ATTACHED)
		return 0;
	if (process->stage != SPANRING__STAGE_NEW)
		return -ECANCELED;
	int rc = attach(process);
	if (rc < 0) {
		process->stage = SPANRING__STAGE_FAILED;
		if (process->reason == SPANRING_REASON_NONE)
			process->reason = spanring__process_reason_of(rc);
		spanring__process_switch_off();
		return rc;
	}
	process->stage = SPANRING__STAGE_ATTACHED;
	process->ringless.live = SPANRING__RINGLESS;
	inherited_page = process->header;
	set_enabled(&process->header->enabled);
	return 0;
}

static struct spanring_process_header *header_of(struct spanring__process *process) {
	return process ? __atomic_load_n(&process->header, __ATOMIC_ACQUIRE) : NULL;
}

void spanring__process_count_misuse(void) {
	struct spanring__process *process = spanring__process_get();
	struct spanring_process_header *header = header_of(process);
	if (header)
		ring_order_count(&header->misuse);
	else if (process)
		ring_order_count(&process->misuse_early);
}

void spanring__process_count_no_ring(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->dropped_no_ring);
}

void spanring__process_count_reentry(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->dropped_reentry);
}

void spanring__process_count_cut(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->names_cut);
}

void spanring__process_count_dropped_async(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->dropped_async);
}

void spanring__process_count_dropped_context(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->dropped_contexts);
}

void spanring__process_count_value_cut(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (!header)
		return;
	ring_order_count(&header->names_cut);
	ring_order_count(&header->values_cut);
}

void spanring__process_count_over_limit(enum spanring__over_limit what) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (!header)
		return;
	if (what == SPANRING__OVER_ATTRIBUTES)
		ring_order_count(&header->attributes_over_limit);
	else
		ring_order_count(what == SPANRING__OVER_EVENTS ? &header->events_over_limit
		                                               : &header->links_over_limit);
}

void spanring__process_count_dropped_link(void) {
	struct spanring_process_header *header = header_of(spanring__process_get());
	if (header)
		ring_order_count(&header->dropped_links);
}

void spanring__process_count_malformed(void) {
	int saved_errno = errno;
	struct spanring__process *process = spanring__process_get();
	if (!process) {
		process = spanring__process_lock();
		if (process)
			spanring__process_unlock(process);
	}
	struct spanring_process_header *header = header_of(process);
	if (header)
		ring_order_count(&header->contexts_malformed);
	else if (process)
		ring_order_count(&process->contexts_malformed_early);
	errno = saved_errno;
}

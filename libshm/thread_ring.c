/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The life of a ring:
 *
 *     made (ring-0007.tmp) ─► published (ring-0007) ─► ACTIVE, mutex locked ◄─┐
 *                                                        │ thread exits       │ another thread takes it
 *                                                        ▼                    │
 *                                                      RETIRED, unlocked ─────┘
 *
 * A thread that dies in any other way leaves ACTIVE and a lock word in which the kernel has set FUTEX_OWNER_DIED. So an
 * agent needs no pid to know which rings are finished. Rings are never unmapped, so a late call finds memory.
 *
 * Short threads share few rings: a retired one is taken before a new one is made, if it has room for the THREAD record that
 * opens every thread's part.
 */
#include "thread_ring.h"
#include "control.h"
#include "control_words.h"
#include "process.h"
#include "region.h"
#include "testing.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

_Static_assert(sizeof(pthread_mutex_t) <= SPANRING_LINE_BYTES, "the robust mutex fits its line");

#define RING_NAME_BYTES 24u
/* Retired rings looked at for one with room. */
#define FREE_TRIES 16u
#define OWNER_WORD_SEARCH_BYTES 16u

struct spanring__thread spanring__unattached; /* never written */
__thread struct spanring__thread *spanring__self __attribute__((tls_model("initial-exec"))) = &spanring__unattached;

static pthread_key_t exit_key;
static bool exit_key_is_made;

/* Absent unless libspanring_heap is in the program. A weak symbol, since dlsym takes the loader's lock. */
#pragma weak spanring_heap_counters

static pthread_mutex_t *owner_mutex(struct spanring_ring_header *header) {
	return (void *)header->owner_mutex;
}

static uint32_t lock_word(const struct spanring_ring_header *header, uint32_t offset) {
	uint32_t word;
	memcpy(&word, (const uint8_t *)header + offset, sizeof(word));
	return word & FUTEX_TID_MASK;
}

/*
 * A child of a raw clone(2) is still its parent in the eyes of the C library: it goes by the parent's thread id, and its list of
 * robust mutexes ends in the parent's ring, which is not mapped here, so that merely locking another one would crash. The
 * kernel would not tell of its death either. An ordinary mutex that knows its owner gives the child away, at no risk.
 */
static bool is_known_to_libc(void) {
	pthread_mutexattr_t attributes;
	union {
		pthread_mutex_t mutex;
		uint32_t words[OWNER_WORD_SEARCH_BYTES / sizeof(uint32_t)];
	} probe;
	bool is_known = false;
	if (pthread_mutexattr_init(&attributes) != 0)
		return false;
	memset(&probe, 0, sizeof(probe));
	(void)pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK);
	if (pthread_mutex_init(&probe.mutex, &attributes) == 0 && pthread_mutex_trylock(&probe.mutex) == 0) {
		for (size_t i = 0; i < sizeof(probe.words) / sizeof(probe.words[0]); i++)
			is_known = is_known || probe.words[i] == (uint32_t)gettid();
		(void)pthread_mutex_unlock(&probe.mutex);
	}
	(void)pthread_mutexattr_destroy(&attributes);
	return is_known;
}

/* Where the C library keeps the lock word: where our thread id shows up once we hold the lock. */
static int find_owner_word(struct spanring_ring_header *header) {
	uint32_t first = (uint32_t)offsetof(struct spanring_ring_header, owner_mutex);
	uint32_t offset = first;
	if (pthread_mutex_trylock(owner_mutex(header)) != 0)
		return -EBUSY;
	while (offset < first + OWNER_WORD_SEARCH_BYTES && lock_word(header, offset) != (uint32_t)gettid())
		offset += (uint32_t)sizeof(uint32_t);
	(void)pthread_mutex_unlock(owner_mutex(header));
	header->owner_word_offset = offset;
	return offset < first + OWNER_WORD_SEARCH_BYTES ? 0 : -ESRCH;
}

static int fill_ring_header(const struct spanring__process *process, struct spanring_ring_header *header,
                            uint32_t index) {
	pthread_mutexattr_t attributes;
	int rc = pthread_mutexattr_init(&attributes);
	if (rc != 0)
		return -rc;
	(void)pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	rc = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutex_init(owner_mutex(header), &attributes);
	(void)pthread_mutexattr_destroy(&attributes);
	if (rc != 0)
		return -rc;
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	memcpy(header->instance, process->header->instance, sizeof(header->instance));
	header->ring_index = index;
	header->stack_entries = SPANRING_DEPTH_MAX;
	header->stack_offset = SPANRING_RING_STACK_OFFSET;
	header->data_offset = SPANRING_RING_DATA_OFFSET;
	header->capacity_records = process->ring_bytes / SPANRING_RECORD_BYTES;
	header->state = SPANRING_RING_RETIRED;
	header->magic = SPANRING_RING_MAGIC;
	return find_owner_word(header);
}

/* The sum of what others left and what this process made, as long as no agent takes it away. */
static int check_unattended(struct spanring__process *process, uint64_t bytes) {
	if (process->testing)
		return 0;
	if (process->unattended_bytes + bytes > SPANRING__UNATTENDED_BYTES_MAX) {
		int fd = spanring__directory_open(&process->directory);
		if (fd < 0)
			return fd;
		bool attended = spanring__control_attended(&process->directory, fd);
		(void)close(fd);
		if (!attended)
			return -E2BIG;
	}
	process->unattended_bytes += bytes;
	return 0;
}

static int make_ring(struct spanring__process *process, uint32_t index, uint64_t bytes, void **ret_address) {
	char name[RING_NAME_BYTES], name_tmp[RING_NAME_BYTES];
	void *address;
	int directory_fd = spanring__directory_open_instance(&process->directory, process->instance_name);
	if (directory_fd < 0)
		return directory_fd;
	(void)snprintf(name, sizeof(name), SPANRING_RING_PREFIX "%04u", index);
	(void)snprintf(name_tmp, sizeof(name_tmp), SPANRING_RING_PREFIX "%04u" SPANRING_TMP_SUFFIX, index);
	int rc = spanring__region_create(directory_fd, name_tmp, bytes, &address);
	if (rc < 0)
		goto out;
	(void)madvise(address, bytes, MADV_DONTFORK);
	rc = fill_ring_header(process, address, index);
	if (rc == 0)
		rc = spanring__region_publish(directory_fd, name_tmp, name);
	if (rc < 0) {
		(void)munmap(address, bytes);
		(void)unlinkat(directory_fd, name_tmp, 0);
		goto out;
	}
	*ret_address = address;
out:
	(void)close(directory_fd);
	return rc;
}

static int make_thread(struct spanring__process *process, struct spanring__thread **ret_thread) {
	uint64_t bytes = SPANRING_RING_DATA_OFFSET + process->ring_bytes;
	uint32_t index = process->thread_count;
	struct spanring__thread *thread;
	void *address;
	if (index == SPANRING_RINGS_MAX)
		return -E2BIG;
	int rc = check_unattended(process, bytes);
	if (rc < 0)
		return rc;
	thread = spanring__region_private(sizeof(*thread), 1);
	if (!thread)
		return -ENOMEM;
	rc = make_ring(process, index, bytes, &address);
	if (rc < 0) {
		(void)munmap(thread, sizeof(*thread));
		return rc;
	}
	thread->header = address;
	thread->ring_index = (uint16_t)index;
	thread->stack = (void *)((uint8_t *)address + SPANRING_RING_STACK_OFFSET);
	thread->slots = (void *)((uint8_t *)address + SPANRING_RING_DATA_OFFSET);
	thread->slot = thread->slots;
	thread->process_header = process->header;
	thread->mask = process->ring_bytes / SPANRING_RECORD_BYTES - 1;
	thread->limit = thread->mask + 1;
	thread->top = thread->stack;
	thread->stack_end = thread->stack + SPANRING_DEPTH_MAX;
	thread->busy = thread->stack_end + 1;
	thread->capacity_shift = (uint32_t)__builtin_ctzll(thread->mask + 1);
	thread->lap_word = ring_writer_tail_word(0, 0, 0, spanring_lap_tag(0));
	thread->clock_kind = process->clock_kind;
	thread->publish_ticks = process->publish_ticks;
	thread->publish_records = process->publish_records;
	thread->limits = process->limits;
	thread->bell = process->control;
	thread->owner_word_offset = thread->header->owner_word_offset;
	process->threads[process->thread_count++] = thread;
	ring_order_put(&process->header->rings_made, process->thread_count);
	*ret_thread = thread;
	return 0;
}

/* A retired ring with room, out of the free list. */
static struct spanring__thread *take_free(struct spanring__process *process) {
	struct spanring__thread **link = &process->free_threads;
	for (unsigned i = 0; *link && i < FREE_TRIES; i++, link = &(*link)->next_free) {
		struct spanring__thread *thread = *link;
		if (!ring_writer_reserve(thread, 1))
			continue;
		*link = thread->next_free;
		return thread;
	}
	return NULL;
}

static void write_thread_record(struct spanring__thread *self, uint64_t now) {
	union spanring_record record;
	memset(&record, 0, sizeof(record));
	record.thread.start_ticks = now;
	record.thread.tid = self->header->tid;
	(void)prctl(PR_GET_NAME, record.thread.name);
	ring_writer_append(self, record.words, 0, SPANRING_RECORD_THREAD, 0);
	ring_writer_publish(self, now);
}

/* A thread that comes back to its ring, in a destructor that runs after ours, has been counted already. */
static void count_heap(struct spanring__thread *thread) {
	const struct spanring__heap_mark *before = &thread->heap_before, *counted = &thread->heap_counted;
	uint32_t tid = (uint32_t)gettid();
	bool is_same = thread->heap_tid == tid &&
	               thread->heap->allocated_bytes >= counted->allocated_bytes - before->allocated_bytes;
	if (!is_same)
		thread->heap_before = thread->heap_counted;
	thread->heap_tid = tid;
}

static uint32_t live_kind(struct spanring__thread *thread) {
	thread->heap = spanring_heap_counters ? spanring_heap_counters() : NULL;
	if (thread->heap) {
		count_heap(thread);
		return SPANRING__LIVE_HEAP;
	}
	return thread->clock_kind == SPANRING_CLOCK_MONOTONIC ? SPANRING__LIVE_CLOCK : SPANRING__LIVE_COUNTER;
}

static int take_ring(struct spanring__process *process) {
	if (!is_known_to_libc())
		return -ESRCH;
	struct spanring__thread *thread = take_free(process);
	if (!thread) {
		int rc = make_thread(process, &thread);
		if (rc < 0)
			return rc;
	}
	/* Never waits: nobody else locks it. EBUSY or a died owner means the word was trampled on: leave that ring alone. */
	if (pthread_mutex_trylock(owner_mutex(thread->header)) != 0)
		return -EBUSY;
	if (lock_word(thread->header, thread->owner_word_offset) != (uint32_t)gettid() ||
	    pthread_setspecific(exit_key, thread) != 0) {
		(void)pthread_mutex_unlock(owner_mutex(thread->header));
		thread->next_free = process->free_threads;
		process->free_threads = thread;
		return -ESRCH;
	}
	if (process->testing)
		spanring__testing_seed(process->testing, &thread->ids);
	else
		spanring__ids_seed(&thread->ids);
	ring_order_put(&thread->header->tid, (uint32_t)gettid());
	ring_order_state_publish(&thread->header->state, SPANRING_RING_ACTIVE);
	thread->live = live_kind(thread);
	write_thread_record(thread, spanring__ticks_quiet(thread->clock_kind));
	spanring__self = thread;
	return 0;
}

struct spanring__thread *spanring__thread_attach(void) {
	int saved_errno = errno, cancel;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	struct spanring__process *process = spanring__process_lock();
	/* A signal handler may have attached this thread in the meantime. */
	bool is_attached = spanring__self->live != 0;
	if (!is_attached)
		spanring__self = &spanring__unattached;
	if (!process) {
		spanring__process_switch_off();
	} else {
		if (!is_attached && spanring__process_attach(process) == 0) {
			int rc = take_ring(process);
			if (rc < 0) {
				spanring__self = &process->ringless;
				process->reason = spanring__process_reason_of(rc);
				ring_order_count(&process->header->threads_untraced);
			}
		}
		spanring__process_unlock(process);
	}
	(void)pthread_setcancelstate(cancel, NULL);
	errno = saved_errno;
	return spanring__self == &spanring__unattached ? NULL : spanring__self;
}

void spanring__thread_end_all(struct spanring__thread *self, uint64_t now) {
	while (self->top != self->stack) {
		struct spanring_open_span *entry = ring_writer_take(self) - 1;
		if (ring_writer_is_context(entry))
			ring_writer_uncount(self, entry);
		else
			spanring__ring_end(self, entry, now, SPANRING_BITS_UNFINISHED);
	}
	self->muted = 0;
	self->muted_trace_lo = 0;
	control_words_restart(self, self->top);
}

void spanring__thread_retire(struct spanring__process *process) {
	struct spanring__thread *self = ring_writer_self();
	spanring__self = &spanring__unattached;
	if (!self)
		return;
	uint64_t now = spanring__ticks_quiet(self->clock_kind);
	spanring__thread_end_all(self, now);
	ring_writer_publish(self, now);
	ring_order_state_publish(&self->header->state, SPANRING_RING_RETIRED);
	(void)pthread_mutex_unlock(owner_mutex(self->header));
	self->next_free = process->free_threads;
	process->free_threads = self;
}

static void thread_exits(void *value) {
	int saved_errno = errno, cancel;
	(void)value;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	if (ring_writer_self()) {
		struct spanring__process *process = spanring__process_lock();
		if (process) {
			spanring__thread_retire(process);
			spanring__process_unlock(process);
		}
	}
	spanring__self = &spanring__unattached;
	(void)pthread_setcancelstate(cancel, NULL);
	errno = saved_errno;
}

int spanring__thread_hooks(void) {
	int rc = -pthread_key_create(&exit_key, thread_exits);
	exit_key_is_made = rc == 0;
	return rc;
}

void spanring__thread_unhook(void) {
	if (exit_key_is_made)
		(void)pthread_key_delete(exit_key);
	exit_key_is_made = false;
}

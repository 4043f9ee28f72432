/* SPDX-License-Identifier: Apache-2.0 */
#include "ring_feeder.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include <spanring/ring_abi.h>

#include <fcntl.h>
#include <limits.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#define RING_FILE_BYTES (SPANRING_RING_DATA_OFFSET + (size_t)RING_FEEDER_RECORDS * SPANRING_RECORD_BYTES)
#define FULL_PAUSE_NS 50000L
/* Entry 1 of both tables is the overflow entry, string 2 the file name; names and their sites follow. */
#define FIRST_NAME_STRING 3u
#define FIRST_NAME_SITE 2u

_Static_assert(offsetof(struct spanring_ring_header, owner_mutex) == 640, "the lock word is the mutex's first word");
_Static_assert(sizeof(pthread_mutex_t) <= SPANRING_LINE_BYTES, "the mutex fits its line");

struct feeder {
	int folder_fd; /* of the instance */
	uint8_t instance[SPANRING_INSTANCE_BYTES];
	struct spanring_process_header *process;
	const struct spanring_control *control;
	uint64_t base_ns;
	int start_fd;
};

struct feeder_thread {
	struct feeder *feeder;
	const struct workload_stream *stream;
	struct spanring_ring_header *header;
	union spanring_record *slots;
	uint64_t position;
	uint64_t spans;
	uint32_t index;
	int rc;
	pthread_t thread;
};

/* A file of its final size with all its blocks, mapped; still under its temporary name. */
static int file_make(int folder_fd, const char *name, size_t bytes, void **ret_memory) {
	char temporary[64];
	(void)snprintf(temporary, sizeof(temporary), "%s%s", name, SPANRING_TMP_SUFFIX);
	CLEANUP_FD int fd = openat(folder_fd, temporary, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	int rc = -posix_fallocate(fd, 0, (off_t)bytes);
	if (rc < 0)
		return rc;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_memory = memory;
	return 0;
}

static int publish_name(int folder_fd, const char *name) {
	char temporary[64];
	(void)snprintf(temporary, sizeof(temporary), "%s%s", name, SPANRING_TMP_SUFFIX);
	return renameat(folder_fd, temporary, folder_fd, name) < 0 ? -errno : 0;
}

static void table_string(struct spanring_process_header *header, const char *text) {
	char *base = (char *)header;
	struct spanring_string_entry *entries = (void *)(base + header->string_index_offset);
	uint32_t bytes = (uint32_t)strlen(text);
	memcpy(base + header->string_arena_offset + header->string_arena_used, text, bytes);
	entries[header->string_count] = (struct spanring_string_entry){header->string_arena_used, bytes};
	header->string_arena_used += bytes;
	header->string_count++;
}

static void tables_fill(struct spanring_process_header *header) {
	struct spanring_site_entry *sites = (void *)((char *)header + header->site_table_offset);
	table_string(header, SPANRING_OVERFLOW_NAME);
	table_string(header, "workload.c");
	sites[0] = (struct spanring_site_entry){.name = SPANRING_STRING_OVERFLOW, .file = SPANRING_STRING_OVERFLOW};
	for (uint32_t i = 0; i < WORKLOAD_NAMES; i++) {
		char name[32];
		(void)snprintf(name, sizeof(name), "service.operation-%03u", i);
		table_string(header, name);
		sites[FIRST_NAME_SITE - 1 + i] =
		    (struct spanring_site_entry){.name = FIRST_NAME_STRING + i, .file = 2, .line = i + 1};
	}
	header->site_count = WORKLOAD_NAMES + 1;
}

static void process_fill(struct feeder *feeder, unsigned number) {
	struct spanring_process_header *header = feeder->process;
	struct stat namespace;
	header->magic = SPANRING_PROCESS_MAGIC;
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	memcpy(header->instance, feeder->instance, sizeof(header->instance));
	header->pid = (uint32_t)getpid();
	header->ppid = (uint32_t)getppid();
	header->pid_namespace = stat("/proc/self/ns/pid", &namespace) == 0 ? namespace.st_ino : 0;
	(void)clock_boot_id(header->boot_id);
	header->clock_kind = SPANRING_CLOCK_MONOTONIC;
	header->anchor_monotonic_ns = clock_monotonic_ns();
	header->anchor_ticks = header->anchor_monotonic_ns;
	header->anchor_wall_ns = clock_wall_ns();
	header->sites_max = SPANRING_SITES_MAX;
	header->strings_max = SPANRING_STRINGS_MAX;
	header->site_table_offset = SPANRING_SITE_TABLE_OFFSET;
	header->string_index_offset = SPANRING_STRING_INDEX_OFFSET;
	header->string_arena_offset = SPANRING_STRING_ARENA_OFFSET;
	header->string_arena_bytes = SPANRING_STRING_ARENA_BYTES;
	header->site_control_offset = SPANRING_SITE_CONTROL_OFFSET;
	(void)snprintf(header->executable, sizeof(header->executable), "spanring-bench");
	(void)snprintf(header->command, sizeof(header->command), "spanring-bench ingest");
	(void)snprintf(header->service, sizeof(header->service), "service-%u", number);
	header->enabled = 1;
	header->state = SPANRING_PROCESS_RUNNING;
	tables_fill(header);
}

static int control_map(int rings_fd, const struct spanring_control **ret_control) {
	CLEANUP_FD int fd = openat(rings_fd, SPANRING_CONTROL_NAME, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	void *memory = mmap(NULL, sizeof(struct spanring_control), PROT_READ, MAP_SHARED, fd, 0);
	if (memory == MAP_FAILED)
		return -errno;
	*ret_control = memory;
	return 0;
}

/* The folder of the instance, complete with its process file before it gets its name. */
static int instance_make(const char *rings, unsigned number, struct feeder *feeder) {
	char name[2 * SPANRING_INSTANCE_BYTES + 1], temporary[sizeof(name) + sizeof(SPANRING_TMP_SUFFIX)];
	void *memory;
	CLEANUP_FD int rings_fd = open(rings, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (rings_fd < 0)
		return -errno;
	if (getrandom(feeder->instance, sizeof(feeder->instance), 0) != (ssize_t)sizeof(feeder->instance))
		return -EIO;
	text_hex_encode(feeder->instance, sizeof(feeder->instance), name);
	(void)snprintf(temporary, sizeof(temporary), "%s%s", name, SPANRING_TMP_SUFFIX);
	if (mkdirat(rings_fd, temporary, 0700) < 0)
		return -errno;
	feeder->folder_fd = openat(rings_fd, temporary, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (feeder->folder_fd < 0)
		return -errno;
	int rc = file_make(feeder->folder_fd, SPANRING_PROCESS_NAME, SPANRING_PROCESS_FILE_BYTES, &memory);
	if (rc < 0)
		return rc;
	feeder->process = memory;
	process_fill(feeder, number);
	rc = publish_name(feeder->folder_fd, SPANRING_PROCESS_NAME);
	if (rc == 0)
		rc = control_map(rings_fd, &feeder->control);
	if (rc == 0 && renameat(rings_fd, temporary, rings_fd, name) < 0)
		rc = -errno;
	return rc;
}

static int owner_lock(struct spanring_ring_header *header) {
	pthread_mutex_t *mutex = (void *)header->owner_mutex;
	pthread_mutexattr_t attributes;
	int rc = pthread_mutexattr_init(&attributes);
	if (rc == 0)
		rc = pthread_mutexattr_setpshared(&attributes, PTHREAD_PROCESS_SHARED);
	if (rc == 0)
		rc = pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
	if (rc == 0)
		rc = pthread_mutex_init(mutex, &attributes);
	if (rc == 0)
		rc = pthread_mutex_lock(mutex);
	(void)pthread_mutexattr_destroy(&attributes);
	return -rc;
}

static int ring_make(struct feeder_thread *thread) {
	char name[32];
	void *memory;
	(void)snprintf(name, sizeof(name), SPANRING_RING_PREFIX "%04u", thread->index);
	int rc = file_make(thread->feeder->folder_fd, name, RING_FILE_BYTES, &memory);
	if (rc < 0)
		return rc;
	struct spanring_ring_header *header = memory;
	thread->header = header;
	thread->slots = (void *)((char *)memory + SPANRING_RING_DATA_OFFSET);
	header->magic = SPANRING_RING_MAGIC;
	header->abi_version = SPANRING_ABI_VERSION;
	header->header_bytes = sizeof(*header);
	memcpy(header->instance, thread->feeder->instance, sizeof(header->instance));
	header->ring_index = thread->index;
	header->stack_entries = SPANRING_DEPTH_MAX;
	header->stack_offset = SPANRING_RING_STACK_OFFSET;
	header->data_offset = SPANRING_RING_DATA_OFFSET;
	header->capacity_records = RING_FEEDER_RECORDS;
	header->owner_word_offset = (uint32_t)offsetof(struct spanring_ring_header, owner_mutex);
	header->state = SPANRING_RING_ACTIVE;
	header->tid = (uint32_t)gettid();
	rc = owner_lock(header);
	return rc < 0 ? rc : publish_name(thread->feeder->folder_fd, name);
}

/* The tagged word goes last (W1), so that the record is valid by itself. */
static void slot_put(struct feeder_thread *thread, const union spanring_record *record) {
	union spanring_record *slot = &thread->slots[thread->position % RING_FEEDER_RECORDS];
	union spanring_record tagged = *record;
	tagged.span.tail.lap = spanring_lap_tag(thread->position / RING_FEEDER_RECORDS);
	for (unsigned i = 0; i < 7; i++)
		__atomic_store_n(&slot->words[i], tagged.words[i], __ATOMIC_RELAXED);
	__atomic_store_n(&slot->words[7], tagged.words[7], __ATOMIC_RELEASE);
	thread->position++;
}

/*
 * W3, and the bell when a half of the ring was crossed: head stored before asleep is loaded, both sequentially
 * consistent, so that either this thread sees a sleeping agent or the agent sees this head. Nothing stays open, so what
 * began has ended.
 */
static void head_publish(struct feeder_thread *thread, uint64_t before) {
	const uint64_t half = RING_FEEDER_RECORDS / 2;
	const struct spanring_control *control = thread->feeder->control;
	__atomic_store_n(&thread->header->begun_open, thread->spans << SPANRING_BEGUN_SHIFT, __ATOMIC_RELEASE);
	__atomic_store_n(&thread->header->head, thread->position, __ATOMIC_SEQ_CST);
	if (before / half == thread->position / half)
		return;
	if (__atomic_load_n(&control->asleep, __ATOMIC_SEQ_CST) != 0)
		(void)syscall(SYS_futex, &control->bell, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

/* W4: wait until at most `kept` records are not stored yet. */
static int tail_wait(struct feeder_thread *thread, uint64_t kept) {
	uint64_t seen = 0, since_ns = 0;
	for (;;) {
		struct timespec pause = {.tv_nsec = FULL_PAUSE_NS};
		uint64_t tail = __atomic_load_n(&thread->header->tail, __ATOMIC_ACQUIRE);
		if (thread->position - tail <= kept)
			return 0;
		uint64_t now_ns = clock_monotonic_ns();
		if (since_ns == 0 || tail != seen) {
			since_ns = now_ns;
			seen = tail;
		} else if (now_ns - since_ns > RING_FEEDER_PATIENCE_NS) {
			return -ETIMEDOUT;
		}
		(void)nanosleep(&pause, NULL);
	}
}

static int stream_feed(struct feeder_thread *thread) {
	union spanring_record record = {.thread = {.start_ticks = thread->feeder->base_ns,
	                                           .tid = (uint32_t)gettid(),
	                                           .name = "feeder",
	                                           .tail = {.type = SPANRING_RECORD_THREAD}}};
	slot_put(thread, &record);
	head_publish(thread, 0);
	for (uint32_t done = 0; done < thread->stream->count;) {
		int rc = tail_wait(thread, RING_FEEDER_RECORDS - SPANRING_PUBLISH_RECORDS);
		if (rc < 0)
			return rc;
		uint64_t before = thread->position;
		for (uint32_t i = 0; i < SPANRING_PUBLISH_RECORDS && done < thread->stream->count; i++, done++) {
			record.span = thread->stream->records[done];
			record.span.start_ticks += thread->feeder->base_ns;
			record.span.tail.ref += FIRST_NAME_SITE;
			slot_put(thread, &record);
			thread->spans++;
		}
		head_publish(thread, before);
	}
	return tail_wait(thread, 0);
}

static void *thread_main(void *argument) {
	struct feeder_thread *thread = argument;
	char byte;
	thread->rc = ring_make(thread);
	while (read(thread->feeder->start_fd, &byte, 1) < 0 && errno == EINTR)
		;
	if (thread->rc == 0)
		thread->rc = stream_feed(thread);
	if (thread->header) {
		__atomic_store_n(&thread->header->state, SPANRING_RING_RETIRED, __ATOMIC_RELEASE);
		(void)pthread_mutex_unlock((void *)thread->header->owner_mutex);
	}
	return NULL;
}

int ring_feeder_run(const char *rings, const struct workload *workload, unsigned process, uint64_t base_ns,
                    int start_fd) {
	struct feeder feeder = {.folder_fd = FD_NONE, .base_ns = base_ns, .start_fd = start_fd};
	struct feeder_thread threads[WORKLOAD_THREADS] = {0};
	uint32_t started = 0;
	int rc = instance_make(rings, process, &feeder);
	for (; rc == 0 && started < WORKLOAD_THREADS; started++) {
		struct feeder_thread *thread = &threads[started];
		thread->feeder = &feeder;
		thread->stream = &workload->streams[process * WORKLOAD_THREADS + started];
		thread->index = started;
		rc = -pthread_create(&thread->thread, NULL, thread_main, thread);
		if (rc < 0)
			break;
	}
	for (uint32_t i = 0; i < started; i++) {
		(void)pthread_join(threads[i].thread, NULL);
		rc = rc < 0 ? rc : threads[i].rc;
	}
	if (feeder.process) {
		__atomic_store_n(&feeder.process->rings_made, started, __ATOMIC_RELAXED);
		__atomic_store_n(&feeder.process->state, SPANRING_PROCESS_EXITED, __ATOMIC_RELEASE);
	}
	cleanup_fd(&feeder.folder_fd);
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "support/cmocka.h"

#include "ring_view.h"

#include "support/child.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define PATH_BYTES 1024

static uint8_t *read_file(const char *path, size_t *ret_bytes) {
	struct stat status;
	int fd = open(path, O_RDONLY);
	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
	/* Every block is there: no store can meet a full file system. */
	assert_true(status.st_blocks * 512 >= status.st_size);
	uint8_t *data = malloc((size_t)status.st_size);
	assert_non_null(data);
	assert_int_equal(read(fd, data, (size_t)status.st_size), status.st_size);
	close(fd);
	*ret_bytes = (size_t)status.st_size;
	return data;
}

static void read_ring(struct view_instance *instance, const char *path, unsigned index, struct view_ring *ring) {
	size_t bytes;
	uint8_t *data = read_file(path, &bytes);
	struct spanring_ring_header *header = &ring->header;
	memcpy(header, data, sizeof(*header));
	assert_int_equal(header->magic, SPANRING_RING_MAGIC);
	assert_int_equal(header->abi_version, SPANRING_ABI_VERSION);
	assert_int_equal(header->header_bytes, sizeof(*header));
	assert_memory_equal(header->instance, instance->header->instance, SPANRING_INSTANCE_BYTES);
	assert_int_equal(header->ring_index, index);
	assert_int_equal(header->stack_entries, SPANRING_DEPTH_MAX);
	assert_int_equal(header->stack_offset, SPANRING_RING_STACK_OFFSET);
	assert_int_equal(header->data_offset, SPANRING_RING_DATA_OFFSET);
	assert_int_equal(bytes, SPANRING_RING_DATA_OFFSET + header->capacity_records * SPANRING_RECORD_BYTES);
	assert_true(header->head >= header->tail);
	memcpy(ring->stack, data + SPANRING_RING_STACK_OFFSET, sizeof(ring->stack));
	memcpy(&ring->owner_word, data + header->owner_word_offset, sizeof(ring->owner_word));
	ring->records = calloc(header->capacity_records, sizeof(*ring->records));
	assert_non_null(ring->records);
	ring->first = header->tail;
	for (uint64_t p = ring->first; p < ring->first + header->capacity_records; p++) {
		union spanring_record record;
		memcpy(&record, data + SPANRING_RING_DATA_OFFSET + p % header->capacity_records * sizeof(record),
		       sizeof(record));
		if (record.span.tail.lap != spanring_lap_tag(p / header->capacity_records))
			break;
		ring->records[ring->count++] = record;
	}
	assert_true(ring->first + ring->count >= header->head);
	free(data);
}

static bool is_instance(const char *name) {
	return strlen(name) == 2 * SPANRING_INSTANCE_BYTES && strspn(name, "0123456789abcdef") == strlen(name);
}

static bool load(const char *directory, const char *name, pid_t pid, struct view_instance *instance) {
	char path[PATH_BYTES];
	size_t bytes;
	(void)snprintf(path, sizeof(path), "%s/%s/process", directory, name);
	instance->process = read_file(path, &bytes);
	instance->header = (const void *)instance->process;
	if (pid != (pid_t)instance->header->pid) {
		free(instance->process);
		return false;
	}
	assert_int_equal(bytes, SPANRING_PROCESS_FILE_BYTES);
	assert_int_equal(instance->header->magic, SPANRING_PROCESS_MAGIC);
	assert_int_equal(instance->header->abi_version, SPANRING_ABI_VERSION);
	assert_int_equal(instance->header->header_bytes, sizeof(*instance->header));
	(void)snprintf(instance->name, sizeof(instance->name), "%s", name);
	for (unsigned i = 0; i < SPANRING_INSTANCE_BYTES; i++) {
		char hex[3];
		(void)snprintf(hex, sizeof(hex), "%02x", instance->header->instance[i]);
		assert_memory_equal(hex, name + 2 * (size_t)i, 2);
	}
	instance->ring_count = instance->header->rings_made;
	instance->rings = calloc(instance->ring_count ? instance->ring_count : 1, sizeof(*instance->rings));
	for (unsigned i = 0; i < instance->ring_count; i++) {
		(void)snprintf(path, sizeof(path), "%s/%s/ring-%04u", directory, name, i);
		read_ring(instance, path, i, &instance->rings[i]);
	}
	return true;
}

struct view_instance *view_open(const char *directory, pid_t pid) {
	struct view_instance *instance = calloc(1, sizeof(*instance));
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	bool found = false;
	assert_non_null(dir);
	assert_non_null(instance);
	while (!found && (entry = readdir(dir)))
		found = is_instance(entry->d_name) && load(directory, entry->d_name, pid, instance);
	closedir(dir);
	if (!found) {
		free(instance);
		return NULL;
	}
	return instance;
}

void view_close(struct view_instance *instance) {
	if (!instance)
		return;
	for (unsigned i = 0; i < instance->ring_count; i++)
		free(instance->rings[i].records);
	free(instance->rings);
	free(instance->process);
	free(instance);
}

unsigned view_count_instances(const char *directory) {
	DIR *dir = opendir(directory);
	const struct dirent *entry;
	unsigned count = 0;
	if (!dir)
		return 0;
	while ((entry = readdir(dir)))
		count += is_instance(entry->d_name);
	closedir(dir);
	return count;
}

const union spanring_record *view_record(const struct view_instance *instance, uint8_t type, unsigned n) {
	for (unsigned i = 0; i < instance->ring_count; i++)
		for (uint64_t r = 0; r < instance->rings[i].count; r++)
			if (instance->rings[i].records[r].span.tail.type == type && n-- == 0)
				return &instance->rings[i].records[r];
	return NULL;
}

unsigned view_count(const struct view_instance *instance, uint8_t type) {
	unsigned n = 0;
	for (unsigned i = 0; i < instance->ring_count; i++)
		for (uint64_t r = 0; r < instance->rings[i].count; r++)
			n += instance->rings[i].records[r].span.tail.type == type;
	return n;
}

size_t view_text(const struct view_instance *instance, uint32_t id, char *ret_text) {
	const struct spanring_process_header *header = instance->header;
	struct spanring_string_entry entry;
	assert_in_range(id, 1, header->string_count);
	memcpy(&entry, instance->process + header->string_index_offset + (id - 1) * sizeof(entry), sizeof(entry));
	assert_true(entry.bytes <= SPANRING_NAME_BYTES_MAX);
	assert_true(entry.offset + entry.bytes <= header->string_arena_used);
	memcpy(ret_text, instance->process + header->string_arena_offset + entry.offset, entry.bytes);
	ret_text[entry.bytes] = '\0';
	return entry.bytes;
}

const char *view_site_name(const struct view_instance *instance, uint32_t site, char *ret_text) {
	struct spanring_site_entry entry;
	assert_in_range(site, 1, instance->header->site_count);
	memcpy(&entry, instance->process + instance->header->site_table_offset + (site - 1) * sizeof(entry),
	       sizeof(entry));
	(void)view_text(instance, entry.name, ret_text);
	return ret_text;
}

const struct spanring_span_record *view_span(const struct view_instance *instance, const char *name) {
	char text[SPANRING_NAME_BYTES_MAX + 1];
	for (unsigned i = 0; i < instance->ring_count; i++)
		for (uint64_t r = 0; r < instance->rings[i].count; r++) {
			const struct spanring_span_record *span = &instance->rings[i].records[r].span;
			if (span->tail.type == SPANRING_RECORD_SPAN &&
			    strcmp(view_site_name(instance, span->tail.ref, text), name) == 0)
				return span;
		}
	return NULL;
}

const struct spanring_attribute_record *view_attribute(const struct view_instance *instance, uint64_t span_id,
                                                       const char *key) {
	char text[SPANRING_NAME_BYTES_MAX + 1];
	for (unsigned i = 0; i < instance->ring_count; i++)
		for (uint64_t r = 0; r < instance->rings[i].count; r++) {
			const struct spanring_attribute_record *attribute = &instance->rings[i].records[r].attribute;
			if (attribute->tail.type != SPANRING_RECORD_ATTRIBUTE || attribute->span_id != span_id)
				continue;
			(void)view_text(instance, attribute->tail.ref, text);
			if (strcmp(text, key) == 0)
				return attribute;
		}
	return NULL;
}

size_t view_string_value(const struct view_instance *instance, const struct spanring_attribute_record *attribute,
                         char *ret_value) {
	const union spanring_record *record = (const void *)attribute;
	size_t bytes = attribute->string_bytes;
	size_t used = bytes < SPANRING_ATTRIBUTE_INLINE_BYTES ? bytes : SPANRING_ATTRIBUTE_INLINE_BYTES;
	(void)instance;
	assert_true(bytes <= SPANRING_STRING_VALUE_MAX);
	memcpy(ret_value, attribute->value, used);
	for (unsigned i = 0; i < spanring_continuation_count((uint32_t)bytes); i++) {
		size_t part = bytes - used < SPANRING_CONTINUATION_BYTES ? bytes - used : SPANRING_CONTINUATION_BYTES;
		record++;
		assert_int_equal(record->continuation.tail.type, SPANRING_RECORD_CONTINUATION);
		memcpy(ret_value + used, record->continuation.bytes, part);
		used += part;
	}
	assert_int_equal(used, bytes);
	return bytes;
}

struct scratch view_scratch;

int view_set_up(void **state) {
	(void)state;
	scratch_make(&view_scratch);
	return 0;
}

int view_tear_down(void **state) {
	(void)state;
	scratch_remove(&view_scratch);
	return 0;
}

void view_renew(void) {
	scratch_remove(&view_scratch);
	scratch_make(&view_scratch);
}

pid_t view_run(const char *directory, void (*scenario)(void), enum view_leave leave) {
	int status;
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		setenv("SPANRING_DIR", directory, 1);
		scenario();
		if (leave == VIEW_EXIT)
			exit(0);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	return pid;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"
#include "proc_text.h"
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STAT_START_TIME_FIELD 22
#define SERVICE_KEY "service.name"

static int hex_digit(char c) {
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static void fill_boot_id(uint8_t ret_boot_id[16]) {
	char text[64];
	unsigned nibbles = 0;
	(void)proc_text_read("/proc/sys/kernel/random/boot_id", text, sizeof(text));
	for (const char *at = text; *at && nibbles < 32; at++) {
		int digit = hex_digit(*at);
		if (digit < 0)
			continue;
		ret_boot_id[nibbles / 2] = (uint8_t)(ret_boot_id[nibbles / 2] << 4 | digit);
		nibbles++;
	}
}

/* The second field is a name in parentheses that may hold anything, also ") ": the fields count from its last one. */
static uint64_t start_time(void) {
	char text[512];
	if (proc_text_read("/proc/self/stat", text, sizeof(text)) <= 0)
		return 0;
	const char *at = strrchr(text, ')');
	for (int field = 2; at && field < STAT_START_TIME_FIELD; field++) {
		at = strchr(at, ' ');
		at = at ? at + 1 : NULL;
	}
	return at ? strtoull(at, NULL, 10) : 0;
}

static void fill_command(char *ret_command, size_t bytes) {
	ssize_t length = proc_text_read("/proc/self/cmdline", ret_command, bytes);
	for (ssize_t i = 0; i + 1 < length; i++)
		if (ret_command[i] == '\0')
			ret_command[i] = ' ';
}

static void copy_text(char *ret_text, size_t bytes, const char *text, size_t text_bytes) {
	size_t kept = text_bytes < bytes - 1 ? text_bytes : bytes - 1;
	memcpy(ret_text, text, kept);
	ret_text[kept] = '\0';
}

static void copy_percent_decoded(char *ret_text, size_t bytes, const char *text, size_t text_bytes) {
	size_t used = 0;
	for (size_t i = 0; i < text_bytes && used < bytes - 1; i++) {
		char c = text[i];
		if (c == '%' && i + 2 < text_bytes && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			i += 2;
		}
		ret_text[used++] = c;
	}
	ret_text[used] = '\0';
}

static size_t trimmed(const char **text, size_t bytes) {
	while (bytes > 0 && (**text == ' ' || **text == '\t')) {
		(*text)++;
		bytes--;
	}
	while (bytes > 0 && ((*text)[bytes - 1] == ' ' || (*text)[bytes - 1] == '\t'))
		bytes--;
	return bytes;
}

/* Decoded, but for bytes that would break the list. Length, at most `room`; room + 1 if it does not fit. */
static size_t copy_resource_value(char *ret_text, size_t room, const char *text, size_t text_bytes) {
	size_t used = 0;
	for (size_t i = 0; i < text_bytes && used <= room; i++) {
		char c = text[i];
		size_t step = 1;
		if (c == '%' && i + 2 < text_bytes && hex_digit(text[i + 1]) >= 0 && hex_digit(text[i + 2]) >= 0) {
			c = (char)(hex_digit(text[i + 1]) * 16 + hex_digit(text[i + 2]));
			step = 3;
		}
		bool keep = step == 3 && (c == ',' || c == '%' || (uint8_t)c < 0x20 || c == 0x7f);
		size_t bytes = keep ? step : 1;
		if (bytes > room - used)
			return room + 1;
		memcpy(ret_text + used, keep ? text + i : &c, bytes);
		used += bytes;
		i += step - 1;
	}
	return used;
}

/* One pair behind those that are there; false if it is none or does not fit. */
static bool add_resource(char *text, size_t bytes, size_t *used, const char *pair, size_t pair_bytes) {
	const char *equals = memchr(pair, '=', pair_bytes);
	if (!equals)
		return false;
	const char *key = pair;
	size_t key_bytes = trimmed(&key, (size_t)(equals - pair));
	const char *value = equals + 1;
	size_t value_bytes = trimmed(&value, pair_bytes - (size_t)(equals + 1 - pair));
	size_t comma = *used > 0;
	size_t room = bytes - 1 - *used;
	if (key_bytes == 0 || room < comma || key_bytes >= room - comma)
		return false;
	char *at = text + *used + comma;
	room -= comma + key_bytes + 1;
	size_t copied = copy_resource_value(at + key_bytes + 1, room, value, value_bytes);
	if (copied > room) {
		text[*used] = '\0';
		return false;
	}
	memcpy(at, key, key_bytes);
	at[key_bytes] = '=';
	if (comma)
		text[*used] = ',';
	*used += comma + key_bytes + 1 + copied;
	text[*used] = '\0';
	return true;
}

static void fill_resource(struct spanring_process_header *header) {
	size_t used = 0;
	for (const char *at = getenv("OTEL_RESOURCE_ATTRIBUTES"); at && *at;) {
		size_t pair_bytes = strcspn(at, ",");
		if (!add_resource(header->resource, sizeof(header->resource), &used, at, pair_bytes))
			header->resource_left_out++;
		at += pair_bytes;
		if (*at == ',')
			at++;
	}
}

/* key=value,key=value, values percent-encoded. */
static bool service_from_resource(const char *attributes, char *ret_service, size_t bytes) {
	for (const char *at = attributes; at && *at;) {
		size_t pair_bytes = strcspn(at, ",");
		const char *equals = memchr(at, '=', pair_bytes);
		if (equals) {
			const char *key = at;
			size_t key_bytes = trimmed(&key, (size_t)(equals - at));
			const char *value = equals + 1;
			size_t value_bytes = trimmed(&value, pair_bytes - (size_t)(equals + 1 - at));
			if (key_bytes == sizeof(SERVICE_KEY) - 1 && memcmp(key, SERVICE_KEY, key_bytes) == 0 &&
			    value_bytes) {
				copy_percent_decoded(ret_service, bytes, value, value_bytes);
				return true;
			}
		}
		at += pair_bytes;
		if (*at == ',')
			at++;
	}
	return false;
}

static void fill_service(struct spanring_process_header *header) {
	const char *name = getenv("OTEL_SERVICE_NAME");
	if (!name || !*name) {
		if (service_from_resource(getenv("OTEL_RESOURCE_ATTRIBUTES"), header->service, sizeof(header->service)))
			return;
		const char *slash = strrchr(header->executable, '/');
		name = slash ? slash + 1 : header->executable;
	}
	copy_text(header->service, sizeof(header->service), name, strlen(name));
}

void spanring__identity_fill(struct spanring_process_header *header) {
	struct stat status;
	header->pid = (uint32_t)getpid();
	header->ppid = (uint32_t)getppid();
	header->uid = (uint32_t)geteuid();
	header->flags |= SPANRING_PROCESS_HAS_UID;
	header->pid_namespace = stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
	header->start_time = start_time();
	fill_boot_id(header->boot_id);
	ssize_t length = readlink("/proc/self/exe", header->executable, sizeof(header->executable) - 1);
	header->executable[length > 0 ? length : 0] = '\0';
	fill_command(header->command, sizeof(header->command));
	fill_service(header);
	fill_resource(header);
}

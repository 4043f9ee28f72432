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
	header->pid_namespace = stat("/proc/self/ns/pid", &status) == 0 ? status.st_ino : 0;
	header->start_time = start_time();
	fill_boot_id(header->boot_id);
	ssize_t length = readlink("/proc/self/exe", header->executable, sizeof(header->executable) - 1);
	header->executable[length > 0 ? length : 0] = '\0';
	fill_command(header->command, sizeof(header->command));
	fill_service(header);
}

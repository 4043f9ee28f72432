/* SPDX-License-Identifier: Apache-2.0 */
#include "metrics_address.h"

#include "base/errs.h"

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PORT_DIGITS_MAX 5u

static int parse_port(const char *text, uint16_t *ret_port) {
	size_t digits = strspn(text, "0123456789");
	unsigned long port = strtoul(text, NULL, 10);
	if (digits == 0 || digits > PORT_DIGITS_MAX || text[digits] != '\0' || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = (uint16_t)port;
	return 0;
}

static int parse_unix(const char *path, struct metrics_address *ret_address, const char **ret_why) {
	size_t bytes = strlen(path);
	*ret_why = path[0] != '/' ? "give a path from \"/\" on behind unix:" : "a socket's path has at most 107 bytes";
	if (path[0] != '/' || bytes >= sizeof(ret_address->path))
		return -EINVAL;
	memcpy(ret_address->path, path, bytes + 1);
	ret_address->kind = METRICS_ADDRESS_UNIX;
	return 0;
}

/* What stands before the last colon, without brackets. */
static int parse_ip(const char *text, size_t bytes, struct metrics_address *ret_address) {
	static const uint8_t loopback[16] = {[15] = 1};
	char host[INET6_ADDRSTRLEN];
	bool is_ipv6 = bytes > 2 && text[0] == '[' && text[bytes - 1] == ']';
	text += is_ipv6;
	bytes -= is_ipv6 ? 2 : 0;
	if (bytes >= sizeof(host))
		return -EINVAL;
	memcpy(host, text, bytes);
	host[bytes] = '\0';
	if (inet_pton(is_ipv6 ? AF_INET6 : AF_INET, host, ret_address->ip) != 1)
		return -EINVAL;
	ret_address->kind = is_ipv6 ? METRICS_ADDRESS_IPV6 : METRICS_ADDRESS_IPV4;
	bool is_here = is_ipv6 ? memcmp(ret_address->ip, loopback, sizeof(loopback)) == 0 : ret_address->ip[0] == 127;
	return is_here ? 0 : -EADDRNOTAVAIL;
}

int metrics_address_parse(const char *text, struct metrics_address *ret_address, const char **ret_why) {
	struct metrics_address address = {.kind = METRICS_ADDRESS_NONE};
	const char *colon = strrchr(text, ':');
	int rc = 0;
	if (strncmp(text, "unix:", 5) == 0)
		rc = parse_unix(text + 5, &address, ret_why);
	else if (strcmp(text, METRICS_ADDRESS_OFF) != 0) {
		*ret_why = "give off, unix:/PATH, 127.0.0.1:PORT or [::1]:PORT";
		rc = colon ? parse_ip(text, (size_t)(colon - text), &address) : -EINVAL;
		if (rc == -EADDRNOTAVAIL)
			*ret_why = "only this machine may ask: give 127.0.0.1:PORT, [::1]:PORT or unix:/PATH";
		if (rc == 0)
			rc = parse_port(colon + 1, &address.port);
	}
	if (rc == 0 && strlen(text) >= METRICS_ADDRESS_BYTES)
		rc = -EINVAL;
	if (rc < 0)
		return -EINVAL;
	*ret_address = address;
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Where metrics are served: the option `metrics`, as text and taken apart. Only this machine can be meant. */
#ifndef SPANRING_AGENT_METRICS_ADDRESS_H
#define SPANRING_AGENT_METRICS_ADDRESS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

#define METRICS_ADDRESS_BYTES 128u
#define METRICS_ADDRESS_OFF "off"

enum metrics_address_kind { METRICS_ADDRESS_NONE, METRICS_ADDRESS_UNIX, METRICS_ADDRESS_IPV4, METRICS_ADDRESS_IPV6 };

struct metrics_address {
	enum metrics_address_kind kind;
	char path[sizeof(((struct sockaddr_un *)NULL)->sun_path)];
	uint8_t ip[16]; /* the first 4 or all, as on the wire */
	uint16_t port;  /* 0: the kernel chooses one */
};

/*
 * "off", "unix:/path", "127.0.0.1:9464" (any 127.x.x.x), "[::1]:9464". 0, or -EINVAL and in ret_why (a literal) what to give
 * instead.
 */
int metrics_address_parse(const char *text, struct metrics_address *ret_address, const char **ret_why);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The other end of the status socket: for those who ask the agent of a ring directory. */
#ifndef SPANRING_AGENT_STATUS_ASK_H
#define SPANRING_AGENT_STATUS_ASK_H

#include <stddef.h>
#include <stdint.h>

#define STATUS_ASK_BYTES_MAX (1u << 20)
#define STATUS_ASK_NS UINT64_C(5000000000) /* a patient asker waits so long */

/* Connected; an answer comes within timeout_ns or read fails with EAGAIN. -ENOENT, -ECONNREFUSED: there is no agent. */
int status_connect(const char *rings, uint64_t timeout_ns, int *ret_fd);

/*
 * The document, the caller's to free, ending in a zero. 0, as status_connect, -ETIMEDOUT, ERR_DAMAGED: it was cut off, or
 * another error.
 */
int status_ask(const char *rings, uint64_t timeout_ns, char **ret_text, size_t *ret_bytes);

#endif

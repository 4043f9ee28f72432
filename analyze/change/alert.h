/* SPDX-License-Identifier: Apache-2.0 */
/* Tell somebody else that a check failed: by HTTP, or by a command that gets the same text. Both have ALERT_TIMEOUT_NS, connection and all. */
#ifndef SPANRING_ANALYZE_ALERT_H
#define SPANRING_ANALYZE_ALERT_H

#include <stddef.h>
#include <stdint.h>

#define ALERT_TIMEOUT_NS (UINT64_C(5) * 1000000000)
#define ALERT_WHY_BYTES 160u

/* POST body, which is JSON, to http://HOST[:PORT]/PATH. 0 when the answer is 2xx; else -1, and why in one line. */
int alert_post(const char *url, const char *body, size_t bytes, char ret_why[ALERT_WHY_BYTES]);
/* Run a command of the shell with body on its standard input; its output is ours on standard error. 0 when it exits with 0. */
int alert_run(const char *command, const char *body, size_t bytes, char ret_why[ALERT_WHY_BYTES]);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPANRING_AGENT_SANDBOX_FILTER_H
#define SPANRING_AGENT_SANDBOX_FILTER_H

/* The system call filter of sandbox.h, for every thread of this process. After PR_SET_NO_NEW_PRIVS. 0 or negative errno. */
int sandbox_filter_install(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Survive a mapped file that its owner cuts short. A file in a ring directory cannot be sealed, so a load from, or a
 * store to, its mapping may raise SIGBUS at any time. Such accesses run inside fault_guard_run, which turns that signal
 * into ERR_GONE. A SIGBUS anywhere else keeps its meaning: the guard hides no fault of our own.
 */
#ifndef SPANRING_LIBSHM_FAULT_GUARD_H
#define SPANRING_LIBSHM_FAULT_GUARD_H

#include <stddef.h>

/* Once per process, before the first run. 0 or negative errno. */
int fault_guard_install(void);

/* Call touch(context), which reaches into [base, base + bytes) only. 0, or ERR_GONE if the file is no longer behind it.
 */
int fault_guard_run(const void *base, size_t bytes, void (*touch)(void *context), void *context);

#endif

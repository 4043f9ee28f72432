/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every look that the code under test takes at a shared file, one by one: while the trap is armed, shared mappings of files are made without
 * any right in their first two pages, so that each load and store faults, is noted, is run alone (the processor's trap flag) and is shut out again; and each
 * shared_file_read is noted when it is done. After each of them the hook runs, and may change the files under the reader's feet through a
 * mapping that was made before.
 *
 * The program is linked with --wrap=mmap,--wrap=munmap,--wrap=shared_file_read,--wrap=fault_guard_run. For x86-64; elsewhere ACCESS_TRAP_POSSIBLE is 0. Not
 * under ThreadSanitizer, whose runtime does the loads.
 */
#ifndef SPANRING_TESTS_SUPPORT_ACCESS_TRAP_H
#define SPANRING_TESTS_SUPPORT_ACCESS_TRAP_H

#include "sanitizer.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#if defined(__x86_64__) && !SANITIZER_THREAD
#define ACCESS_TRAP_POSSIBLE 1
#else
#define ACCESS_TRAP_POSSIBLE 0
#endif

struct access_trap_look {
	ino_t file;
	uint64_t offset;
	uint64_t bytes; /* 0: a load or store that begins there */
	bool is_store;
};

/* hook may be NULL; it runs in a signal handler. */
void access_trap_arm(void (*hook)(void *context), void *context);
void access_trap_disarm(void);

/* Since access_trap_arm or access_trap_forget. */
const struct access_trap_look *access_trap_looks(uint32_t *ret_count);
void access_trap_forget(void);

#endif

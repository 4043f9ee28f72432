/* SPDX-License-Identifier: Apache-2.0 */
/* The clocks of the programs, in nanoseconds. Monotonic unless the name says wall. */
#ifndef SPANRING_BASE_CLOCK_H
#define SPANRING_BASE_CLOCK_H

#include <stdint.h>

#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)
#define NS_PER_S UINT64_C(1000000000)

uint64_t clock_monotonic_ns(void);
uint64_t clock_wall_ns(void);
uint64_t clock_process_cpu_ns(void);
uint64_t clock_thread_cpu_ns(void);

/* 16 bytes that are random per boot (/proc/sys/kernel/random/boot_id); 0 or negative errno. */
int clock_boot_id(uint8_t ret_boot_id[16]);

#endif

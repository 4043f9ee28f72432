/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which cores there are, and how far they are from each other. On a virtual machine the distance changes while one
 * looks (the host moves its virtual processors), and with it every figure in which another core reads the ring; so each
 * benchmark prints the ping-pong from before and after itself.
 */
#ifndef SPANRING_BENCH_TOPOLOGY_H
#define SPANRING_BENCH_TOPOLOGY_H

#include <stdint.h>
#include <sys/types.h>

#define TOPOLOGY_NO_CORE (-1)

uint32_t topology_core_count(void);

/* The first and the last core that this process may use; the last is TOPOLOGY_NO_CORE if there is one only. */
void topology_pair(int *ret_first, int *ret_last);

/* Bind the calling thread (and the programs it starts) to one core. 0 or negative errno. */
int topology_pin(int core);

/*
 * Round trip of one cache line between two cores, ns; NaN if there are no two. Fewer rounds where they take so long that
 * the machine must be doing something else.
 */
#define TOPOLOGY_PING_PONG_ROUNDS 100000u
double topology_ping_pong_ns(uint32_t rounds);

#endif

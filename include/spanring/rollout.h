/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Deterministic rollout: do something for a share of all keys (users, tenants, requests), the same ones everywhere.
 *
 *     if (spanring_rollout_text("verbose-orders", tenant, 0.05))       // 5 % of the tenants, always these
 *         SPANRING_SET_STRING(span, "order.items", list);
 *
 * The answer depends on the name of the rollout, the bytes of the key and the share, and on nothing else: not on process, machine,
 * time or version of this library. Raising the share only adds keys; one that is in stays in. Two rollouts with different names
 * choose independently.
 *
 * THE HASH, so that programs in other languages agree; it does not change:
 *
 *     point  = XXH64(key, seed = XXH64(name, seed = 0))                unsigned, 64 bits; the published algorithm
 *     chosen = (point >> 11) < floor(share * 2^53)                     a share of 1 or more chooses all, 0, less or NaN none
 *
 *     name             key           point
 *     ""               ""            a258d6ec1fb5d95c
 *     "verbose-orders" "tenant-1"    b8ce56444f28402c
 *     "verbose-orders" "tenant-2"    1ca28c8df87f7c05
 *
 * Pure functions: no state, no allocation, no system call, any thread, also in a signal handler. A hash is no protection
 * against people who choose their keys so as to be chosen.
 */
#ifndef SPANRING_ROLLOUT_H
#define SPANRING_ROLLOUT_H

#include <spanring/export.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

SPANRING_EXTERN_C_BEGIN

/* Is this key among the share (0 to 1) of all keys? name and key may be NULL, which is as good as empty. */
SPANRING_API bool spanring_rollout(const char *name, const void *key, size_t key_bytes, double share);

/* The same for a key that ends in a zero. */
SPANRING_API bool spanring_rollout_text(const char *name, const char *key, double share);

/* Where the key lies among all keys; uniform. For a choice among more than two. */
SPANRING_API uint64_t spanring_rollout_point(const char *name, const void *key, size_t key_bytes);

SPANRING_EXTERN_C_END

#endif

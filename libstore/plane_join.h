/* SPDX-License-Identifier: Apache-2.0 */
/* Byte planes back to integers: planes[p][i] is byte p of values[i]; the bytes above the last plane are 0. */
#ifndef SPANRING_LIBSTORE_PLANE_JOIN_H
#define SPANRING_LIBSTORE_PLANE_JOIN_H

#include <stdint.h>

#define PLANES_MAX 8u

/* At most 8 planes; planes and values do not overlap, and none needs to be aligned. */
void plane_join_u64(const uint8_t *const *planes, unsigned plane_count, uint64_t *values, uint32_t count);
/* At most 4. */
void plane_join_u32(const uint8_t *const *planes, unsigned plane_count, uint32_t *values, uint32_t count);

#endif

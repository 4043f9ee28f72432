/* SPDX-License-Identifier: Apache-2.0 */
/* XXH64, the checksum of the store format. Parts are chained: the sum of one part is the seed of the next. */
#ifndef SPANRING_LIBSTORE_CHECKSUM_H
#define SPANRING_LIBSTORE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

uint64_t checksum64(const void *data, size_t bytes, uint64_t seed);

#endif

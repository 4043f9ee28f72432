/* SPDX-License-Identifier: Apache-2.0 */
/* Bins of a rollup against any bytes: what is accepted is sound, and is written again as it was read. */
#include "libstore/rollup.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
	static struct store_rollup_bin bins[ROLLUP_BINS_MAX];
	static uint8_t bytes[ROLLUP_BINS_BYTES_MAX];
	struct store_rollup_total total = {.bins = bins};
	uint64_t sum = 0;
	if (rollup_decode_bins(data, size, bins, &total.bin_count, &sum))
		return 0;
	total.count = sum;
	if (store_rollup_total_check(&total))
		abort();
	if (rollup_encode_bins(bins, total.bin_count, bytes) != size || (size && memcmp(bytes, data, size) != 0))
		abort();
	return 0;
}

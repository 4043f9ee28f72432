/* SPDX-License-Identifier: Apache-2.0 */
#include "preset.h"

#include <spanring/ring_abi.h>

const char *const preset_names[] = {[PRESET_DEFAULT] = "default",
                                    [PRESET_HIGH_THROUGHPUT] = "high-throughput",
                                    [PRESET_LOW_LATENCY] = "low-latency",
                                    [PRESET_BALANCED] = "balanced",
                                    [PRESET_HIGH_PERFORMANCE] = "high-performance",
                                    NULL};

static const char *const values[PRESET_COUNT][OPTIONS_COUNT] = {
    [PRESET_HIGH_THROUGHPUT] =
        {[OPTIONS_BATCH_SIZE] = "1000", [OPTIONS_FLUSH_INTERVAL] = "2s", [OPTIONS_MAX_WAIT] = "10s"},
    [PRESET_LOW_LATENCY] =
        {[OPTIONS_BATCH_SIZE] = "100", [OPTIONS_FLUSH_INTERVAL] = "500ms", [OPTIONS_MAX_WAIT] = "5s"},
    [PRESET_BALANCED] = {[OPTIONS_BATCH_SIZE] = "512",
                         [OPTIONS_FLUSH_INTERVAL] = "5s",
                         [OPTIONS_MAX_WAIT] = "30s",
                         [OPTIONS_RATIO] = "0.01"},
    [PRESET_HIGH_PERFORMANCE] = {[OPTIONS_BATCH_SIZE] = "2000",
                                 [OPTIONS_FLUSH_INTERVAL] = "5s",
                                 [OPTIONS_MAX_WAIT] = "30s",
                                 [OPTIONS_RATIO] = "0.001"},
};

static const uint32_t queues[PRESET_COUNT] = {[PRESET_HIGH_THROUGHPUT] = 5000,
                                              [PRESET_LOW_LATENCY] = 1000,
                                              [PRESET_BALANCED] = 2048,
                                              [PRESET_HIGH_PERFORMANCE] = 10000};

const char *preset_value(enum preset_id preset, enum options_id id) {
	return values[preset][id];
}

uint32_t preset_queue_records(enum preset_id preset) {
	return queues[preset];
}

uint64_t preset_ring_bytes(enum preset_id preset) {
	uint64_t bytes = SPANRING_RING_BYTES_MIN;
	while (bytes / SPANRING_RECORD_BYTES < queues[preset])
		bytes *= 2;
	return queues[preset] ? bytes : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Named sets of values, after OpenTelemetry's batch processor: its queue, batch, delay and timeout become here
 *
 *     batch size   batch-size
 *     delay        flush-interval
 *     timeout      max-wait
 *     ratio        ratio
 *     queue        records that a ring must hold; the ring is the program's own choice (SPANRING_RING_BYTES), and the default ring
 *                  holds more than any of them
 *
 * What is set in any other way goes before a preset, wherever the preset was named.
 */
#ifndef SPANRING_AGENT_PRESET_H
#define SPANRING_AGENT_PRESET_H

#include "options.h"

enum preset_id {
	PRESET_DEFAULT,
	PRESET_HIGH_THROUGHPUT,
	PRESET_LOW_LATENCY,
	PRESET_BALANCED,
	PRESET_HIGH_PERFORMANCE,
	PRESET_COUNT
};

/* By number; ends in NULL. */
extern const char *const preset_names[];

/* What the preset says of an option, NULL: nothing. */
const char *preset_value(enum preset_id preset, enum options_id id);

/* Records that each ring should hold; 0: no wish. */
uint32_t preset_queue_records(enum preset_id preset);
/* SPANRING_RING_BYTES of the smallest ring that holds them; 0: no wish. */
uint64_t preset_ring_bytes(enum preset_id preset);

#endif

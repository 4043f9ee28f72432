/* SPDX-License-Identifier: Apache-2.0 */
/* What a span carries, for a span of either kind: on its thread's stack, or in a slot that all threads share. */
#ifndef SPANRING_LIBSHM_WRITER_ATTRIBUTES_H
#define SPANRING_LIBSHM_WRITER_ATTRIBUTES_H

#include "ring_writer.h"

struct spanring__place {
	struct spanring__thread *self;  /* whose ring takes the records */
	struct spanring_open_span *top; /* of its stack, taken: to be given back */
	struct spanring_open_span *entry;
	uint32_t event_index; /* 0: the span's own attributes; else those of that event */
	bool is_shared;       /* other threads may count at this entry, too */
};

void spanring__place_number(const struct spanring__place *place, struct spanring_key *key, uint8_t value_type,
                            uint64_t value);
void spanring__place_bytes(const struct spanring__place *place, struct spanring_key *key, const void *value,
                           uint64_t value_bytes);
void spanring__place_attributes(const struct spanring__place *place, const struct spanring_attribute *attributes,
                                uint32_t count);
void spanring__place_event(struct spanring__place *place, struct spanring_key *name,
                           const struct spanring_attribute *attributes, uint32_t count);
void spanring__place_link(const struct spanring__place *place, const struct spanring_context *linked);
void spanring__place_status(const struct spanring__place *place, enum spanring_status status, const char *description);

#endif

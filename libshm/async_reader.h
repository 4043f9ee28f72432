/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The async file of a program (spanring/async_abi.h), read with the same distrust and the same results as ring_reader.h: the header
 * is checked once, slots are mapped read-only, touched under the fault guard, copied, and judged by the copy.
 */
#ifndef SPANRING_LIBSHM_ASYNC_READER_H
#define SPANRING_LIBSHM_ASYNC_READER_H

#include <spanring/async_abi.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct async_reader {
	int fd;
	const uint8_t *file; /* mapped, hostile */
	uint64_t mapped_bytes;
	uint32_t slot_count; /* as last seen; never back */
};

/* 0, ERR_FOREIGN, ERR_NEWER, ERR_DAMAGED, -ENOENT (no async span yet) or a system error. */
int async_reader_open(int directory_fd, const uint8_t instance[SPANRING_INSTANCE_BYTES], uid_t uid,
                      struct async_reader *ret_reader);
void async_reader_close(struct async_reader *reader);

/* Look for new slots. 0, ERR_DAMAGED, ERR_GONE or a system error. */
int async_reader_renew(struct async_reader *reader);

/* How many of these slots hold a span that is open or about to end. */
int async_reader_count(const struct async_reader *reader, uint32_t first, uint32_t count, uint32_t *ret_open);

/*
 * Copy these slots. The generation is left out of `state`; a slot that a living program did not leave alone for long enough is
 * given as FREE.
 */
int async_reader_copy(const struct async_reader *reader, uint32_t first, uint32_t count,
                      struct spanring_async_slot *ret_slots);

/* Could that have been an open span with a record to come? */
bool async_reader_is_sound(const struct spanring_open_span *span);

#endif

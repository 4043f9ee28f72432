/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of integers as byte planes, each plane constant, raw or one zstd frame. The only file that knows zstd.
 *
 *     stream := planes:u8 plane[planes]           planes = 0 .. 8; plane p holds byte p (from the lowest) of each
 *                                                 value; bytes above the last plane are 0
 *     plane  := 0 value:u8                        all bytes are `value`
 *             | 1 byte[n]                         raw
 *             | 2 bytes:u32 frame[bytes]          a zstd frame that decompresses to exactly n bytes
 *
 * The number n of values is known from elsewhere: nothing is allocated or trusted by what a stream says. A stream
 * of 0 values has 0 planes.
 */
#ifndef SPANRING_LIBSTORE_PLANE_H
#define SPANRING_LIBSTORE_PLANE_H

#include "format.h"

#include <stdbool.h>
#include <stdint.h>

struct plane_writer;

int plane_writer_new(struct plane_writer **ret_writer);
void plane_writer_free(struct plane_writer *writer);
/* Output goes to [at, end). The caller's buffer holds the worst case, so that no put can fail. */
void plane_writer_start(struct plane_writer *writer, uint8_t *at, const uint8_t *end);
uint8_t *plane_writer_at(const struct plane_writer *writer);
void plane_put_byte(struct plane_writer *writer, uint8_t value);
void plane_put_count(struct plane_writer *writer, uint32_t value);
/* count is at most BATCH_SPANS_MAX */
void plane_put_u64(struct plane_writer *writer, const uint64_t *values, uint32_t count);
void plane_put_u32(struct plane_writer *writer, const uint32_t *values, uint32_t count);
void plane_put_u8(struct plane_writer *writer, const uint8_t *values, uint32_t count);
/* One plane without a stream around it; bytes is at most BATCH_TEXT_BYTES_MAX. */
void plane_put_bytes(struct plane_writer *writer, const uint8_t *data, uint32_t bytes);

struct plane_reader;

int plane_reader_new(struct plane_reader **ret_reader);
void plane_reader_free(struct plane_reader *reader);
void plane_reader_start(struct plane_reader *reader, const uint8_t *at, uint32_t bytes);
/* Each 0, ERR_DAMAGED, or ERR_NEWER for a codec of planes that this build does not know. */
int plane_get_byte(struct plane_reader *reader, uint8_t *ret_value);
int plane_get_count(struct plane_reader *reader, uint32_t *ret_value);
int plane_get_u64(struct plane_reader *reader, uint64_t *values, uint32_t count);
/* 64-bit values as two halves of 32 bits; *ret_any_high: high was written, else all of it would be 0. */
int plane_get_halves(struct plane_reader *reader, uint32_t *low, uint32_t *high, bool *ret_any_high, uint32_t count);
int plane_get_u32(struct plane_reader *reader, uint32_t *values, uint32_t count);
int plane_get_u8(struct plane_reader *reader, uint8_t *values, uint32_t count);
int plane_get_bytes(struct plane_reader *reader, uint8_t *data, uint32_t bytes);
/* ERR_DAMAGED if bytes are left. */
int plane_reader_finish(const struct plane_reader *reader);

#endif

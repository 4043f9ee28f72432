/* SPDX-License-Identifier: Apache-2.0 */
#include "plane.h"
#include "plane_join.h"

#include "base/errs.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#define ZSTD_LEVEL 1

_Static_assert(BATCH_ATTRIBUTES_MAX <= BATCH_SPANS_MAX && BATCH_EVENTS_MAX <= BATCH_SPANS_MAX,
               "planes fit the scratch");

struct plane_writer {
	ZSTD_CCtx *zstd;
	uint8_t *at;
	const uint8_t *end;
	uint8_t plane[BATCH_SPANS_MAX];
};

int plane_writer_new(struct plane_writer **ret_writer) {
	struct plane_writer *writer = malloc(sizeof(*writer));
	if (!writer)
		return -ENOMEM;
	writer->zstd = ZSTD_createCCtx();
	if (!writer->zstd) {
		free(writer);
		return -ENOMEM;
	}
	*ret_writer = writer;
	return 0;
}

void plane_writer_free(struct plane_writer *writer) {
	if (!writer)
		return;
	(void)ZSTD_freeCCtx(writer->zstd);
	free(writer);
}

void plane_writer_start(struct plane_writer *writer, uint8_t *at, const uint8_t *end) {
	writer->at = at;
	writer->end = end;
}

uint8_t *plane_writer_at(const struct plane_writer *writer) {
	return writer->at;
}

void plane_put_byte(struct plane_writer *writer, uint8_t value) {
	assert(writer->at < writer->end);
	*writer->at++ = value;
}

void plane_put_count(struct plane_writer *writer, uint32_t value) {
	assert(writer->end - writer->at >= (ptrdiff_t)sizeof(value));
	memcpy(writer->at, &value, sizeof(value));
	writer->at += sizeof(value);
}

static void put_raw(struct plane_writer *writer, const uint8_t *data, uint32_t bytes) {
	plane_put_byte(writer, FORMAT_PLANE_RAW);
	assert(writer->end - writer->at >= (ptrdiff_t)bytes);
	memcpy(writer->at, data, bytes);
	writer->at += bytes;
}

void plane_put_bytes(struct plane_writer *writer, const uint8_t *data, uint32_t bytes) {
	if (bytes && memcmp(data, data + 1, bytes - 1) == 0) {
		plane_put_byte(writer, FORMAT_PLANE_CONSTANT);
		plane_put_byte(writer, data[0]);
		return;
	}
	/*
	 * A frame must save 1/64, or the time to decode it is not worth it; zstd gives up by itself when it does
	 * not fit.
	 */
	size_t limit = bytes - bytes / 64;
	size_t header = 1 + sizeof(uint32_t);
	if (limit > header) {
		size_t size =
		    ZSTD_compressCCtx(writer->zstd, writer->at + header, limit - header, data, bytes, ZSTD_LEVEL);
		if (!ZSTD_isError(size)) {
			plane_put_byte(writer, FORMAT_PLANE_ZSTD);
			plane_put_count(writer, (uint32_t)size);
			writer->at += size;
			return;
		}
	}
	put_raw(writer, data, bytes);
}

static unsigned planes_of(uint64_t all_bits) {
	unsigned planes = 0;
	for (; all_bits; all_bits >>= 8)
		planes++;
	return planes;
}

void plane_put_u64(struct plane_writer *writer, const uint64_t *values, uint32_t count) {
	assert(count <= BATCH_SPANS_MAX);
	uint64_t all_bits = 0;
	for (uint32_t i = 0; i < count; i++)
		all_bits |= values[i];
	unsigned planes = planes_of(all_bits);
	plane_put_byte(writer, (uint8_t)planes);
	for (unsigned p = 0; p < planes; p++) {
		for (uint32_t i = 0; i < count; i++)
			writer->plane[i] = (uint8_t)(values[i] >> (8 * p));
		plane_put_bytes(writer, writer->plane, count);
	}
}

void plane_put_u32(struct plane_writer *writer, const uint32_t *values, uint32_t count) {
	assert(count <= BATCH_SPANS_MAX);
	uint32_t all_bits = 0;
	for (uint32_t i = 0; i < count; i++)
		all_bits |= values[i];
	unsigned planes = planes_of(all_bits);
	plane_put_byte(writer, (uint8_t)planes);
	for (unsigned p = 0; p < planes; p++) {
		for (uint32_t i = 0; i < count; i++)
			writer->plane[i] = (uint8_t)(values[i] >> (8 * p));
		plane_put_bytes(writer, writer->plane, count);
	}
}

void plane_put_u8(struct plane_writer *writer, const uint8_t *values, uint32_t count) {
	uint8_t all_bits = 0;
	for (uint32_t i = 0; i < count; i++)
		all_bits |= values[i];
	plane_put_byte(writer, all_bits ? 1 : 0);
	if (all_bits)
		plane_put_bytes(writer, values, count);
}

struct plane_reader {
	ZSTD_DCtx *zstd;
	const uint8_t *at;
	const uint8_t *end;
	uint8_t planes[PLANES_MAX][BATCH_SPANS_MAX];
};

int plane_reader_new(struct plane_reader **ret_reader) {
	struct plane_reader *reader = malloc(sizeof(*reader));
	if (!reader)
		return -ENOMEM;
	reader->zstd = ZSTD_createDCtx();
	if (!reader->zstd) {
		free(reader);
		return -ENOMEM;
	}
	*ret_reader = reader;
	return 0;
}

void plane_reader_free(struct plane_reader *reader) {
	if (!reader)
		return;
	(void)ZSTD_freeDCtx(reader->zstd);
	free(reader);
}

void plane_reader_start(struct plane_reader *reader, const uint8_t *at, uint32_t bytes) {
	reader->at = at;
	reader->end = at + bytes;
}

static size_t left(const struct plane_reader *reader) {
	return (size_t)(reader->end - reader->at);
}

int plane_get_byte(struct plane_reader *reader, uint8_t *ret_value) {
	if (left(reader) < 1)
		return ERR_DAMAGED;
	*ret_value = *reader->at++;
	return 0;
}

int plane_get_count(struct plane_reader *reader, uint32_t *ret_value) {
	if (left(reader) < sizeof(*ret_value))
		return ERR_DAMAGED;
	memcpy(ret_value, reader->at, sizeof(*ret_value));
	reader->at += sizeof(*ret_value);
	return 0;
}

static int get_frame(struct plane_reader *reader, uint8_t *data, uint32_t bytes) {
	uint32_t frame_bytes = 0;
	if (plane_get_count(reader, &frame_bytes) || frame_bytes > left(reader))
		return ERR_DAMAGED;
	size_t size = ZSTD_decompressDCtx(reader->zstd, data, bytes, reader->at, frame_bytes);
	if (ZSTD_isError(size) || size != bytes)
		return ERR_DAMAGED;
	reader->at += frame_bytes;
	return 0;
}

int plane_get_bytes(struct plane_reader *reader, uint8_t *data, uint32_t bytes) {
	uint8_t codec = 0;
	uint8_t value = 0;
	if (plane_get_byte(reader, &codec))
		return ERR_DAMAGED;
	switch (codec) {
	case FORMAT_PLANE_CONSTANT:
		if (plane_get_byte(reader, &value))
			return ERR_DAMAGED;
		memset(data, value, bytes);
		return 0;
	case FORMAT_PLANE_RAW:
		if (left(reader) < bytes)
			return ERR_DAMAGED;
		memcpy(data, reader->at, bytes);
		reader->at += bytes;
		return 0;
	case FORMAT_PLANE_ZSTD:
		return get_frame(reader, data, bytes);
	default:
		return ERR_NEWER;
	}
}

static int get_planes(struct plane_reader *reader, uint32_t count, unsigned planes_max, uint8_t *ret_planes) {
	assert(count <= BATCH_SPANS_MAX);
	if (plane_get_byte(reader, ret_planes) || *ret_planes > planes_max || (*ret_planes && !count))
		return ERR_DAMAGED;
	return 0;
}

/* Where the bytes of a plane are: in the column itself when they are raw, else in `room`. */
static int get_plane(struct plane_reader *reader, uint8_t *room, uint32_t count, const uint8_t **ret_plane) {
	if (left(reader) > count && reader->at[0] == FORMAT_PLANE_RAW) {
		*ret_plane = reader->at + 1;
		reader->at += 1 + (size_t)count;
		return 0;
	}
	*ret_plane = room;
	return plane_get_bytes(reader, room, count);
}

/* The planes of a stream, those that are not there as zeros. */
static int get_all_planes(struct plane_reader *reader, uint32_t count, unsigned planes_max, uint8_t *ret_planes,
                          const uint8_t *planes[PLANES_MAX]) {
	int error = get_planes(reader, count, planes_max, ret_planes);
	for (unsigned p = 0; p < *ret_planes && !error; p++)
		error = get_plane(reader, reader->planes[p], count, &planes[p]);
	return error;
}

int plane_get_u64(struct plane_reader *reader, uint64_t *values, uint32_t count) {
	const uint8_t *planes[PLANES_MAX];
	uint8_t plane_count = 0;
	int error = get_all_planes(reader, count, 8, &plane_count, planes);
	if (!error)
		plane_join_u64(planes, plane_count, values, count);
	return error;
}

int plane_get_halves(struct plane_reader *reader, uint32_t *low, uint32_t *high, bool *ret_any_high, uint32_t count) {
	const uint8_t *planes[PLANES_MAX];
	uint8_t plane_count = 0;
	int error = get_all_planes(reader, count, 8, &plane_count, planes);
	*ret_any_high = !error && plane_count > 4;
	if (error)
		return error;
	plane_join_u32(planes, plane_count > 4 ? 4 : plane_count, low, count);
	if (*ret_any_high)
		plane_join_u32(planes + 4, plane_count - 4u, high, count);
	return 0;
}

int plane_get_u32(struct plane_reader *reader, uint32_t *values, uint32_t count) {
	const uint8_t *planes[PLANES_MAX];
	uint8_t plane_count = 0;
	int error = get_all_planes(reader, count, 4, &plane_count, planes);
	if (!error)
		plane_join_u32(planes, plane_count, values, count);
	return error;
}

int plane_get_u8(struct plane_reader *reader, uint8_t *values, uint32_t count) {
	uint8_t planes = 0;
	int error = get_planes(reader, count, 1, &planes);
	if (error)
		return error;
	if (planes)
		return plane_get_bytes(reader, values, count);
	memset(values, 0, count);
	return 0;
}

int plane_reader_finish(const struct plane_reader *reader) {
	return left(reader) ? ERR_DAMAGED : 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "mutate.h"

#include <stdbool.h>
#include <string.h>

#define CHANGES_MAX 6u
#define PIECE_BYTES_MAX 64u

struct text {
	struct seed *seed;
	uint8_t *data;
	size_t size;
	size_t room;
};

static size_t below(struct text *text, size_t bound) {
	return (size_t)seed_below(text->seed, bound);
}

/* A piece at `at`, in place of what is there or before it; what finds no room is left out. */
static void put(struct text *text, size_t at, const uint8_t *piece, size_t size, bool insert) {
	size = size < text->room - at ? size : text->room - at;
	if (insert) {
		size_t rest = text->size - at < text->room - at - size ? text->size - at : text->room - at - size;
		memmove(text->data + at + size, text->data + at, rest);
		text->size = at + size + rest;
	} else if (at + size > text->size) {
		text->size = at + size;
	}
	memcpy(text->data + at, piece, size);
}

static void cut(struct text *text, size_t at, size_t size) {
	size = size < text->size - at ? size : text->size - at;
	memmove(text->data + at, text->data + at + size, text->size - at - size);
	text->size -= size;
}

static void change(struct text *text, const struct mutate_input *other) {
	static const uint8_t edges[] = {0, 1, 0x7f, 0x80, 0xff, '"', '\\', '%', '\n', '{', '[', '-', '0', '9'};
	uint8_t piece[PIECE_BYTES_MAX];
	size_t at = below(text, text->size + 1);
	size_t size = 1 + below(text, PIECE_BYTES_MAX);
	switch (seed_below(text->seed, 7)) {
	case 0:
		if (at < text->size)
			text->data[at] ^= (uint8_t)(1u << seed_below(text->seed, 8));
		break;
	case 1:
		put(text, at, &edges[seed_below(text->seed, sizeof(edges))], 1, seed_below(text->seed, 2));
		break;
	case 2:
		for (size_t i = 0; i < size; i++)
			piece[i] = (uint8_t)seed_next(text->seed);
		put(text, at, piece, 1 + below(text, 8), seed_below(text->seed, 2));
		break;
	case 3:
		cut(text, at, size);
		break;
	case 4: /* the same again */
		size = size < text->size - at ? size : text->size - at;
		memcpy(piece, text->data + at, size);
		put(text, at, piece, size, true);
		break;
	case 5:
		memset(piece, edges[seed_below(text->seed, sizeof(edges))], size);
		put(text, at, piece, size, seed_below(text->seed, 2));
		break;
	default:
		if (other->size) {
			size_t from = below(text, other->size);
			size = size < other->size - from ? size : other->size - from;
			put(text, at, other->data + from, size, seed_below(text->seed, 2));
		}
	}
}

size_t mutate(struct seed *seed, const struct mutate_input *inputs, size_t count, uint8_t *to, size_t room) {
	const struct mutate_input *first = &inputs[seed_below(seed, count)];
	struct text text = {seed, to, first->size < room ? first->size : room, room};
	memcpy(to, first->data, text.size);
	for (uint64_t changes = 1 + seed_below(seed, CHANGES_MAX); changes; changes--)
		change(&text, &inputs[seed_below(seed, count)]);
	return text.size;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Flame graphs for the programs of others: folded stacks and speedscope. */
#include "flame.h"

#include "base/cleanup.h"
#include "base/json.h"
#include "base/text.h"

#include <spanring/version.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* --- folded stacks ----------------------------------------------------------------------------------------------- */

static void print_frame(const struct flame *flame, const struct call_view *view, uint32_t at, FILE *out) {
	char text[CALL_KEY_TEXT_BYTES];
	char safe[CALL_KEY_TEXT_BYTES * 2];
	const char *name = call_key_text(view->keys, view->nodes[at].key, flame->strip, text);
	(void)text_printable(name, strlen(name), safe, sizeof(safe));
	for (const char *letter = safe; *letter; letter++)
		(void)fputc(*letter == ';' ? ':' : *letter, out);
}

static void print_stack(const struct flame *flame, const struct call_view *view, uint32_t at, FILE *out) {
	uint32_t path[CALL_DEPTH_MAX + 4];
	uint32_t count = 0;
	for (; at != 0; at = view->nodes[at].parent)
		path[count++] = at;
	while (count-- > 0) {
		print_frame(flame, view, path[count], out);
		if (count > 0)
			(void)fputc(';', out);
	}
}

/* With those of `before` that are not there any more. */
static int print_folded_change(const struct flame *flame, FILE *out) {
	const struct call_view *view = flame->view;
	const struct call_view *before = flame->before;
	bool *kept CLEANUP_FREE = calloc(before->node_count, sizeof(*kept));
	if (!kept)
		return -ENOMEM;
	for (uint32_t at = 1; at < view->node_count; at++) {
		uint32_t match = flame->matches[at];
		uint64_t was = match == FLAME_NO_MATCH ? 0 : before->nodes[match].own;
		if (match != FLAME_NO_MATCH)
			kept[match] = true;
		if (view->nodes[at].own == 0 && was == 0)
			continue;
		print_stack(flame, view, at, out);
		(void)fprintf(out, " %" PRIu64 " %" PRIu64 "\n", was, view->nodes[at].own);
	}
	for (uint32_t at = 1; at < before->node_count; at++) {
		if (kept[at] || before->nodes[at].own == 0)
			continue;
		print_stack(flame, before, at, out);
		(void)fprintf(out, " %" PRIu64 " 0\n", before->nodes[at].own);
	}
	return 0;
}

int flame_print_folded(const struct flame *flame, FILE *out) {
	if (flame->before)
		return print_folded_change(flame, out);
	for (uint32_t at = 1; at < flame->view->node_count; at++) {
		if (flame->view->nodes[at].own == 0)
			continue;
		print_stack(flame, flame->view, at, out);
		(void)fprintf(out, " %" PRIu64 "\n", flame->view->nodes[at].own);
	}
	return 0;
}

/* --- speedscope -------------------------------------------------------------------------------------------------- */

/* Frames are the keys, then those of no key: (other), (parent not stored). */
static uint64_t frame_of(const struct call_view *view, uint32_t key) {
	uint32_t keys = view->keys->key_count;
	return key < keys ? key : key == CALL_KEY_OTHER ? keys : (uint64_t)keys + 1;
}

static void print_frames(const struct flame *flame, struct json *json) {
	const struct call_keys *keys = flame->view->keys;
	char text[CALL_KEY_TEXT_BYTES];
	json_open(json, "frames", '[');
	for (uint32_t key = 0; key < keys->key_count + 2; key++) {
		uint32_t shown = key < keys->key_count    ? key
		                 : key == keys->key_count ? CALL_KEY_OTHER
		                                          : CALL_KEY_ABSENT;
		const char *file = call_key_file(keys, shown, flame->strip);
		json_open(json, NULL, '{');
		json_text(json, "name", call_key_text(keys, shown, flame->strip, text));
		if (keys->by != CALL_BY_NAME && file[0])
			json_text(json, "file", file);
		if (keys->by == CALL_BY_SITE && call_key_line(keys, shown))
			json_u64(json, "line", call_key_line(keys, shown));
		json_close(json);
	}
	json_close(json);
}

static void print_samples(const struct flame *flame, struct json *json) {
	const struct call_view *view = flame->view;
	json_open(json, "samples", '[');
	for (uint32_t at = 1; at < view->node_count; at++) {
		uint32_t path[CALL_DEPTH_MAX + 4];
		uint32_t count = 0;
		if (view->nodes[at].own == 0)
			continue;
		for (uint32_t node = at; node != 0; node = view->nodes[node].parent)
			path[count++] = node;
		json_open(json, NULL, '[');
		while (count-- > 0)
			json_u64(json, NULL, frame_of(view, view->nodes[path[count]].key));
		json_close(json);
	}
	json_close(json);
	json_open(json, "weights", '[');
	for (uint32_t at = 1; at < view->node_count; at++)
		if (view->nodes[at].own > 0)
			json_u64(json, NULL, view->nodes[at].own);
	json_close(json);
}

int flame_print_speedscope(const struct flame *flame, const char *name, FILE *out) {
	static const char *const units[] = {[CALL_VALUE_WALL] = "nanoseconds",
	                                    [CALL_VALUE_SELF] = "nanoseconds",
	                                    [CALL_VALUE_ALLOCATED] = "bytes",
	                                    [CALL_VALUE_CALLS] = "none"};
	struct json json = json_begin(out);
	json_open(&json, NULL, '{');
	json_text(&json, "$schema", "https://www.speedscope.app/file-format-schema.json");
	json_text(&json, "exporter", "spanring-analyze " SPANRING_VERSION_STRING);
	json_text(&json, "name", name);
	json_u64(&json, "activeProfileIndex", 0);
	json_open(&json, "shared", '{');
	print_frames(flame, &json);
	json_close(&json);
	json_open(&json, "profiles", '[');
	json_open(&json, NULL, '{');
	json_text(&json, "type", "sampled");
	json_text(&json, "name", flame_value_name(flame->value));
	json_text(&json, "unit", units[flame->value]);
	json_u64(&json, "startValue", 0);
	json_u64(&json, "endValue", flame->view->nodes[0].wide);
	print_samples(flame, &json);
	json_close(&json);
	json_close(&json);
	json_close(&json);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "why.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct named {
	const char *text;
	unsigned side;
	uint32_t id;
};

static int by_text(const void *a, const void *b) {
	return strcmp(((const struct named *)a)->text, ((const struct named *)b)->text);
}

/* Names of both stores get one number for each text. */
static int number_texts(struct why *why) {
	uint32_t counts[2];
	for (unsigned side = 0; side < 2; side++) {
		counts[side] = why->stores[side].latency.query.overview->name_count + 1;
		why->text_of[side] = calloc(counts[side], sizeof(uint32_t));
		why->wanted[side] = calloc(counts[side], 1);
		if (!why->text_of[side] || !why->wanted[side])
			return -ENOMEM;
	}
	size_t count = (size_t)counts[0] + counts[1];
	CLEANUP_FREE struct named *all = calloc(count, sizeof(*all));
	why->texts = calloc(count, sizeof(why->texts[0]));
	if (!all || !why->texts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++) {
		unsigned side = i >= counts[0];
		uint32_t id = (uint32_t)(side ? i - counts[0] : i);
		all[i] = (struct named){query_name_text(&why->stores[side].latency.query, id), side, id};
	}
	qsort(all, count, sizeof(*all), by_text);
	for (size_t i = 0; i < count; i++) {
		if (i == 0 || strcmp(all[i].text, all[i - 1].text) != 0)
			why->texts[why->text_count++] = all[i].text;
		why->text_of[all[i].side][all[i].id] = why->text_count - 1;
	}
	return 0;
}

static void want_glob(struct why *why, const char *glob) {
	for (unsigned side = 0; side < 2; side++)
		for (uint32_t id = 0; id <= why->stores[side].latency.query.overview->name_count; id++)
			why->wanted[side][id] = fnmatch(glob, why->texts[why->text_of[side][id]], 0) == 0;
	why->name = glob;
}

static int open_both(const struct context *context, struct why *why) {
	const char *const paths[2] = {context->options->store, context->options->store_after};
	struct options options = *context->options;
	struct context plain = *context;
	/* the name says what is asked about, not which spans are read */
	options.name = NULL;
	plain.options = &options;
	for (unsigned side = 0; side < 2; side++) {
		int code = change_open(&why->stores[side], &plain, paths[side]);
		if (code != EXIT_CODE_OK)
			return code;
	}
	return EXIT_CODE_OK;
}

static int work_out(struct why *why, const char *name) {
	int rc = number_texts(why);
	why->nodes = calloc(WHY_NODES_MAX, sizeof(why->nodes[0]));
	why->values = calloc(WHY_VALUES_MAX, sizeof(why->values[0]));
	why->node_slots = calloc((size_t)4 * WHY_NODES_MAX, sizeof(uint32_t));
	why->value_slots = calloc((size_t)4 * WHY_VALUES_MAX, sizeof(uint32_t));
	if (rc != 0 || !why->nodes || !why->values || !why->node_slots || !why->value_slots)
		return -ENOMEM;
	why->node_count = 1;
	if (name)
		want_glob(why, name);
	rc = why_read(why);
	return rc == 0 ? why_rank(why) : rc;
}

int why_find(const struct context *context, const char *name, bool is_tail, struct why *ret_why) {
	memset(ret_why, 0, sizeof(*ret_why));
	ret_why->is_tail = is_tail;
	int code = open_both(context, ret_why);
	if (code == EXIT_CODE_OK) {
		int rc = work_out(ret_why, name);
		if (rc == ERR_LIMIT) {
			log_error(&context->log,
			          "why: too many attributes are stored apart from their spans: narrow the "
			          "question with --since and --until");
			code = EXIT_CODE_FAILED;
		} else if (rc != 0) {
			code = command_failed(context, rc, "looking for causes");
		}
		for (unsigned side = 0; side < 2 && rc != 0; side++)
			code = query_finish(&ret_why->stores[side].latency.query, code);
	}
	if (code != EXIT_CODE_OK)
		why_done(ret_why);
	return code;
}

void why_done(struct why *why) {
	for (unsigned side = 0; side < 2; side++) {
		free(why->text_of[side]);
		free(why->wanted[side]);
		change_close(&why->stores[side]);
	}
	free(why->texts);
	free(why->nodes);
	free(why->values);
	free(why->node_slots);
	free(why->value_slots);
	free(why->spans);
	free(why->attributes);
	memset(why, 0, sizeof(*why));
}

size_t why_path(const struct why *why, uint32_t node, char *ret_text, size_t bytes) {
	uint32_t chain[WHY_DEPTH_MAX + 1];
	uint32_t depth = 0;
	for (uint32_t at = node; at != 0 && depth < WHY_DEPTH_MAX; at = why->nodes[at].parent)
		chain[depth++] = at;
	int length = snprintf(ret_text, bytes, "%s", why->name);
	size_t used = length > 0 ? (size_t)length : 0;
	while (depth > 0) {
		const char *text = why->texts[why->nodes[chain[--depth]].text];
		length =
		    snprintf(used < bytes ? ret_text + used : NULL, used < bytes ? bytes - used : 0, " > %s", text);
		used += length > 0 ? (size_t)length : 0;
	}
	return used;
}

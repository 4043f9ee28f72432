/* SPDX-License-Identifier: Apache-2.0 */
#include "source.h"

#include "base/checked.h"
#include "base/errs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int look(struct source *source) {
	const struct store_overview *overview = source->overview;
	struct source_part *parts = calloc(overview->segment_count + 1, sizeof(*parts));
	struct source_sizes sizes = {.parts = parts, .part_count = overview->segment_count};
	if (!parts)
		return -ENOMEM;
	for (size_t i = 0; i < overview->segment_count; i++) {
		const struct store_segment_view *view = &overview->segments[i];
		parts[i].spans = view->spans;
		if (view->spans) {
			parts[i].start_wall_ns = saturating_add(view->start_ns_min, view->wall_offset_ns);
			parts[i].end_wall_ns = saturating_add(view->end_ns_max, view->wall_offset_ns);
		}
		sizes.spans = saturating_add(sizes.spans, view->spans);
		sizes.attributes = saturating_add(sizes.attributes, view->attributes);
		sizes.events = saturating_add(sizes.events, view->events);
		sizes.links = saturating_add(sizes.links, view->links);
		sizes.sites += view->site_count;
	}
	sizes.processes = overview->process_count;
	sizes.rings = overview->ring_count;
	free(source->sizes.parts);
	source->sizes = sizes;
	return 0;
}

int source_check(struct source *source, char ret_text[SOURCE_TEXT_BYTES]) {
	const struct source_host *host = source->host;
	size_t count = 0;
	const struct store_damage *damage = store_reader_damage(source->reader, &count);
	while (source->damage_seen < count) {
		const char *text = damage[source->damage_seen].text;
		if (!host->on_damage) {
			(void)snprintf(ret_text, SOURCE_TEXT_BYTES, "%s", text);
			return ERR_DAMAGED;
		}
		source->damage_seen++;
		host->on_damage(host->context, text);
	}
	return 0;
}

static void close_reader(struct source *source) {
	store_reader_close(source->reader);
	source->reader = NULL;
	source->overview = NULL;
	source->damage_seen = 0;
}

int source_enter(struct source *source, char ret_text[SOURCE_TEXT_BYTES]) {
	if (source->cursors == 0) {
		int error = store_reader_open(source->path, &source->reader, ret_text, SOURCE_TEXT_BYTES);
		if (error)
			return error;
		source->overview = store_reader_overview(source->reader);
		error = source_check(source, ret_text);
		if (!error && look(source)) {
			(void)snprintf(ret_text, SOURCE_TEXT_BYTES, "out of memory");
			error = -ENOMEM;
		}
		if (error) {
			close_reader(source);
			return error;
		}
	}
	source->cursors++;
	return 0;
}

void source_leave(struct source *source) {
	if (--source->cursors == 0)
		close_reader(source);
}

int source_get(struct source_host *host, const char *path, struct source **ret_source,
               char ret_text[SOURCE_TEXT_BYTES]) {
	struct source *source = host->sources;
	while (source && strcmp(source->path, path) != 0)
		source = source->next;
	if (!source) {
		source = calloc(1, sizeof(*source));
		char *copy = strdup(path);
		if (!source || !copy) {
			free(source);
			free(copy);
			(void)snprintf(ret_text, SOURCE_TEXT_BYTES, "out of memory");
			return -ENOMEM;
		}
		source->host = host;
		source->path = copy;
		source->next = host->sources;
		host->sources = source;
	}
	source->users++;
	int error = source_enter(source, ret_text);
	if (error) {
		source_put(source);
		return error;
	}
	source_leave(source);
	*ret_source = source;
	return 0;
}

void source_put(struct source *source) {
	if (!source || --source->users > 0)
		return;
	struct source **place = &source->host->sources;
	while (*place != source)
		place = &(*place)->next;
	*place = source->next;
	free(source->sizes.parts);
	free(source->path);
	free(source);
}

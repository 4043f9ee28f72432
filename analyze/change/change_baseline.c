/* SPDX-License-Identifier: Apache-2.0 */
/* One store as a baseline. */
#include "change.h"

#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"

#include <spanring/version.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int by_text(const void *a, const void *b) {
	return strcmp(((const struct baseline_name *)a)->text, ((const struct baseline_name *)b)->text);
}

/* A file holds UTF-8: bytes that are none stand there as \xNN. NULL: no memory. */
static char *text_of(const char *name) {
	size_t bytes = strlen(name);
	size_t room = 4 * bytes < BASELINE_TEXT_BYTES_MAX ? 4 * bytes : BASELINE_TEXT_BYTES_MAX;
	char *text = malloc(room + 1);
	size_t used = 0;
	for (size_t at = 0; text && at < bytes;) {
		uint32_t code_point = 0;
		size_t sequence = text_utf8_sequence(name + at, bytes - at, &code_point);
		size_t wanted = sequence ? sequence : 4;
		if (used + wanted > room)
			break;
		if (sequence)
			memcpy(text + used, name + at, sequence);
		else
			(void)snprintf(text + used, 5, "\\x%02x", (unsigned)(unsigned char)name[at]);
		used += wanted;
		at += sequence ? sequence : 1;
	}
	if (text)
		text[used] = 0;
	return text;
}

/* In order, each once: two names may have come to one text. */
static void sort_names(struct baseline *baseline) {
	size_t kept = 0;
	if (baseline->name_count > 0)
		qsort(baseline->names, baseline->name_count, sizeof(baseline->names[0]), by_text);
	for (size_t i = 0; i < baseline->name_count; i++) {
		if (kept > 0 && strcmp(baseline->names[kept - 1].text, baseline->names[i].text) == 0) {
			free(baseline->names[i].text);
			grid_clear(&baseline->names[i].weights);
			continue;
		}
		baseline->names[kept++] = baseline->names[i];
	}
	baseline->name_count = kept;
}

static int take_names(struct change_store *store, struct baseline *baseline) {
	const struct query *query = &store->latency.query;
	struct drift all = {.weights = {0}};
	baseline->names = calloc((size_t)query->overview->name_count + 1, sizeof(baseline->names[0]));
	if (!baseline->names)
		return -ENOMEM;
	for (uint32_t id = 0; id <= query->overview->name_count; id++)
		if (store->names[id])
			drift_add(&all, store->names[id]);
	for (uint32_t id = 0; id <= query->overview->name_count && baseline->name_count < BASELINE_NAMES_MAX; id++) {
		struct sliced *sliced = store->names[id];
		struct drift own = {.weights = {0}};
		if (!sliced || store->latency.lines[id].count == 0)
			continue;
		struct baseline_name *name = &baseline->names[baseline->name_count];
		name->text = text_of(query_name_text(query, id));
		if (!name->text)
			return -ENOMEM;
		baseline->name_count++;
		drift_add(&own, sliced);
		name->drift = fmax(drift_range(&own), drift_range(&all));
		name->count = store->latency.lines[id].count;
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++)
			name->figures[metric] = change_measure(store, id, (enum change_metric)metric);
		name->weights = sliced->weights;
		memset(&sliced->weights, 0, sizeof(sliced->weights));
	}
	return 0;
}

/* What a process says of its version, if all that say something say the same. */
static char *build_of(const struct query *query) {
	static const char key[] = "service.version=";
	const char *found = NULL;
	size_t bytes = 0;
	for (size_t i = 0; i < query->overview->process_count; i++) {
		const char *resource = query->overview->processes[i].resource;
		const char *at =
		    strncmp(resource, key, sizeof(key) - 1) == 0 ? resource : strstr(resource, ",service.version=");
		if (!at)
			continue;
		at = strchr(at, '=') + 1;
		if (found && (strcspn(at, ",") != bytes || strncmp(at, found, bytes) != 0))
			return strdup("");
		found = at;
		bytes = strcspn(at, ",");
	}
	return strndup(found ? found : "", bytes < BASELINE_TEXT_BYTES_MAX ? bytes : BASELINE_TEXT_BYTES_MAX);
}

int change_baseline(struct change_store *store, enum change_method method, struct baseline *ret_baseline) {
	char commit[64];
	memset(ret_baseline, 0, sizeof(*ret_baseline));
	baseline_commit(commit);
	ret_baseline->texts[BASELINE_VERSION] = strdup(SPANRING_VERSION_STRING);
	ret_baseline->texts[BASELINE_COMMIT] = strdup(commit);
	ret_baseline->texts[BASELINE_BUILD] = build_of(&store->latency.query);
	ret_baseline->created_wall_ns = clock_wall_ns();
	ret_baseline->is_sketch = method == CHANGE_ROLLUPS;
	ret_baseline->grid = *store->grid;
	int rc = baseline_take_machine(ret_baseline);
	if (rc == 0)
		rc = take_names(store, ret_baseline);
	for (unsigned i = 0; i < BASELINE_TEXTS && rc == 0; i++)
		rc = ret_baseline->texts[i] ? 0 : -ENOMEM;
	if (rc != 0) {
		baseline_done(ret_baseline);
		return rc;
	}
	sort_names(ret_baseline);
	for (size_t i = 0; i < ret_baseline->name_count; i++) {
		for (unsigned metric = 0; metric < CHANGE_METRICS; metric++) {
			ret_baseline->names[i].figures[metric].grid = &ret_baseline->grid;
			ret_baseline->names[i].figures[metric].weights = &ret_baseline->names[i].weights;
		}
	}
	return 0;
}

int change_run(struct change_store *store, bool wants_self, struct baseline *ret_baseline) {
	enum change_method method = CHANGE_RECORDS;
	memset(ret_baseline, 0, sizeof(*ret_baseline));
	store->coarse = true;
	int rc = change_read(&store, 1, wants_self, &store->own_grid, &method);
	if (rc == 0)
		rc = change_slice(store, method);
	return rc == 0 ? change_baseline(store, method, ret_baseline) : rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "import_store.h"

#include "import_rollup.h"

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "libstore/checksum.h"
#include "libstore/id_table.h"
#include "libstore/writer.h"

#include <spanring/record.h>
#include <spanring/version.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/* Not the boot of any machine: times of imported segments are wall time. */
static const uint8_t boot_of_imports[16] = "spanring-import";

#define STATUS_DESCRIPTION "otel.status_description"

struct process {
	struct import_origin *origin;
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint32_t id;
	uint64_t spans;
	uint64_t open; /* not among them */
	uint64_t weighted;
	uint64_t attributes;
	uint64_t events;
	uint64_t end_ns;
	struct store_limits limits;
};

struct import_store {
	struct store_writer *writer;
	struct catalog *catalog; /* NULL: nothing was added */
	struct batch *batch;
	struct import_rollups *rollups;
	uint32_t *span_processes; /* of each span of the batch */
	uint8_t instance[STORE_INSTANCE_BYTES];
	uint64_t seed;
	uint64_t spans;
	struct process *processes;
	uint32_t process_count;
	uint32_t process_room;
	struct id_table by_origin;
	char error[IMPORT_STORE_TEXT_BYTES];
};

static void free_store(struct import_store *store) {
	batch_free(store->batch);
	import_rollups_free(store->rollups);
	free(store->span_processes);
	free(store);
}

int import_store_open(const char *directory, struct import_store **ret_store, char *ret_text, size_t text_bytes) {
	const struct store_writer_options template = {
	    .durability = STORE_DURABILITY_NORMAL, .agent_version = SPANRING_VERSION_STRING, .whole_segments = true};
	struct store_writer_options options = template;
	int holder_pid = 0;
	*ret_text = 0;
	struct import_store *store = calloc(1, sizeof(*store));
	if (!store)
		return -ENOMEM;
	memcpy(options.boot_id, boot_of_imports, sizeof(options.boot_id));
	store->span_processes = malloc(BATCH_SPANS_MAX * sizeof(*store->span_processes));
	int error = store->span_processes ? batch_new(&store->batch) : -ENOMEM;
	if (!error)
		error = import_rollups_new(&store->rollups);
	if (!error && getrandom(&store->seed, sizeof(store->seed), 0) != (ssize_t)sizeof(store->seed))
		error = -EIO;
	if (!error)
		error = store_writer_open(directory, &options, &store->writer, &holder_pid, ret_text, text_bytes);
	if (error == ERR_HELD)
		(void)snprintf(ret_text, text_bytes,
		               "%.300s: is being written (pid %d): stop that agent first, or import into another store",
		               directory, holder_pid);
	if (error) {
		free_store(store);
		return error;
	}
	*ret_store = store;
	return 0;
}

void import_store_discard(struct import_store *store) {
	store_writer_discard(store->writer);
	for (uint32_t i = 0; i < store->process_count; i++)
		free(store->processes[i].origin);
	free(store->processes);
	store->processes = NULL;
	store->process_count = 0;
	store->process_room = 0;
	id_table_done(&store->by_origin);
	store->by_origin = (struct id_table){0};
	catalog_free(store->catalog);
	store->catalog = NULL;
	store->spans = 0;
	batch_clear(store->batch);
}

int import_store_close(struct import_store *store) {
	if (!store)
		return 0;
	import_store_discard(store);
	int error = store_writer_close(store->writer);
	free_store(store);
	return error;
}

const char *import_store_error(const struct import_store *store) {
	return store->error;
}

static int too_much(struct import_store *store, const char *what, uint64_t limit) {
	(void)snprintf(store->error, sizeof(store->error), "more than %llu %s in one file: split it",
	               (unsigned long long)limit, what);
	return ERR_LIMIT;
}

/* --- catalog ----------------------------------------------------------------------------------------------------- */

/* Id 1 is what a full catalog gives. */
static int add_string(struct import_store *store, const char *text, size_t bytes, uint32_t *ret_id) {
	*ret_id = 0;
	if (bytes == 0)
		return 0;
	int error = catalog_string(store->catalog, text, bytes, ret_id);
	bool is_it = bytes == strlen(STORE_OVERFLOW_NAME) && memcmp(text, STORE_OVERFLOW_NAME, bytes) == 0;
	if (!error && *ret_id == 1 && !is_it)
		return too_much(store, "different names and keys", CATALOG_STRINGS_MAX);
	return error;
}

static int add_text(struct import_store *store, const struct import_span *span, struct import_text text,
                    uint32_t *ret_id) {
	return add_string(store, span->text + text.at, text.bytes, ret_id);
}

static int add_site(struct import_store *store, const struct import_span *span, uint32_t *ret_id) {
	struct store_site site = {.kind = span->kind, .line = span->line};
	int error = add_text(store, span, span->name, &site.name);
	if (!error)
		error = add_text(store, span, span->file, &site.file);
	if (!error)
		error = add_text(store, span, span->scope, &site.scope_name);
	if (!error && site.scope_name)
		error = add_text(store, span, span->scope_version, &site.scope_version);
	if (!error)
		error = catalog_site(store->catalog, &site, ret_id);
	bool full = !error && *ret_id == 1 && site.name != 1;
	return full ? too_much(store, "different span names", CATALOG_SITES_MAX) : error;
}

static int add_thread(struct import_store *store, const struct import_span *span, const struct process *process,
                      uint32_t *ret_id) {
	struct store_thread thread = {.process = process->id, .tid = span->tid};
	int error = add_text(store, span, span->thread, &thread.name);
	if (!error)
		error = catalog_thread(store->catalog, &thread, ret_id);
	return error == ERR_FULL ? too_much(store, "threads", CATALOG_THREADS_MAX) : error;
}

/* --- processes --------------------------------------------------------------------------------------------------- */

static bool same_origin(const struct import_origin *a, const struct import_origin *b) {
	return a->pid == b->pid && a->ppid == b->ppid && strcmp(a->service, b->service) == 0 &&
	       strcmp(a->executable, b->executable) == 0 && strcmp(a->command, b->command) == 0 &&
	       strcmp(a->resource, b->resource) == 0;
}

static bool origin_equals(const void *context, uint32_t id, const void *key) {
	const struct import_store *store = context;
	return same_origin(store->processes[id - 1].origin, key);
}

static uint64_t hash_origin(const struct import_store *store, const struct import_origin *origin) {
	uint64_t hash = checksum64(&origin->pid, sizeof(origin->pid), store->seed);
	hash = checksum64(origin->service, strlen(origin->service), hash);
	return checksum64(origin->resource, strlen(origin->resource), hash);
}

static int catalog_origin(struct import_store *store, struct process *process, uint64_t start_ns) {
	const struct import_origin *origin = process->origin;
	struct store_process row = {.pid = origin->pid,
	                            .ppid = origin->ppid,
	                            .clock_kind = STORE_CLOCK_IMPORTED,
	                            .attach_ns = start_ns,
	                            .attach_wall_ns = start_ns,
	                            .resource_left_out = origin->resource_left_out};
	memcpy(row.instance, process->instance, sizeof(row.instance));
	int error = add_string(store, origin->service, strlen(origin->service), &row.service);
	if (!error)
		error = add_string(store, origin->executable, strlen(origin->executable), &row.executable);
	if (!error)
		error = add_string(store, origin->command, strlen(origin->command), &row.command);
	if (!error)
		error = add_string(store, origin->resource, strlen(origin->resource), &row.resource);
	return error ? error : catalog_process(store->catalog, &row, &process->id);
}

static int grow_processes(struct import_store *store) {
	if (store->process_count < store->process_room)
		return 0;
	uint32_t room = store->process_room ? store->process_room * 2 : 16;
	struct process *grown = reallocarray(store->processes, room, sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	store->processes = grown;
	store->process_room = room;
	return 0;
}

/* Instances count up from a random number of the file. */
static int add_process(struct import_store *store, const struct import_origin *origin, uint64_t start_ns,
                       struct process **ret_process) {
	uint64_t hash = hash_origin(store, origin);
	uint32_t known = id_table_find(&store->by_origin, hash, origin_equals, store, origin);
	if (known) {
		*ret_process = &store->processes[known - 1];
		return 0;
	}
	if (store->process_count == IMPORT_PROCESSES_MAX)
		return too_much(store, "processes", IMPORT_PROCESSES_MAX);
	int error = grow_processes(store);
	if (!error)
		error = id_table_reserve(&store->by_origin);
	if (error)
		return error;
	struct process *process = &store->processes[store->process_count];
	*process = (struct process){.origin = malloc(sizeof(*origin))};
	if (!process->origin)
		return -ENOMEM;
	*process->origin = *origin;
	memcpy(process->instance, store->instance, sizeof(process->instance));
	memcpy(process->instance, &store->process_count, sizeof(store->process_count));
	error = catalog_origin(store, process, start_ns);
	if (error) {
		free(process->origin);
		return error;
	}
	id_table_add(&store->by_origin, hash, ++store->process_count);
	*ret_process = process;
	return 0;
}

/* --- rows -------------------------------------------------------------------------------------------------------- */

static int begin(struct import_store *store) {
	if (store->catalog)
		return 0;
	if (getrandom(store->instance, sizeof(store->instance), 0) != (ssize_t)sizeof(store->instance))
		return -EIO;
	return catalog_new(&store->catalog);
}

static int commit(struct import_store *store, struct store_commit *commit) {
	commit->catalog = store->catalog;
	commit->batch = store->batch;
	commit->rollups =
	    import_rollups_make(store->rollups, store->batch, store->span_processes, &commit->rollup_count);
	int error = store_writer_commit(store->writer, commit, NULL);
	if (error)
		(void)snprintf(store->error, sizeof(store->error), "%s", store_writer_error(store->writer));
	batch_clear(store->batch);
	return error;
}

static int make_room(struct import_store *store, const struct import_span *span) {
	const struct batch *batch = store->batch;
	bool links = batch->room_rows - batch->link_count >= span->link_count;
	if (links && batch_has_room(batch, 1, span->attribute_count + 1, span->event_count, span->text_bytes))
		return 0;
	struct store_commit rows = {0};
	return commit(store, &rows);
}

static int put_attribute(struct import_store *store, const struct import_span *span,
                         const struct import_attribute *attribute) {
	struct store_attribute row = {.trace_lo = span->trace_lo,
	                              .span_id = span->span_id,
	                              .value = attribute->value,
	                              .event_index = attribute->event_index,
	                              .type = attribute->type,
	                              .text_bytes = attribute->string.bytes};
	int error = add_text(store, span, attribute->key, &row.key);
	if (!error)
		batch_add_attribute(store->batch, &row, span->text + attribute->string.at);
	return error;
}

static int put_attributes(struct import_store *store, const struct import_span *span) {
	int error = 0;
	for (uint32_t i = 0; i < span->attribute_count && !error; i++)
		error = put_attribute(store, span, &span->attributes[i]);
	if (error || span->status_message.bytes == 0)
		return error;
	struct store_attribute row = {.trace_lo = span->trace_lo,
	                              .span_id = span->span_id,
	                              .type = SPANRING_VALUE_STRING,
	                              .text_bytes = span->status_message.bytes};
	error = add_string(store, STATUS_DESCRIPTION, strlen(STATUS_DESCRIPTION), &row.key);
	if (!error)
		batch_add_attribute(store->batch, &row, span->text + span->status_message.at);
	return error;
}

static int put_events(struct import_store *store, const struct import_span *span) {
	int error = 0;
	for (uint32_t i = 0; i < span->event_count && !error; i++) {
		struct store_event row = {.trace_lo = span->trace_lo,
		                          .span_id = span->span_id,
		                          .time_ns = span->events[i].time_ns,
		                          .event_index = i + 1};
		error = add_text(store, span, span->events[i].name, &row.name);
		if (!error)
			batch_add_event(store->batch, &row);
	}
	return error;
}

static void put_links(struct import_store *store, const struct import_span *span) {
	for (uint32_t i = 0; i < span->link_count; i++) {
		struct store_link row = {.trace_lo = span->trace_lo,
		                         .span_id = span->span_id,
		                         .linked_trace_hi = span->links[i].trace_hi,
		                         .linked_trace_lo = span->links[i].trace_lo,
		                         .linked_span_id = span->links[i].span_id};
		batch_add_link(store->batch, &row);
	}
}

static void count(struct process *process, const struct import_span *span) {
	uint64_t end_ns = span->start_ns + span->duration_ns;
	struct store_limits *limits = &process->limits;
	process->spans += !(span->flags & STORE_SPAN_OPEN);
	process->open += (span->flags & STORE_SPAN_OPEN) != 0;
	process->weighted += span->weight != 0 && span->weight != STORE_WEIGHT_ONE;
	process->attributes += span->attribute_count + (span->status_message.bytes > 0);
	process->events += span->event_count;
	process->end_ns = end_ns > process->end_ns ? end_ns : process->end_ns;
	limits->attributes_over_limit =
	    saturating_add(limits->attributes_over_limit, span->limits.attributes_over_limit);
	limits->events_over_limit = saturating_add(limits->events_over_limit, span->limits.events_over_limit);
	limits->links_over_limit = saturating_add(limits->links_over_limit, span->limits.links_over_limit);
	limits->values_cut = saturating_add(limits->values_cut, span->limits.values_cut);
}

int import_store_add(struct import_store *store, const struct import_origin *origin, const struct import_span *span) {
	struct process *process = NULL;
	struct store_span row = {.trace_hi = span->trace_hi,
	                         .trace_lo = span->trace_lo,
	                         .span_id = span->span_id,
	                         .parent_id = span->parent_id,
	                         .start_ns = span->start_ns,
	                         .duration_ns = span->duration_ns,
	                         .heap_alloc_units = span->heap_alloc_units,
	                         .heap_net_units = span->heap_net_units,
	                         .kind = span->kind,
	                         .status = span->status,
	                         .flags = span->flags,
	                         .weight = span->weight};
	store->error[0] = 0;
	int error = store->spans == IMPORT_SPANS_MAX ? too_much(store, "spans", IMPORT_SPANS_MAX) : begin(store);
	if (!error)
		error = make_room(store, span);
	if (!error)
		error = add_process(store, origin, span->start_ns, &process);
	if (!error)
		error = add_site(store, span, &row.site);
	if (!error)
		error = add_thread(store, span, process, &row.thread);
	if (!error)
		error = put_attributes(store, span);
	if (!error)
		error = put_events(store, span);
	if (error)
		return error;
	put_links(store, span);
	store->span_processes[store->batch->span_count] = process->id;
	batch_add_span(store->batch, &row);
	count(process, span);
	store->spans++;
	return 0;
}

/* --- end of a file ----------------------------------------------------------------------------------------------- */

/*
 * Spans that never ended are open for ever: those of a process that died. Statistics are made from the records; where these stand for more
 * spans than they are, they are no statistics, and whoever asks is to look at the records.
 */
static void close_books(const struct process *process, struct store_cursor *ret_cursor,
                        struct store_process_account *ret_account) {
	*ret_cursor = (struct store_cursor){.state = process->open ? STORE_RING_DIED : STORE_RING_RETIRED,
	                                    .position = process->spans,
	                                    .begun = process->spans + process->open,
	                                    .open = process->open,
	                                    .weighted_spans = process->weighted,
	                                    .stored_spans = process->spans,
	                                    .stored_attributes = process->attributes,
	                                    .stored_events = process->events};
	*ret_account = (struct store_process_account){
	    .state = process->open ? STORE_PROCESS_DIED : STORE_PROCESS_EXITED,
	    .rings_made = 1,
	    .time_ns = process->end_ns,
	    .limits = process->limits,
	    .statistics = process->weighted ? STORE_STATISTICS_NONE : STORE_STATISTICS_WHOLE};
	memcpy(ret_cursor->instance, process->instance, sizeof(ret_cursor->instance));
	memcpy(ret_account->instance, process->instance, sizeof(ret_account->instance));
}

int import_store_finish(struct import_store *store) {
	size_t count = store->process_count;
	store->error[0] = 0;
	if (!store->catalog)
		return 0;
	struct store_cursor *cursors CLEANUP_FREE = calloc(count + 1, sizeof(*cursors));
	struct store_process_account *accounts CLEANUP_FREE = calloc(count + 1, sizeof(*accounts));
	if (!cursors || !accounts)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		close_books(&store->processes[i], &cursors[i], &accounts[i]);
	struct store_commit last = {
	    .cursors = cursors, .cursor_count = count, .accounts = accounts, .account_count = count};
	int error = commit(store, &last);
	if (!error) {
		error = store_writer_seal(store->writer);
		if (error)
			(void)snprintf(store->error, sizeof(store->error), "%s", store_writer_error(store->writer));
	}
	import_store_discard(store);
	return error;
}

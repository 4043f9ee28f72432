/* SPDX-License-Identifier: Apache-2.0 */
#include "producer.h"

#include "async.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"
#include "claim.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#define TABLE_STEP 64u

static int open_files(int rings_fd, const char *name, struct producer *producer) {
	producer->directory_fd = openat(rings_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (producer->directory_fd < 0)
		return errno == ELOOP || errno == ENOTDIR ? ERR_FOREIGN : -errno;
	struct stat status;
	if (fstat(producer->directory_fd, &status) < 0)
		return -errno;
	producer->identity = calloc(1, sizeof(*producer->identity));
	if (!producer->identity)
		return -ENOMEM;
	int rc = process_reader_open(producer->directory_fd, producer->instance, &producer->reader, producer->identity);
	if (rc < 0)
		return rc;
	return producer->reader.uid == status.st_uid ? 0 : ERR_FOREIGN;
}

/* Times of another boot, or of a counter that this machine does not have, would be numbers without a meaning. */
static int check_clock(const struct process_reader_identity *identity) {
	uint8_t boot_id[16];
	if (clock_boot_id(boot_id) == 0 && memcmp(boot_id, identity->boot_id, sizeof(boot_id)) != 0)
		return -ESTALE;
	if (identity->clock_kind != SPANRING_CLOCK_MONOTONIC && identity->clock_kind != clock_model_counter_kind())
		return ERR_DAMAGED;
	return 0;
}

int producer_open(int rings_fd, const char *name, uint64_t our_namespace, struct producer **ret_producer) {
	struct producer *producer = calloc(1, sizeof(*producer));
	if (!producer)
		return -ENOMEM;
	producer->directory_fd = FD_NONE;
	producer->reader.fd = FD_NONE;
	producer->watch = -1;
	int rc = ERR_FOREIGN;
	if (strlen(name) == PRODUCER_NAME_BYTES - 1 &&
	    text_hex_decode(name, producer->instance, SPANRING_INSTANCE_BYTES)) {
		memcpy(producer->name, name, PRODUCER_NAME_BYTES);
		rc = open_files(rings_fd, name, producer);
	}
	if (rc == 0)
		rc = check_clock(producer->identity);
	if (rc == 0)
		rc = process_reader_counters(&producer->reader, &producer->counters);
	if (rc < 0) {
		producer_free(producer);
		return rc;
	}
	producer->target = (struct sampler_target){
	    .pid = producer->identity->pid, .start_time = producer->identity->start_time, .uid = producer->reader.uid};
	producer->same_namespace = our_namespace != 0 && producer->identity->pid_namespace == our_namespace;
	producer->claim = claim_find(producer->identity, producer->reader.uid, our_namespace);
	*ret_producer = producer;
	return 0;
}

void producer_free(struct producer *producer) {
	if (!producer)
		return;
	for (uint32_t i = 0; i < producer->feed_count; i++)
		feed_free(producer->feeds[i]);
	async_free(producer->async);
	process_reader_close(&producer->reader);
	if (producer->directory_fd >= 0)
		(void)close(producer->directory_fd);
	statistics_free(&producer->statistics);
	free(producer->feeds);
	free(producer->identity);
	free(producer->site_ids);
	free(producer->string_ids);
	free(producer);
}

/* Ids of the catalog before mean nothing in this one. */
static void renew_generation(struct producer *producer, const struct producer_sink *sink) {
	if (producer->generation == sink->generation)
		return;
	producer->generation = sink->generation;
	producer->process_id = 0;
	if (producer->site_room)
		memset(producer->site_ids, 0, producer->site_room * sizeof(*producer->site_ids));
	if (producer->string_room)
		memset(producer->string_ids, 0, producer->string_room * sizeof(*producer->string_ids));
}

static int grow(uint32_t **ids, uint32_t *room, uint32_t id) {
	if (id < *room)
		return 0;
	uint32_t wanted = (id / TABLE_STEP + 1) * TABLE_STEP;
	uint32_t *grown = realloc(*ids, wanted * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	memset(grown + *room, 0, (wanted - *room) * sizeof(*grown));
	*ids = grown;
	*room = wanted;
	return 0;
}

/* A full table of strings or sites gives its overflow entry, which is as good as any other id. */
static int intern_result(int rc, uint32_t id, struct producer_sink *sink) {
	if (rc != ERR_FULL)
		return rc;
	if (id != 0)
		return 0;
	sink->catalog_full = true;
	return rc;
}

/* Over the quota a name counts as long as it is known; the others are told as the overflow entry. */
static bool is_over_names(const struct producer *producer, const struct producer_sink *sink) {
	return sink->users && producer->user && !users_name_fits(sink->users, producer->user, sink->generation);
}

static uint32_t known_or_overflow(struct producer *producer, uint32_t known) {
	producer->user->names_lost += known == 0;
	return known ? known : CATALOG_OVERFLOW;
}

static void count_names(struct producer *producer, const struct producer_sink *sink, uint32_t before) {
	if (producer->user)
		producer->user->names += catalog_names(sink->catalog) - before;
}

static int intern_text(struct producer *producer, struct producer_sink *sink, const char *text, size_t bytes,
                       uint32_t *ret_id) {
	uint32_t id = 0;
	if (is_over_names(producer, sink)) {
		*ret_id = known_or_overflow(producer, catalog_string_known(sink->catalog, text, bytes));
		return 0;
	}
	uint32_t before = catalog_names(sink->catalog);
	int rc = intern_result(catalog_string(sink->catalog, text, bytes, &id), id, sink);
	count_names(producer, sink, before);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

int producer_process_id(struct producer *producer, struct producer_sink *sink, uint32_t *ret_id) {
	renew_generation(producer, sink);
	if (producer->process_id == 0) {
		const struct process_reader_identity *identity = producer->identity;
		struct store_process row = {.pid = identity->pid,
		                            .ppid = identity->ppid,
		                            .uid = (uint32_t)producer->reader.uid,
		                            .clock_kind = identity->clock_kind,
		                            .attach_ns = identity->anchor_monotonic_ns,
		                            .attach_wall_ns = identity->anchor_wall_ns};
		memcpy(row.instance, producer->instance, sizeof(row.instance));
		int rc =
		    intern_text(producer, sink, identity->executable, strlen(identity->executable), &row.executable);
		if (rc == 0)
			rc = intern_text(producer, sink, identity->command, strlen(identity->command), &row.command);
		if (rc == 0)
			rc = intern_text(producer, sink, identity->service, strlen(identity->service), &row.service);
		row.resource_left_out = identity->resource_left_out;
		if (rc == 0 && identity->resource[0])
			rc = intern_text(producer, sink, identity->resource, strlen(identity->resource), &row.resource);
		uint32_t id = 0;
		if (rc == 0)
			rc = intern_result(catalog_process(sink->catalog, &row, &id), id, sink);
		if (rc < 0)
			return rc;
		producer->process_id = id;
	}
	*ret_id = producer->process_id;
	return 0;
}

int producer_string_id(struct producer *producer, struct producer_sink *sink, uint32_t string, uint32_t *ret_id) {
	renew_generation(producer, sink);
	if (string == 0 || string > SPANRING_STRINGS_MAX)
		return ERR_DAMAGED;
	if (string < producer->string_room && producer->string_ids[string]) {
		*ret_id = producer->string_ids[string];
		return 0;
	}
	char text[SPANRING_NAME_BYTES_MAX + 1];
	size_t bytes;
	int rc = process_reader_string(&producer->reader, string, text, &bytes);
	if (rc == 0)
		rc = grow(&producer->string_ids, &producer->string_room, string);
	if (rc == 0)
		rc = intern_text(producer, sink, text, bytes, &producer->string_ids[string]);
	if (rc == 0)
		*ret_id = producer->string_ids[string];
	return rc;
}

static int intern_site(struct producer *producer, struct producer_sink *sink, uint32_t site, uint32_t *ret_id) {
	struct spanring_site_entry entry;
	int rc = process_reader_site(&producer->reader, site, &entry);
	if (rc < 0)
		return rc;
	struct store_site row = {.line = entry.line, .kind = entry.kind};
	rc = producer_string_id(producer, sink, entry.name, &row.name);
	if (rc == 0 && entry.file != 0)
		rc = producer_string_id(producer, sink, entry.file, &row.file);
	if (rc == 0 && entry.scope_name != 0)
		rc = producer_string_id(producer, sink, entry.scope_name, &row.scope_name);
	if (rc == 0 && entry.scope_name != 0 && entry.scope_version != 0)
		rc = producer_string_id(producer, sink, entry.scope_version, &row.scope_version);
	if (rc == 0 && is_over_names(producer, sink)) {
		*ret_id = known_or_overflow(producer, catalog_site_known(sink->catalog, &row));
		return 0;
	}
	uint32_t id = 0;
	uint32_t before = catalog_names(sink->catalog);
	if (rc == 0)
		rc = intern_result(catalog_site(sink->catalog, &row, &id), id, sink);
	count_names(producer, sink, before);
	if (rc == 0)
		*ret_id = id;
	return rc;
}

int producer_intern_site(struct producer *producer, struct producer_sink *sink, uint32_t site, uint32_t *ret_id) {
	renew_generation(producer, sink);
	if (site == 0 || site > SPANRING_SITES_MAX)
		return ERR_DAMAGED;
	int rc = grow(&producer->site_ids, &producer->site_room, site);
	if (rc == 0)
		rc = intern_site(producer, sink, site, &producer->site_ids[site]);
	if (rc == 0)
		*ret_id = producer->site_ids[site];
	return rc;
}

void producer_thread_begins(struct producer *producer, struct feed *feed, const struct spanring_thread_record *record) {
	(void)producer;
	feed->thread = (struct feed_thread){.tid = record->tid, .start_ticks = record->start_ticks};
	memcpy(feed->thread.name, record->name, sizeof(record->name));
}

int producer_thread_id(struct producer *producer, struct producer_sink *sink, struct feed *feed, uint32_t *ret_id) {
	struct feed_thread *thread = &feed->thread;
	if (thread->generation != sink->generation) {
		struct store_thread row = {.ring_index = feed->books.ring_index, .tid = thread->tid};
		if (thread->start_ticks != 0)
			row.start_ns = producer_ns(producer, sink, thread->start_ticks);
		int rc = producer_process_id(producer, sink, &row.process);
		if (rc == 0)
			rc = intern_text(producer, sink, thread->name, strlen(thread->name), &row.name);
		uint32_t id = 0;
		if (rc == 0)
			rc = intern_result(catalog_thread(sink->catalog, &row, &id), id, sink);
		if (rc < 0)
			return rc;
		thread->id = id;
		thread->generation = sink->generation;
	}
	*ret_id = thread->id;
	return 0;
}

uint64_t producer_ns(const struct producer *producer, const struct producer_sink *sink, uint64_t ticks) {
	if (producer->identity->clock_kind == SPANRING_CLOCK_MONOTONIC)
		return ticks > INT64_MAX ? INT64_MAX : ticks;
	struct clock_model_pair anchor = {.ticks = producer->identity->anchor_ticks,
	                                  .ns = producer->identity->anchor_monotonic_ns};
	return clock_model_ns_before(sink->clock, anchor, ticks);
}

uint64_t producer_scale(const struct producer *producer, const struct producer_sink *sink) {
	if (producer->identity->clock_kind == SPANRING_CLOCK_MONOTONIC)
		return UINT64_C(1) << ROLLUP_SCALE_BITS;
	return clock_model_scale_q32(sink->clock);
}

bool producer_is_settled(const struct producer *producer) {
	return producer->phase == PRODUCER_ENDING && producer->dry && statistics_is_final(producer);
}

static bool is_gone(const struct producer *producer) {
	for (uint32_t i = 0; i < producer->feed_count; i++) {
		struct feed *feed = producer->feeds[i];
		/* A ring in quarantine says nothing about its process. */
		if (feed_look(feed) == 0 && ring_reader_life(&feed->look) == RING_READER_LIVE)
			return false;
	}
	/* Alive says little: after exec, or where a pid was given again within one clock tick, it is another program. */
	if (producer->same_namespace && sampler_life(&producer->target) == SAMPLER_DEAD)
		return true;
	return process_reader_mapped(&producer->reader) == 0;
}

/* Whether it said goodbye is read after it was found gone: a moment before it may not have. */
bool producer_is_gone(struct producer *producer) {
	bool gone = is_gone(producer);
	if (!gone)
		claim_check_living(producer);
	if (process_reader_counters(&producer->reader, &producer->counters) == 0)
		producer->exited = producer->counters.state == SPANRING_PROCESS_EXITED;
	return gone;
}

void producer_account(struct producer *producer, bool ended, struct store_process_account *ret_account) {
	(void)process_reader_counters(&producer->reader, &producer->counters);
	const struct process_reader_counters *counters = &producer->counters;
	producer->exited = counters->state == SPANRING_PROCESS_EXITED;
	*ret_account =
	    (struct store_process_account){.rings_made = counters->rings_made,
	                                   .threads_untraced = counters->threads_untraced,
	                                   .dropped_no_ring = counters->dropped_no_ring,
	                                   .names_cut = counters->names_cut,
	                                   .sites_overflowed = counters->sites_overflowed,
	                                   .strings_overflowed = counters->strings_overflowed,
	                                   .misuse = counters->misuse,
	                                   .limits = {.attributes_over_limit = counters->attributes_over_limit,
	                                              .events_over_limit = counters->events_over_limit,
	                                              .links_over_limit = counters->links_over_limit,
	                                              .values_cut = counters->values_cut,
	                                              .dropped_links = counters->dropped_links,
	                                              .contexts_malformed = counters->contexts_malformed}};
	memcpy(ret_account->instance, producer->instance, sizeof(ret_account->instance));
	ret_account->claim = producer->claim;
	ret_account->claimed_uid = producer->claim ? producer->identity->uid : 0;
	ret_account->statistics = statistics_state(producer);
	ret_account->statistics_overflowed = counters->statistics_overflowed;
	ret_account->dropped_async = counters->dropped_async;
	ret_account->dropped_contexts = counters->dropped_contexts;
	ret_account->dropped_reentry = counters->dropped_reentry;
	if (ended && !producer->exited) {
		ret_account->ending = producer->ending;
		ret_account->ending_value = producer->ending_value;
	}
	if (producer->exited)
		ret_account->state = STORE_PROCESS_EXITED;
	else
		ret_account->state = ended ? STORE_PROCESS_DIED : STORE_PROCESS_RUNNING;
}

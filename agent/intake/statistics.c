/* SPDX-License-Identifier: Apache-2.0 */
#include "statistics.h"

#include "agent/commit/flush.h"
#include "base/cleanup.h"
#include "base/errs.h"
#include "libshm/statistics_reader.h"
#include "roster.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define RESUME_STEP 64u
#define TABLE_STEP 8u
#define SAID_MAX 16u
/* Spans of one site over all threads; more would not be spans, and a sum of two such numbers does not wrap. */
#define SITE_COUNT_MAX (UINT64_C(1) << 62)

/* --- memory ------------------------------------------------------------------------------------------------------ */

int statistics_init(struct statistics_room *room, const struct log *log) {
	*room = (struct statistics_room){.log = log};
	room->scratch = malloc(sizeof(*room->scratch));
	room->block = malloc(sizeof(*room->block));
	return room->scratch && room->block ? 0 : -ENOMEM;
}

static void drop_bins(struct statistics_room *room, struct statistics_sum *sum) {
	room->bytes -= sum->bins_bytes;
	free(sum->bins);
	sum->bins = NULL;
	sum->bins_bytes = 0;
}

void statistics_done(struct statistics_room *room) {
	for (size_t i = 0; i < room->resume_count; i++)
		drop_bins(room, &room->resumes[i].stored);
	free(room->resumes);
	free(room->scratch);
	free(room->block);
	*room = (struct statistics_room){.bytes = 0};
}

void statistics_free(struct statistics *statistics) {
	struct statistics_room *room = statistics->room;
	if (!room)
		return;
	for (uint32_t i = 0; i < statistics->ring_room; i++) {
		struct statistics_ring *ring = &statistics->rings[i];
		for (uint32_t b = 0; b < ring->block_count; b++)
			drop_bins(room, &ring->blocks[b].last);
		room->bytes -= ring->block_room * sizeof(*ring->blocks);
		free(ring->blocks);
	}
	for (uint32_t i = 0; i < statistics->site_room; i++) {
		drop_bins(room, &statistics->sites[i].now);
		drop_bins(room, &statistics->sites[i].stored);
	}
	room->bytes -= statistics->ring_room * sizeof(*statistics->rings);
	room->bytes -= statistics->site_room * sizeof(*statistics->sites);
	free(statistics->rings);
	free(statistics->sites);
	statistics->rings = NULL;
	statistics->sites = NULL;
	statistics->ring_room = statistics->site_room = 0;
}

/* A list of at least `wanted` elements, new ones zero; the old one on failure. */
static int grow(struct statistics_room *room, void *list_place, uint32_t *list_room, uint32_t wanted, uint32_t step,
                size_t element_bytes) {
	void *list;
	if (wanted <= *list_room)
		return 0;
	wanted = (wanted + step - 1) / step * step;
	uint64_t more = (uint64_t)(wanted - *list_room) * element_bytes;
	memcpy(&list, list_place, sizeof(list));
	if (room->bytes + more > STATISTICS_BYTES_MAX)
		return -ENOMEM;
	void *grown = realloc(list, wanted * element_bytes);
	if (!grown)
		return -ENOMEM;
	memset((char *)grown + *list_room * element_bytes, 0, more);
	memcpy(list_place, &grown, sizeof(grown));
	room->bytes += more;
	*list_room = wanted;
	return 0;
}

/* Encoded bins for *sum, within the room. */
static int keep_bins(struct statistics_room *room, const uint64_t *bins, struct statistics_sum *sum) {
	int rc = statistics_sum_encode(room->scratch, bins, sum);
	if (rc < 0)
		return rc;
	room->bytes += sum->bins_bytes;
	if (room->bytes <= STATISTICS_BYTES_MAX)
		return 0;
	drop_bins(room, sum);
	return -ENOMEM;
}

/* --- what broke -------------------------------------------------------------------------------------------------- */

static const char *reason_text(int rc) {
	if (rc == ERR_DAMAGED)
		return "break their format or go back";
	if (rc == ERR_GONE || rc == ERR_FOREIGN)
		return "are cut short, gone, or not those of this process";
	if (rc == ERR_NEWER)
		return "are of a newer version";
	if (rc == -ENOMEM)
		return "need more memory than there is for them";
	if (rc == ERR_LIMIT)
		return "are more in the store than can be kept";
	return strerror(-rc);
}

/* The first few only: the status counts them all. */
static void say(struct statistics_room *room, const struct producer *producer, const char *what, int rc) {
	if (room->said++ < SAID_MAX)
		log_event(room->log, LOG_LEVEL_WARNING, "statistics_refused",
		          LOG_FIELDS(LOG_TEXT("instance", producer->name)),
		          "%s: statistics%s %s; left out, spans are stored as before", producer->name, what,
		          reason_text(rc));
}

static void give_up(struct statistics_room *room, struct producer *producer, int rc) {
	struct statistics *statistics = &producer->statistics;
	statistics->given_up = rc;
	statistics->due = false;
	statistics_free(statistics);
	room->figures.given_up++;
	say(room, producer, "", rc);
}

static void break_ring(struct statistics_room *room, struct producer *producer, struct statistics_ring *ring, int rc) {
	ring->broken = rc;
	producer->newer = producer->newer || rc == ERR_NEWER;
	if (producer->statistics.broken_rings++ == 0)
		say(room, producer, " of a thread", rc);
	room->figures.broken_rings++;
}

/* --- continuing -------------------------------------------------------------------------------------------------- */

struct keeping {
	struct statistics_room *room;
	const uint8_t *instance;
};

static int add_resume(struct statistics_room *room, const struct statistics_resume *resume) {
	if (room->resume_count == room->resume_room) {
		size_t wanted = room->resume_room ? room->resume_room * 2 : RESUME_STEP;
		struct statistics_resume *grown = realloc(room->resumes, wanted * sizeof(*grown));
		if (!grown)
			return -ENOMEM;
		room->resumes = grown;
		room->resume_room = wanted;
	}
	room->resumes[room->resume_count++] = *resume;
	return 0;
}

static int keep_total(void *context, const struct store_rollup_total *total) {
	struct keeping *keeping = context;
	struct statistics_room *room = keeping->room;
	struct statistics_resume resume = {.site = total->site,
	                                   .time_ns = total->time_ns,
	                                   .stored = {.count = total->count,
	                                              .errors = total->errors,
	                                              .sum_ticks = total->sum_ticks,
	                                              .min_ticks = total->min_ticks,
	                                              .max_ticks = total->max_ticks,
	                                              .heap_allocated_units = total->heap_allocated_units,
	                                              .heap_net_units = (uint64_t)total->heap_net_units,
	                                              .heap_spans = total->heap_spans}};
	uint64_t *bins = room->scratch->after;
	if (total->site == 0 || total->site > SPANRING_SITES_MAX || store_rollup_total_check(total) < 0)
		return ERR_DAMAGED;
	memcpy(resume.instance, keeping->instance, sizeof(resume.instance));
	memset(bins, 0, sizeof(room->scratch->after));
	for (uint32_t i = 0; i < total->bin_count; i++)
		bins[total->bins[i].bin] = total->bins[i].count;
	int rc = keep_bins(room, bins, &resume.stored);
	if (rc == 0)
		rc = add_resume(room, &resume);
	if (rc < 0)
		drop_bins(room, &resume.stored);
	return rc;
}

/* What cannot be kept whole is not kept at all. */
static int keep_instance(struct statistics_room *room, struct store_writer *writer, const uint8_t *instance) {
	struct keeping keeping = {.room = room, .instance = instance};
	size_t before = room->resume_count;
	int rc = store_writer_rollup_totals(writer, instance, keep_total, &keeping);
	if (rc == 0)
		return 0;
	while (room->resume_count > before)
		drop_bins(room, &room->resumes[--room->resume_count].stored);
	struct statistics_resume none = {.site = 0};
	memcpy(none.instance, instance, sizeof(none.instance));
	return add_resume(room, &none);
}

int statistics_keep_resumes(struct statistics_room *room, struct store_writer *writer, const struct roster *roster) {
	const uint8_t *last = NULL;
	for (size_t i = 0; i < roster->resume_count; i++) {
		const uint8_t *instance = roster->resumes[i].instance;
		if (last && memcmp(last, instance, SPANRING_INSTANCE_BYTES) == 0)
			continue;
		int rc = keep_instance(room, writer, instance);
		if (rc < 0)
			return rc;
		last = instance;
	}
	return 0;
}

static int site_at(struct statistics_room *room, struct statistics *statistics, uint32_t site,
                   struct statistics_site **ret_site) {
	int rc =
	    grow(room, &statistics->sites, &statistics->site_room, site + 1, TABLE_STEP, sizeof(*statistics->sites));
	if (rc < 0)
		return rc;
	struct statistics_site *found = &statistics->sites[site];
	if (!found->there)
		*found = (struct statistics_site){
		    .there = true, .now = STATISTICS_SUM_EMPTY, .stored = STATISTICS_SUM_EMPTY};
	*ret_site = found;
	return 0;
}

/* Met for the first time by this agent: the store may know more. */
static int resume(struct statistics_room *room, struct producer *producer) {
	struct statistics *statistics = &producer->statistics;
	statistics->room = room;
	for (size_t i = 0; i < room->resume_count; i++) {
		struct statistics_resume *known = &room->resumes[i];
		struct statistics_site *site;
		if (memcmp(known->instance, producer->instance, SPANRING_INSTANCE_BYTES) != 0)
			continue;
		if (known->site == 0)
			return ERR_LIMIT;
		int rc = site_at(room, statistics, known->site, &site);
		if (rc < 0)
			return rc;
		site->stored = known->stored;
		site->since_ns = known->time_ns;
		known->stored.bins = NULL;
		known->stored.bins_bytes = 0;
	}
	return 0;
}

/* --- reading ----------------------------------------------------------------------------------------------------- */

/* What a block has gained goes into the sum of its site. Nothing is changed unless all is. */
static int take_gain(struct statistics_room *room, struct statistics_site *site, struct statistics_block *block,
                     const struct statistics_sum *after) {
	struct statistics_scratch *scratch = room->scratch;
	const uint64_t *bins = room->block->bins;
	statistics_sum_spread(scratch, &block->last, scratch->before);
	statistics_sum_spread(scratch, &site->now, scratch->after);
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++) {
		if (bins[bin] < scratch->before[bin])
			return ERR_DAMAGED;
		scratch->after[bin] += bins[bin] - scratch->before[bin];
	}
	struct statistics_sum sum = site->now;
	struct statistics_sum kept = *after;
	statistics_sum_advance(&sum, &block->last, after);
	int rc = keep_bins(room, scratch->after, &sum);
	if (rc < 0)
		return rc;
	rc = keep_bins(room, bins, &kept);
	if (rc < 0) {
		drop_bins(room, &sum);
		return rc;
	}
	drop_bins(room, &site->now);
	drop_bins(room, &block->last);
	site->now = sum;
	block->last = kept;
	return 0;
}

/* A block that was not there before: one of a site that exists, and the only one of it. */
static int add_block(struct statistics_room *room, struct producer *producer, struct statistics_ring *ring,
                     uint32_t site) {
	struct spanring_site_entry entry;
	int rc = process_reader_site(&producer->reader, site, &entry);
	for (uint32_t i = 0; i < ring->block_count && rc == 0; i++)
		if (ring->blocks[i].site == site)
			rc = ERR_DAMAGED;
	if (rc == 0)
		rc = grow(room, &ring->blocks, &ring->block_room, ring->block_count + 1, TABLE_STEP,
		          sizeof(*ring->blocks));
	if (rc < 0)
		return rc;
	ring->blocks[ring->block_count++] = (struct statistics_block){.site = site, .last = STATISTICS_SUM_EMPTY};
	return 0;
}

static int read_block(struct statistics_room *room, struct producer *producer, struct statistics_ring *ring,
                      const struct statistics_reader *reader, uint32_t index) {
	struct statistics_site *site;
	uint64_t count;
	int rc = statistics_reader_block(reader, index, room->block, &count);
	room->figures.blocks_read++;
	if (rc == 0 && index == ring->block_count)
		rc = add_block(room, producer, ring, room->block->site);
	if (rc < 0)
		return rc;
	struct statistics_block *block = &ring->blocks[index];
	struct statistics_sum after = statistics_sum_of_block(room->block, count);
	if (room->block->site != block->site || !statistics_sum_follows(&after, &block->last))
		return ERR_DAMAGED;
	if (statistics_sum_equals(&after, &block->last))
		return 0;
	rc = site_at(room, &producer->statistics, block->site, &site);
	if (rc == 0 && count - block->last.count > SITE_COUNT_MAX - site->now.count)
		rc = ERR_DAMAGED;
	return rc < 0 ? rc : take_gain(room, site, block, &after);
}

static int read_blocks(struct statistics_room *room, struct producer *producer, struct statistics_ring *ring,
                       uint32_t index) {
	struct ring_reader_expect expect = {.ring_index = index, .uid = producer->reader.uid};
	struct statistics_reader reader;
	memcpy(expect.instance, producer->instance, sizeof(expect.instance));
	int rc = statistics_reader_open(producer->directory_fd, &expect, &reader);
	room->blocks_left--; /* a file that is not there costs a look, too */
	if (rc == -ENOENT)
		return ring->block_count > 0 ? ERR_GONE : 0;
	if (rc < 0)
		return rc;
	if (reader.block_count < ring->block_count)
		rc = ERR_DAMAGED;
	for (uint32_t i = 0; i < reader.block_count && rc == 0; i++)
		rc = read_block(room, producer, ring, &reader, i);
	room->blocks_left -= reader.block_count < room->blocks_left ? reader.block_count : room->blocks_left;
	statistics_reader_close(&reader);
	return rc;
}

/* The feed of a ring: most often the one in its place. */
static struct feed *feed_of(const struct producer *producer, uint32_t index) {
	if (index < producer->feed_count && producer->feeds[index]->books.ring_index == index)
		return producer->feeds[index];
	for (uint32_t i = 0; i < producer->feed_count; i++)
		if (producer->feeds[i]->books.ring_index == index)
			return producer->feeds[i];
	return NULL;
}

/* Failures of ours, that may pass, and not of the file. */
static bool may_pass(int rc) {
	return rc == -EMFILE || rc == -ENFILE || rc == -EAGAIN || rc == -EINTR;
}

/* 0, or why this process cannot be gone on with now. */
static int read_ring(struct statistics_room *room, struct producer *producer, uint32_t index) {
	struct statistics *statistics = &producer->statistics;
	int rc =
	    grow(room, &statistics->rings, &statistics->ring_room, index + 1, TABLE_STEP, sizeof(*statistics->rings));
	if (rc < 0)
		return rc;
	struct statistics_ring *ring = &statistics->rings[index];
	struct feed *feed = feed_of(producer, index);
	bool last = producer->phase != PRODUCER_LIVE;
	bool known = feed && !feed->closed && feed_look(feed) == 0;
	uint64_t ended = known ? feed->look.begun - feed->look.open : 0;
	if (ring->broken || (known && !last && ring->read && ended == ring->ended))
		return 0;
	rc = read_blocks(room, producer, ring, index);
	if (rc == -ENOMEM || (may_pass(rc) && !last))
		return rc;
	if (rc < 0)
		break_ring(room, producer, ring, rc);
	ring->read = true;
	ring->ended = ended;
	return 0;
}

/* One beyond the last ring that there may be. */
static uint32_t rings_end(const struct producer *producer) {
	uint32_t end = producer->counters.rings_made;
	for (uint32_t i = 0; i < producer->feed_count; i++)
		if (producer->feeds[i]->books.ring_index >= end)
			end = producer->feeds[i]->books.ring_index + 1;
	return end < SPANRING_RINGS_MAX ? end : SPANRING_RINGS_MAX;
}

static void end_round(struct producer *producer, uint64_t now_ns) {
	struct statistics *statistics = &producer->statistics;
	statistics->due = false;
	statistics->read = true;
	statistics->read_ns = now_ns;
	statistics->final = producer->phase != PRODUCER_LIVE;
}

static void read_producer(struct statistics_room *room, struct producer *producer, uint64_t now_ns) {
	struct statistics *statistics = &producer->statistics;
	int rc = statistics->room ? 0 : resume(room, producer);
	if (rc == 0)
		rc = process_reader_counters(&producer->reader, &producer->counters);
	while (rc == 0 && room->blocks_left > 0 && statistics->ring_next < rings_end(producer))
		rc = read_ring(room, producer, statistics->ring_next++);
	if (may_pass(rc))
		statistics->due = false; /* the next round begins again */
	else if (rc < 0)
		give_up(room, producer, rc);
	else if (statistics->ring_next >= rings_end(producer))
		end_round(producer, now_ns);
}

bool statistics_is_final(const struct producer *producer) {
	return producer->statistics.final || producer->statistics.given_up;
}

void statistics_round(struct roster *roster) {
	for (uint32_t i = 0; i < roster->producer_count; i++) {
		struct statistics *statistics = &roster->producers[i]->statistics;
		if (statistics->due || statistics_is_final(roster->producers[i]))
			continue;
		statistics->due = true;
		statistics->ring_next = 0;
	}
}

void statistics_last_round(struct producer *producer) {
	if (producer->statistics.given_up)
		return;
	producer->statistics.due = true;
	producer->statistics.ring_next = 0;
}

bool statistics_turn(struct statistics_room *room, struct roster *roster, uint64_t now_ns) {
	room->blocks_left = STATISTICS_TURN_BLOCKS;
	for (uint32_t i = 0; i < roster->producer_count; i++) {
		struct producer *producer = roster->producers[i];
		if (!producer->statistics.due)
			continue;
		if (room->blocks_left == 0)
			return true;
		read_producer(room, producer, now_ns);
		if (producer->statistics.due)
			return true;
	}
	return false;
}

/* --- handing over ------------------------------------------------------------------------------------------------ */

static struct store_rollup_total total_of(const struct producer *producer, uint32_t number, uint64_t time_ns,
                                          const struct statistics_sum *sum) {
	struct store_rollup_total total = {.site = number,
	                                   .time_ns = time_ns,
	                                   .count = sum->count,
	                                   .errors = sum->errors,
	                                   .sum_ticks = sum->sum_ticks,
	                                   .min_ticks = sum->min_ticks,
	                                   .max_ticks = sum->max_ticks,
	                                   .heap_allocated_units = sum->heap_allocated_units,
	                                   .heap_net_units = (int64_t)sum->heap_net_units,
	                                   .heap_spans = sum->heap_spans};
	memcpy(total.instance, producer->instance, sizeof(total.instance));
	return total;
}

static int give_total(struct statistics_room *room, const struct producer *producer, uint32_t number,
                      const struct statistics_site *site, struct flush_job *job) {
	const struct statistics_sum *sum = site->given ? &site->now : &site->stored;
	uint64_t time_ns = site->given ? producer->statistics.read_ns : site->since_ns;
	struct store_rollup_total total = total_of(producer, number, time_ns, sum);
	statistics_sum_spread(room->scratch, sum, room->scratch->after);
	total.bin_count = statistics_sum_gather(room->scratch, room->scratch->after);
	total.bins = room->scratch->bins;
	return flush_job_add_rollup_total(job, &total);
}

/* What came since the stored reading. ERR_DAMAGED: less than nothing. */
static int give_row(struct statistics_room *room, struct producer *producer, struct producer_sink *sink,
                    uint32_t number, struct statistics_site *site, struct flush_job *job) {
	struct statistics_scratch *scratch = room->scratch;
	struct store_rollup row;
	if (!statistics_sum_follows(&site->now, &site->stored))
		return ERR_DAMAGED;
	statistics_sum_spread(scratch, &site->stored, scratch->before);
	statistics_sum_spread(scratch, &site->now, scratch->after);
	for (uint32_t bin = 0; bin < ROLLUP_BINS_MAX; bin++)
		if (__builtin_sub_overflow(scratch->after[bin], scratch->before[bin], &scratch->after[bin]))
			return ERR_DAMAGED;
	uint32_t bins = statistics_sum_gather(scratch, scratch->after);
	statistics_sum_row(&site->stored, &site->now, scratch->bins, bins, producer_scale(producer, sink), &row);
	row.bins = scratch->bins;
	row.until_ns = producer->statistics.read_ns;
	row.since_ns = site->since_ns ? site->since_ns : producer->identity->anchor_monotonic_ns;
	if (row.since_ns > row.until_ns)
		row.since_ns = row.until_ns;
	int rc = producer_process_id(producer, sink, &row.process);
	if (rc == 0)
		rc = producer_site_id(producer, sink, number, &row.site);
	if (rc == 0)
		rc = flush_job_add_rollup(job, &row);
	if (rc < 0)
		return rc;
	site->given = true;
	return 0;
}

int statistics_hand_over(struct statistics_room *room, struct producer *producer, struct producer_sink *sink,
                         struct flush_job *job, bool all) {
	struct statistics *statistics = &producer->statistics;
	int rc = statistics->room || statistics->given_up ? 0 : resume(room, producer);
	for (uint32_t i = 0; i < statistics->site_room; i++)
		statistics->sites[i].given = false;
	for (uint32_t i = 0; i < statistics->site_room && rc == 0; i++) {
		struct statistics_site *site = &statistics->sites[i];
		if (!site->there)
			continue;
		if (statistics->read && !statistics_sum_equals(&site->now, &site->stored))
			rc = give_row(room, producer, sink, i, site, job);
		if (rc == 0 && (site->given || (all && site->stored.count > 0)))
			rc = give_total(room, producer, i, site, job);
	}
	if (rc == 0 || rc == -ENOMEM || rc == ERR_FULL)
		return rc;
	/* Rows of this process that are in the job already lead to totals that are, too. */
	give_up(room, producer, rc);
	return 0;
}

void statistics_sent(struct statistics_room *room, struct producer *producer) {
	struct statistics *statistics = &producer->statistics;
	for (uint32_t i = 0; i < statistics->site_room; i++) {
		struct statistics_site *site = &statistics->sites[i];
		if (!site->given)
			continue;
		site->given = false;
		statistics_sum_spread(room->scratch, &site->now, room->scratch->after);
		struct statistics_sum stored = site->now;
		int rc = keep_bins(room, room->scratch->after, &stored);
		if (rc < 0) {
			give_up(room, producer, rc); /* the job is gone: without its totals nothing can follow */
			return;
		}
		drop_bins(room, &site->stored);
		site->stored = stored;
		site->since_ns = statistics->read_ns;
		room->figures.rows++;
	}
}

uint32_t statistics_state(const struct producer *producer) {
	const struct statistics *statistics = &producer->statistics;
	const struct process_reader_counters *counters = &producer->counters;
	const uint32_t switches = SPANRING_CONTROL_STATISTICS | SPANRING_CONTROL_SWITCHED;
	bool any = false;
	if (statistics->given_up || statistics->broken_rings > 0)
		return STORE_STATISTICS_BROKEN;
	for (uint32_t i = 0; i < statistics->site_room && !any; i++)
		any = statistics->sites[i].there;
	if (!any)
		return STORE_STATISTICS_NONE;
	bool always_on = (counters->control_flags & switches) == SPANRING_CONTROL_STATISTICS;
	return always_on && counters->statistics_overflowed == 0 ? STORE_STATISTICS_WHOLE : STORE_STATISTICS_PART;
}

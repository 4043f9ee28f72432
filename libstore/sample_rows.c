/* SPDX-License-Identifier: Apache-2.0 */
#include "sample_rows.h"

#include "base/errs.h"

/* The columns that `sample` and `agent_sample` share, in one order. */
static void put_figures(struct db_statement *insert, const struct store_memory_sample *sample) {
	db_put_u64(insert, sample->time_ns);
	db_put_u64(insert, sample->threads);
	db_put_u64(insert, sample->rss_bytes);
	db_put_u64(insert, sample->pss_bytes);
	db_put_u64(insert, sample->anonymous_bytes);
	db_put_u64(insert, sample->swap_bytes);
	db_put_u64(insert, sample->cpu_user_ns);
	db_put_u64(insert, sample->cpu_system_ns);
	db_put_u64(insert, sample->faults_minor);
	db_put_u64(insert, sample->faults_major);
}

static int put_agent(struct db_statement *insert, uint64_t id, const struct store_memory_sample *sample) {
	db_put_u64(insert, id);
	db_put_u64(insert, sample->agent_pid);
	db_put_u64(insert, sample->agent_start);
	put_figures(insert, sample);
	db_put_u64(insert, sample->switches_voluntary);
	db_put_u64(insert, sample->switches_involuntary);
	db_put_u64(insert, sample->descriptors);
	db_put_u64(insert, sample->pss_ns);
	db_put_u64(insert, sample->pss_state);
	return db_run(insert);
}

static int put_detail(struct db_statement *insert, uint64_t id, const struct store_memory_sample *sample) {
	db_put_u64(insert, id);
	db_put_u64(insert, sample->switches_voluntary);
	db_put_u64(insert, sample->switches_involuntary);
	db_put_u64(insert, sample->descriptors);
	db_put_u64(insert, sample->heap_allocated_bytes);
	db_put_u64(insert, sample->heap_freed_bytes);
	db_put_u64(insert, sample->pss_ns);
	db_put_u64(insert, sample->pss_state);
	return db_run(insert);
}

int sample_rows_put(struct db_statement *const inserts[SCHEMA_TABLES], uint64_t id,
                    const struct store_memory_sample *sample) {
	if (sample->process == 0)
		return put_agent(inserts[SCHEMA_AGENT_SAMPLE], id, sample);
	struct db_statement *insert = inserts[SCHEMA_SAMPLE];
	db_put_u64(insert, id);
	db_put_u64(insert, sample->process);
	put_figures(insert, sample);
	int error = db_run(insert);
	return error ? error : put_detail(inserts[SCHEMA_SAMPLE_DETAIL], id, sample);
}

static void get_figures(struct db_statement *select, struct store_memory_sample *sample) {
	sample->time_ns = db_get_u64(select);
	sample->threads = db_get_u32(select);
	sample->rss_bytes = db_get_u64(select);
	sample->pss_bytes = db_get_u64(select);
	sample->anonymous_bytes = db_get_u64(select);
	sample->swap_bytes = db_get_u64(select);
	sample->cpu_user_ns = db_get_u64(select);
	sample->cpu_system_ns = db_get_u64(select);
	sample->faults_minor = db_get_u64(select);
	sample->faults_major = db_get_u64(select);
}

static struct store_memory_sample unread(void) {
	return (struct store_memory_sample){.switches_voluntary = UINT64_MAX,
	                                    .switches_involuntary = UINT64_MAX,
	                                    .descriptors = UINT64_MAX,
	                                    .heap_allocated_bytes = UINT64_MAX,
	                                    .heap_freed_bytes = UINT64_MAX,
	                                    .pss_ns = UINT64_MAX};
}

static int row_end(const struct db_statement *select, uint64_t id, const struct store_memory_sample *sample) {
	return db_row_end(select) || id == 0 || sample->pss_state > STORE_PSS_REFUSED ? ERR_DAMAGED : 0;
}

int sample_rows_get(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample) {
	struct store_memory_sample sample = unread();
	uint64_t id = db_get_u64(select);
	sample.process = db_get_u32(select);
	get_figures(select, &sample);
	*ret_id = id;
	*ret_sample = sample;
	return sample.process ? row_end(select, id, &sample) : ERR_DAMAGED;
}

int sample_rows_get_detail(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample) {
	struct store_memory_sample *sample = ret_sample;
	*ret_id = db_get_u64(select);
	sample->switches_voluntary = db_get_u64(select);
	sample->switches_involuntary = db_get_u64(select);
	sample->descriptors = db_get_u64(select);
	sample->heap_allocated_bytes = db_get_u64(select);
	sample->heap_freed_bytes = db_get_u64(select);
	sample->pss_ns = db_get_u64(select);
	sample->pss_state = db_get_u32(select);
	return row_end(select, *ret_id, sample);
}

int sample_rows_get_agent(struct db_statement *select, uint64_t *ret_id, struct store_memory_sample *ret_sample) {
	struct store_memory_sample sample = unread();
	uint64_t id = db_get_u64(select);
	sample.agent_pid = db_get_u32(select);
	sample.agent_start = db_get_u64(select);
	get_figures(select, &sample);
	sample.switches_voluntary = db_get_u64(select);
	sample.switches_involuntary = db_get_u64(select);
	sample.descriptors = db_get_u64(select);
	sample.pss_ns = db_get_u64(select);
	sample.pss_state = db_get_u32(select);
	*ret_id = id;
	*ret_sample = sample;
	return row_end(select, id, &sample);
}

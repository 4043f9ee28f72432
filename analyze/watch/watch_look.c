/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include "base/checked.h"
#include "base/clock.h"
#include "base/errs.h"
#include "base/text.h"

#include <stdlib.h>
#include <string.h>

#define PAUSE 4u /* so that a look never takes more than a fifth of the time */

const char *const watch_sort_words[] = {"rate", "busy", "p50", "p99", "max", "errors", "name", NULL};

static void hear(void *context, enum log_level level, const char *message) {
	struct watch *watch = context;
	(void)level;
	if (!watch->problem[0])
		(void)text_printable(message, strlen(message), watch->problem, sizeof(watch->problem));
}

static struct watch_books read_books(const struct query *query) {
	const struct store_overview *overview = query->overview;
	struct watch_books books = {.time_ns = clock_monotonic_ns()};
	for (size_t i = 0; i < overview->ring_count; i++) {
		const struct store_ring_view *ring = &overview->rings[i];
		if (query->process_wanted && !query->process_wanted[ring->process + 1])
			continue;
		books.begun = saturating_add(books.begun, ring->cursor.begun);
		books.lost = saturating_add(books.lost, ring->cursor.dropped_full);
		books.lost = saturating_add(books.lost, ring->cursor.dropped_depth);
		books.lost = saturating_add(books.lost, ring->cursor.rejected_spans);
		books.lost = saturating_add(books.lost, ring->cursor.lost_records);
	}
	for (size_t i = 0; i < overview->process_count; i++)
		if (!query->process_wanted || query->process_wanted[i + 1])
			books.lost = saturating_add(books.lost, overview->processes[i].account.dropped_no_ring);
	return books;
}

static void compare_books(struct watch *watch, struct watch_books now) {
	bool is_first = watch->books.time_ns == 0;
	watch->before = is_first ? now : watch->books;
	watch->first = is_first ? now : watch->first;
	watch->books = now;
	watch->lost_since_start = now.lost > watch->first.lost ? now.lost - watch->first.lost : 0;
	watch->lost_since_look = now.lost > watch->before.lost ? now.lost - watch->before.lost : 0;
	watch->rate_per_s = -1;
	/* rings of processes that ended long ago leave the books with their segments */
	if (now.begun >= watch->before.begun && now.time_ns > watch->before.time_ns)
		watch->rate_per_s =
		    (double)(now.begun - watch->before.begun) * 1e9 / (double)(now.time_ns - watch->before.time_ns);
}

static void gather(struct watch *watch) {
	size_t names = (size_t)watch->query.overview->name_count + 1;
	for (uint32_t name = 0; name < names; name++) {
		if (watch->lines[name].count == 0)
			continue;
		watch->lines[watch->line_count] = watch->lines[name];
		watch->lines[watch->line_count++].name = name;
	}
}

static int read_lines(struct watch *watch) {
	const struct store_overview *overview = watch->query.overview;
	free(watch->lines);
	watch->lines = calloc((size_t)overview->name_count + 1, sizeof(watch->lines[0]));
	watch->line_count = 0;
	watch->from_records = false;
	watch->as_of_wall_ns = 0;
	watch->running = 0;
	for (size_t i = 0; i < overview->process_count; i++)
		watch->running += overview->processes[i].account.state == STORE_PROCESS_RUNNING &&
		                  (!watch->query.process_wanted || watch->query.process_wanted[i + 1]);
	if (!watch->lines)
		return -ENOMEM;
	int rc = watch_read_rollups(watch);
	if (rc == 0)
		rc = watch_read_records(watch);
	if (rc >= 0)
		gather(watch);
	return rc < 0 ? rc : 0;
}

static void read_store(struct watch *watch, const struct context *context) {
	struct query query;
	watch->is_readable = query_open(&query, context) == EXIT_CODE_OK;
	if (!watch->is_readable)
		return;
	if (watch->has_query)
		query_close(&watch->query);
	watch->query = query;
	watch->has_query = true;
	int rc = read_lines(watch);
	if (rc < 0)
		(void)command_failed(context, rc, "reading the store");
	compare_books(watch, read_books(&watch->query));
	(void)query_finish(&watch->query, EXIT_CODE_OK);
}

void watch_look(void *of_watch) {
	struct watch *watch = of_watch;
	uint64_t start_ns = clock_monotonic_ns();
	struct context context = *watch->context;
	context.log.hear = hear;
	context.log.context = watch;
	watch->problem[0] = 0;
	read_store(watch, &context);
	watch->query.context = watch->context;
	uint64_t took_ns = clock_monotonic_ns() - start_ns;
	uint64_t pause_ns = watch->interval_ns > took_ns ? watch->interval_ns - took_ns : 0;
	watch->live.look_at_ns = start_ns + took_ns + (pause_ns > PAUSE * took_ns ? pause_ns : PAUSE * took_ns);
}

bool watch_key(void *of_watch, char key) {
	struct watch *watch = of_watch;
	if (key == 's')
		watch->sort = (enum watch_sort)((watch->sort + 1) % WATCH_SORTS);
	else if (key == ' ')
		watch->live.look_at_ns = 0;
	return key != 'q' && key != 'Q';
}

void watch_done(struct watch *watch) {
	if (watch->has_query)
		query_close(&watch->query);
	free(watch->lines);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "totals.h"

#include "agent/intake/roster.h"
#include "base/text.h"

#include <string.h>

static struct totals_service *row_at(struct totals *totals, uint32_t row) {
	return row < TOTALS_SERVICES_MAX ? &totals->services[row] : &totals->other;
}

const struct totals_service *totals_at(const struct totals *totals, uint32_t row) {
	return row < TOTALS_SERVICES_MAX ? &totals->services[row] : &totals->other;
}

uint32_t totals_row(struct totals *totals, const char *service) {
	char name[TOTALS_NAME_BYTES];
	uint32_t row = 0;
	(void)text_printable(service, strlen(service), name, sizeof(name));
	if (strcmp(name, TOTALS_OTHER) == 0)
		return TOTALS_SERVICES_MAX;
	while (row < totals->service_count && strcmp(totals->services[row].name, name) != 0)
		row++;
	if (row < totals->service_count || row == TOTALS_SERVICES_MAX)
		return row;
	memcpy(totals->services[row].name, name, sizeof(name));
	totals->service_count++;
	return row;
}

void totals_enter(struct totals *totals, struct producer *producer) {
	producer->service_row = totals_row(totals, producer->identity->service);
	row_at(totals, producer->service_row)->programs_seen++;
}

void totals_greet(struct producer *producer) {
	bool is_known = false;
	for (uint32_t i = 0; i < producer->feed_count; i++)
		is_known = is_known || producer->feeds[i]->known;
	if (!is_known || process_reader_counters(&producer->reader, &producer->counters) < 0)
		return;
	producer->known_no_ring = producer->counters.dropped_no_ring;
	producer->known_reentry = producer->counters.dropped_reentry;
}

void totals_leave(struct totals *totals, const struct producer *producer) {
	tally_add_new(producer, &row_at(totals, producer->service_row)->past);
}

void totals_sum(const struct totals *totals, const struct roster *roster, struct tally *ret_rows) {
	for (uint32_t row = 0; row <= TOTALS_SERVICES_MAX; row++)
		ret_rows[row] = totals_at(totals, row)->past;
	for (uint32_t i = 0; i < roster->producer_count; i++)
		tally_add_new(roster->producers[i], &ret_rows[roster->producers[i]->service_row]);
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Four ways through begin and end follow from the words, and a thread knows which before the span comes:
 *
 *     short       every trace is kept, nothing is asked of a span: begin compares `control`, end compares `slot_stop`
 *     measuring   a sampler decides for each trace, and what is not kept is timed: control is 0, control_measuring is set
 *     muting      a sampler decides, and what is not kept is only counted: control is 0, control_muting is set
 *     thinking    clock_gettime, heap counts, site controls or a minimum duration: all are 0, and every end is a long one
 */
#include "control_words.h"
#include "statistics.h"

void spanring__control_words_fill(struct spanring_process_header *header) {
	struct spanring__sampling sampling;
	spanring__sampling_choose(&sampling);
	header->sampler = sampling.sampler;
	header->control_flags = sampling.flags;
	header->sampler_threshold = sampling.threshold;
	header->duration_min_ns = sampling.duration_min_ns;
	header->control_generation = 1;
	ring_order_control_publish(header, 1);
}

void spanring__control_words_obey(struct spanring__thread *self, const struct spanring_process_header *header,
                                  const struct spanring_open_span *top, uint32_t control) {
	uint32_t flags_before = self->sampling.flags;
	(void)ring_order_control_read(header);
	self->sampling.sampler = ring_order_get(&header->sampler);
	self->sampling.flags = ring_order_get(&header->control_flags);
	self->sampling.threshold = ring_order_get(&header->sampler_threshold);
	self->sampling.duration_min_ns = ring_order_get(&header->duration_min_ns);
	if ((flags_before ^ self->sampling.flags) & SPANRING_CONTROL_STATISTICS)
		spanring__statistics_forget(self);
	bool keeps_all = self->sampling.threshold >= SPANRING__SAMPLING_ALL;
	self->thinks = self->live != SPANRING__LIVE_COUNTER || self->sampling.duration_min_ns != 0 ||
	               (self->sampling.flags & SPANRING_CONTROL_SITES) != 0;
	self->control_seen = control;
	self->control_always = keeps_all && !self->thinks ? control : 0;
	bool is_measured = (self->sampling.flags & SPANRING_CONTROL_STATISTICS) != 0;
	self->control_measuring = keeps_all || self->thinks || !is_measured ? 0 : control;
	self->control_muting = keeps_all || self->thinks || is_measured ? 0 : control;
	self->muting = self->control_muting != 0 ? &self->header->muted : NULL;
	control_words_restart(self, top);
	ring_writer_restop(self);
}

static const struct spanring_site_control *site_control(const struct spanring_process_header *header, uint32_t site) {
	const struct spanring_site_control *table =
	    (const void *)((const uint8_t *)header + SPANRING_SITE_CONTROL_OFFSET);
	return site >= 1 && site <= SPANRING_SITES_MAX ? &table[site - 1] : NULL;
}

uint64_t spanring__control_words_duration_min_ns(const struct spanring__thread *self,
                                                 const struct spanring_process_header *header, uint32_t site) {
	const struct spanring_site_control *control = site_control(header, site);
	uint64_t own_ns = 0;
	if ((self->sampling.flags & SPANRING_CONTROL_SITES) && control)
		own_ns = ring_order_get(&control->duration_min_ns);
	return own_ns != 0 ? own_ns : self->sampling.duration_min_ns;
}

bool spanring__control_words_site_is_on(const struct spanring__thread *self,
                                        const struct spanring_process_header *header, uint32_t site) {
	const struct spanring_site_control *control = site_control(header, site);
	if (!(self->sampling.flags & SPANRING_CONTROL_SITES) || !control)
		return true;
	return (ring_order_get(&control->flags) & SPANRING_SITE_DISABLED) == 0;
}

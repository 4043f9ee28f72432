/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control words of the process file, as one thread obeys them: copied when the thread first begins a span and whenever
 * `enabled` has another value than it saw last, so a change counts from the next span on.
 */
#ifndef SPANRING_LIBSHM_CONTROL_WORDS_H
#define SPANRING_LIBSHM_CONTROL_WORDS_H

#include "ring_writer.h"

/* What the environment asks for, into a process file that is not published yet. */
void spanring__control_words_fill(struct spanring_process_header *header);

/* Take a copy that belongs to `control`, a value of `enabled`. top: as taken. */
void spanring__control_words_obey(struct spanring__thread *self, const struct spanring_process_header *header,
                                  const struct spanring_open_span *top, uint32_t control);

/*
 * May begin take the short way, with this entry on top? Not on one that is not recorded: its children are not, either. To be
 * called when the top has changed to or from such an entry.
 */
static inline void control_words_restart(struct spanring__thread *self, const struct spanring_open_span *top) {
	bool is_recorded = top == self->stack || ring_writer_is_recorded(&top[-1]);
	self->control = is_recorded && self->muted == 0 ? self->control_always : 0;
}

/* Shortest duration that is recorded at this site, in nanoseconds; and whether the site begins spans at all. */
uint64_t spanring__control_words_duration_min_ns(const struct spanring__thread *self,
                                                 const struct spanring_process_header *header, uint32_t site);
bool spanring__control_words_site_is_on(const struct spanring__thread *self,
                                        const struct spanring_process_header *header, uint32_t site);

#endif

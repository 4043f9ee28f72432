/* SPDX-License-Identifier: Apache-2.0 */
/* The control words of the program that is looked into: all of it recorded, and then as it was. */
#ifndef SPANRING_AGENT_ATTACH_WORDS_H
#define SPANRING_AGENT_ATTACH_WORDS_H

#include "base/log.h"
#include "ps_list.h"

#include <stdbool.h>

/* Of one instance. */
struct attach_words {
	const struct ps_row *row;
	bool changed;
	struct ctl_state before;
	struct ctl_state set;
};

/* ratio: of the traces, or NULL for all. 0, or an error as ctl_file_change gives it, then nothing was changed. */
int attach_words_set(const struct ps_row *row, const char *ratio, struct attach_words *ret_words);

/* As it was; left alone where somebody changed it meanwhile. Nothing to do is fine. */
void attach_words_restore(struct attach_words *words, const struct log *log);

#endif

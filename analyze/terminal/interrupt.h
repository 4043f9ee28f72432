/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ctrl-C. The first one asks: the read that is under way ends at its next batch, nothing of its answer is printed, and the exit code is
 * EXIT_CODE_INTERRUPTED. An answer that is being printed is printed whole. The second one kills.
 */
#ifndef SPANRING_ANALYZE_INTERRUPT_H
#define SPANRING_ANALYZE_INTERRUPT_H

#include <stdbool.h>

/* Once, at the start of the program. */
void interrupt_watch(void);
bool interrupt_wanted(void);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Test mode (spanring/testing.h), as the rest of the writer library sees it. All called with the process locked. */
#ifndef SPANRING_LIBSHM_TESTING_H
#define SPANRING_LIBSHM_TESTING_H

#include "ids.h"
#include <stdbool.h>

struct spanring__process;
struct spanring__testing;

/* Is test mode asked for, by the program or by its environment? */
bool spanring__testing_wanted(void);

/* What the reader keeps; a forked child does not find it, since the state of the process is gone there. NULL: no memory. */
struct spanring__testing *spanring__testing_new(void);

/* Ids of the next thread, in place of random ones. */
void spanring__testing_seed(struct spanring__testing *testing, struct spanring__ids *ids);

#endif

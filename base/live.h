/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A live view: one thread that waits for three things, a key, a signal, the time of the next look. On a screen it takes the terminal and gives
 * it back on every way out, and while the view is stopped with Ctrl-Z; a changed size is drawn at once. Without a screen it writes frame after
 * frame, for files and pipes.
 */
#ifndef SPANRING_BASE_LIVE_H
#define SPANRING_BASE_LIVE_H

#include "screen.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

struct live {
	void *context;
	void (*look)(void *context);             /* the time has come: look anew, and set look_at_ns */
	void (*draw)(void *context, FILE *file); /* a frame of what was seen; lines end as live_line_end says */
	bool (*key)(void *context, char key);    /* false: it is over */
	uint64_t look_at_ns;                     /* CLOCK_MONOTONIC */
	bool is_screen;
	uint64_t frames; /* without a screen; 0: until a signal */

	/* Its own. */
	struct screen screen;
	int signal_fd;
	bool is_over;
	bool is_lost; /* the terminal, or whoever reads, is gone */
};

/* Standard input and output. 0 when it was ended, -EPIPE when the output is gone, or another negative errno: signals cannot be had. */
int live_run(struct live *live);

/* Of a line of a frame: on a screen it also clears the rest of the line. */
const char *live_line_end(const struct live *live);

#endif

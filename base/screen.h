/* SPDX-License-Identifier: Apache-2.0 */
/* A terminal taken over for a live view, and given back as it was. */
#ifndef SPANRING_BASE_SCREEN_H
#define SPANRING_BASE_SCREEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <termios.h>

struct screen {
	int in_fd;
	int out_fd;
	bool is_taken;
	bool has_keys; /* in_fd is a terminal, too */
	struct termios saved;
};

/* Columns of the terminal, or what COLUMNS says; 0: none, so nothing is cut. */
uint32_t screen_columns(int fd);
/* 0: not known. */
uint32_t screen_rows(int fd);
/* A terminal that shows colours, and nobody who has switched them off (NO_COLOR, TERM=dumb). */
bool screen_has_colour(int fd);

/* Keys come one at a time, unseen; what stood on the screen comes back with screen_give_back, which may be called twice. */
void screen_take(int in_fd, int out_fd, struct screen *ret_screen);
void screen_give_back(struct screen *screen);

/* A whole frame from the upper left corner on, and nothing of the one before. False: the terminal is gone. */
bool screen_show(const struct screen *screen, const char *frame, size_t bytes);

#endif

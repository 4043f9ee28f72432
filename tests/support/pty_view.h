/* SPDX-License-Identifier: Apache-2.0 */
/* A program on a pseudo terminal of 24 lines by 100 columns: frames are read, keys pressed, and afterwards the terminal must be as it was. Every wait has a deadline. */
#ifndef SPANRING_TESTS_SUPPORT_PTY_VIEW_H
#define SPANRING_TESTS_SUPPORT_PTY_VIEW_H

#include <stddef.h>
#include <sys/types.h>
#include <termios.h>

#define PTY_VIEW_SEEN_BYTES (1u << 16)
#define PTY_VIEW_TAKEN "\033[?1049h"
#define PTY_VIEW_GIVEN_BACK "\033[?25h\033[?1049l"

struct pty_view {
	pid_t pid;
	int terminal; /* our end */
	int slave;    /* kept open, to look at its settings afterwards */
	struct termios before;
	size_t bytes;
	char seen[PTY_VIEW_SEEN_BYTES];
};

/* argv[0] is a path; environment: "NAME=value", NULL-terminated, or NULL. */
void pty_view_start(const char *const *argv, const char *const *environment, struct pty_view *ret_view);
/* What comes until it holds the text; what was seen before is forgotten with it. */
void pty_view_wait_for(struct pty_view *view, const char *text);
void pty_view_press(const struct pty_view *view, const char *keys);
void pty_view_resize(const struct pty_view *view, unsigned short rows, unsigned short columns);
/* It ends with this code, and the terminal is as it was. */
void pty_view_finish(struct pty_view *view, int code);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "screen.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define SIZE_MAX_SHOWN 10000ul
#define TAKE "\033[?1049h\033[?25l"      /* the other screen, no cursor */
#define GIVE_BACK "\033[?25h\033[?1049l" /* the same undone */
#define HOME "\033[H"
#define CLEAR_REST "\033[J"

uint32_t screen_columns(int fd) {
	const char *wanted = getenv("COLUMNS");
	unsigned long columns = wanted ? strtoul(wanted, NULL, 10) : 0;
	struct winsize size;
	if (columns > 0 && columns <= SIZE_MAX_SHOWN)
		return (uint32_t)columns;
	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

uint32_t screen_rows(int fd) {
	struct winsize size;
	return isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_row : 0;
}

bool screen_has_colour(int fd) {
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	return isatty(fd) && !(no_color && *no_color) && term && *term && strcmp(term, "dumb") != 0;
}

static bool write_all(int fd, const char *text, size_t bytes) {
	while (bytes > 0) {
		ssize_t written = write(fd, text, bytes);
		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		text += written;
		bytes -= (size_t)written;
	}
	return true;
}

void screen_take(int in_fd, int out_fd, struct screen *ret_screen) {
	*ret_screen = (struct screen){.in_fd = in_fd, .out_fd = out_fd, .is_taken = true};
	ret_screen->has_keys = tcgetattr(in_fd, &ret_screen->saved) == 0;
	if (ret_screen->has_keys) {
		struct termios keys = ret_screen->saved;
		keys.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
		keys.c_cc[VMIN] = 0;
		keys.c_cc[VTIME] = 0;
		(void)tcsetattr(in_fd, TCSANOW, &keys);
	}
	(void)write_all(out_fd, TAKE, sizeof(TAKE) - 1);
}

void screen_give_back(struct screen *screen) {
	if (!screen->is_taken)
		return;
	screen->is_taken = false;
	(void)write_all(screen->out_fd, GIVE_BACK, sizeof(GIVE_BACK) - 1);
	if (screen->has_keys)
		(void)tcsetattr(screen->in_fd, TCSANOW, &screen->saved);
}

bool screen_show(const struct screen *screen, const char *frame, size_t bytes) {
	return write_all(screen->out_fd, HOME, sizeof(HOME) - 1) && write_all(screen->out_fd, frame, bytes) &&
	       write_all(screen->out_fd, CLEAR_REST, sizeof(CLEAR_REST) - 1);
}

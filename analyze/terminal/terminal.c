/* SPDX-License-Identifier: Apache-2.0 */
#include "terminal.h"

#include "base/text.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static unsigned bounded(unsigned long width) {
	if (width < TERMINAL_WIDTH_MIN)
		return TERMINAL_WIDTH_MIN;
	return width > TERMINAL_WIDTH_MAX ? TERMINAL_WIDTH_MAX : (unsigned)width;
}

static unsigned detect_width(int fd) {
	const char *columns = getenv("COLUMNS");
	struct winsize size = {0};
	char *end = NULL;
	unsigned long width = columns ? strtoul(columns, &end, 10) : 0;
	if (columns && end != columns && *end == 0 && width > 0)
		return bounded(width);
	if (!isatty(fd))
		return TERMINAL_WIDTH_UNLIMITED;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
		return bounded(size.ws_col);
	return TERMINAL_WIDTH_DEFAULT;
}

static bool detect_color(int fd, enum color_choice choice) {
	const char *no_color = getenv("NO_COLOR");
	const char *term = getenv("TERM");
	if (choice != COLOR_AUTO)
		return choice == COLOR_ALWAYS;
	if (no_color && *no_color)
		return false;
	return isatty(fd) && term && *term && strcmp(term, "dumb") != 0;
}

struct terminal terminal_detect(int fd, enum color_choice choice) {
	(void)setlocale(LC_CTYPE, "");
	struct terminal terminal = {
	    .width = detect_width(fd),
	    .color = detect_color(fd, choice),
	    .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
	};
	return terminal;
}

const char *terminal_style(const struct terminal *terminal, enum terminal_style style) {
	static const char *const sequences[] = {
	    [STYLE_PLAIN] = "\x1b[0m", [STYLE_BOLD] = "\x1b[1m",   [STYLE_DIM] = "\x1b[2m",
	    [STYLE_RED] = "\x1b[31m",  [STYLE_GREEN] = "\x1b[32m", [STYLE_YELLOW] = "\x1b[33m",
	    [STYLE_CYAN] = "\x1b[36m",
	};
	return terminal->color ? sequences[style] : "";
}

/* Words of the text, from a column on that is reached already; further lines begin in that column, too. */
static void put_words(const struct terminal *terminal, FILE *out, size_t column, char *text) {
	bool has_word = false;
	size_t used = column;
	char *rest = NULL;
	for (char *word = strtok_r(text, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
		size_t columns = text_columns(word);
		bool fits = terminal->width == TERMINAL_WIDTH_UNLIMITED || used + 1 + columns <= terminal->width;
		if (has_word && fits) {
			(void)fputc(' ', out);
			used++;
		} else if (has_word) {
			(void)fprintf(out, "\n%*s", (int)column, "");
			used = column;
		}
		(void)fputs(word, out);
		used += columns;
		has_word = true;
	}
}

void terminal_paragraph(const struct terminal *terminal, FILE *out, enum terminal_style style, size_t column,
                        const char *text) {
	char copy[TERMINAL_NOTE_BYTES_MAX];
	(void)snprintf(copy, sizeof(copy), "%s", text);
	if (style != STYLE_PLAIN)
		(void)fputs(terminal_style(terminal, style), out);
	put_words(terminal, out, column, copy);
	if (style != STYLE_PLAIN)
		(void)fputs(terminal_style(terminal, STYLE_PLAIN), out);
	(void)fputc('\n', out);
}

void terminal_note(const struct terminal *terminal, FILE *out, enum terminal_style style, const char *format, ...) {
	char text[TERMINAL_NOTE_BYTES_MAX];
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	terminal_paragraph(terminal, out, style, 0, text);
}

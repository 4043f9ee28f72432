/* SPDX-License-Identifier: Apache-2.0 */
/* What standard output can show: how wide, in colour or not, which characters. Found out once, passed to whoever prints. */
#ifndef SPANRING_ANALYZE_TERMINAL_H
#define SPANRING_ANALYZE_TERMINAL_H

#include <stdbool.h>
#include <stdio.h>

#define TERMINAL_WIDTH_UNLIMITED 0u
#define TERMINAL_WIDTH_DEFAULT 80u /* of a terminal that does not say, and of drawings where nothing limits the width */
#define TERMINAL_WIDTH_MIN 20u
#define TERMINAL_WIDTH_MAX 1000u

enum color_choice { COLOR_AUTO, COLOR_ALWAYS, COLOR_NEVER };

struct terminal {
	unsigned width; /* UNLIMITED when the output is not a terminal and COLUMNS is not set: lines are then not cut */
	bool color;
	bool utf8; /* the locale's characters are UTF-8: box drawing and ellipsis may be used */
};

/* Sets LC_CTYPE from the environment. */
struct terminal terminal_detect(int fd, enum color_choice choice);

enum terminal_style { STYLE_PLAIN, STYLE_BOLD, STYLE_DIM, STYLE_RED, STYLE_GREEN, STYLE_YELLOW, STYLE_CYAN };

/* The escape sequence to switch to a style; "" without colour. STYLE_PLAIN switches back. */
const char *terminal_style(const struct terminal *terminal, enum terminal_style style);

/* A sentence, broken between words where the width ends, and a line end. The text must be printable; cut at TERMINAL_NOTE_BYTES_MAX. */
#define TERMINAL_NOTE_BYTES_MAX 1024u
__attribute__((format(printf, 4, 5))) void terminal_note(const struct terminal *terminal, FILE *out,
                                                         enum terminal_style style, const char *format, ...);

/* The same from a column that is reached already (an indented or a second column); further lines begin there, too. */
void terminal_paragraph(const struct terminal *terminal, FILE *out, enum terminal_style style, size_t column,
                        const char *text);

#endif

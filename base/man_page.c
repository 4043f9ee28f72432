/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of the help texts, by which each line is known (man(7) for what it becomes):
 *
 *     '  -x, --word V   text'    an option: .TP, its further lines stand in the column of its text
 *     '  anything else'          an example or a table: kept as it is
 *     'Word' or 'Two words'      before an indented line, without a full stop: a heading
 *     'anything else'            a paragraph, filled
 */
#include "man_page.h"

#include "cleanup.h"

#include <spanring/version.h>

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

enum part { PART_NONE, PART_TEXT, PART_KEPT, PART_OPTION };

struct line {
	const char *text;
	size_t bytes;
	size_t indent;
};

static struct line line_at(const char *text) {
	struct line line = {.text = text, .bytes = strcspn(text, "\n")};
	while (line.indent < line.bytes && text[line.indent] == ' ')
		line.indent++;
	return line;
}

static const char *next_line(const struct line *line) {
	return line->text[line->bytes] ? line->text + line->bytes + 1 : line->text + line->bytes;
}

/* Characters that mean something to troff mean themselves. */
static void put(FILE *file, const char *text, size_t bytes) {
	if (bytes > 0 && (text[0] == '.' || text[0] == '\''))
		(void)fputs("\\&", file);
	for (size_t i = 0; i < bytes; i++) {
		if (text[i] == '\\')
			(void)fputs("\\e", file);
		else if (text[i] == '-')
			(void)fputs("\\-", file);
		else
			(void)fputc(text[i], file);
	}
}

static void put_upper(FILE *file, const char *text, size_t bytes) {
	for (size_t i = 0; i < bytes; i++)
		(void)fputc(toupper((unsigned char)text[i]), file);
}

static bool is_heading(const struct line *line) {
	struct line next = line_at(next_line(line));
	return line->indent == 0 && line->bytes > 0 && line->bytes < 40 && isupper((unsigned char)line->text[0]) &&
	       !memchr(line->text, '.', line->bytes) && !memchr(line->text, ':', line->bytes) && next.indent >= 2;
}

static bool is_option(const struct line *line) {
	return line->indent >= 2 && line->indent <= 6 && line->text[line->indent] == '-' &&
	       line->bytes > line->indent + 1 && line->text[line->indent + 1] != ' ';
}

/* Where two spaces end the option and its text begins; the end of the line if it has none. */
static size_t option_end(const struct line *line) {
	for (size_t at = line->indent; at + 1 < line->bytes; at++)
		if (line->text[at] == ' ' && line->text[at + 1] == ' ')
			return at;
	return line->bytes;
}

static void put_option(FILE *file, const struct line *line) {
	size_t end = option_end(line);
	(void)fputs(".TP\n.B ", file);
	put(file, line->text + line->indent, end - line->indent);
	(void)fputc('\n', file);
	while (end < line->bytes && line->text[end] == ' ')
		end++;
	if (end < line->bytes) {
		put(file, line->text + end, line->bytes - end);
		(void)fputc('\n', file);
	}
}

static void change_part(FILE *file, enum part *part, enum part to) {
	if (*part == PART_KEPT && to != PART_KEPT)
		(void)fputs(".fi\n.RE\n", file);
	if (*part != PART_KEPT && to == PART_KEPT)
		(void)fputs(".RS 2\n.nf\n", file);
	*part = to;
}

static void put_line(FILE *file, const struct line *line, enum part *part) {
	if (is_option(line)) {
		change_part(file, part, PART_OPTION);
		put_option(file, line);
	} else if (line->indent >= 2 && *part == PART_OPTION) {
		put(file, line->text + line->indent, line->bytes - line->indent);
		(void)fputc('\n', file);
	} else if (line->indent >= 2) {
		change_part(file, part, PART_KEPT);
		put(file, line->text + 2, line->bytes - 2);
		(void)fputc('\n', file);
	} else {
		change_part(file, part, PART_TEXT);
		put(file, line->text, line->bytes);
		(void)fputc('\n', file);
	}
}

static void put_text(FILE *file, const char *text) {
	enum part part = PART_NONE;
	for (struct line line = line_at(text); *line.text; line = line_at(next_line(&line))) {
		if (line.bytes == 0) {
			struct line next = line_at(next_line(&line));
			if (part == PART_KEPT && next.indent >= 2 && !is_option(&next)) {
				(void)fputc('\n', file); /* between two lines that are kept */
				continue;
			}
			change_part(file, &part, PART_NONE);
			if (!is_heading(&next))
				(void)fputs(".PP\n", file);
		} else if (is_heading(&line)) {
			change_part(file, &part, PART_NONE);
			(void)fputs(".SH ", file);
			put_upper(file, line.text, line.bytes);
			(void)fputc('\n', file);
		} else {
			put_line(file, &line, &part);
		}
	}
	change_part(file, &part, PART_NONE);
}

void man_page_print(FILE *file, const struct man_page *page) {
	(void)fputs(".TH ", file);
	put_upper(file, page->name, strlen(page->name));
	(void)fprintf(file, " 1 \"\" \"Spanring %s\" \"Spanring manual\"\n.nh\n.SH NAME\n", SPANRING_VERSION_STRING);
	put(file, page->name, strlen(page->name));
	(void)fputs(" \\- ", file);
	put(file, page->summary, strlen(page->summary));
	(void)fputs("\n.SH DESCRIPTION\n", file);
	put_text(file, page->text);
	if (page->see_also) {
		(void)fputs(".SH SEE ALSO\n", file);
		put(file, page->see_also, strlen(page->see_also));
		(void)fputc('\n', file);
	}
}

int man_page_write(const char *folder, const struct man_page *page) {
	char path[PATH_MAX];
	int bytes = snprintf(path, sizeof(path), "%s/%s.1", folder, page->name);
	if (bytes < 0 || bytes >= PATH_MAX)
		return -ENAMETOOLONG;
	CLEANUP_FILE FILE *file = fopen(path, "we");
	if (!file)
		return -errno;
	man_page_print(file, page);
	errno = 0;
	if (fflush(file) != 0 || ferror(file))
		return errno ? -errno : -EIO;
	return 0;
}

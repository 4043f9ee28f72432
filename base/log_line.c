/* SPDX-License-Identifier: Apache-2.0 */
#include "log_line.h"

#include "clock.h"
#include "json.h"
#include "text.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define FIELD_BYTES_MAX 1024u /* of a text, before it is escaped */
#define TAIL_BYTES 4u         /* kept for what ends the line */

const char *const log_level_names[] = {[LOG_LEVEL_ERROR] = "error",
                                       [LOG_LEVEL_WARNING] = "warning",
                                       [LOG_LEVEL_INFO] = "info",
                                       [LOG_LEVEL_DEBUG] = "debug",
                                       NULL};
const char *const log_format_names[] = {[LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json", NULL};

struct out {
	char *text;
	size_t bytes;
	bool full; /* something did not fit: nothing is added any more */
};

__attribute__((format(printf, 2, 3))) static void put(struct out *out, const char *format, ...) {
	size_t room = LOG_LINE_BYTES_MAX - TAIL_BYTES - out->bytes;
	va_list arguments;
	va_start(arguments, format);
	int length = out->full ? 0 : vsnprintf(out->text + out->bytes, room, format, arguments);
	va_end(arguments);
	out->full = out->full || length < 0 || (size_t)length >= room;
	if (!out->full)
		out->bytes += (size_t)length;
}

static void put_string(struct out *out, const char *text, size_t bytes) {
	put(out, "\"");
	if (!out->full)
		out->bytes +=
		    json_escape(text, bytes, out->text + out->bytes, LOG_LINE_BYTES_MAX - TAIL_BYTES - out->bytes);
	put(out, "\"");
}

/* As systemd wants it: the numbers of syslog. */
static void put_priority(struct out *out, const struct log_line *line) {
	static const int priorities[] = {
	    [LOG_LEVEL_ERROR] = 3, [LOG_LEVEL_WARNING] = 4, [LOG_LEVEL_INFO] = 6, [LOG_LEVEL_DEBUG] = 7};
	if (line->journal)
		put(out, "<%d>", priorities[line->level]);
}

static void put_time(struct out *out, uint64_t wall_ns) {
	time_t seconds = (time_t)(wall_ns / NS_PER_S);
	struct tm parts;
	char text[32] = "";
	if (gmtime_r(&seconds, &parts))
		(void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &parts);
	put(out, "\"ts\":\"%s.%09" PRIu64 "Z\"", text, wall_ns % NS_PER_S);
}

static void put_field(struct out *out, const struct log_field *field) {
	struct out before = *out;
	put(out, ",");
	put_string(out, field->key, strlen(field->key));
	put(out, ":");
	if (field->text)
		put_string(out, field->text, strnlen(field->text, FIELD_BYTES_MAX));
	else
		put(out, "%" PRIu64, field->number);
	if (out->full)
		*out = before;
}

size_t log_line_json(const struct log_line *line, char *ret_text) {
	struct out out = {.text = ret_text};
	put_priority(&out, line);
	put(&out, "{");
	put_time(&out, line->wall_ns);
	put(&out, ",\"level\":\"%s\",\"event\":\"%s\",\"msg\":", log_level_names[line->level],
	    line->event ? line->event : "message");
	put_string(&out, line->message, strnlen(line->message, LOG_LINE_MESSAGE_BYTES_MAX));
	put(&out, ",\"program\":\"%s\",\"pid\":%" PRId64, line->program, line->pid);
	if (line->left_out > 0)
		put(&out, ",\"left_out\":%" PRIu64, line->left_out);
	for (const struct log_field *field = line->fields; field && field->key; field++)
		put_field(&out, field);
	memcpy(out.text + out.bytes, "}\n", 2);
	return out.bytes + 2;
}

size_t log_line_text(const struct log_line *line, char *ret_text) {
	struct out out = {.text = ret_text};
	put_priority(&out, line);
	put(&out, "%s: ", line->program);
	if (line->level != LOG_LEVEL_INFO)
		put(&out, "%s: ", log_level_names[line->level]);
	out.bytes += text_printable(line->message, strnlen(line->message, LOG_LINE_MESSAGE_BYTES_MAX),
	                            out.text + out.bytes, LOG_LINE_BYTES_MAX - TAIL_BYTES - out.bytes);
	if (line->left_out > 0)
		put(&out, " (%" PRIu64 " more lines like this were left out)", line->left_out);
	out.text[out.bytes] = '\n';
	return out.bytes + 1;
}

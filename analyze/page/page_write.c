/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "base/clock.h"
#include "base/json.h"

#include <spanring/version.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define NONCE_BYTES 16u
#define MARK_NONCE "@NONCE@"
#define MARK_DATA "@DATA@"

static void open_data(FILE *out, const char *id) {
	(void)fprintf(out, "<script type=\"application/json\" id=\"%s\">", id);
}

/* In JSON a '<' can only be inside of a text. */
static void write_inert(FILE *out, const char *json, size_t bytes) {
	for (size_t i = 0; i < bytes; i++) {
		if (json[i] == '<')
			(void)fputs("\\u003c", out);
		else
			(void)fputc(json[i], out);
	}
}

static void write_answer(FILE *out, const struct page_answer *answer) {
	open_data(out, answer->id);
	if (answer->json)
		write_inert(out, answer->json, answer->bytes);
	else
		(void)fprintf(out, "{\"error\": \"the command gave no answer (exit code %d)\"}", answer->exit_code);
	(void)fputs("</script>\n", out);
}

/* What the page says of itself. */
static int write_report(const struct context *context, FILE *out) {
	char *text = NULL;
	size_t bytes = 0;
	char command[512];
	FILE *memory = open_memstream(&text, &bytes);
	if (!memory)
		return -ENOMEM;
	(void)snprintf(command, sizeof(command), "report of %.400s", context->options->store);
	struct json json = json_begin(memory);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "report/1");
	json_text(&json, "version", SPANRING_VERSION_STRING);
	json_text(&json, "command", command);
	json_u64(&json, "written_wall_ns", clock_wall_ns());
	json_close(&json);
	int rc = fclose(memory) == 0 ? 0 : -ENOMEM;
	if (rc == 0) {
		open_data(out, "report");
		write_inert(out, text, bytes);
		(void)fputs("</script>\n", out);
	}
	free(text);
	return rc;
}

static int make_nonce(char ret_text[2 * NONCE_BYTES + 1]) {
	uint8_t bytes[NONCE_BYTES];
	if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
		return -EIO;
	for (size_t i = 0; i < sizeof(bytes); i++)
		(void)snprintf(ret_text + 2 * i, 3, "%02x", bytes[i]);
	return 0;
}

int page_write(const struct context *context, const struct page *page, FILE *out) {
	char nonce[2 * NONCE_BYTES + 1];
	const char *at = page_template;
	int rc = make_nonce(nonce);
	for (const char *mark; rc == 0 && (mark = strchr(at, '@')); at = mark) {
		(void)fwrite(at, 1, (size_t)(mark - at), out);
		if (strncmp(mark, MARK_NONCE, strlen(MARK_NONCE)) == 0) {
			(void)fputs(nonce, out);
			mark += strlen(MARK_NONCE);
		} else if (strncmp(mark, MARK_DATA, strlen(MARK_DATA)) == 0) {
			rc = write_report(context, out);
			for (size_t i = 0; i < page->count; i++)
				write_answer(out, &page->answers[i]);
			mark += strlen(MARK_DATA);
		} else {
			(void)fputc(*mark++, out);
		}
	}
	(void)fputs(at, out);
	return rc;
}

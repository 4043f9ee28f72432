/* SPDX-License-Identifier: Apache-2.0 */
#include "markup.h"

#include "base/text.h"

#include <stdbool.h>
#include <string.h>

/* Characters that XML 1.0 has no way to write. */
static bool is_no_xml(uint32_t code) {
	return (code & 0xfffe) == 0xfffe || (code >= 0xd800 && code <= 0xdfff);
}

static const char *entity_of(uint32_t code) {
	switch (code) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	default:
		return NULL;
	}
}

void markup_put_text(FILE *out, const char *text) {
	char safe[MARKUP_TEXT_BYTES_MAX];
	size_t bytes = text_printable(text, strlen(text), safe, sizeof(safe));
	for (size_t at = 0; at < bytes;) {
		uint32_t code = 0;
		size_t length = text_utf8_sequence(safe + at, bytes - at, &code);
		const char *entity = entity_of(code);
		if (length == 0 || is_no_xml(code))
			(void)fputs("\xef\xbf\xbd", out);
		else if (entity)
			(void)fputs(entity, out);
		else
			(void)fwrite(safe + at, 1, length, out);
		at += length ? length : 1;
	}
}

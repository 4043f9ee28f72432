/* SPDX-License-Identifier: Apache-2.0 */
#include "path_text.h"

void path_text_write(FILE *file, const char *path) {
	for (const unsigned char *byte = (const unsigned char *)path; *byte; byte++) {
		if (*byte < 0x20 || *byte == 0x7f || *byte == '\\')
			(void)fprintf(file, "\\x%02x", *byte);
		else
			(void)putc_unlocked(*byte, file);
	}
}

void path_text_report(const char *path, const char *text) {
	flockfile(stderr);
	(void)fputs("indexer: ", stderr);
	path_text_write(stderr, path);
	(void)fprintf(stderr, ": %s\n", text);
	funlockfile(stderr);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <errno.h>
#include <spanring/spanring.h>
#include <stdio.h>
#include <string.h>

#define LINE_BYTES 256

static int parse(FILE *file) {
	char line[LINE_BYTES];
	int count = 0;
	SPANRING_SPAN(span, "parse");
	while (fgets(line, sizeof(line), file)) {
		if (strchr(line, '='))
			count++;
		else
			SPANRING_EVENT(span, "line.ignored");
	}
	SPANRING_SET_I64(span, "settings.count", count);
	return count;
}

int settings_load(const char *path) {
	SPANRING_SPAN(span, "settings.load");
	SPANRING_SET_STRING(span, "file.path", path);
	FILE *file = fopen(path, "re");
	if (!file) {
		spanring_set_status(span, SPANRING_STATUS_ERROR, strerror(errno));
		return -1;
	}
	int count = parse(file);
	(void)fclose(file);
	return count;
}

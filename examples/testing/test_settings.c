/* SPDX-License-Identifier: Apache-2.0 */
/* A test of the spans with nothing but a C compiler: exit status 0 if all is well. */
#include "settings.h"

#include <spanring/testing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition);                                \
			exit(1);                                                                                       \
		}                                                                                                      \
	} while (0)

static void missing_file_is_an_error(void) {
	CHECK(settings_load("/no/such/file") == -1);
	const struct spanring_testing_span *span = spanring_testing_find("settings.load");
	CHECK(span && span->status == SPANRING_STATUS_ERROR);
	CHECK(strcmp(span->status_description, "No such file or directory") == 0);
	CHECK(strcmp(spanring_testing_attribute_of(span->attributes, "file.path")->value.string, "/no/such/file") == 0);
	CHECK(!spanring_testing_find("parse"));
}

static void settings_are_counted(const char *path) {
	CHECK(settings_load(path) == 2);
	const struct spanring_testing_span *parse = spanring_testing_find("parse");
	const struct spanring_testing_span *load = spanring_testing_find("settings.load");
	CHECK(parse && load && parse->parent_id == load->span_id);
	CHECK(spanring_testing_attribute_of(parse->attributes, "settings.count")->value.i64 == 2);
	CHECK(parse->event_count == 1 && spanring_testing_event_of(parse, "line.ignored"));
	/* The clock moves by one step at each begin, event and end. */
	CHECK(parse->duration_ns == 2 * SPANRING_TESTING_STEP_NS);
}

int main(void) {
	static const char text[] = "colour=green\n# a remark\nsize=3\n";
	char path[] = "/tmp/settings-XXXXXX";
	int fd = mkstemp(path);
	CHECK(fd >= 0 && write(fd, text, sizeof(text) - 1) == (ssize_t)sizeof(text) - 1 && close(fd) == 0);
	CHECK(spanring_testing_start() == 0);
	missing_file_is_an_error();
	CHECK(spanring_testing_reset() == 0);
	settings_are_counted(path);
	CHECK(spanring_testing_lost() == 0);
	CHECK(unlink(path) == 0);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program all of whose names come from a file of texts, each ended by a zero byte: for each a thread of that name with a span of that name, scope and
 * file, which has an attribute and an event called so too, and fails with it. Then it leaves the first ones open in its main thread, says "ready" and
 * waits for the end of its input, which kills it.
 */
#include <spanring/spanring.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define FILE_BYTES_MAX (1u << 20)
#define TEXTS_MAX 200u
#define OPEN_SPANS 8u

struct named {
	const char *text;
	struct spanring_scope scope;
	struct spanring_site site;
	struct spanring_site open_site;
	struct spanring_key key;
};

static struct named named[TEXTS_MAX];

static void *run(void *context) {
	struct named *it = context;
	(void)prctl(PR_SET_NAME, it->text);
	struct spanring_span span = spanring_begin(&it->site);
	spanring_set_string(span, &it->key, it->text);
	spanring_event(span, &it->key);
	spanring_set_status(span, SPANRING_STATUS_ERROR, it->text);
	spanring_end(span);
	return NULL;
}

static size_t read_texts(const char *path) {
	char *bytes = malloc(FILE_BYTES_MAX);
	FILE *file = fopen(path, "rb");
	size_t count = 0;
	if (!bytes || !file)
		exit(1);
	size_t size = fread(bytes, 1, FILE_BYTES_MAX, file);
	for (char *at = bytes; at < bytes + size && count < TEXTS_MAX; at += strlen(at) + 1)
		named[count++].text = at;
	(void)fclose(file);
	return count;
}

static void set_up(struct named *it) {
	const struct spanring_scope scope = {.name = it->text, .version = it->text};
	const struct spanring_key key = SPANRING_KEY_INIT(it->text);
	memcpy(&it->scope, &scope, sizeof(scope));
	memcpy(&it->key, &key, sizeof(key));
	const struct spanring_site site = {
	    .name = it->text, .file = it->text, .line = 1, .kind = SPANRING_KIND_SERVER, .scope = &it->scope};
	memcpy(&it->site, &site, sizeof(site));
	memcpy(&it->open_site, &site, sizeof(site));
}

int main(int argc, char **argv) {
	if (argc < 2)
		return 2;
	size_t count = read_texts(argv[1]);
	for (size_t i = 0; i < count; i++) {
		pthread_t thread;
		set_up(&named[i]);
		if (pthread_create(&thread, NULL, run, &named[i]) != 0 || pthread_join(thread, NULL) != 0)
			return 1;
	}
	for (size_t i = 0; i < OPEN_SPANS && i < count; i++) {
		struct spanring_span span = spanring_begin(&named[i].open_site);
		spanring_set_string(span, &named[i].key, named[i].text);
	}
	(void)puts("ready");
	(void)fflush(stdout);
	while (getchar() != EOF)
		;
	(void)raise(SIGKILL);
	return 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* indexer: a full-text index over a directory tree, traced. indexer.h shows the shape of a run, options.c the usage. */
#include "indexer.h"
#include "path_text.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *worker_main(void *argument) {
	struct worker *worker = argument;
	char *path;
	while ((path = work_queue_pop(&worker->indexer->queue)) != NULL) {
		if (!indexer_stopped(worker->indexer))
			index_file(worker, path);
		free(path);
	}
	return NULL;
}

/* As many workers as can be had, at most count; 0 started is a failure. */
static uint32_t workers_start(struct indexer *indexer, struct worker *workers, uint32_t count) {
	uint32_t started = 0;
	for (; started < count; started++) {
		struct worker *worker = &workers[started];
		worker->indexer = indexer;
		if (compressor_new(&worker->compressor) < 0)
			break;
		if (pthread_create(&worker->thread, NULL, worker_main, worker) != 0) {
			compressor_free(worker->compressor);
			break;
		}
	}
	return started;
}

static void workers_join(struct worker *workers, uint32_t count) {
	for (uint32_t i = 0; i < count; i++) {
		(void)pthread_join(workers[i].thread, NULL);
		compressor_free(workers[i].compressor);
		buffer_done(&workers[i].content);
		buffer_done(&workers[i].words);
	}
}

static int index_tree(struct indexer *indexer) {
	SPANRING_SPAN(span, "index");
	tally_add(&indexer->tally.begun[TALLY_INDEX], 1);
	SPANRING_SET_STRING(span, "file.path", indexer->options->root);
	SPANRING_SET_U64(span, "threads", indexer->options->threads);
	indexer->root = spanring_context_of(span);

	struct worker *workers = calloc(indexer->options->threads, sizeof(*workers));
	uint32_t started = workers ? workers_start(indexer, workers, indexer->options->threads) : 0;
	int rc = started > 0 ? walk_tree(indexer) : -EAGAIN;
	work_queue_close(&indexer->queue);
	workers_join(workers, started);
	free(workers);

	if (rc == 0 && indexer->failure == 0)
		index_commit(indexer);
	if (rc == 0)
		rc = indexer->failure;
	SPANRING_SET_U64(span, "files", indexer->tally.files_indexed);
	SPANRING_SET_BOOL(span, "complete", rc == 0 && indexer->tally.unreadable == 0);
	if (rc < 0)
		indexer_span_failed(indexer, TALLY_INDEX, span, strerror(-rc));
	return rc;
}

static int run_index(struct indexer *indexer) {
	const struct options *options = indexer->options;
	const char *index_name = options->database ? options->database : "index in memory";
	int rc = fulltext_create(options->database, &indexer->fulltext);
	if (rc < 0) {
		path_text_report(index_name, fulltext_error(NULL, rc));
		return rc;
	}
	work_queue_init(&indexer->queue);
	rc = index_tree(indexer);
	work_queue_done(&indexer->queue);
	if (rc < 0 && indexer->failure == 0)
		path_text_report(options->root, strerror(-rc));
	if (rc == 0) {
		rc = fulltext_publish(indexer->fulltext);
		if (rc < 0)
			path_text_report(index_name, fulltext_error(NULL, rc));
	}
	fulltext_free(indexer->fulltext);
	return rc;
}

static int command_index(const struct options *options) {
	struct indexer indexer = {.options = options, .fulltext_lock = PTHREAD_MUTEX_INITIALIZER};
	indexer.root_fd = open(options->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (indexer.root_fd < 0) {
		path_text_report(options->root, strerror(errno));
		return EXIT_FAILURE;
	}
	int rc = run_index(&indexer);
	(void)close(indexer.root_fd);
	if (rc < 0)
		return EXIT_FAILURE;
	if (!options->quiet)
		tally_print(&indexer.tally, stdout);
	return EXIT_SUCCESS;
}

static int command_search(const struct options *options) {
	int rc = fulltext_search(options->database, options->search, stdout);
	if (rc == 0)
		return EXIT_SUCCESS;
	path_text_report(options->database, fulltext_error(NULL, rc));
	return EXIT_FAILURE;
}

int main(int argc, char **argv) {
	struct options options;
	int code = options_parse(argc, argv, &options);
	if (code < 0)
		code = options.search ? command_search(&options) : command_index(&options);
	if (fflush(stdout) != 0 || ferror(stdout)) {
		(void)fputs("indexer: standard output cannot be written\n", stderr);
		code = EXIT_FAILURE;
	}
	return code;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "indexer.h"
#include "path_text.h"
#include "tokenize.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define SLOW_FILE_NS UINT64_C(50000000)
#define READ_CHUNK_BYTES 65536u

static uint64_t now_ns(void) {
	struct timespec now;
	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

/* The file may grow, shrink or be replaced meanwhile: read to its end, but never more than max_bytes. */
static int read_descriptor(int fd, uint64_t max_bytes, struct buffer *content) {
	struct stat status;
	if (fstat(fd, &status) < 0)
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -EINVAL;
	if (status.st_size > 0 && (uint64_t)status.st_size > max_bytes)
		return -EFBIG;
	size_t expected = status.st_size > 0 ? (size_t)status.st_size : 0;
	content->bytes = 0;
	for (;;) {
		int rc = buffer_reserve(content,
		                        content->bytes > expected ? content->bytes + READ_CHUNK_BYTES : expected + 1);
		if (rc < 0)
			return rc;
		ssize_t count = read(fd, content->data + content->bytes, content->capacity - content->bytes);
		if (count < 0 && errno == EINTR)
			continue;
		if (count < 0)
			return -errno;
		if (count == 0)
			return 0;
		content->bytes += (size_t)count;
		if (content->bytes > max_bytes)
			return -EFBIG;
	}
}

/* 0, -EFBIG for a file that is left out by its size, or why it cannot be read. */
static int stage_read(struct worker *worker, const char *path) {
	struct indexer *indexer = worker->indexer;
	SPANRING_SPAN(span, "read");
	tally_add(&indexer->tally.begun[TALLY_READ], 1);

	int fd = openat(indexer->root_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	int rc = fd < 0 ? -errno : read_descriptor(fd, indexer->options->max_bytes, &worker->content);
	if (fd >= 0)
		(void)close(fd);
	if (rc < 0 && rc != -EFBIG)
		indexer_span_failed(indexer, TALLY_READ, span, strerror(-rc));
	else if (rc == 0)
		SPANRING_SET_U64(span, "bytes", worker->content.bytes);
	return rc;
}

static int stage_compress(struct worker *worker, size_t *ret_bytes) {
	struct indexer *indexer = worker->indexer;
	SPANRING_SPAN(span, "compress");
	tally_add(&indexer->tally.begun[TALLY_COMPRESS], 1);

	int rc = compressor_run(worker->compressor, &worker->content, ret_bytes);
	if (rc < 0)
		indexer_span_failed(indexer, TALLY_COMPRESS, span, strerror(-rc));
	else
		SPANRING_SET_U64(span, "compressed.bytes", *ret_bytes);
	return rc;
}

static int stage_tokenize(struct worker *worker, uint64_t *ret_word_count) {
	struct indexer *indexer = worker->indexer;
	SPANRING_SPAN(span, "tokenize");
	tally_add(&indexer->tally.begun[TALLY_TOKENIZE], 1);

	int rc = tokenize(&worker->content, &worker->words, ret_word_count);
	if (rc < 0)
		indexer_span_failed(indexer, TALLY_TOKENIZE, span, strerror(-rc));
	else
		SPANRING_SET_U64(span, "words", *ret_word_count);
	return rc;
}

static void index_failed(struct indexer *indexer, int rc) {
	if (indexer->failure == 0) {
		indexer->failure = rc;
		path_text_report(indexer->options->database ? indexer->options->database : "index in memory",
		                 fulltext_error(indexer->fulltext, rc));
	}
	__atomic_store_n(&indexer->stop, 1, __ATOMIC_RELAXED);
}

void index_commit(struct indexer *indexer) {
	SPANRING_SPAN(span, "commit");
	tally_add(&indexer->tally.begun[TALLY_COMMIT], 1);
	int rc = fulltext_commit(indexer->fulltext);
	if (rc < 0) {
		indexer_span_failed(indexer, TALLY_COMMIT, span, strerror(-rc));
		index_failed(indexer, rc);
	}
}

/* The span holds the wait for the other workers too: that is what this stage takes. */
static void stage_insert(struct worker *worker, const struct fulltext_file *file) {
	struct indexer *indexer = worker->indexer;
	uint32_t pending = 0;
	int rc;
	{
		SPANRING_SPAN(span, "insert");
		tally_add(&indexer->tally.begun[TALLY_INSERT], 1);
		(void)pthread_mutex_lock(&indexer->fulltext_lock);
		rc = indexer->failure != 0 ? indexer->failure : fulltext_insert(indexer->fulltext, file, &pending);
		if (rc < 0) {
			indexer_span_failed(indexer, TALLY_INSERT, span, strerror(-rc));
			index_failed(indexer, rc);
		}
	}
	if (rc == 0 && pending >= FULLTEXT_FILES_PER_COMMIT)
		index_commit(indexer);
	(void)pthread_mutex_unlock(&indexer->fulltext_lock);
}

static int index_content(struct worker *worker, const char *path, struct spanring_span span) {
	struct tally *tally = &worker->indexer->tally;
	struct fulltext_file file = {.path = path, .bytes = worker->content.bytes};
	size_t compressed_bytes;
	int rc = stage_compress(worker, &compressed_bytes);
	if (rc < 0)
		return rc;
	file.compressed_bytes = compressed_bytes;
	if (file.bytes > 0)
		SPANRING_SET_F64(span, "compression.ratio", (double)compressed_bytes / (double)file.bytes);
	if (tokenize_is_binary(&worker->content)) {
		SPANRING_EVENT(span, "skipped binary");
		tally_add(&tally->files_binary, 1);
	} else {
		rc = stage_tokenize(worker, &file.word_count);
		if (rc < 0)
			return rc;
		file.words = &worker->words;
	}
	stage_insert(worker, &file);
	tally_add(&tally->files_indexed, 1);
	tally_add(&tally->bytes, file.bytes);
	tally_add(&tally->compressed_bytes, file.compressed_bytes);
	tally_add(&tally->words, file.word_count);
	return 0;
}

void index_file(struct worker *worker, const char *path) {
	struct indexer *indexer = worker->indexer;
	SPANRING_SPAN_CHILD_OF(span, "file", &indexer->root);
	tally_add(&indexer->tally.begun[TALLY_FILE], 1);
	SPANRING_SET_STRING(span, "file.path", path);

	uint64_t start_ns = now_ns();
	int rc = stage_read(worker, path);
	if (rc == -EFBIG) {
		SPANRING_EVENT(span, "skipped large");
		tally_add(&indexer->tally.files_large, 1);
		return;
	}
	if (rc == 0) {
		SPANRING_SET_U64(span, "file.size", worker->content.bytes);
		rc = index_content(worker, path, span);
	}
	if (rc < 0) {
		indexer_span_failed(indexer, TALLY_FILE, span, strerror(-rc));
		tally_add(&indexer->tally.unreadable, 1);
		path_text_report(path, strerror(-rc));
	}
	if (now_ns() - start_ns > SLOW_FILE_NS)
		SPANRING_EVENT(span, "slow file");
}

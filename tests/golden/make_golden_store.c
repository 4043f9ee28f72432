/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a store with the golden rows, and the seeds of the decoder's fuzz target:
 *
 *     make_golden_store STORE CORPUS
 *     zstd -19 STORE/segment-*.db -o tests/golden/store-v<version>.db.zst        once per format version
 */
#include "golden_store.h"

#include "libstore/encode.h"
#include "libstore/writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void check(int error, const char *doing) {
	if (!error)
		return;
	(void)fprintf(stderr, "make_golden_store: %s: %s\n", doing, strerror(-error));
	exit(1);
}

static struct catalog *make_catalog(void) {
	struct catalog *catalog = NULL;
	uint32_t id = 0;
	check(catalog_new(&catalog), "catalog");
	for (size_t i = 0; i < sizeof(golden_names) / sizeof(golden_names[0]); i++)
		check(catalog_string(catalog, golden_names[i], strlen(golden_names[i]), &id), "string");
	const struct store_site sites[] = {{2, 4, 10, 1, 0, 0}, {3, 4, 20, 2, 0, 0}};
	for (size_t i = 0; i < 2; i++)
		check(catalog_site(catalog, &sites[i], &id), "site");
	const struct store_process process = {.instance = "golden instance",
	                                      .pid = 42,
	                                      .ppid = 1,
	                                      .uid = 1000,
	                                      .clock_kind = 1,
	                                      .attach_ns = 5,
	                                      .attach_wall_ns = 6,
	                                      .executable = 2,
	                                      .command = 3,
	                                      .service = 4};
	check(catalog_process(catalog, &process, &id), "process");
	for (uint32_t i = 1; i <= 2; i++) {
		const struct store_thread thread = {.process = 1, .ring_index = i - 1, .tid = 41 + i, .name = 4};
		check(catalog_thread(catalog, &thread, &id), "thread");
	}
	return catalog;
}

static void write_store(const char *store, struct batch *batch) {
	const struct store_writer_options options = {
	    .boot_id = "golden boot id 1", .wall_offset_ns = GOLDEN_WALL_OFFSET_NS, .agent_version = "golden"};
	const struct store_cursor cursor = {.instance = "golden instance",
	                                    .state = STORE_RING_RETIRED,
	                                    .position = GOLDEN_POSITION,
	                                    .begun = GOLDEN_SPANS,
	                                    .stored_spans = GOLDEN_SPANS};
	const struct store_process_account account = {
	    .instance = "golden instance", .state = STORE_PROCESS_EXITED, .rings_made = 2, .time_ns = 8};
	const struct store_memory_sample sample = {.process = 1, .time_ns = 9, .rss_bytes = GOLDEN_SAMPLE_RSS_BYTES};
	struct store_writer *writer = NULL;
	struct catalog *catalog = make_catalog();
	char text[512];
	int holder = 0;
	check(store_writer_open(store, &options, &writer, &holder, text, sizeof(text)), store);
	for (unsigned i = 0; i < GOLDEN_BATCHES; i++) {
		golden_fill(batch, i);
		const struct store_commit commit = {.catalog = catalog,
		                                    .batch = batch,
		                                    .cursors = &cursor,
		                                    .cursor_count = 1,
		                                    .accounts = &account,
		                                    .account_count = 1,
		                                    .samples = &sample,
		                                    .sample_count = i == 0};
		struct store_receipt receipt;
		check(store_writer_commit(writer, &commit, &receipt), "commit");
	}
	check(store_writer_close(writer), "seal");
	catalog_free(catalog);
}

/* The input of tests/fuzz/fuzz_batch_decode.c. */
static void write_seed(const char *corpus, unsigned number, const struct format_batch *encoded) {
	char path[512];
	uint32_t head[4 + FORMAT_COLUMNS - 1] = {encoded->span_count, encoded->attribute_count, encoded->event_count,
	                                         encoded->text_bytes};
	(void)snprintf(path, sizeof(path), "%s/golden-%u", corpus, number);
	FILE *file = fopen(path, "wb");
	check(file ? 0 : -errno, path);
	for (int i = 0; i < FORMAT_COLUMNS - 1; i++)
		head[4 + i] = encoded->columns[i].bytes;
	size_t written = fwrite(head, sizeof(head), 1, file);
	for (int i = 0; i < FORMAT_COLUMNS; i++)
		if (encoded->columns[i].bytes)
			written += fwrite(encoded->columns[i].data, encoded->columns[i].bytes, 1, file);
	check(fclose(file) || !written ? -EIO : 0, path);
}

int main(int argc, char **argv) {
	struct encoder *encoder = NULL;
	struct batch *batch = NULL;
	struct format_batch encoded;
	if (argc != 3) {
		(void)fprintf(stderr, "usage: make_golden_store STORE CORPUS\n");
		return 2;
	}
	check(batch_new(&batch), "batch");
	check(encoder_new(&encoder), "encoder");
	write_store(argv[1], batch);
	(void)mkdir(argv[2], 0777);
	for (unsigned i = 0; i < GOLDEN_BATCHES; i++) {
		golden_fill(batch, i);
		encode(encoder, batch, &encoded);
		write_seed(argv[2], i, &encoded);
	}
	encoder_free(encoder);
	batch_free(batch);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Segments that are made to cost: frames that hold a GiB in 32 KiB behind right checksums, a million batches, many batches of spans with the same ids, a view that
 * never ends in place of a table, the WAL of another database. Every command on each of them ends with a documented exit code, within 10 s of processor time and
 * 256 MiB of memory, and leaves all files as they were.
 */
#include "rich_file.h"

#include "support/child.h"
#include "support/cmocka.h"
#include "support/sanitizer.h"

#include "base/errs.h"
#include "libstore/checksum.h"
#include "libstore/format.h"
#include "libstore/segment.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zstd.h>

#define SPANS 12u
#define CPU_S 10u
#define RSS_KIB_MAX (256 * 1024)
#define ADDRESS_BYTES (UINT64_C(1) << 30)
#define BOMB_BYTES (UINT64_C(1) << 30)
#define FRAME_BYTES_MAX (1u << 20)
#define EMPTY_BATCHES 1000000u
#define SMALL_BATCHES 60000u
#define DURATION_COLUMN 4u
#define WORDS_MAX 6u
#define MESSAGE_BYTES 4096u

static const char *const commands[][WORDS_MAX] = {
    {"info", "{}"},
    {"latency", "{}", "--exact"},
    {"latency", "{}", "--sort", "self"},
    {"slowest", "{}"},
    {"errors", "{}"},
    {"audit", "{}"},
    {"verify", "{}"},
    {"export", "jsonl", "{}"},
    {"sql", "{}", "SELECT count(*) FROM spans"},
    {"memory", "{}"},
    {"trace", "ffff0001", "{}"},
    {"top", "{}"},
    {"histogram", "*", "{}"},
    {"tree", "{}"},
    {"flame", "{}"},
    {"unfinished", "{}"},
    {"noisy", "{}"},
    {"compare", "{}", "{}"},
};
#define COMMANDS (sizeof(commands) / sizeof(commands[0]))

static struct rich_file file;
static sqlite3 *db;

static void run_sql(const char *sql) {
	char *words = NULL;
	if (sqlite3_exec(db, sql, NULL, NULL, &words) != SQLITE_OK)
		fail_msg("%.200s: %s", sql, words);
}

/* A sound copy, as if an agent still wrote it: no checksum over the whole stands before the rows. */
static void begin(void) {
	assert_int_equal(ftruncate(file.fd, (off_t)file.count), 0);
	assert_int_equal(pwrite(file.fd, file.bytes, file.count, 0), file.count);
	assert_int_equal(sqlite3_open(file.path, &db), SQLITE_OK);
	run_sql(
	    "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; DELETE FROM seal; DELETE FROM meta WHERE key='sealed'");
}

static void end(void) {
	assert_int_equal(sqlite3_close(db), SQLITE_OK);
	db = NULL;
}

/* --- running commands ---------------------------------------------------------------------------------------------- */

struct outcome {
	int exit_code;
	long rss_kib;
	double cpu_s;
	char message[MESSAGE_BYTES];
};

static void become(const char *const *words, int message_fd) {
	const char *argv[WORDS_MAX + 2] = {child_program("spanring-analyze")};
	const struct rlimit cpu = {CPU_S * SANITIZER_SLOWDOWN, CPU_S * SANITIZER_SLOWDOWN};
	const struct rlimit address = {ADDRESS_BYTES, ADDRESS_BYTES};
	for (size_t i = 0; i < WORDS_MAX && words[i]; i++)
		argv[i + 1] = strcmp(words[i], "{}") == 0 ? file.path : words[i];
	int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (setrlimit(RLIMIT_CPU, &cpu) < 0 || (SANITIZER_SLOWDOWN == 1 && setrlimit(RLIMIT_AS, &address) < 0) ||
	    dup2(nowhere, STDOUT_FILENO) < 0 || dup2(message_fd, STDERR_FILENO) < 0)
		_exit(99);
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(98);
}

static struct outcome ask(const char *const *words) {
	struct outcome outcome = {0};
	struct rusage usage;
	int status = 0;
	int message_fd = open(file.scratch.files, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	assert_true(message_fd >= 0);
	pid_t pid = child_fork();
	if (pid == 0)
		become(words, message_fd);
	assert_int_equal(wait4(pid, &status, 0, &usage), pid);
	outcome.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	outcome.rss_kib = usage.ru_maxrss;
	outcome.cpu_s = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	                (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
	ssize_t bytes = pread(message_fd, outcome.message, sizeof(outcome.message) - 1, 0);
	outcome.message[bytes > 0 ? bytes : 0] = 0;
	(void)close(message_fd);
	return outcome;
}

/* All files beside the segment, and it: names, sizes, times. */
static uint64_t look(void) {
	uint64_t sum = 0;
	DIR *folder = opendir(file.scratch.rings);
	assert_non_null(folder);
	for (const struct dirent *entry; (entry = readdir(folder));) {
		struct stat status;
		if (entry->d_name[0] == '.' || strstr(entry->d_name, "-shm"))
			continue;
		assert_int_equal(fstatat(dirfd(folder), entry->d_name, &status, 0), 0);
		uint64_t words[4] = {(uint64_t)status.st_size, (uint64_t)status.st_mtim.tv_sec,
		                     (uint64_t)status.st_mtim.tv_nsec, status.st_ino};
		sum += checksum64(entry->d_name, strlen(entry->d_name), checksum64(words, sizeof(words), 0));
	}
	(void)closedir(folder);
	return sum;
}

/* must_name: exit code 3 and these words, from every command; NULL: an answer, from each. */
static void ask_all(const char *bomb, const char *must_name) {
	uint64_t before = look();
	double cpu_s = 0;
	long rss_kib = 0;
	for (size_t i = 0; i < COMMANDS; i++) {
		struct outcome outcome = ask(commands[i]);
		bool right = must_name ? outcome.exit_code == EXIT_CODE_INPUT && strstr(outcome.message, must_name)
		                       : outcome.exit_code == 0 || outcome.exit_code == 1;
		if (!right || (SANITIZER_SLOWDOWN == 1 && outcome.rss_kib > RSS_KIB_MAX))
			fail_msg("%s, %s: exit code %d, %.1f s, %ld KiB: %s", bomb, commands[i][0], outcome.exit_code,
			         outcome.cpu_s, outcome.rss_kib, outcome.message);
		cpu_s = outcome.cpu_s > cpu_s ? outcome.cpu_s : cpu_s;
		rss_kib = outcome.rss_kib > rss_kib ? outcome.rss_kib : rss_kib;
	}
	assert_int_equal(look(), before);
	print_message("%s: at most %.2f s of processor time, %ld KiB\n", bomb, cpu_s, rss_kib);
}

/* --- frames -------------------------------------------------------------------------------------------------------- */

/* A column of one plane, a frame of zeros; pledged: the size that it says it has, 0: none. */
static size_t make_bomb(uint8_t *column, size_t room, bool pledged) {
	static const uint8_t zeros[1u << 16];
	ZSTD_CCtx *context = ZSTD_createCCtx();
	ZSTD_outBuffer out = {column + 7, room - 7, 0};
	assert_non_null(context);
	if (pledged)
		assert_false(ZSTD_isError(ZSTD_CCtx_setPledgedSrcSize(context, BOMB_BYTES)));
	for (uint64_t done = 0; done < BOMB_BYTES; done += sizeof(zeros)) {
		ZSTD_inBuffer in = {zeros, sizeof(zeros), 0};
		bool last = done + sizeof(zeros) == BOMB_BYTES;
		size_t left = 1;
		while (in.pos < in.size || (last && left)) {
			left = ZSTD_compressStream2(context, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
			assert_false(ZSTD_isError(left));
		}
	}
	(void)ZSTD_freeCCtx(context);
	uint32_t bytes = (uint32_t)out.pos;
	const uint8_t head[3] = {2, 1, 2}; /* by site; one plane; a frame */
	memcpy(column, head, sizeof(head));
	memcpy(column + 3, &bytes, sizeof(bytes));
	return out.pos + 7;
}

/* In the first batch with spans, in place of its durations, with every checksum right. */
static void plant(const uint8_t *column, uint32_t bytes) {
	sqlite3_stmt *select = NULL;
	sqlite3_stmt *update = NULL;
	uint8_t directory[FORMAT_COLUMN_STRIDE * SEGMENT_DIRECTORY_ENTRY_BYTES];
	uint8_t small[FORMAT_COLUMN_STRIDE * FORMAT_SMALL_BYTES];
	size_t small_bytes = 0;
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM batch WHERE spans>0 LIMIT 1", -1, &select, NULL),
	                 SQLITE_OK);
	assert_int_equal(sqlite3_step(select), SQLITE_ROW);
	uint64_t id = (uint64_t)sqlite3_column_int64(select, 0);
	struct format_batch batch = {.span_count = (uint32_t)sqlite3_column_int64(select, 1),
	                             .attribute_count = (uint32_t)sqlite3_column_int64(select, 2),
	                             .event_count = (uint32_t)sqlite3_column_int64(select, 3),
	                             .text_bytes = (uint32_t)sqlite3_column_int64(select, 4),
	                             .start_ns_min = (uint64_t)sqlite3_column_int64(select, 5),
	                             .end_ns_max = (uint64_t)sqlite3_column_int64(select, 6),
	                             .duration_ns_max = (uint64_t)sqlite3_column_int64(select, 7),
	                             .bloom = sqlite3_column_blob(select, 9),
	                             .bloom_bytes = (uint32_t)sqlite3_column_bytes(select, 9)};
	const uint8_t *from = sqlite3_column_blob(select, 11);
	size_t directory_bytes = (size_t)sqlite3_column_bytes(select, 10);
	assert_in_range(directory_bytes, 1, sizeof(directory));
	memcpy(directory, sqlite3_column_blob(select, 10), directory_bytes);
	for (uint8_t *entry = directory; entry < directory + directory_bytes; entry += SEGMENT_DIRECTORY_ENTRY_BYTES) {
		uint32_t there = 0;
		memcpy(&there, entry + 4, sizeof(there));
		if (entry[0] == DURATION_COLUMN) {
			uint64_t sum = checksum64(column, bytes, 0);
			from += entry[1] ? 0 : there;
			entry[1] = 1;
			memcpy(entry + 4, &bytes, sizeof(bytes));
			memcpy(entry + 8, &sum, sizeof(sum));
		} else if (entry[1] == 0) {
			memcpy(small + small_bytes, from, there);
			small_bytes += there;
			from += there;
		}
	}
	uint64_t sum = segment_batch_checksum(id, &batch, directory, directory_bytes);
	assert_int_equal(
	    sqlite3_prepare_v2(db, "UPDATE batch SET checksum=?,directory=?,small=? WHERE id=?", -1, &update, NULL),
	    SQLITE_OK);
	(void)sqlite3_bind_int64(update, 1, (int64_t)sum);
	(void)sqlite3_bind_blob(update, 2, directory, (int)directory_bytes, SQLITE_STATIC);
	(void)sqlite3_bind_blob(update, 3, small, (int)small_bytes, SQLITE_STATIC);
	(void)sqlite3_bind_int64(update, 4, (int64_t)id);
	(void)sqlite3_finalize(select);
	assert_int_equal(sqlite3_step(update), SQLITE_DONE);
	(void)sqlite3_finalize(update);
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT OR REPLACE INTO column_blob VALUES(?,?)", -1, &update, NULL),
	                 SQLITE_OK);
	(void)sqlite3_bind_int64(update, 1, (int64_t)(id * FORMAT_COLUMN_STRIDE + DURATION_COLUMN));
	(void)sqlite3_bind_blob(update, 2, column, (int)bytes, SQLITE_STATIC);
	assert_int_equal(sqlite3_step(update), SQLITE_DONE);
	(void)sqlite3_finalize(update);
}

static void a_gibibyte_in_a_frame(void **state) {
	uint8_t *column = malloc(FRAME_BYTES_MAX);
	(void)state;
	assert_non_null(column);
	for (int pledged = 0; pledged < 2; pledged++) {
		size_t bytes = make_bomb(column, FRAME_BYTES_MAX, pledged);
		begin();
		plant(column, (uint32_t)bytes);
		end();
		/* Whoever reads durations says so; others may never see it. */
		static const char *const words[] = {"latency", "{}", "--exact", NULL};
		struct outcome outcome = ask(words);
		if (outcome.exit_code != EXIT_CODE_INPUT || !strstr(outcome.message, file.path) ||
		    (SANITIZER_SLOWDOWN == 1 && outcome.rss_kib > RSS_KIB_MAX))
			fail_msg("exit code %d, %ld KiB: %s", outcome.exit_code, outcome.rss_kib, outcome.message);
		for (size_t i = 0; i < COMMANDS; i++) {
			outcome = ask(commands[i]);
			if (outcome.exit_code > EXIT_CODE_INPUT ||
			    (SANITIZER_SLOWDOWN == 1 && outcome.rss_kib > RSS_KIB_MAX))
				fail_msg("%s: exit code %d, %ld KiB: %s", commands[i][0], outcome.exit_code,
				         outcome.rss_kib, outcome.message);
		}
		print_message("1 GiB in %zu bytes: %s\n", bytes, outcome.message);
	}
	free(column);
}

/* --- numbers ------------------------------------------------------------------------------------------------------- */

static void add_batches(uint64_t count, const struct format_batch *batch, const uint8_t *directory,
                        size_t directory_bytes, const uint8_t *small, size_t small_bytes) {
	sqlite3_stmt *insert = NULL;
	run_sql("BEGIN; DELETE FROM batch; DELETE FROM column_blob");
	assert_int_equal(sqlite3_prepare_v2(db, "INSERT INTO batch VALUES(?,?,?,?,?,?,?,?,?,?,?,?)", -1, &insert, NULL),
	                 SQLITE_OK);
	for (uint64_t id = 1; id <= count; id++) {
		const int64_t words[9] = {(int64_t)id,
		                          batch->span_count,
		                          batch->attribute_count,
		                          batch->event_count,
		                          batch->text_bytes,
		                          (int64_t)batch->start_ns_min,
		                          (int64_t)batch->end_ns_max,
		                          (int64_t)batch->duration_ns_max,
		                          (int64_t)segment_batch_checksum(id, batch, directory, directory_bytes)};
		for (int i = 0; i < 9; i++)
			(void)sqlite3_bind_int64(insert, i + 1, words[i]);
		(void)sqlite3_bind_blob(insert, 10, batch->bloom, (int)batch->bloom_bytes, SQLITE_STATIC);
		(void)sqlite3_bind_blob(insert, 11, directory_bytes ? directory : (const void *)"",
		                        (int)directory_bytes, SQLITE_STATIC);
		(void)sqlite3_bind_blob(insert, 12, small_bytes ? small : (const void *)"", (int)small_bytes,
		                        SQLITE_STATIC);
		assert_int_equal(sqlite3_step(insert), SQLITE_DONE);
		(void)sqlite3_reset(insert);
	}
	(void)sqlite3_finalize(insert);
	run_sql("COMMIT");
}

static void a_million_batches_of_nothing(void **state) {
	static const uint8_t bloom[8];
	const struct format_batch batch = {.bloom = bloom, .bloom_bytes = sizeof(bloom)};
	(void)state;
	begin();
	add_batches(EMPTY_BATCHES / SANITIZER_SLOWDOWN, &batch, NULL, 0, NULL, 0);
	end();
	ask_all("batches of nothing", NULL);
}

static void many_batches_of_some_spans(void **state) {
	sqlite3_stmt *select = NULL;
	(void)state;
	begin();
	run_sql(
	    "CREATE TEMP TABLE one AS SELECT * FROM batch WHERE spans BETWEEN 1 AND 12 AND length(small)>0 LIMIT 1");
	assert_int_equal(sqlite3_prepare_v2(db, "SELECT * FROM temp.one", -1, &select, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_step(select), SQLITE_ROW);
	const struct format_batch batch = {.span_count = (uint32_t)sqlite3_column_int64(select, 1),
	                                   .attribute_count = (uint32_t)sqlite3_column_int64(select, 2),
	                                   .event_count = (uint32_t)sqlite3_column_int64(select, 3),
	                                   .text_bytes = (uint32_t)sqlite3_column_int64(select, 4),
	                                   .start_ns_min = (uint64_t)sqlite3_column_int64(select, 5),
	                                   .end_ns_max = (uint64_t)sqlite3_column_int64(select, 6),
	                                   .duration_ns_max = (uint64_t)sqlite3_column_int64(select, 7),
	                                   .bloom = sqlite3_column_blob(select, 9),
	                                   .bloom_bytes = (uint32_t)sqlite3_column_bytes(select, 9)};
	add_batches(SMALL_BATCHES / SANITIZER_SLOWDOWN, &batch, sqlite3_column_blob(select, 10),
	            (size_t)sqlite3_column_bytes(select, 10), sqlite3_column_blob(select, 11),
	            (size_t)sqlite3_column_bytes(select, 11));
	(void)sqlite3_finalize(select);
	end();
	ask_all("batches of some spans", NULL);
}

/* --- what is no table, and no WAL of ours -------------------------------------------------------------------------- */

static void a_view_that_never_ends(void **state) {
	(void)state;
	begin();
	run_sql(
	    "DROP TABLE batch; CREATE VIEW batch AS WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id+1 FROM c) "
	    "SELECT id,id AS spans FROM c");
	end();
	ask_all("a view that never ends", "damaged: ");
}

static void copy_into(const char *from, const char *to) {
	uint8_t bytes[65536];
	int in = open(from, O_RDONLY | O_CLOEXEC);
	int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	assert_true(in >= 0 && out >= 0);
	for (ssize_t got; (got = read(in, bytes, sizeof(bytes))) > 0;)
		assert_int_equal(write(out, bytes, (size_t)got), got);
	(void)close(in);
	(void)close(out);
}

/* Its pages are as large, its tables have our names, and it is nobody's segment. */
static void the_wal_of_another_database(void **state) {
	char other[SCRATCH_PATH_BYTES + 16];
	char from[SCRATCH_PATH_BYTES + 32];
	char to[SCRATCH_PATH_BYTES + 80];
	sqlite3 *stranger = NULL;
	(void)state;
	begin();
	run_sql("PRAGMA journal_mode=WAL");
	end();
	(void)snprintf(other, sizeof(other), "%s/other.db", file.scratch.files);
	(void)snprintf(from, sizeof(from), "%s-wal", other);
	(void)snprintf(to, sizeof(to), "%s-wal", file.path);
	assert_int_equal(sqlite3_open(other, &stranger), SQLITE_OK);
	assert_int_equal(sqlite3_exec(stranger,
	                              "PRAGMA page_size=16384;PRAGMA journal_mode=WAL;PRAGMA wal_autocheckpoint=0;"
	                              "CREATE TABLE batch(id,spans);CREATE TABLE meta(key,value);"
	                              "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM c WHERE i<20000) "
	                              "INSERT INTO batch SELECT i,i FROM c",
	                              NULL, NULL, NULL),
	                 SQLITE_OK);
	copy_into(from, to);
	assert_int_equal(sqlite3_close(stranger), SQLITE_OK);
	ask_all("the WAL of another database", file.path);
	assert_int_equal(unlink(to), 0);
}

static int make(void **state) {
	(void)state;
	rich_file_make(&file, SPANS);
	return 0;
}

static int clean(void **state) {
	(void)state;
	rich_file_remove(&file);
	return 0;
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(a_gibibyte_in_a_frame),       cmocka_unit_test(a_million_batches_of_nothing),
	    cmocka_unit_test(many_batches_of_some_spans),  cmocka_unit_test(a_view_that_never_ends),
	    cmocka_unit_test(the_wal_of_another_database),
	};
	return cmocka_run_group_tests_name("bombs", tests, make, clean);
}

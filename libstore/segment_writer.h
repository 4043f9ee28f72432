/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The segment that is being written: creation, one transaction per commit, sealing. The only writing connection
 * there is.
 */
#ifndef SPANRING_LIBSTORE_SEGMENT_WRITER_H
#define SPANRING_LIBSTORE_SEGMENT_WRITER_H

#include "segment.h"
#include "writer.h"

struct segment_writer;

/* Rows that a commit adds: given a second time they would be there twice. All others replace the ones before. */
struct segment_counts {
	uint64_t batches;
	uint64_t samples; /* of programs */
	uint64_t agent_samples;
	uint64_t rollups;
};

/* What these samples add. */
void segment_counts_add_samples(struct segment_counts *counts, const struct store_commit *commit);

/* A new file in directory, whole or not there at all; with whole_segments under its temporary name until it is sealed. On failure one line in ret_text (SEGMENT_TEXT_BYTES). */
int segment_writer_create(const char *directory, uint64_t sequence, const struct store_writer_options *options,
                          struct segment_writer **ret_segment, char *ret_text);
/* All or nothing; encoded may be NULL. */
int segment_writer_commit(struct segment_writer *segment, const struct store_commit *commit,
                          const struct format_batch *encoded, char *ret_text);
/* For the next commit. */
void segment_writer_set_wall_offset(struct segment_writer *segment, uint64_t wall_offset_ns);
uint64_t segment_writer_spans(const struct segment_writer *segment);
uint64_t segment_writer_age_ns(const struct segment_writer *segment);
/* Valid as long as the segment. */
const char *segment_writer_path(const struct segment_writer *segment);
/* For transactions between two commits that leave the rows of commits alone. */
struct db *segment_writer_db(const struct segment_writer *segment);
/* Of all commits so far, as this writer knows them. */
struct segment_counts segment_writer_counts(const struct segment_writer *segment);
/* As the file has them. */
int segment_writer_find_counts(struct db *db, struct segment_counts *ret_counts);

/*
 * Seal and free; on an error that leaves the segment unsealed it is freed all the same and ret_text says what
 * happened.
 */
int segment_writer_seal(struct segment_writer *segment, char *ret_text);
/* Remove the file and free. NULL is fine. */
void segment_writer_discard(struct segment_writer *segment);
/* Leave the file as it is and free. NULL is fine. */
void segment_writer_abandon(struct segment_writer *segment);

/* Seal what an earlier writer left: recovery of the WAL, seal row, checkpoint, no WAL mode any more. */
int segment_writer_recover(const char *path, char *ret_text);

#endif

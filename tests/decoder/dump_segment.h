/* SPDX-License-Identifier: Apache-2.0 */
/* A segment as libstore reads it, in the lines that decode_segment.py prints: one text for the same rows. */
#ifndef SPANRING_TESTS_DECODER_DUMP_SEGMENT_H
#define SPANRING_TESTS_DECODER_DUMP_SEGMENT_H

#include "libstore/reader.h"

#include <stdio.h>

/* Fails the test if anything of the segment cannot be read. */
void dump_segment(const char *path, FILE *to);

/* Parts of it, of a reader of one segment. Nothing fails where the reader names damage: what it gives is printed. */
void dump_overview(FILE *to, const struct store_overview *overview);
void dump_samples(FILE *to, struct store_reader *reader);
/* By the reader's choice of table, which dump_segment does not leave to it. */
void dump_reader_rollups(FILE *to, struct store_reader *reader);
/* Batches as the scan gives them; its on_batch and context are set here. */
void dump_scan(FILE *to, struct store_reader *reader, struct store_scan scan);

#endif

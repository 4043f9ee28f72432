/* SPDX-License-Identifier: Apache-2.0 */
/* A segment as libstore reads it, in the lines that decode_segment.py prints: one text for the same rows. */
#ifndef SPANRING_TESTS_DECODER_DUMP_SEGMENT_H
#define SPANRING_TESTS_DECODER_DUMP_SEGMENT_H

#include <stdio.h>

/* Fails the test if anything of the segment cannot be read. */
void dump_segment(const char *path, FILE *to);

#endif

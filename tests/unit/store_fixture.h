/* SPDX-License-Identifier: Apache-2.0 */
/* A writer with a catalog over a scratch store, for the tests of files. */
#ifndef SPANRING_TESTS_UNIT_STORE_FIXTURE_H
#define SPANRING_TESTS_UNIT_STORE_FIXTURE_H

#include "support/scratch.h"

#include "libstore/catalog.h"
#include "libstore/writer.h"

#define FIXTURE_IDS 20u /* sites and threads in the catalog, and names beside the first ones */
#define FIXTURE_WALL_OFFSET_NS UINT64_C(1700000000000000000)

struct store_fixture {
	struct scratch scratch;
	struct store_writer *writer;
	struct catalog *catalog;
	struct batch *batch;
};

void store_fixture_make(struct store_fixture *fixture);
void store_fixture_remove(struct store_fixture *fixture);
/* Opens; fails the test on any error or word of complaint. */
void store_fixture_open(struct store_fixture *fixture);
void store_fixture_close(struct store_fixture *fixture);
/* A fresh catalog with two processes and FIXTURE_IDS names, sites and threads. */
void store_fixture_catalog(struct store_fixture *fixture);
/* The cursor of ring 7 of the first process. */
struct store_cursor store_fixture_cursor(uint64_t position);
/* Commit fixture->batch with that cursor, an account and a sample; the result of store_writer_commit. */
int store_fixture_commit(struct store_fixture *fixture, uint64_t position);
/* The n-th segment file by name, from 0; "" if there are fewer. */
void store_fixture_segment(const struct store_fixture *fixture, unsigned n, char path[SCRATCH_PATH_BYTES]);

#endif

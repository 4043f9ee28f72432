/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Could a store be written? Ask the file system itself, with what a commit needs of it: a new name, room for some blocks, a write that
 * reaches the disk. So every cause is found that way, by bytes, inodes, quota, file size limit, a read-only mount or a broken disk, which
 * free space alone (statvfs) does not tell. May block as long as the disk does.
 */
#ifndef SPANRING_AGENT_STORE_PROBE_H
#define SPANRING_AGENT_STORE_PROBE_H

#include <stddef.h>

#define STORE_PROBE_NAME                                                                                               \
	"segment-probe.db.tmp" /* what a killed agent left of it, the next one removes like all ".db.tmp" */
#define STORE_PROBE_BYTES (256u << 10)

/* 0, or why not, in words in ret_text. Leaves no file. */
int store_probe(const char *directory, char *ret_text, size_t text_bytes);

#endif

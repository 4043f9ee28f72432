/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The agent's view of one process file: an identity copied once, counters read under the fault guard, and the tables of
 * sites and strings, read entry by entry when a record first names one. Same distrust and same results as
 * ring_reader.h. The file is opened read-only, so that process_reader_mapped tells of the program's own mapping.
 */
#ifndef SPANRING_LIBSHM_PROCESS_READER_H
#define SPANRING_LIBSHM_PROCESS_READER_H

#include <spanring/ring_abi.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct process_reader {
	int fd;
	const struct spanring_process_header *header; /* mapped, hostile */
	uid_t uid;                                    /* owner of the file, as the kernel says */
	uint32_t sites;                               /* as last seen; never back */
	uint32_t strings;
};

/* Copied once; all texts end in a zero. */
struct process_reader_identity {
	uint32_t pid;
	uint32_t ppid;
	uint32_t uid; /* as it claims; only with SPANRING_PROCESS_HAS_UID */
	uint64_t pid_namespace;
	uint64_t start_time;
	uint8_t boot_id[16];
	uint32_t clock_kind;
	uint32_t flags;
	uint64_t anchor_ticks;
	uint64_t anchor_monotonic_ns;
	uint64_t anchor_wall_ns;
	char executable[256];
	char command[512];
	char service[128];
	char resource[768];
	uint32_t resource_left_out;
};

struct process_reader_counters {
	uint32_t state;
	uint32_t rings_made;
	uint64_t threads_untraced;
	uint64_t dropped_no_ring;
	uint64_t names_cut;
	uint64_t sites_overflowed;
	uint64_t strings_overflowed;
	uint64_t misuse;
	uint64_t attributes_over_limit;
	uint64_t events_over_limit;
	uint64_t links_over_limit;
	uint64_t values_cut;
	uint64_t dropped_links;
	uint64_t contexts_malformed;
	uint64_t statistics_overflowed;
	uint64_t dropped_async;
	uint64_t dropped_contexts;
	uint64_t dropped_reentry;
	uint32_t control_flags; /* SPANRING_CONTROL_*, as they are now */
};

/* Open the process file in an instance directory. ret_identity may be large: it is the caller's. */
int process_reader_open(int directory_fd, const uint8_t instance[SPANRING_INSTANCE_BYTES],
                        struct process_reader *ret_reader, struct process_reader_identity *ret_identity);
void process_reader_close(struct process_reader *reader);

int process_reader_counters(struct process_reader *reader, struct process_reader_counters *ret_counters);

/* Entry of an id that a record names: 0, ERR_DAMAGED (no such entry, or one out of bounds), ERR_GONE. */
int process_reader_site(struct process_reader *reader, uint32_t id, struct spanring_site_entry *ret_site);
int process_reader_string(struct process_reader *reader, uint32_t id, char ret_text[SPANRING_NAME_BYTES_MAX + 1],
                          size_t *ret_bytes);

/*
 * Does anyone still have the file open or mapped for writing? 1 yes, 0 no, negative errno when the kernel will not say.
 * The program does as long as it lives, in any pid namespace; a forked child that has not begun a span may, too. The
 * caller ignores SIGIO: an open at that very moment raises it.
 */
int process_reader_mapped(const struct process_reader *reader);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Names become numbers: the string and site tables of a process. All functions are called with the process locked. */
#ifndef SPANRING_LIBSHM_TABLES_H
#define SPANRING_LIBSHM_TABLES_H

#include <spanring/ring_abi.h>
#include <spanring/spanring.h>

struct spanring__tables;

/* Private tables with the overflow entries in place; NULL if there is no memory. */
struct spanring__tables *spanring__tables_new(void);

/* Copy everything interned so far into a fresh process file. */
void spanring__tables_publish_all(const struct spanring__tables *tables, struct spanring_process_header *header);

/* Intern, and publish what is new in the process file. Never 0: what does not fit shares the overflow entry. */
uint32_t spanring__tables_site(struct spanring__tables *tables, struct spanring_process_header *header,
                               const struct spanring_site *site);
uint32_t spanring__tables_string(struct spanring__tables *tables, struct spanring_process_header *header,
                                 const char *text);

/* Length of text cut to at most `limit` bytes before a byte that starts a UTF-8 character. */
static inline uint64_t tables_cut_utf8(const void *text, uint64_t bytes, uint64_t limit) {
	const uint8_t *at = text;
	if (bytes <= limit)
		return bytes;
	for (uint64_t cut = limit; cut > 0 && limit - cut < 4; cut--)
		if ((at[cut] & 0xc0u) != 0x80u)
			return cut;
	return limit;
}

#endif

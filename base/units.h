/* SPDX-License-Identifier: Apache-2.0 */
/* The only place where units change: people write and read "10ms" and "64MiB", programs nanoseconds and bytes. */
#ifndef SPANRING_BASE_UNITS_H
#define SPANRING_BASE_UNITS_H

#include <stddef.h>
#include <stdint.h>

#define UNITS_TEXT_BYTES 32u

/* "250us", "10ms", "1.5s", "2m", "24h", "7d"; a bare number is refused (of what?) except 0. 0 or -EINVAL. */
int units_parse_duration(const char *text, uint64_t *ret_ns);

/* "65536", "64KiB", "1.5MiB", "2GiB", also "K", "M", "G" (powers of 1024). 0 or -EINVAL. */
int units_parse_bytes(const char *text, uint64_t *ret_bytes);

/* Three or four significant digits with a unit: "1.234 ms", "512 ns", "2.10 h". Returns ret_text. */
const char *units_format_duration(double ns, char ret_text[UNITS_TEXT_BYTES]);
const char *units_format_bytes(double bytes, char ret_text[UNITS_TEXT_BYTES]);

/* "12,345,678" */
const char *units_format_count(uint64_t count, char ret_text[UNITS_TEXT_BYTES]);

/* "2026-11-20T18:43:30.123Z" */
const char *units_format_wall(uint64_t wall_ns, char ret_text[UNITS_TEXT_BYTES]);

#endif

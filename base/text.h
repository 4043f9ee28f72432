/* SPDX-License-Identifier: Apache-2.0 */
/* Text that came from elsewhere: hexadecimal ids, and strings made safe to show in a terminal. */
#ifndef SPANRING_BASE_TEXT_H
#define SPANRING_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* bytes -> 2 * count lower-case digits and a zero; ret_text holds 2 * count + 1. */
void text_hex_encode(const uint8_t *bytes, size_t count, char *ret_text);

/* First 2 * count hexadecimal digits of text, hyphens skipped; false if there are fewer. */
bool text_hex_decode(const char *text, uint8_t *ret_bytes, size_t count);

/* Length in bytes of the valid UTF-8 sequence at text (1 to 4), 0 if the bytes there are none. */
size_t text_utf8_sequence(const char *text, size_t bytes, uint32_t *ret_code_point);

/* Code points that move the cursor, hide text or reorder it; none is above U+FFFF. */
bool text_is_dangerous(uint32_t code_point);

/*
 * Copy text for a terminal: C0, DEL, C1 controls, bidirectional and line separators and invalid UTF-8 become \xNN or \u{NNNN}.
 * Always terminated, cut at a whole character if ret_bytes is too small. Returns the number of bytes written.
 */
size_t text_printable(const char *text, size_t bytes, char *ret_text, size_t ret_bytes);

/* Columns that a printable UTF-8 text takes in a terminal (wide East Asian and emoji: 2, combining: 0). */
size_t text_columns(const char *text);

#endif

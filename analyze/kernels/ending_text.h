/* SPDX-License-Identifier: Apache-2.0 */
/* How a process ended, in words: why spans of it never did. */
#ifndef SPANRING_ANALYZE_ENDING_TEXT_H
#define SPANRING_ANALYZE_ENDING_TEXT_H

#include "libstore/span.h"

#define ENDING_TEXT_BYTES 32u

/* "exited", "exec", "exit status 3", "SIGSEGV", "signal 40"; "died" where nobody knows. A text that lasts as long as ret_text. */
const char *ending_text_reason(const struct store_process_account *account, char ret_text[ENDING_TEXT_BYTES]);

/* The same behind "its process ": "exited", "ran another program", "left with status 3", "was killed by SIGSEGV", "died". */
const char *ending_text_phrase(const struct store_process_account *account, char ret_text[ENDING_TEXT_BYTES]);

#endif

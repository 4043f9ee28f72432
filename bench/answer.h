/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON document that a program of ours prints, and numbers out of it. */
#ifndef SPANRING_BENCH_ANSWER_H
#define SPANRING_BENCH_ANSWER_H

#include <stdint.h>

#define ANSWER_BYTES_MAX (16u << 20)

/*
 * Run arguments[0] (a path) and take what it says on standard output; ret_text is the caller's to free, also when the exit status,
 * which is returned, is not 0. Negative errno (nothing to free) if it could not be run or died.
 */
int answer_ask(const char *const *arguments, char **ret_text);

/* The number behind "key": from `text` on; 0 if there is none. */
uint64_t answer_number(const char *text, const char *key);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Everything that can be read out of a file, whatever it holds: what is given must be sound, what is left out must be named. */
#ifndef SPANRING_TESTS_DECODER_STORE_EXERCISE_H
#define SPANRING_TESTS_DECODER_STORE_EXERCISE_H

/* Aborts, so that a fuzzer sees it too. */
void store_exercise(const char *path);

#endif

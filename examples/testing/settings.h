/* SPDX-License-Identifier: Apache-2.0 */
/* The code under test: reads a file of name=value lines, and says with spans what it did. */
#ifndef EXAMPLES_TESTING_SETTINGS_H
#define EXAMPLES_TESTING_SETTINGS_H

/* Number of settings, or -1 if the file cannot be read. */
int settings_load(const char *path);

#endif

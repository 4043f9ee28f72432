/* SPDX-License-Identifier: Apache-2.0 */
/* Files of this product that lie beside the running program, in a build folder as in an installed tree. */
#ifndef SPANRING_BASE_SIBLING_H
#define SPANRING_BASE_SIBLING_H

#include <limits.h>
#include <spanring/version.h>

#define SIBLING_QUOTE_(word) #word
#define SIBLING_QUOTE(word) SIBLING_QUOTE_(word)
#define SIBLING_HEAP_LIBRARY "libspanring_heap.so." SIBLING_QUOTE(SPANRING_VERSION_MAJOR)

/*
 * Full path of a shared library by its file name: where libraries are installed relative to programs, else ../lib, else
 * the folder of the program. 0; -ENOENT with the first place that was tried in ret_path; other negative errno.
 */
int sibling_library(const char *name, char ret_path[PATH_MAX]);

/* What to give to execlp or posix_spawnp: the program beside the running one, else its bare name, for PATH. */
void sibling_program(const char *name, char ret_path[PATH_MAX]);

#endif

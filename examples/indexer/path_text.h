/* SPDX-License-Identifier: Apache-2.0 */
/* File names may hold any byte but '/' and 0: shown so that one name is one line and no terminal obeys it. */
#ifndef INDEXER_PATH_TEXT_H
#define INDEXER_PATH_TEXT_H

#include <stdio.h>

/* path to file, control characters and backslashes as \xNN. */
void path_text_write(FILE *file, const char *path);

/* One line on stderr: "indexer: PATH: text". */
void path_text_report(const char *path, const char *text);

#endif

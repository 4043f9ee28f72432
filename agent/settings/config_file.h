/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The form of a configuration file, and nothing of its meaning:
 *
 *     # comment; also "; comment"
 *     [section]
 *     key = value
 *
 * One thing per line; spaces and tabs around each part do not count, everything else of a value does (there are no quotes, no escapes, and no
 * comments behind a value). Names are of a-z, 0-9 and "-". Lines end in LF or CR LF, the last one may end without. Text is UTF-8 without
 * control characters. Whatever else stands there is refused with the number of its line: what is not understood must not be guessed.
 */
#ifndef SPANRING_AGENT_CONFIG_FILE_H
#define SPANRING_AGENT_CONFIG_FILE_H

#include <stddef.h>
#include <stdint.h>

#define CONFIG_FILE_BYTES_MAX (64u << 10)
#define CONFIG_FILE_LINE_BYTES_MAX 8192u
#define CONFIG_FILE_WHY_BYTES 128u

struct config_file_item {
	uint32_t line;
	char *section; /* never NULL */
	char *key;     /* NULL: the section begins here */
	char *value;   /* not empty */
};

/*
 * text has room for a zero at text[bytes] and is cut into pieces, which the items point to. 0; ERR_DAMAGED with line and reason; or what on_item
 * gave that was not 0.
 */
int config_file_parse(char *text, size_t bytes, int (*on_item)(void *context, const struct config_file_item *item),
                      void *context, uint32_t *ret_line, char ret_why[CONFIG_FILE_WHY_BYTES]);

/*
 * The whole file into memory, given back with free(). 0; -ENOENT and other system errors; ERR_LIMIT (too large); ERR_FOREIGN (no
 * regular file, and not /dev/null).
 */
int config_file_load(const char *path, char **ret_text, size_t *ret_bytes);

#endif

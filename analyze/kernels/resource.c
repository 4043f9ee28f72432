/* SPDX-License-Identifier: Apache-2.0 */
#include "resource.h"

#include "base/text.h"

#include <stdint.h>
#include <string.h>

#define HEX_DIGITS "0123456789abcdefABCDEF"

static size_t decode(char *text) {
	char *to = text;
	for (const char *from = text; *from; to++) {
		uint8_t byte;
		if (*from == '%' && strspn(from + 1, HEX_DIGITS) >= 2 && text_hex_decode(from + 1, &byte, 1)) {
			*to = (char)byte;
			from += 3;
		} else {
			*to = *from++;
		}
	}
	*to = 0;
	return (size_t)(to - text);
}

bool resource_next(char **rest, struct resource_pair *ret_pair) {
	for (char *pair; *rest && (pair = strsep(rest, ",")) != NULL;) {
		char *equals = strchr(pair, '=');
		if (!equals || equals == pair)
			continue;
		*equals = 0;
		*ret_pair = (struct resource_pair){.key = pair, .value = equals + 1};
		ret_pair->value_bytes = decode(equals + 1);
		return true;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flame graph: a call view in the order in which it is drawn, and how it changed against another one. Printed as SVG (flame_svg.h), as folded stacks and as
 * speedscope JSON.
 *
 * CHANGE. Frames are matched by the names on their paths. The values of `before` are scaled to as many calls of roots as there are after: what a call costs is compared, and a
 * run that was longer is not slower. A frame's change is that of its own value; children have theirs.
 */
#ifndef SPANRING_ANALYZE_FLAME_H
#define SPANRING_ANALYZE_FLAME_H

#include "call_view.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define FLAME_NO_MATCH UINT32_MAX

struct flame_change {
	double own; /* after less before, scaled */
	double wide;
	double before_wide;
	bool is_new;
};

struct flame {
	const struct call_view *view;
	const struct call_view *before; /* NULL: no change is shown */
	enum call_value value;
	bool strip;                   /* directories of files */
	uint32_t *matches;            /* by node: the one before, or FLAME_NO_MATCH */
	struct flame_change *changes; /* by node */
	double own_change_max;
	double scale;      /* of the values of `before` */
	double gone_share; /* of `before`: in paths that are not there any more */
};

/* before may be NULL. 0 or -ENOMEM. */
int flame_new(const struct call_view *view, const struct call_view *before, enum call_value value, bool strip,
              struct flame *ret_flame);
void flame_free(struct flame *flame);

/* "12.3 ms", "1.5 MiB", "1,234 calls". */
#define FLAME_VALUE_TEXT_BYTES 48u
const char *flame_value_text(enum call_value value, double amount, char ret_text[FLAME_VALUE_TEXT_BYTES]);
/* "wall time" */
const char *flame_value_name(enum call_value value);

/*
 * A line per path with an own value: names joined by ';' and the value; with `before` both values, the one before first and not scaled. ';' in names
 * becomes ':', what a terminal would obey is escaped. 0 or -ENOMEM.
 */
int flame_print_folded(const struct flame *flame, FILE *out);
/* One profile of https://www.speedscope.app; `name` is its title. */
int flame_print_speedscope(const struct flame *flame, const char *name, FILE *out);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flame graph as SVG: roots at the bottom, a frame as wide as its value, light or dark as the viewer is. It is a picture without any script; the script adds
 * zoom (click, Escape) and search, by name.
 *
 * INERT. What comes from a store is only in text nodes and attribute values, escaped, without what no XML may hold and what reorders text; nothing is loaded from
 * anywhere. Positions are in percent of the width, so the picture fits any window.
 *
 * INTO A PAGE. With is_standalone false there is no XML head, style or script: a page has flame_svg_style and flame_svg_script once, for all its graphs.
 */
#ifndef SPANRING_ANALYZE_FLAME_SVG_H
#define SPANRING_ANALYZE_FLAME_SVG_H

#include "flame.h"

#include <stdbool.h>
#include <stdio.h>

struct flame_svg {
	const char *title; /* any text */
	bool is_standalone;
};

void flame_svg_write(const struct flame *flame, const struct flame_svg *look, FILE *out);

/* Neither has "]]>" or "</". */
extern const char flame_svg_style[];
extern const char flame_svg_script[]; /* works on each svg.flame of its document */

#endif

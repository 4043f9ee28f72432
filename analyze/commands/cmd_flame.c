/* SPDX-License-Identifier: Apache-2.0 */
/* flame: the calls of all traces as a flame graph, alone or against another store. */
#include "analyze/calls/call_view.h"
#include "analyze/calls/calls.h"
#include "analyze/calls/flame.h"
#include "analyze/calls/flame_svg.h"
#include "analyze/command.h"
#include "analyze/query.h"
#include "analyze/terminal/output.h"

#include "base/errs.h"
#include "base/units.h"

#include <string.h>

#define TITLE_BYTES 1024u

static const char help[] = "  spanring-analyze flame STORE -o flame.svg\n"
                           "  spanring-analyze flame STORE --value self --name 'db.*' -o db.svg\n"
                           "  spanring-analyze flame --before STORE_A STORE_B -o change.svg\n"
                           "  spanring-analyze flame STORE --format folded | awk '{print $NF, $0}' | sort -rn\n"
                           "  spanring-analyze flame STORE --format speedscope -o store.speedscope.json\n"
                           "\n"
                           "The calls of all traces, merged by path, as a flame graph: each frame stands on\n"
                           "its caller and is as wide as its value. The SVG opens in any browser: click a\n"
                           "frame to zoom in, type to search. With --before it shows STORE against that\n"
                           "store: red frames took longer, blue ones shorter, per call of a root.\n"
                           "\n"
                           "Options\n"
                           "  -o, --output FILE   where to (default: standard output)\n"
                           "  --value WHAT     wall (default): durations; self: time in which no child ran;\n"
                           "                   allocated: bytes, where the program counts its heap; calls\n"
                           "  --format WHAT    svg (default); folded: a line per path for other tools;\n"
                           "                   speedscope: JSON for https://www.speedscope.app (so --json)\n"
                           "  --before STORE   the store to compare with (not with speedscope)\n"
                           "  --by WHAT        frames are names (default), sites (name, file and line), or\n"
                           "                   files; --strip-dirs leaves directories out\n"
                           "  --root GLOB      begin at the outermost spans whose name matches\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  --threads N      read with N threads (default: one for each core)\n";

enum { OWN_OUTPUT, OWN_VALUE, OWN_FORMAT, OWN_BEFORE, OWN_BY, OWN_STRIP_DIRS, OWN_ROOT, OWN_COUNT };

static const struct option_own own[OWN_COUNT] = {
    [OWN_OUTPUT] = {"--output", 'o', OPTION_VALUE_TEXT}, [OWN_VALUE] = {"--value", 0, OPTION_VALUE_TEXT},
    [OWN_FORMAT] = {"--format", 0, OPTION_VALUE_TEXT},   [OWN_BEFORE] = {"--before", 0, OPTION_VALUE_TEXT},
    [OWN_BY] = {"--by", 0, OPTION_VALUE_TEXT},           [OWN_STRIP_DIRS] = {"--strip-dirs", 0, OPTION_VALUE_NONE},
    [OWN_ROOT] = {"--root", 0, OPTION_VALUE_TEXT}};

enum format { FORMAT_SVG, FORMAT_FOLDED, FORMAT_SPEEDSCOPE };

/* What is asked of each store. */
struct asked {
	enum call_value value;
	enum format format;
	struct calls_question question;
	const char *root;
	bool strip;
};

/* One store, read. */
struct side {
	struct options options;
	struct context context;
	struct query query;
	struct calls calls;
	struct call_view view;
	bool is_open;
	bool is_read;
	bool has_view;
};

static void close_side(struct side *side) {
	if (side->has_view)
		call_view_free(&side->view);
	if (side->is_read)
		calls_free(&side->calls);
	if (side->is_open)
		query_close(&side->query);
}

static int read_side(const struct context *context, const struct asked *asked, const char *store, struct side *side) {
	side->options = *context->options;
	side->options.store = store;
	side->context = *context;
	side->context.options = &side->options;
	int code = query_open(&side->query, &side->context);
	if (code != EXIT_CODE_OK)
		return code;
	side->is_open = true;
	int rc = calls_read(&side->query, &asked->question, &side->calls);
	side->is_read = rc == 0;
	if (rc == 0)
		rc = call_view_new(&side->calls, asked->value, asked->root, &side->view);
	side->has_view = rc == 0;
	return query_finish(&side->query, rc ? command_failed(context, rc, "adding up calls") : EXIT_CODE_OK);
}

static bool can_say(const struct side *side, const struct asked *asked) {
	const struct log *log = &side->context.log;
	if (asked->value == CALL_VALUE_SELF && !side->calls.self_known) {
		log_error(log, "flame: %s has no self times; --value wall has the durations", side->options.store);
		return false;
	}
	if (asked->value == CALL_VALUE_ALLOCATED && !side->calls.heap_known) {
		log_error(log, "flame: no span of %s that matches has counted its heap: see docs/heap.md",
		          side->options.store);
		return false;
	}
	return true;
}

static void note(const struct side *side) {
	const struct calls *calls = &side->calls;
	char text[UNITS_TEXT_BYTES];
	if (side->context.options->quiet)
		return;
	if (calls->others > 0)
		log_info(&side->context.log, "%s: %s spans whose path found no room are under (other)",
		         side->options.store, units_format_count(calls->others, text));
	if (calls->spans == 0 && !query_store_is_empty(&side->query))
		log_info(&side->context.log, "%s: no stored span matches", side->options.store);
}

static int print(const struct flame *flame, const struct asked *asked, const char *title, FILE *out) {
	struct flame_svg look = {.title = title, .is_standalone = true};
	switch (asked->format) {
	case FORMAT_FOLDED:
		return flame_print_folded(flame, out);
	case FORMAT_SPEEDSCOPE:
		return flame_print_speedscope(flame, title, out);
	case FORMAT_SVG:
		flame_svg_write(flame, &look, out);
	}
	return 0;
}

static int write_out(const struct context *context, const struct asked *asked, const struct side *after,
                     const struct side *before) {
	const struct option_given *given = &context->options->own[OWN_OUTPUT];
	char title[TITLE_BYTES];
	struct output output = {.file = NULL};
	struct flame flame;
	int rc = flame_new(&after->view, before ? &before->view : NULL, asked->value, asked->strip, &flame);
	if (rc != 0)
		return command_failed(context, rc, "comparing");
	const char *what = flame_value_name(asked->value);
	if (before)
		(void)snprintf(title, sizeof(title), "Flame graph: change of %s per call of a root, %s against %s",
		               what, after->options.store, before->options.store);
	else
		(void)snprintf(title, sizeof(title), "Flame graph: %s in %s", what, after->options.store);
	const char *path = given->is_given ? given->text : NULL;
	int code = EXIT_CODE_OK;
	rc = output_open(path, &output);
	if (rc == 0) {
		rc = print(&flame, asked, title, output.file);
		if (rc != 0)
			code = command_failed(context, rc, "printing");
		rc = rc ? 0 : output_commit(&output);
		output_discard(&output);
	}
	if (rc != 0) {
		log_error(&context->log, "cannot write '%s': %s", path ? path : "-", strerror(-rc));
		code = EXIT_CODE_OUTPUT;
	}
	flame_free(&flame);
	return code;
}

/* Damage of one store (an exit code of reading it) does not keep the picture of the rest from being drawn. */
static int answer(const struct context *context, const struct asked *asked, struct side *after, struct side *before) {
	const struct option_given *given = &context->options->own[OWN_BEFORE];
	int code = read_side(context, asked, context->options->store, after);
	if (!after->has_view)
		return code;
	int code_before = given->is_given ? read_side(context, asked, given->text, before) : EXIT_CODE_OK;
	if (given->is_given && !before->has_view)
		return code_before;
	if (!can_say(after, asked) || (given->is_given && !can_say(before, asked)))
		return EXIT_CODE_FAILED;
	note(after);
	if (given->is_given)
		note(before);
	int written = write_out(context, asked, after, given->is_given ? before : NULL);
	if (written != EXIT_CODE_OK)
		return written;
	return code != EXIT_CODE_OK ? code : code_before;
}

static bool parse_word(const struct context *context, unsigned which, const char *const *words, unsigned count,
                       unsigned *ret_index) {
	const struct option_given *given = &context->options->own[which];
	char list[256] = "";
	if (!given->is_given)
		return true;
	for (unsigned i = 0; i < count; i++) {
		size_t used = strlen(list);
		if (strcmp(words[i], given->text) == 0) {
			*ret_index = i;
			return true;
		}
		(void)snprintf(list + used, sizeof(list) - used, "%s%s",
		               i == 0           ? ""
		               : i + 1 == count ? " or "
		                                : ", ",
		               words[i]);
	}
	log_error(&context->log, "flame: %s '%s': give %s", own[which].word, given->text, list);
	return false;
}

static int parse(const struct context *context, struct asked *asked) {
	static const char *const values[] = {"wall", "self", "allocated", "calls"};
	static const char *const formats[] = {"svg", "folded", "speedscope"};
	static const char *const by[] = {"name", "site", "file"};
	const struct option_given *given = context->options->own;
	unsigned value = CALL_VALUE_WALL;
	unsigned format = context->options->json ? FORMAT_SPEEDSCOPE : FORMAT_SVG;
	unsigned key = CALL_BY_NAME;
	if (!parse_word(context, OWN_VALUE, values, 4, &value) ||
	    !parse_word(context, OWN_FORMAT, formats, 3, &format) || !parse_word(context, OWN_BY, by, 3, &key))
		return EXIT_CODE_USAGE;
	if (format == FORMAT_SPEEDSCOPE && given[OWN_BEFORE].is_given) {
		log_error(&context->log, "flame: speedscope shows one store: --before is for svg and folded");
		return EXIT_CODE_USAGE;
	}
	*asked = (struct asked){.value = (enum call_value)value,
	                        .format = (enum format)format,
	                        .question = {.by = (enum call_by)key,
	                                     .by_path = true,
	                                     .wants_self = value == CALL_VALUE_SELF,
	                                     .wants_heap = value == CALL_VALUE_ALLOCATED},
	                        .root = given[OWN_ROOT].is_given ? given[OWN_ROOT].text : NULL,
	                        .strip = given[OWN_STRIP_DIRS].is_given};
	return EXIT_CODE_OK;
}

static int run(const struct context *context) {
	struct side after = {.is_open = false};
	struct side before = {.is_open = false};
	struct asked asked;
	int code = parse(context, &asked);
	if (code != EXIT_CODE_OK)
		return code;
	code = answer(context, &asked, &after, &before);
	close_side(&after);
	close_side(&before);
	return code;
}

const struct command command_flame = {
    .name = "flame",
    .summary = "a flame graph: SVG, folded stacks, speedscope",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_THREADS,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
/* tree: the calls of all traces, merged by path. */
#include "analyze/calls/call_view.h"
#include "analyze/calls/calls.h"
#include "analyze/command.h"
#include "analyze/query.h"
#include "analyze/terminal/table.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/units.h"

#include <stdlib.h>
#include <string.h>

#define MIN_SHARE_DEFAULT 0.01 /* of a picture for people */
#define INDENT 2u

static const char help[] = "  spanring-analyze tree STORE\n"
                           "  spanring-analyze tree STORE --depth 3 --min-share 5%\n"
                           "  spanring-analyze tree STORE --root 'db.*'\n"
                           "  spanring-analyze tree STORE --json | jq '.roots[0].children[].name'\n"
                           "\n"
                           "The calls of all traces, merged by path: below each name the names that it\n"
                           "called, the largest first, with the time of their spans (total), the time in\n"
                           "which no child ran (self), calls, and the share of what is above. The marked\n"
                           "lines are the hot path: from the top to the largest child again and again,\n"
                           "until more time is spent in a span itself than in any child.\n"
                           "\n"
                           "Spans count that are stored, that ended and that match; above and below them\n"
                           "stands whatever led to them. Children that ran at the same time can have more\n"
                           "time than their parent. (parent not stored): what is below begins elsewhere,\n"
                           "or its parent was dropped. (other): there was no room for more paths.\n"
                           "\n"
                           "Options\n"
                           "  --depth N        so many levels (default: all)\n"
                           "  --min-share S    only paths with at least this share of all time (default 1%;\n"
                           "                   of --json: all)\n"
                           "  --root GLOB      begin at the outermost spans whose name matches\n"
                           "  --where EXPR     only spans of which it is true: see help where\n"
                           "  --name GLOB      only names that match, like 'db.*'\n"
                           "  --service GLOB   only processes of a service that matches\n"
                           "  --since T, --until T\n"
                           "                   only spans that started in this time, like\n"
                           "                   2026-11-20T18:43:30Z, or 10m (ago)\n"
                           "  --threads N      read with N threads (default: one for each core)\n";

enum { OWN_DEPTH, OWN_MIN_SHARE, OWN_ROOT, OWN_COUNT };

static const struct option_own own[OWN_COUNT] = {[OWN_DEPTH] = {"--depth", 0, OPTION_VALUE_COUNT},
                                                 [OWN_MIN_SHARE] = {"--min-share", 0, OPTION_VALUE_SHARE},
                                                 [OWN_ROOT] = {"--root", 0, OPTION_VALUE_TEXT}};

struct tree {
	struct query query;
	struct calls calls;
	struct call_view view;
	bool *hot;          /* by node of the view */
	uint64_t depth_max; /* 0: all */
	double min_share;
	uint32_t small; /* paths left out, and those that are too deep */
	uint32_t deep;
};

static void mark_hot(struct tree *tree) {
	const struct call_view_node *nodes = tree->view.nodes;
	uint32_t at = 0;
	while (nodes[at].count > 0 && nodes[nodes[at].first].key != CALL_KEY_OTHER &&
	       (at == 0 || nodes[nodes[at].first].wide >= nodes[at].figures.self_ns)) {
		at = nodes[at].first;
		tree->hot[at] = true;
	}
}

static bool is_shown(struct tree *tree, const struct call_view_node *node) {
	if (call_share(node->wide, tree->view.nodes[0].wide) < tree->min_share) {
		tree->small++;
		return false;
	}
	if (tree->depth_max > 0 && node->depth > tree->depth_max) {
		tree->deep++;
		return false;
	}
	return true;
}

static double share_above(const struct tree *tree, const struct call_view_node *node) {
	return call_share(node->wide, tree->view.nodes[node->parent].wide);
}

/* --- JSON -------------------------------------------------------------------------------------------------------- */

static void print_json_list(struct tree *tree, struct json *json, const char *key, uint32_t at) {
	const struct call_view_node *parent = &tree->view.nodes[at];
	json_open(json, key, '[');
	for (uint32_t child = parent->first; child < parent->first + parent->count; child++) {
		const struct call_view_node *node = &tree->view.nodes[child];
		bool is_real = node->key < tree->view.keys->key_count;
		if (!is_shown(tree, node))
			continue;
		json_open(json, NULL, '{');
		json_text(json, "name",
		          is_real ? call_key_name(tree->view.keys, node->key)
		                  : call_key_text(tree->view.keys, node->key, false, (char[CALL_KEY_TEXT_BYTES]){0}));
		if (!is_real)
			json_bool(json, "is_span", false);
		json_u64(json, "count", calls_count(node->figures.calls));
		json_u64(json, "errors", calls_count(node->figures.errors));
		json_u64(json, "total_ns", node->figures.total_ns);
		if (tree->calls.self_known)
			json_u64(json, "self_ns", node->figures.self_ns);
		else
			json_null(json, "self_ns");
		json_u64(json, "min_ns", node->figures.min_ns);
		json_u64(json, "max_ns", node->figures.max_ns);
		json_f64(json, "share_of_parent", share_above(tree, node));
		json_bool(json, "hot", tree->hot[child]);
		print_json_list(tree, json, "children", child);
		json_close(json);
	}
	json_close(json);
}

static void print_json(struct tree *tree) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "tree/1");
	json_text(&json, "coverage", "stored");
	json_text(&json, "method", tree->calls.estimated ? "estimate" : "exact");
	json_u64(&json, "records", tree->calls.spans);
	json_u64(&json, "unfinished", tree->calls.open);
	json_u64(&json, "parent_not_stored", tree->calls.absent);
	json_u64(&json, "path_left_out", tree->calls.others);
	json_u64(&json, "total_ns", tree->view.nodes[0].wide);
	print_json_list(tree, &json, "roots", 0);
	json_close(&json);
}

/* --- text -------------------------------------------------------------------------------------------------------- */

static void add_row(struct tree *tree, struct table *table, uint32_t at) {
	const struct call_view_node *node = &tree->view.nodes[at];
	bool is_real = node->key < tree->view.keys->key_count;
	enum terminal_style style = tree->hot[at] ? STYLE_BOLD : is_real ? STYLE_PLAIN : STYLE_DIM;
	uint32_t indent = (node->depth - 1) * INDENT;
	char text[CALL_KEY_TEXT_BYTES];
	char label[CALL_DEPTH_MAX * INDENT + CALL_KEY_TEXT_BYTES];
	char share[UNITS_TEXT_BYTES];
	(void)snprintf(label, sizeof(label), "%*s%s", (int)indent, "",
	               call_key_text(tree->view.keys, node->key, false, text));
	(void)snprintf(share, sizeof(share), "%.1f %%", 100 * share_above(tree, node));
	bool counted = node->figures.calls > 0;
	if (counted || !is_real)
		table_duration(table, counted ? (double)node->figures.total_ns : (double)node->wide);
	else
		table_cell(table, STYLE_DIM, "-");
	if (tree->calls.self_known && counted)
		table_duration(table, (double)node->figures.self_ns);
	else if (tree->calls.self_known)
		table_cell(table, STYLE_DIM, "-");
	if (counted)
		table_count(table, STYLE_PLAIN, calls_count(node->figures.calls));
	else
		table_cell(table, STYLE_DIM, "-");
	table_cell(table, STYLE_PLAIN, share);
	table_cell(table, STYLE_YELLOW, tree->hot[at] ? ">" : "");
	table_cell(table, style, label);
}

static void add_rows(struct tree *tree, struct table *table, uint32_t at) {
	const struct call_view_node *parent = &tree->view.nodes[at];
	for (uint32_t child = parent->first; child < parent->first + parent->count; child++) {
		if (!is_shown(tree, &tree->view.nodes[child]))
			continue;
		add_row(tree, table, child);
		add_rows(tree, table, child);
	}
}

static void print_left_out(const struct tree *tree) {
	const struct terminal *terminal = &tree->query.context->terminal;
	char text[UNITS_TEXT_BYTES];
	terminal_note(terminal, stdout, STYLE_DIM, "share: of what is above; > marks the hot path");
	if (tree->small > 0)
		terminal_note(terminal, stdout, STYLE_DIM,
		              "%s smaller %s left out, with what is below: less than %.3g %% of all time (--min-share)",
		              units_format_count(tree->small, text), tree->small == 1 ? "path is" : "paths are",
		              100 * tree->min_share);
	if (tree->deep > 0)
		terminal_note(terminal, stdout, STYLE_DIM, "%s deeper %s left out (--depth)",
		              units_format_count(tree->deep, text), tree->deep == 1 ? "path is" : "paths are");
}

static int print_table(struct tree *tree) {
	static const struct table_column with_self[] = {{"total", true, 0}, {"self", true, 1}, {"calls", true, 2},
	                                                {"share", true, 0}, {"", false, 0},    {"name", false, 0}};
	static const struct table_column without[] = {
	    {"total", true, 0}, {"calls", true, 2}, {"share", true, 0}, {"", false, 0}, {"name", false, 0}};
	bool self = tree->calls.self_known;
	struct table table CLEANUP(table_done) =
	    table_begin(self ? with_self : without, self ? 6 : 5, self ? 5 : 4, 24);
	add_rows(tree, &table, 0);
	int rc = table_print(&table, &tree->query.context->terminal, stdout);
	if (rc != 0)
		return rc;
	(void)putchar('\n');
	print_left_out(tree);
	calls_print_notes(&tree->calls);
	return 0;
}

/* ------------------------------------------------------------------------------------------------------------------ */

static int print(struct tree *tree) {
	const struct context *context = tree->query.context;
	bool empty = tree->calls.spans == 0 && query_store_is_empty(&tree->query);
	tree->hot = calloc(tree->view.node_count, sizeof(*tree->hot));
	if (!tree->hot)
		return -ENOMEM;
	mark_hot(tree);
	int rc = 0;
	if (context->options->json)
		print_json(tree);
	else if (tree->view.nodes[0].count > 0)
		rc = print_table(tree);
	else if (!empty)
		log_info(&context->log, "no stored span matches");
	free(tree->hot);
	return rc;
}

static int answer(struct tree *tree) {
	const struct context *context = tree->query.context;
	const struct option_given *root = &context->options->own[OWN_ROOT];
	struct calls_question question = {.by = CALL_BY_NAME, .by_path = true, .wants_self = true};
	int rc = calls_read(&tree->query, &question, &tree->calls);
	if (rc == 0) {
		rc = call_view_new(&tree->calls, CALL_VALUE_WALL, root->is_given ? root->text : NULL, &tree->view);
		if (rc == 0) {
			rc = print(tree);
			call_view_free(&tree->view);
		}
		calls_free(&tree->calls);
	}
	return query_finish(&tree->query, rc ? command_failed(context, rc, "adding up calls") : EXIT_CODE_OK);
}

static int run(const struct context *context) {
	const struct option_given *given = context->options->own;
	struct tree tree = {.depth_max = given[OWN_DEPTH].number,
	                    .min_share = context->options->json ? 0 : MIN_SHARE_DEFAULT};
	if (given[OWN_MIN_SHARE].is_given)
		tree.min_share = given[OWN_MIN_SHARE].share;
	int code = query_open(&tree.query, context);
	if (code != EXIT_CODE_OK)
		return code;
	code = answer(&tree);
	query_close(&tree.query);
	return code;
}

const struct command command_tree = {
    .name = "tree",
    .summary = "the calls of all traces, merged by path",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_TIME | OPTION_SERVICE | OPTION_NAME | OPTION_WHERE | OPTION_THREADS,
    .takes.own = own,
    .takes.own_count = OWN_COUNT,
    .run = run,
};

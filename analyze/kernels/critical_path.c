/* SPDX-License-Identifier: Apache-2.0 */
#include "critical_path.h"

#include "base/checked.h"
#include "base/cleanup.h"

#include <stdlib.h>
#include <string.h>

/* A child, with what sorting needs. */
struct child {
	uint64_t end_ns;
	uint64_t start_ns;
	uint32_t parent; /* TRACE_TREE_NONE: a top */
	uint32_t span;
};

/* A span that the path is in, or comes back to. */
struct frame {
	uint64_t now_ns; /* the path has come back to here */
	uint64_t low_ns; /* and goes to here in this span */
	uint32_t span;   /* TRACE_TREE_NONE: the trace itself */
	uint32_t next;   /* of the children that are left */
};

struct walking {
	const struct trace_tree *tree;
	const struct trace_tree_span *spans;
	struct child *children; /* by parent, the last to end first */
	uint32_t *first_child;  /* by span, the trace itself last; and behind the last */
	struct frame *frames;
	uint32_t depth;
	struct critical_path *path;
};

static uint64_t end_of(const struct trace_tree_span *span) {
	return saturating_add(span->start_ns, span->duration_ns);
}

static int by_parent(const void *a, const void *b) {
	const struct child *left = a;
	const struct child *right = b;
	if (left->parent != right->parent)
		return left->parent < right->parent ? -1 : 1;
	if (left->end_ns != right->end_ns)
		return left->end_ns > right->end_ns ? -1 : 1;
	if (left->start_ns != right->start_ns)
		return left->start_ns < right->start_ns ? -1 : 1;
	return left->span < right->span ? -1 : left->span > right->span;
}

/* TRACE_TREE_NONE sorts behind all spans, so the tops are the children of number `count`. */
static void sort_children(struct walking *walking) {
	uint32_t count = walking->tree->count;
	for (uint32_t i = 0; i < count; i++)
		walking->children[i] = (struct child){.end_ns = end_of(&walking->spans[i]),
		                                      .start_ns = walking->spans[i].start_ns,
		                                      .parent = walking->tree->nodes[i].parent,
		                                      .span = i};
	qsort(walking->children, count, sizeof(walking->children[0]), by_parent);
	uint32_t at = 0;
	for (uint32_t i = 0; i <= count; i++) {
		walking->first_child[i] = at;
		while (at < count && (walking->children[at].parent == i || i == count))
			at++;
	}
	walking->first_child[count + 1] = count;
}

static uint32_t place_of(const struct walking *walking, uint32_t span) {
	return span == TRACE_TREE_NONE ? walking->tree->count : span;
}

static void push(struct walking *walking, uint32_t span, uint64_t now_ns, uint64_t low_ns) {
	walking->frames[walking->depth++] = (struct frame){
	    .now_ns = now_ns, .low_ns = low_ns, .span = span, .next = walking->first_child[place_of(walking, span)]};
	if (span != TRACE_TREE_NONE)
		walking->path->on_path[span] = true;
}

/* The way from the trace down to the span that ends last; each goes on where the one below it began. */
static void push_last(struct walking *walking, uint32_t last) {
	uint32_t depth = walking->tree->nodes[last].depth + 2;
	uint32_t at = last;
	for (uint32_t i = depth; i-- > 1; at = walking->tree->nodes[at].parent) {
		walking->depth = i;
		push(walking, at, end_of(&walking->spans[at]), walking->spans[at].start_ns);
	}
	walking->depth = 0;
	push(walking, TRACE_TREE_NONE, UINT64_MAX, 0);
	walking->depth = depth;
}

static void add_piece(struct walking *walking, uint32_t span, uint64_t start_ns, uint64_t end_ns) {
	struct critical_path *path = walking->path;
	if (span == TRACE_TREE_NONE || end_ns <= start_ns)
		return;
	path->pieces[path->piece_count++] = (struct critical_piece){start_ns, end_ns, span};
	path->span_ns[span] += end_ns - start_ns;
	path->path_ns += end_ns - start_ns;
}

/* The next child that the span waited for; NULL: there is none. */
static const struct child *next_child(const struct walking *walking, struct frame *frame) {
	uint32_t end = walking->first_child[place_of(walking, frame->span) + 1];
	while (frame->next < end) {
		const struct child *child = &walking->children[frame->next++];
		if (child->end_ns <= frame->now_ns && child->start_ns < frame->now_ns && child->end_ns > frame->low_ns)
			return child;
	}
	return NULL;
}

static void walk(struct walking *walking) {
	while (walking->depth > 0) {
		struct frame *frame = &walking->frames[walking->depth - 1];
		const struct child *child = next_child(walking, frame);
		if (child) {
			add_piece(walking, frame->span, child->end_ns, frame->now_ns);
			push(walking, child->span, child->end_ns,
			     child->start_ns > frame->low_ns ? child->start_ns : frame->low_ns);
			continue;
		}
		add_piece(walking, frame->span, frame->low_ns, frame->now_ns);
		uint64_t reached_ns = frame->low_ns < frame->now_ns ? frame->low_ns : frame->now_ns;
		walking->depth--;
		if (walking->depth > 0 && walking->frames[walking->depth - 1].now_ns > reached_ns)
			walking->frames[walking->depth - 1].now_ns = reached_ns;
	}
}

static void reverse(struct critical_path *path) {
	for (uint32_t i = 0; i < path->piece_count / 2; i++) {
		struct critical_piece piece = path->pieces[i];
		path->pieces[i] = path->pieces[path->piece_count - 1 - i];
		path->pieces[path->piece_count - 1 - i] = piece;
	}
}

static uint32_t find_last(const struct trace_tree *tree, const struct trace_tree_span *spans, uint64_t *ret_trace_ns) {
	uint32_t last = tree->order[0];
	uint64_t start_ns = UINT64_MAX;
	/* in tree order parents come first: of equal ends the first that is met is the nearest to the root */
	for (uint32_t i = 0; i < tree->count; i++) {
		uint32_t span = tree->order[i];
		bool later = end_of(&spans[span]) > end_of(&spans[last]);
		bool nearer =
		    end_of(&spans[span]) == end_of(&spans[last]) && tree->nodes[span].depth < tree->nodes[last].depth;
		if (later || nearer)
			last = span;
		if (spans[span].start_ns < start_ns)
			start_ns = spans[span].start_ns;
	}
	*ret_trace_ns = end_of(&spans[last]) - start_ns;
	return last;
}

int critical_path_find(const struct trace_tree *tree, const struct trace_tree_span *spans,
                       struct critical_path *ret_path) {
	struct critical_path path = {0};
	size_t room = (size_t)tree->count + 2;
	CLEANUP_FREE struct child *children = calloc(room, sizeof(*children));
	CLEANUP_FREE uint32_t *first_child = calloc(room, sizeof(*first_child));
	CLEANUP_FREE struct frame *frames = calloc(room, sizeof(*frames));
	/* a piece before each child that is waited for, and one at the start of each span */
	path.pieces = calloc(2 * room, sizeof(*path.pieces));
	path.span_ns = calloc(room, sizeof(*path.span_ns));
	path.on_path = calloc(room, sizeof(*path.on_path));
	if (!children || !first_child || !frames || !path.pieces || !path.span_ns || !path.on_path) {
		critical_path_done(&path);
		return -ENOMEM;
	}
	struct walking walking = {.tree = tree,
	                          .spans = spans,
	                          .children = children,
	                          .first_child = first_child,
	                          .frames = frames,
	                          .path = &path};
	if (tree->count > 0) {
		sort_children(&walking);
		push_last(&walking, find_last(tree, spans, &path.trace_ns));
		walk(&walking);
		reverse(&path);
	}
	*ret_path = path;
	return 0;
}

void critical_path_done(struct critical_path *path) {
	free(path->pieces);
	free(path->span_ns);
	free(path->on_path);
	memset(path, 0, sizeof(*path));
}

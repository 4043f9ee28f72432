/* SPDX-License-Identifier: Apache-2.0 */
/*
 *     expression := conjunction { "or" conjunction }
 *     conjunction := factor { "and" factor }
 *     factor     := "not" factor | "(" expression ")" | comparison
 *     comparison := field [ operator value | [ "not" ] "in" "(" value { "," value } ")" ]
 *     field      := word | "attr." string
 *     value      := word | string
 *
 * A word is a run of characters without blanks, quotes, parentheses, commas and = ! < > ~. A string stands between double or single
 * quotes; \" \' \\ \n \t \r and \xNN are known in it.
 */
#include "where.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum token_type { TOKEN_END, TOKEN_WORD, TOKEN_STRING, TOKEN_OPERATOR, TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA };

struct token {
	enum token_type type;
	uint32_t column;
	uint32_t bytes; /* in the source */
	uint32_t text;  /* of words and strings: in texts, zero-terminated */
	uint32_t text_bytes;
	enum where_operator op;
};

struct parser {
	const char *source;
	uint32_t at;
	struct token token; /* the next one */
	struct where *where;
	struct where_error *error;
};

__attribute__((format(printf, 3, 4))) static int refuse(struct parser *parser, uint32_t column, const char *format,
                                                        ...) {
	va_list arguments;
	va_start(arguments, format);
	(void)vsnprintf(parser->error->text, sizeof(parser->error->text), format, arguments);
	va_end(arguments);
	parser->error->column = column;
	return -EINVAL;
}

/* What was expected, against what stands there. */
static int expected(struct parser *parser, const char *what) {
	const struct token *token = &parser->token;
	if (token->type == TOKEN_END)
		return refuse(parser, token->column, "expected %s, but the expression ends", what);
	return refuse(parser, token->column, "expected %s, not '%.*s'", what,
	              (int)(token->bytes < 40 ? token->bytes : 40), &parser->source[token->column]);
}

/* --- tokens ------------------------------------------------------------------------------------------------------ */

static bool is_blank(char c) {
	return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

static bool ends_word(char c) {
	return c == 0 || is_blank(c) || strchr("\"'(),=!<>~", c) != NULL;
}

static void put(struct parser *parser, char c) {
	parser->where->texts[parser->where->text_bytes++] = c;
}

static void take_word(struct parser *parser) {
	struct token *token = &parser->token;
	token->type = TOKEN_WORD;
	token->text = parser->where->text_bytes;
	while (!ends_word(parser->source[parser->at]))
		put(parser, parser->source[parser->at++]);
	token->text_bytes = parser->where->text_bytes - token->text;
	put(parser, 0);
}

static int hex_digit(char c) {
	const char *digits = "0123456789abcdef";
	char lower = c >= 'A' && c <= 'F' ? (char)(c - 'A' + 'a') : c;
	const char *found = c ? strchr(digits, lower) : NULL;
	return found ? (int)(found - digits) : -1;
}

/* Behind a backslash. */
static int take_escape(struct parser *parser) {
	static const char letters[] = "\"'\\ntr";
	static const char meanings[] = "\"'\\\n\t\r";
	char c = parser->source[parser->at];
	const char *letter = c ? strchr(letters, c) : NULL;
	if (letter) {
		put(parser, meanings[letter - letters]);
		parser->at++;
		return 0;
	}
	int high = c == 'x' ? hex_digit(parser->source[parser->at + 1]) : -1;
	int low = high >= 0 ? hex_digit(parser->source[parser->at + 2]) : -1;
	if (low < 0 || (high == 0 && low == 0))
		return refuse(parser, parser->at - 1, "expected \\\" \\' \\\\ \\n \\t \\r or \\xNN");
	put(parser, (char)(high * 16 + low));
	parser->at += 3;
	return 0;
}

static int take_string(struct parser *parser) {
	struct token *token = &parser->token;
	char quote = parser->source[parser->at++];
	token->type = TOKEN_STRING;
	token->text = parser->where->text_bytes;
	while (parser->source[parser->at] != quote) {
		char c = parser->source[parser->at];
		if (c == 0)
			return refuse(parser, token->column, "this string has no end: expected %c", quote);
		parser->at++;
		int rc = 0;
		if (c == '\\')
			rc = take_escape(parser);
		else
			put(parser, c);
		if (rc != 0)
			return rc;
	}
	parser->at++;
	token->text_bytes = parser->where->text_bytes - token->text;
	put(parser, 0);
	return 0;
}

static int take_operator(struct parser *parser) {
	static const struct {
		const char *word;
		enum where_operator op;
	} operators[] = {{"==", WHERE_EQUAL},         {"!=", WHERE_NOT_EQUAL}, {"<=", WHERE_LESS_EQUAL},
	                 {">=", WHERE_GREATER_EQUAL}, {"=", WHERE_EQUAL},      {"<", WHERE_LESS},
	                 {">", WHERE_GREATER},        {"~", WHERE_GLOB}};
	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++) {
		size_t bytes = strlen(operators[i].word);
		if (strncmp(&parser->source[parser->at], operators[i].word, bytes) != 0)
			continue;
		parser->token.type = TOKEN_OPERATOR;
		parser->token.op = operators[i].op;
		parser->at += (uint32_t)bytes;
		return 0;
	}
	return refuse(parser, parser->at, "expected an operator: = != < <= > >= ~ or in");
}

static int next(struct parser *parser) {
	static const char marks[] = "(),";
	static const enum token_type types[] = {TOKEN_OPEN, TOKEN_CLOSE, TOKEN_COMMA};
	int rc = 0;
	while (is_blank(parser->source[parser->at]))
		parser->at++;
	char c = parser->source[parser->at];
	parser->token = (struct token){.type = TOKEN_END, .column = parser->at};
	if (c == 0)
		return 0;
	const char *mark = strchr(marks, c);
	if (mark) {
		parser->token.type = types[mark - marks];
		parser->at++;
	} else if (c == '"' || c == '\'') {
		rc = take_string(parser);
	} else if (ends_word(c)) {
		rc = take_operator(parser);
	} else {
		take_word(parser);
	}
	parser->token.bytes = parser->at - parser->token.column;
	return rc;
}

static bool is_keyword(const struct parser *parser, const char *word) {
	return parser->token.type == TOKEN_WORD && strcasecmp(where_text(parser->where, parser->token.text), word) == 0;
}

static bool is_any_keyword(const struct parser *parser) {
	return is_keyword(parser, "and") || is_keyword(parser, "or") || is_keyword(parser, "not") ||
	       is_keyword(parser, "in");
}

/* --- tree -------------------------------------------------------------------------------------------------------- */

static int add_node(struct parser *parser, enum where_type type, uint32_t left, uint32_t right, uint32_t *ret_node) {
	struct where *where = parser->where;
	if (where->node_count == WHERE_NODES_MAX)
		return refuse(parser, parser->token.column,
		              "more than %u comparisons and words between them: make it "
		              "shorter, with in (...)",
		              WHERE_NODES_MAX);
	*ret_node = where->node_count++;
	where->nodes[*ret_node] = (struct where_node){.type = type, .left = left, .right = right};
	return 0;
}

static int take_value(struct parser *parser) {
	struct where *where = parser->where;
	const struct token *token = &parser->token;
	bool is_value = token->type == TOKEN_STRING || (token->type == TOKEN_WORD && !is_any_keyword(parser));
	if (!is_value)
		return expected(parser, "a value");
	if (where->value_count == WHERE_VALUES_MAX)
		return refuse(parser, token->column, "more than %u values", WHERE_VALUES_MAX);
	where->values[where->value_count++] = (struct where_value){.text = token->text,
	                                                           .text_bytes = token->text_bytes,
	                                                           .column = token->column,
	                                                           .quoted = token->type == TOKEN_STRING};
	return next(parser);
}

static int take_list(struct parser *parser) {
	if (parser->token.type != TOKEN_OPEN)
		return expected(parser, "( behind in");
	int rc = next(parser);
	while (rc == 0 && (rc = take_value(parser)) == 0 && parser->token.type == TOKEN_COMMA)
		rc = next(parser);
	if (rc == 0 && parser->token.type != TOKEN_CLOSE)
		return expected(parser, ", or )");
	return rc ? rc : next(parser);
}

/* The key of an attribute may be a string: attr."odd key". */
static int take_field(struct parser *parser, struct where_node *node) {
	struct where *where = parser->where;
	if (parser->token.type != TOKEN_WORD || is_any_keyword(parser))
		return expected(parser, "a field like duration, status, name or attr.KEY");
	node->field_text = parser->token.text;
	node->column = parser->token.column;
	bool quoted_key = strcmp(where_text(where, node->field_text), "attr.") == 0 &&
	                  (parser->source[parser->at] == '"' || parser->source[parser->at] == '\'');
	if (quoted_key)
		where->text_bytes--; /* the string goes on where the word ended */
	int rc = next(parser);
	return quoted_key && rc == 0 ? next(parser) : rc;
}

static int parse_comparison(struct parser *parser, uint32_t *ret_node) {
	struct where_node node = {.type = WHERE_COMPARE, .op = WHERE_ALONE, .value = parser->where->value_count};
	int rc = take_field(parser, &node);
	bool negated = false;
	node.operator_column = parser->token.column;
	if (rc == 0 && parser->token.type == TOKEN_OPERATOR) {
		node.op = parser->token.op;
		rc = next(parser);
		if (rc == 0)
			rc = take_value(parser);
	} else if (rc == 0 && (is_keyword(parser, "in") || is_keyword(parser, "not"))) {
		negated = is_keyword(parser, "not");
		node.op = WHERE_IN;
		rc = next(parser);
		if (rc == 0 && negated && !is_keyword(parser, "in"))
			return expected(parser, "in");
		if (rc == 0 && negated)
			rc = next(parser);
		if (rc == 0)
			rc = take_list(parser);
	}
	node.value_count = parser->where->value_count - node.value;
	if (rc == 0)
		rc = add_node(parser, WHERE_COMPARE, 0, 0, ret_node);
	if (rc == 0)
		parser->where->nodes[*ret_node] = node;
	return rc == 0 && negated ? add_node(parser, WHERE_NOT, *ret_node, 0, ret_node) : rc;
}

static int parse_expression(struct parser *parser, uint32_t depth, uint32_t *ret_node);

static int parse_factor(struct parser *parser, uint32_t depth, uint32_t *ret_node) {
	bool opens = parser->token.type == TOKEN_OPEN;
	if (!opens && !is_keyword(parser, "not"))
		return parse_comparison(parser, ret_node);
	if (depth == WHERE_DEPTH_MAX)
		return refuse(parser, parser->token.column, "nested more than %u deep", WHERE_DEPTH_MAX);
	int rc = next(parser);
	if (!opens) {
		if (rc == 0)
			rc = parse_factor(parser, depth + 1, ret_node);
		return rc ? rc : add_node(parser, WHERE_NOT, *ret_node, 0, ret_node);
	}
	if (rc == 0)
		rc = parse_expression(parser, depth + 1, ret_node);
	if (rc == 0 && parser->token.type != TOKEN_CLOSE)
		return expected(parser, "and, or or )");
	return rc ? rc : next(parser);
}

static int parse_conjunction(struct parser *parser, uint32_t depth, uint32_t *ret_node) {
	uint32_t right = 0;
	int rc = parse_factor(parser, depth, ret_node);
	while (rc == 0 && is_keyword(parser, "and")) {
		rc = next(parser);
		if (rc == 0)
			rc = parse_factor(parser, depth, &right);
		if (rc == 0)
			rc = add_node(parser, WHERE_AND, *ret_node, right, ret_node);
	}
	return rc;
}

static int parse_expression(struct parser *parser, uint32_t depth, uint32_t *ret_node) {
	uint32_t right = 0;
	int rc = parse_conjunction(parser, depth, ret_node);
	while (rc == 0 && is_keyword(parser, "or")) {
		rc = next(parser);
		if (rc == 0)
			rc = parse_conjunction(parser, depth, &right);
		if (rc == 0)
			rc = add_node(parser, WHERE_OR, *ret_node, right, ret_node);
	}
	return rc;
}

/* Masks needed at the same time: one for what is on the left, more for what is on the right of it. Children come before parents. */
static uint32_t count_levels(const struct where *where) {
	uint32_t levels[WHERE_NODES_MAX];
	for (uint32_t i = 0; i < where->node_count; i++) {
		const struct where_node *node = &where->nodes[i];
		if (node->type == WHERE_COMPARE) {
			levels[i] = 1;
			continue;
		}
		uint32_t right = node->type == WHERE_NOT ? 0 : levels[node->right] + 1;
		levels[i] = levels[node->left] > right ? levels[node->left] : right;
	}
	return levels[where->root];
}

int where_parse(const char *text, struct where *ret_where, struct where_error *ret_error) {
	struct parser parser = {.source = text, .where = ret_where, .error = ret_error};
	memset(ret_where, 0, sizeof(*ret_where));
	memset(ret_error, 0, sizeof(*ret_error));
	/* a word takes a byte more than it has, its end; the shortest is followed by something else, or by the end */
	if (strlen(text) > WHERE_TEXT_BYTES_MAX - 1)
		return refuse(&parser, WHERE_TEXT_BYTES_MAX - 1, "an expression has at most %u bytes",
		              WHERE_TEXT_BYTES_MAX - 1);
	int rc = next(&parser);
	if (rc == 0)
		rc = parse_expression(&parser, 0, &ret_where->root);
	if (rc == 0 && parser.token.type != TOKEN_END)
		return expected(&parser, "and, or or the end");
	if (rc == 0)
		ret_where->levels = count_levels(ret_where);
	return rc;
}

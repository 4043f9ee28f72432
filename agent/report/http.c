/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <string.h>
#include <strings.h>

#define OPENMETRICS "application/openmetrics-text"
#define QUALITY_FULL 1000

/* A stretch of the request; never ends in a zero. */
struct text {
	const char *at;
	size_t bytes;
};

/* What the fields say, before it is settled. */
struct fields {
	bool says_close;
	bool says_keep_alive;
	bool has_body;
	bool has_host;
	int plain;           /* qualities, in thousandths; -1: not named */
	int any;             /* of a wildcard */
	int openmetrics;     /* of version 1.0.0, or of none */
	int openmetrics_old; /* of version 0.0.1 */
};

static bool is_space(char c) {
	return c == ' ' || c == '\t';
}

static struct text trim(struct text text) {
	while (text.bytes > 0 && is_space(text.at[0])) {
		text.at++;
		text.bytes--;
	}
	while (text.bytes > 0 && is_space(text.at[text.bytes - 1]))
		text.bytes--;
	return text;
}

static bool is_word(struct text text, const char *word) {
	return text.bytes == strlen(word) && strncasecmp(text.at, word, text.bytes) == 0;
}

/* The part before the separator, which is taken off with it. */
static struct text cut(struct text *rest, char separator) {
	const char *end = memchr(rest->at, separator, rest->bytes);
	struct text part = {rest->at, end ? (size_t)(end - rest->at) : rest->bytes};
	size_t used = part.bytes + (end != NULL);
	rest->at += used;
	rest->bytes -= used;
	return trim(part);
}

/* "0.75" -> 750; what is no such number counts as 0. */
static int quality_of(struct text text) {
	int value = 0;
	int step = QUALITY_FULL;
	if (text.bytes == 0 || text.bytes > 5 || (text.at[0] != '0' && text.at[0] != '1'))
		return 0;
	for (size_t i = 0; i < text.bytes; i++) {
		if (i == 1 && text.at[i] == '.')
			continue;
		if (i == 1 || text.at[i] < '0' || text.at[i] > '9')
			return 0;
		value += (text.at[i] - '0') * step;
		step /= 10;
	}
	return value > QUALITY_FULL ? QUALITY_FULL : value;
}

static void take_larger(int *value, int other) {
	if (other > *value)
		*value = other;
}

/* "application/openmetrics-text; version=1.0.0; q=0.5" */
static void read_media_range(struct text range, struct fields *fields) {
	struct text type = cut(&range, ';');
	struct text version = {"", 0};
	int quality = QUALITY_FULL;
	while (range.bytes > 0) {
		struct text value = cut(&range, ';');
		struct text name = cut(&value, '=');
		value = trim(value);
		if (is_word(name, "q"))
			quality = quality_of(value);
		else if (is_word(name, "version"))
			version = value;
	}
	if (is_word(type, "text/plain") || is_word(type, "text/*"))
		take_larger(&fields->plain, quality);
	else if (is_word(type, "*/*"))
		take_larger(&fields->any, quality);
	else if (is_word(type, OPENMETRICS) && (version.bytes == 0 || is_word(version, "1.0.0")))
		take_larger(&fields->openmetrics, quality);
	else if (is_word(type, OPENMETRICS) && is_word(version, "0.0.1"))
		take_larger(&fields->openmetrics_old, quality);
}

static void read_list(struct text list, bool is_accept, struct fields *fields) {
	while (list.bytes > 0) {
		struct text item = cut(&list, ',');
		if (is_accept)
			read_media_range(item, fields);
		else if (is_word(item, "close"))
			fields->says_close = true;
		else if (is_word(item, "keep-alive"))
			fields->says_keep_alive = true;
	}
}

static bool is_token(struct text text) {
	for (size_t i = 0; i < text.bytes; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f || strchr("()<>@,;:\\\"/[]?={}", text.at[i]))
			return false;
	return text.bytes > 0;
}

/* 0 or a status. */
static int read_field(struct text line, struct fields *fields) {
	const char *colon = memchr(line.at, ':', line.bytes);
	struct text name = {line.at, colon ? (size_t)(colon - line.at) : 0};
	if (!is_token(name) || memchr(line.at, '\0', line.bytes) || memchr(line.at, '\r', line.bytes))
		return 400;
	struct text value = trim((struct text){colon + 1, line.bytes - name.bytes - 1});
	if (is_word(name, "Accept"))
		read_list(value, true, fields);
	else if (is_word(name, "Connection"))
		read_list(value, false, fields);
	else if (is_word(name, "Transfer-Encoding") || (is_word(name, "Content-Length") && !is_word(value, "0")))
		fields->has_body = true;
	else if (is_word(name, "Host")) {
		if (fields->has_host)
			return 400;
		fields->has_host = true;
	}
	return 0;
}

static void take_path(struct text target, char ret_path[HTTP_PATH_BYTES]) {
	struct text path = cut(&target, '?');
	size_t bytes = path.bytes < HTTP_PATH_BYTES ? path.bytes : HTTP_PATH_BYTES - 1;
	memcpy(ret_path, path.at, bytes);
	ret_path[bytes] = '\0';
	if (bytes < path.bytes)
		ret_path[0] = '\0';
}

/* 0 or a status. */
static int read_request_line(struct text line, struct http_request *request, bool *ret_is_old) {
	const char *space = memchr(line.at, ' ', line.bytes);
	if (!space || memchr(line.at, '\0', line.bytes))
		return 400;
	struct text method = {line.at, (size_t)(space - line.at)};
	struct text rest = {space + 1, line.bytes - method.bytes - 1};
	space = memchr(rest.at, ' ', rest.bytes);
	if (!is_token(method) || !space || rest.at[0] != '/')
		return 400;
	struct text target = {rest.at, (size_t)(space - rest.at)};
	struct text version = {space + 1, rest.bytes - target.bytes - 1};
	for (size_t i = 0; i < target.bytes; i++)
		if ((unsigned char)target.at[i] <= ' ' || target.at[i] == 0x7f)
			return 400;
	*ret_is_old = version.bytes == 8 && memcmp(version.at, "HTTP/1.0", 8) == 0;
	if (!*ret_is_old && (version.bytes != 8 || memcmp(version.at, "HTTP/1.1", 8) != 0))
		return version.bytes >= 5 && memcmp(version.at, "HTTP/", 5) == 0 ? 505 : 400;
	request->is_head = method.bytes == 4 && memcmp(method.at, "HEAD", 4) == 0;
	if (!request->is_head && (method.bytes != 3 || memcmp(method.at, "GET", 3) != 0))
		return 405;
	take_path(target, request->path);
	return 0;
}

/* Up to a line feed, which is taken off with a carriage return before it. False: there is no whole line. */
static bool take_line(struct text *rest, struct text *ret_line) {
	const char *end = memchr(rest->at, '\n', rest->bytes);
	if (!end)
		return false;
	size_t bytes = (size_t)(end - rest->at);
	*ret_line = (struct text){rest->at, bytes - (bytes > 0 && rest->at[bytes - 1] == '\r')};
	rest->at += bytes + 1;
	rest->bytes -= bytes + 1;
	return true;
}

/* Who names nothing gets plain text, and who names both to the same degree the richer form. */
static void settle(const struct fields *fields, bool is_old, struct http_request *request) {
	int plain = fields->plain >= 0 ? fields->plain : fields->any > 0 ? fields->any : 0;
	int best = fields->openmetrics > fields->openmetrics_old ? fields->openmetrics : fields->openmetrics_old;
	request->wants_openmetrics = best > 0 && best >= plain;
	request->wants_openmetrics_old = request->wants_openmetrics && fields->openmetrics < fields->openmetrics_old;
	request->keeps_alive = !fields->says_close && (!is_old || fields->says_keep_alive);
}

enum http_result http_parse(const char *bytes, size_t count, struct http_request *ret_request, size_t *ret_used,
                            int *ret_status) {
	struct text rest = {bytes, count};
	struct text line;
	struct http_request request = {.is_head = false};
	struct fields fields = {.plain = -1};
	bool is_old = false;
	bool is_first = true;
	int status = 0;
	while (take_line(&rest, &line)) {
		if (is_first && line.bytes == 0)
			continue; /* some put an empty line before a request */
		if (line.bytes > 0)
			status = is_first ? read_request_line(line, &request, &is_old) : read_field(line, &fields);
		else if (fields.has_body)
			status = 413;
		else if (!is_old && !fields.has_host)
			status = 400;
		if (status == 0 && line.bytes == 0) {
			settle(&fields, is_old, &request);
			*ret_request = request;
			*ret_used = count - rest.bytes;
			return HTTP_READY;
		}
		if (status != 0)
			break;
		is_first = false;
	}
	if (status == 0 && count < HTTP_REQUEST_BYTES_MAX)
		return HTTP_MORE;
	*ret_status = status ? status : 431;
	return HTTP_REFUSED;
}

const char *http_reason(int status) {
	switch (status) {
	case 200:
		return "OK";
	case 400:
		return "Bad Request";
	case 404:
		return "Not Found";
	case 405:
		return "Method Not Allowed";
	case 413:
		return "Content Too Large";
	case 431:
		return "Request Header Fields Too Large";
	case 505:
		return "HTTP Version Not Supported";
	default:
		return "Internal Server Error";
	}
}

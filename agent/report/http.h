/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The requests that a metrics endpoint gets: HTTP/1.1 and 1.0, without a body. A pure function from bytes to a request; whoever
 * owns the connection reads and writes.
 *
 *     GET /metrics?x=y HTTP/1.1 CRLF          method SP target SP version; a lone LF ends a line, too
 *     Accept: text/plain CRLF                 any number of fields within HTTP_REQUEST_BYTES_MAX
 *     CRLF
 *
 * Anything doubtful is refused with a status rather than guessed: a folded line, a space before the colon, a body of any kind
 * (so where the next request begins is never a question).
 */
#ifndef SPANRING_AGENT_HTTP_H
#define SPANRING_AGENT_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_BYTES_MAX 8192u
#define HTTP_PATH_BYTES 64u

struct http_request {
	bool is_head;               /* HEAD: answered like GET, without the body */
	char path[HTTP_PATH_BYTES]; /* without the query; a longer one is cut and matches nothing */
	bool keeps_alive;           /* the connection may be used again */
	bool wants_openmetrics;     /* prefers it, or takes it as much as plain text */
	bool wants_openmetrics_old; /* of that, version 0.0.1 only */
};

enum http_result {
	HTTP_READY,
	HTTP_MORE, /* not complete yet */
	HTTP_REFUSED
};

/*
 * One request at the beginning of bytes. HTTP_READY: ret_used bytes belong to it. HTTP_REFUSED: ret_status is what to
 * answer before the connection is closed.
 */
enum http_result http_parse(const char *bytes, size_t count, struct http_request *ret_request, size_t *ret_used,
                            int *ret_status);

/* "Not Found" */
const char *http_reason(int status);

#endif

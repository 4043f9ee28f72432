/* SPDX-License-Identifier: Apache-2.0 */
/* Every macro and function of the public header, from C11, against the shared library. With tracing off it records nothing. */
#include <errno.h>
#include <spanring/async.h>
#include <spanring/context.h>
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>
#include <stdlib.h>
#include <string.h>

static int work(const struct spanring_context *parent) {
	SPANRING_SPAN(scoped, "scoped");
	SPANRING_SPAN_KIND(server, "server", SPANRING_KIND_SERVER);
	SPANRING_SPAN_CHILD_OF(child, "child", parent);
	SPANRING_BEGIN(manual, "manual");
	SPANRING_BEGIN_KIND(client, "client", SPANRING_KIND_CLIENT);
	SPANRING_SET_BOOL(client, "bool", true);
	SPANRING_SET_I64(client, "i64", -1);
	SPANRING_SET_U64(client, "u64", 1);
	SPANRING_SET_F64(client, "f64", 0.5);
	SPANRING_SET_STRING(client, "string", "text");
	SPANRING_EVENT(client, "event");
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	const struct spanring_attribute attributes[] = {
	    spanring_attribute_i64(&key, 1), spanring_attribute_f64(&key, 2), spanring_attribute_bool(&key, true),
	    spanring_attribute_string(&key, "text")};
	spanring_set_attributes(client, attributes, 4);
	spanring_event_with(client, &key, attributes, 4);
	spanring_link(client, parent);
	spanring_set_status(client, SPANRING_STATUS_OK, NULL);
	spanring_end(client);
	spanring_end(manual);
	return (int)(scoped.span_id | server.span_id | child.span_id);
}

static int async(const struct spanring_context *parent) {
	static struct spanring_site site = SPANRING_SITE_INIT("async", SPANRING_KIND_INTERNAL);
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	const struct spanring_begin_options options = {parent, 0, false};
	const struct spanring_attribute attribute = spanring_attribute_i64(&key, 1);
	struct spanring_async spans[2];
	SPANRING_ATTACH(attached, parent);
	SPANRING_ASYNC_BEGIN(span, "async");
	SPANRING_ASYNC_BEGIN_KIND(client, "client", SPANRING_KIND_CLIENT);
	SPANRING_ASYNC_SET_BOOL(span, "bool", true);
	SPANRING_ASYNC_SET_I64(span, "i64", -1);
	SPANRING_ASYNC_SET_U64(span, "u64", 1);
	SPANRING_ASYNC_SET_F64(span, "f64", 0.5);
	SPANRING_ASYNC_SET_STRING(span, "string", "text");
	SPANRING_ASYNC_EVENT(span, "event");
	spanring_async_set_attributes(span, &attribute, 1);
	spanring_async_event_with(span, &key, &attribute, 1);
	spanring_async_link(span, parent);
	spanring_async_set_status(span, SPANRING_STATUS_OK, NULL);
	(void)spanring_async_context(span);
	spanring_async_end(span);
	spanring_async_end(client);
	spanring_async_end(spanring_async_begin_with(&site, &options));
	uint32_t begun = spanring_async_begin_many(&site, parent, 2, spans);
	spanring_async_end_many(spans, 2);
	return (int)begun + (span.span_id != 0);
}

static int contexts(void) {
	struct spanring_remote remote;
	struct spanring_baggage baggage;
	struct spanring_environment environment;
	char parent[SPANRING_TRACEPARENT_BYTES], log[SPANRING_LOG_TEXT_BYTES], value[8];
	char trace[SPANRING_TRACE_ID_BYTES], span[SPANRING_SPAN_ID_BYTES];
	const struct spanring_context context = {1, 2, 3, 0, 0};
	int failed = spanring_traceparent_inject(&context, SPANRING_FLAG_SAMPLED, parent) != 55;
	failed |= !spanring_remote_extract(parent, "a=1", &remote) || remote.context.span_id != 3;
	failed |= spanring_context_from_environment(&remote, NULL) && remote.context.span_id == 0;
	spanring_baggage_clear(&baggage);
	failed |= !spanring_baggage_set(&baggage, "k", "v") || spanring_baggage_get(&baggage, "k", value, 8) != 1;
	failed |= spanring_context_to_environment(&context, "a=1", &baggage, &environment) != 3;
	failed |= !spanring_baggage_remove(&baggage, "k") || spanring_baggage_extract("", &baggage);
	failed |= spanring_trace_id_text(&context, trace) != 32 || spanring_span_id_text(&context, span) != 16;
	return failed | (spanring_log_text(log) != 0);
}

int main(void) {
	static struct spanring_site site = SPANRING_SITE_INIT("site", SPANRING_KIND_INTERNAL);
	static struct spanring_key key = SPANRING_KEY_INIT("key");
	struct spanring_begin_options options = {0};
	struct spanring_counters counters;
	setenv("SPANRING_DISABLED", "true", 1);
	struct spanring_context context = spanring_context_current();
	int failed = work(&context) != 0 || async(&context) != 0 || contexts() != 0;
	struct spanring_span span = spanring_begin_with(&site, &options);
	spanring_set_bytes(span, &key, "b", 1);
	context = spanring_context_of(span);
	spanring_end_span(spanring_begin_site(&site));
	failed |= spanring_flush(0) != 0;
	spanring_counters_read(&counters);
	failed |= counters.reason != SPANRING_REASON_DISABLED || counters.begun != 0;
	failed |= strcmp(spanring_version(), SPANRING_VERSION_STRING) != 0;
	failed |= strlen(spanring_reason_text(counters.reason)) == 0;
	spanring_shutdown();
	return failed;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "cpp_scenarios.h"

#include <cstdio>
#include <cstdlib>
#include <new>
#include <spanring/spanring.hpp>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>

#define CHECK(condition)                                                                                               \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			std::fprintf(stderr, "%s:%d: scenario failed: %s\n", __FILE__, __LINE__, #condition);          \
			_exit(99);                                                                                     \
		}                                                                                                      \
	} while (false)

static_assert(!std::is_copy_constructible_v<spanring::span> && !std::is_copy_assignable_v<spanring::span>);
static_assert(std::is_nothrow_move_constructible_v<spanring::span> &&
              std::is_nothrow_move_assignable_v<spanring::span>);
static_assert(std::is_nothrow_destructible_v<spanring::span> &&
              std::is_nothrow_default_constructible_v<spanring::span>);
static_assert(std::is_nothrow_constructible_v<spanring::span, spanring::site &>);
static_assert(sizeof(spanring::span) == sizeof(spanring_span));

template <typename T, typename = void> struct can_set : std::false_type {};
template <typename T>
struct can_set<
    T, std::void_t<decltype(std::declval<spanring::span &>().set(std::declval<spanring::key &>(), std::declval<T>()))>>
    : std::true_type {};
static_assert(can_set<bool>::value && can_set<short>::value && can_set<unsigned long long>::value);
static_assert(can_set<float>::value && can_set<const char *>::value && can_set<std::string>::value);
static_assert(!can_set<void *>::value && !can_set<int *>::value && !can_set<spanring::kind>::value);

void cpp_scopes() {
	SPANRING_CXX_SPAN_KIND(outer, "outer", spanring::kind::server);
	try {
		SPANRING_CXX_SPAN(thrown, "thrown");
		throw 1;
	} catch (int) {
	}
	CHECK(spanring::current_context().span_id == outer.handle().span_id);
	for (int i = 0; i < 3; i++) {
		SPANRING_CXX_SPAN(inner, "inner");
		CHECK(inner);
		if (i == 1)
			continue;
		inner.end();
		CHECK(!inner);
		inner.end();
	}
	spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.open == 1 && counters.misuse == 0);
}

static spanring::span make(spanring::site &site) noexcept {
	spanring::span span(site);
	return span;
}

void cpp_moves() {
	static spanring::site first = SPANRING_SITE_INIT("first", SPANRING_KIND_INTERNAL);
	static spanring::site second = SPANRING_SITE_INIT("second", SPANRING_KIND_INTERNAL);
	spanring::span one = make(first);
	spanring::span two = make(second);
	const std::uint64_t two_id = two.handle().span_id;
	one = std::move(two); /* ends the first, out of order */
	CHECK(one.handle().span_id == two_id && !two);
	spanring::span &same = one;
	one = std::move(same);
	CHECK(one);
	spanring::span three(std::move(one));
	CHECK(!one && three.handle().span_id == two_id);
	spanring_end(three.release());
	spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 2 && counters.open == 0 && counters.misuse == 0);
}

void cpp_attributes() {
	SPANRING_CXX_SPAN(span, "typed");
	const std::string long_text(1000, 'x');
	const char *null = nullptr;
	SPANRING_CXX_SET(span, "bool", true);
	SPANRING_CXX_SET(span, "short", static_cast<short>(-7));
	SPANRING_CXX_SET(span, "char", static_cast<unsigned char>(200));
	SPANRING_CXX_SET(span, "size", sizeof(int));
	SPANRING_CXX_SET(span, "int64", INT64_MIN);
	SPANRING_CXX_SET(span, "float", 0.5f);
	SPANRING_CXX_SET(span, "literal", "text");
	SPANRING_CXX_SET(span, "view", std::string_view("cut here", 3));
	SPANRING_CXX_SET(span, "string", long_text);
	SPANRING_CXX_SET(span, "empty", std::string_view());
	SPANRING_CXX_SET(span, "null", null);
	SPANRING_CXX_EVENT(span, "happened");
	span.set_status(spanring::status::error, "as told");
}

void cpp_parents() {
	spanring::context context{};
	std::uint64_t remote = 0;
	{
		SPANRING_CXX_SPAN(parent, "parent");
		context = parent.context();
		std::thread([&context, &remote] {
			SPANRING_CXX_SPAN_CHILD_OF(child, "remote", context);
			remote = child.handle().span_id;
		}).join();
	}
	CHECK(remote != 0);
	static spanring::site site = SPANRING_SITE_INIT("late", SPANRING_KIND_INTERNAL);
	spanring::span late(site, context, spanring::kind::consumer);
	spanring::span fresh(site, spanring::context{});
	spanring::span client(site, spanring::kind::client);
	CHECK(late && fresh && client);
	CHECK(fresh.context().trace_lo != late.context().trace_lo);
	client.end();
	fresh.end();
}

static int evaluated;

static int evaluate() {
	return ++evaluated;
}

void cpp_empty() {
	spanring::span span;
	SPANRING_CXX_SET(span, "never", evaluate());
	SPANRING_CXX_EVENT(span, "never");
	span.set_status(spanring::status::ok);
	CHECK(!span && evaluated == 0 && span.context().span_id == 0);
	span.end();
	spanring_shutdown();
	SPANRING_CXX_SPAN(late, "late");
	CHECK(!late);
	spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 0 && counters.misuse == 0);
}

void cpp_async() {
	static spanring::site site = SPANRING_SITE_INIT("request", SPANRING_KIND_SERVER);
	spanring::async_span request(site);
	SPANRING_CXX_SET(request, "seq", 7);
	SPANRING_CXX_EVENT(request, "queued");
	{
		const spanring::attached_context turn(request);
		SPANRING_CXX_SPAN(handler, "handler");
		CHECK(spanring::current_context().trace_lo == request.context().trace_lo);
	}
	CHECK(spanring::current_context().span_id == 0);
	spanring::async_span moved(std::move(request));
	CHECK(!request && moved);
	std::thread([span = std::move(moved)]() mutable {
		span.set_status(spanring::status::ok);
		span.end();
		CHECK(!span);
	}).join();
	spanring::async_span again(site, spanring::kind::client);
	spanring::async_span adopted(again.release());
	CHECK(!again && adopted);
	adopted = spanring::async_span();
	spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == 3 && counters.ended == 3 && counters.misuse == 0);
}

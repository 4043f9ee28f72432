// SPDX-License-Identifier: Apache-2.0
// The same header from C++: scoped spans end when an exception leaves the block.
#include <cstdlib>
#include <spanring/context.h>
#include <spanring/ring_abi.h>
#include <spanring/spanring.h>
#include <stdexcept>

static void work(const spanring_context &parent) {
	SPANRING_SPAN(scoped, "scoped");
	SPANRING_SPAN_KIND(server, "server", SPANRING_KIND_SERVER);
	SPANRING_SPAN_CHILD_OF(child, "child", &parent);
	SPANRING_SET_BOOL(child, "bool", true);
	SPANRING_SET_I64(child, "i64", -1);
	SPANRING_SET_U64(child, "u64", 1u);
	SPANRING_SET_F64(child, "f64", 0.5);
	SPANRING_SET_STRING(child, "string", "text");
	SPANRING_EVENT(child, "event");
	static spanring_key key = SPANRING_KEY_INIT("key");
	const spanring_attribute attributes[] = {spanring_attribute_u64(&key, 1), spanring_attribute_string(&key, "text")};
	spanring_event_with(child, &key, attributes, 2);
	spanring_link(child, &parent);
	spanring_remote remote;
	(void)spanring_remote_extract(nullptr, nullptr, &remote);
	throw std::runtime_error("leaves three spans");
}

int main() {
	setenv("SPANRING_DISABLED", "true", 1);
	SPANRING_BEGIN(manual, "manual");
	spanring_context context = spanring_context_of(manual);
	try {
		work(context);
		return 1;
	} catch (const std::runtime_error &) {
	}
	spanring_end(manual);
	spanring_counters counters;
	spanring_counters_read(&counters);
	return counters.open == 0 && counters.reason == SPANRING_REASON_DISABLED ? 0 : 1;
}

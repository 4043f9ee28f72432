/* SPDX-License-Identifier: Apache-2.0 */
/* A plugin that traces: built with the static library, the shared one, and others (see host.cmake). */
#include "host_plugin.h"

unsigned host_plugin_spans(unsigned count) {
	unsigned recorded = 0;
	for (unsigned i = 0; i < count; i++) {
		SPANRING_SPAN(span, "of a plugin");
		SPANRING_SET_U64(span, "number", i);
		recorded += span.span_id != 0;
	}
	return recorded;
}

void host_plugin_counters(struct spanring_counters *ret_counters) {
	spanring_counters_read(ret_counters);
}

const char *host_plugin_version(void) {
	return spanring_version();
}

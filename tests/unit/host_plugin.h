/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SPANRING_TESTS_UNIT_HOST_PLUGIN_H
#define SPANRING_TESTS_UNIT_HOST_PLUGIN_H

#include <spanring/spanring.h>

/* Write so many spans; how many were recorded. */
SPANRING_API unsigned host_plugin_spans(unsigned count);
SPANRING_API void host_plugin_counters(struct spanring_counters *ret_counters);
SPANRING_API const char *host_plugin_version(void);

#endif

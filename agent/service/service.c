/* SPDX-License-Identifier: Apache-2.0 */
#include "service.h"

#include "agent/agent.h"
#include "base/clock.h"
#include "base/units.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define STATUS_INTERVAL_NS (30 * NS_PER_S)
#define AGAIN_NS (100 * NS_PER_MS) /* when the manager's socket was full */
#define NS_PER_US UINT64_C(1000)

void service_open(struct service *ret_service, const struct log *log) {
	*ret_service = (struct service){.watchdog_at_ns = UINT64_MAX, .status_at_ns = UINT64_MAX};
	notify_open(&ret_service->notify, log);
}

void service_close(struct service *service) {
	notify_close(&service->notify);
}

/* True: it is another text than the one before. */
static bool make_status(struct service *service, const struct agent *agent) {
	char text[NOTIFY_TEXT_BYTES];
	char spans[UNITS_TEXT_BYTES];
	service->store_state = store_state_name(&agent->store);
	(void)snprintf(text, sizeof(text), "STATUS=%" PRIu32 " programs, %" PRIu32 " rings, %s spans stored, store %s",
	               agent->roster.producer_count, agent->roster.feed_count,
	               units_format_count(agent->figures.spans, spans), service->store_state);
	if (strcmp(text, service->status) == 0)
		return false;
	memcpy(service->status, text, sizeof(text));
	return true;
}

void service_ready(struct service *service, const struct agent *agent) {
	char text[NOTIFY_TEXT_BYTES + 32];
	if (service->notify.fd < 0)
		return;
	(void)make_status(service, agent);
	(void)snprintf(text, sizeof(text), "READY=1\n%s", service->status);
	(void)notify_send(&service->notify, true, text);
	service->status_at_ns = agent->now_ns + STATUS_INTERVAL_NS;
	if (service->notify.watchdog_ns > 0)
		service->watchdog_at_ns = agent->now_ns;
}

void service_reloading(struct service *service) {
	char text[NOTIFY_TEXT_BYTES];
	(void)snprintf(text, sizeof(text), "RELOADING=1\nMONOTONIC_USEC=%" PRIu64, clock_monotonic_ns() / NS_PER_US);
	(void)notify_send(&service->notify, true, text);
}

void service_stopping(struct service *service) {
	(void)notify_send(&service->notify, true, "STOPPING=1\nSTATUS=storing what is left in the rings");
}

void service_turn(struct service *service, const struct agent *agent) {
	if (service->notify.fd < 0)
		return;
	uint64_t now_ns = clock_monotonic_ns();
	if (now_ns >= service->watchdog_at_ns)
		service->watchdog_at_ns =
		    now_ns +
		    (notify_send(&service->notify, false, "WATCHDOG=1") ? service->notify.watchdog_ns / 2 : AGAIN_NS);
	bool changed = store_state_name(&agent->store) != service->store_state;
	if (now_ns < service->status_at_ns && !changed)
		return;
	service->status_at_ns = now_ns + STATUS_INTERVAL_NS;
	if (make_status(service, agent))
		(void)notify_send(&service->notify, false, service->status);
}

uint64_t service_at_ns(const struct service *service) {
	return service->watchdog_at_ns < service->status_at_ns ? service->watchdog_at_ns : service->status_at_ns;
}

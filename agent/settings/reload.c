/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include "agent/agent.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* Names, one behind the other; what does not fit is left out. */
struct list {
	char text[RELOAD_TEXT_BYTES / 2 - 32];
	size_t bytes;
};

__attribute__((format(printf, 2, 3))) static void add(struct list *list, const char *format, ...) {
	char item[256];
	va_list arguments;
	va_start(arguments, format);
	int length = vsnprintf(item, sizeof(item), format, arguments);
	va_end(arguments);
	size_t room = sizeof(list->text) - list->bytes;
	if (length < 0 || (size_t)length >= sizeof(item) || (size_t)length + sizeof(", ") > room)
		return;
	list->bytes += (size_t)snprintf(list->text + list->bytes, room, "%s%s", list->bytes ? ", " : "", item);
}

/* Values that may change take the new one; the lists say what changed and what would have. */
static void take_values(struct config *config, const struct config *next, struct list *changed, struct list *kept) {
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++) {
		const struct options_entry *entry = &options_table[id];
		char before[PATH_MAX];
		char after[PATH_MAX];
		char why[OPTIONS_WHY_BYTES];
		if (!entry->section)
			continue;
		(void)options_text(id, config, before, sizeof(before));
		(void)options_text(id, next, after, sizeof(after));
		bool same = strcmp(before, after) == 0;
		if (!same && !entry->reloads) {
			add(kept, "%s", entry->name);
			continue;
		}
		if (!same) {
			(void)options_set(id, after, config, why); /* it came out of a configuration that was checked */
			add(changed, "%s = %s", entry->name, after);
		}
		config->origins[id] = next->origins[id];
	}
}

static uint64_t earliest(uint64_t a, uint64_t b) {
	return a < b ? a : b;
}

/* What keeps a copy of a value, and what waits for a time that was made of one. */
static void apply(struct agent *agent, const struct config *config) {
	uint64_t now_ns = agent->now_ns;
	breaker_configure(&agent->store.breaker, (uint32_t)config->breaker_failures, config->breaker_pause_ns, now_ns);
	memory_cap_change(&agent->memory, config->memory_cap_bytes);
	agent->roster.users.quota = config->quota;
	flush_set_limits(agent->flush, &config->retain);
	agent->retention_at_ns = now_ns;
	agent->flush_at_ns = earliest(agent->flush_at_ns, now_ns + config->flush_interval_ns);
	agent->behind_at_ns = earliest(agent->behind_at_ns, now_ns + config->max_wait_ns / 2);
	agent->statistics_at_ns = earliest(agent->statistics_at_ns, now_ns + config->statistics_interval_ns);
	agent->life_at_ns = now_ns; /* memory, and the share of traces */
	agent->sample_at_ns = now_ns;
	for (uint32_t i = 0; i < agent->roster.producer_count; i++) {
		struct producer *producer = agent->roster.producers[i];
		producer->sample_at_ns = earliest(producer->sample_at_ns, now_ns + config->memory_interval_ns);
	}
}

static void keep_reason(void *context, enum log_level level, const char *message) {
	struct reload_figures *figures = context;
	if (level == LOG_LEVEL_ERROR)
		(void)snprintf(figures->text, sizeof(figures->text), "%s", message);
}

static void tell(const struct log *log, struct reload_figures *figures, const struct list *changed,
                 const struct list *kept) {
	(void)snprintf(figures->text, sizeof(figures->text), "%s%s%s",
	               changed->bytes ? changed->text : "nothing changed", kept->bytes ? "; needs a restart: " : "",
	               kept->text);
	log_event(log, LOG_LEVEL_INFO, "reloaded", LOG_FIELDS(LOG_TEXT("changed", changed->text)),
	          "configuration read again: %s", changed->bytes ? changed->text : "nothing changed");
	if (kept->bytes)
		log_event(log, LOG_LEVEL_WARNING, "reload_needs_restart", LOG_FIELDS(LOG_TEXT("options", kept->text)),
		          "configuration read again: needs a restart to change: %s", kept->text);
}

void reload_agent(struct agent *agent, struct config *config, struct log *log) {
	CLEANUP_FREE struct config *next = calloc(1, sizeof(*next));
	struct reload_figures *figures = &agent->reload;
	struct log hearing = {.program = log->program, .hear = keep_reason, .context = figures};
	struct list changed = {.bytes = 0};
	struct list kept = {.bytes = 0};
	(void)snprintf(figures->text, sizeof(figures->text), "not enough memory");
	if (!next || config_parse(CONFIG_RUN, config->given_count, config->given, &hearing, next) != 0) {
		figures->refused++;
		log_event(log, LOG_LEVEL_ERROR, "reload_refused", NULL,
		          "nothing changed, the configuration is wrong: %s", figures->text);
		return;
	}
	take_values(config, next, &changed, &kept);
	config_log(config, log);
	apply(agent, config);
	figures->done++;
	tell(log, figures, &changed, &kept);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "store_state.h"

#include "base/errs.h"
#include "base/units.h"

#include <stdio.h>
#include <string.h>

#define STALL_REMEDY "see the kernel's log (dmesg) and the disk or server behind it; the agent goes on by itself"

#define FIELDS(name)                                                                                                   \
	LOG_FIELDS(LOG_TEXT("store_state", (name)), LOG_TEXT("store", state->config->store),                           \
	           LOG_TEXT("store_error", state->text))

void store_state_init(struct store_state *state, const struct config *config, const struct log *log) {
	*state = (struct store_state){.config = config, .log = log};
	breaker_init(&state->breaker, (uint32_t)config->breaker_failures, config->breaker_pause_ns);
}

static const char *const names[] = {[BREAKER_OK] = "ok", [BREAKER_FAILING] = "failing", [BREAKER_OPEN] = "open"};

const char *store_state_name(const struct store_state *state) {
	return state->is_stalled ? "stalled" : names[state->breaker.state];
}

static const char *remedy_of(int error) {
	switch (error) {
	case ERR_FULL:
		return "free room or inodes there, or raise the quota; see df and df -i";
	case -EROFS:
		return "mount it writable again; after a fault of the disk see the kernel's log (dmesg) first";
	case -EACCES:
	case -EPERM:
		return "let the agent's user write there";
	case -ENOENT:
	case -ENOTDIR:
		return "the directory is gone: put it back, or start the agent with another store";
	case -ENOMEM:
	case -EMFILE:
	case -ENFILE:
		return "give the agent more memory or descriptors";
	default:
		return "see the kernel's log (dmesg) and check that file system";
	}
}

void store_state_failed(struct store_state *state, uint64_t now_ns, const struct flush_result *result) {
	enum breaker_state before = state->breaker.state;
	bool changed = breaker_failed(&state->breaker, now_ns, result->is_probe);
	state->error = result->error;
	state->probes_failed += result->is_probe;
	(void)snprintf(state->text, sizeof(state->text), "%s",
	               result->text[0] ? result->text : strerror(-result->error));
	if (!changed)
		return;
	if (before == BREAKER_OK)
		log_event(
		    state->log, LOG_LEVEL_ERROR, "store_failing", FIELDS("failing"),
		    "%s; nothing is lost yet: rings fill up, programs count what they drop; tried again until it works; %s",
		    state->text, remedy_of(state->error));
	if (state->breaker.state != BREAKER_OPEN)
		return;
	char pause[UNITS_TEXT_BYTES];
	char probe[UNITS_TEXT_BYTES];
	state->times_open++;
	log_event(state->log, LOG_LEVEL_ERROR, "store_open", FIELDS("open"),
	          "store %s: %u commits failed in a row; left alone but for a probe every %s, and a commit every %s",
	          state->config->store, state->breaker.failures, units_format_duration((double)BREAKER_PROBE_NS, probe),
	          units_format_duration((double)state->breaker.pause_ns, pause));
}

void store_state_worked(struct store_state *state, uint64_t now_ns) {
	char time[UNITS_TEXT_BYTES];
	uint64_t failing_ns = now_ns - state->breaker.failing_ns;
	if (breaker_worked(&state->breaker))
		log_event(state->log, LOG_LEVEL_INFO, "store_works", FIELDS("ok"), "store %s: works again, after %s",
		          state->config->store, units_format_duration((double)failing_ns, time));
	state->error = 0;
	state->text[0] = '\0';
}

static bool hangs(const struct store_state *state, uint64_t now_ns, const struct flush *flush) {
	uint64_t busy_ns = flush_busy_since_ns(flush);
	return busy_ns != 0 && now_ns >= busy_ns + state->config->stall_after_ns;
}

void store_state_look(struct store_state *state, uint64_t now_ns, const struct flush *flush) {
	uint64_t since_ns = flush_busy_since_ns(flush);
	bool is_stalled = hangs(state, now_ns, flush);
	if (is_stalled == state->is_stalled)
		return;
	state->is_stalled = is_stalled;
	if (!is_stalled) {
		log_event(state->log, LOG_LEVEL_INFO, "store_goes_on", FIELDS("ok"),
		          "store %s: what hung there has come to its end", state->config->store);
		return;
	}
	char time[UNITS_TEXT_BYTES];
	state->times_stalled++;
	log_event(state->log, LOG_LEVEL_ERROR, "store_stalled", FIELDS("stalled"),
	          "store %s: stalled, a commit is under way for %s; nothing is lost yet: rings fill up, programs count "
	          "what they drop; " STALL_REMEDY,
	          state->config->store, units_format_duration((double)(now_ns - since_ns), time));
}

uint64_t store_state_look_at_ns(const struct store_state *state, const struct flush *flush) {
	uint64_t since_ns = flush_busy_since_ns(flush);
	return since_ns == 0 || state->is_stalled ? UINT64_MAX : since_ns + state->config->stall_after_ns;
}

const char *const store_state_words[] = {
    [BREAKER_OK] = "ok", [BREAKER_FAILING] = "failing", [BREAKER_OPEN] = "open", "stalled", NULL};

const char *store_state_word(const struct store_state *state, uint64_t now_ns, const struct flush *flush) {
	return hangs(state, now_ns, flush) ? "stalled" : store_state_words[state->breaker.state];
}

uint64_t store_state_trouble_ns(const struct store_state *state, uint64_t now_ns, const struct flush *flush) {
	uint64_t since_ns = hangs(state, now_ns, flush) ? flush_busy_since_ns(flush) : state->breaker.failing_ns;
	return since_ns && now_ns > since_ns ? now_ns - since_ns : 0;
}

void store_state_write(const struct store_state *state, uint64_t now_ns, const struct flush *flush, struct json *json) {
	const struct breaker *breaker = &state->breaker;
	uint64_t busy_ns = flush_busy_since_ns(flush);
	bool is_stalled = hangs(state, now_ns, flush);
	uint64_t at_ns = breaker_at_ns(breaker);
	const char *remedy = is_stalled ? STALL_REMEDY : state->error ? remedy_of(state->error) : "";
	json_text(json, "store_state", store_state_word(state, now_ns, flush));
	json_text(json, "store_error", is_stalled && !state->error ? "a commit does not come to its end" : state->text);
	json_text(json, "store_remedy", remedy);
	json_u64(json, "store_since_ns", store_state_trouble_ns(state, now_ns, flush));
	json_u64(json, "store_next_try_ns", busy_ns == 0 && at_ns != UINT64_MAX && at_ns > now_ns ? at_ns - now_ns : 0);
	json_u64(json, "store_failures", breaker->failures);
	json_u64(json, "store_probes_failed", state->probes_failed);
	json_u64(json, "store_times_open", state->times_open);
	json_u64(json, "store_times_stalled", state->times_stalled);
}

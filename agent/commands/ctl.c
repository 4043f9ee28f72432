/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/text.h"
#include "base/units.h"
#include "ctl_target.h"
#include "ctl_words.h"
#include "ps_list.h"

#include <inttypes.h>
#include <string.h>

#define TEXT_BYTES 1024u

const char *ctl_help(void) {
	return "Changes what traced programs record, while they run. Needs no running agent.\n"
	       "\n"
	       "  spanring-agent ctl 1234 show\n"
	       "  spanring-agent ctl 1234 ratio 0.01\n"
	       "  spanring-agent ctl all disable\n"
	       "  spanring-agent ctl 1234 site 'cache.*' disable site parse duration-min 5ms\n"
	       "\n"
	       "Programs\n"
	       "  PID                    a traced process (spanring-agent ps lists them)\n"
	       "  INSTANCE               8 or more first digits of its instance\n"
	       "  all                    every traced process of the ring directory\n"
	       "\n"
	       "Actions, several in one change\n"
	       "  show                   the present state; alone\n"
	       "  enable, disable        record at all, or nothing\n"
	       "  ratio X                keep this share of new traces, 0 to 1\n"
	       "  sampler NAME [X]       always_on, always_off, traceidratio, or the same with\n"
	       "                         parentbased_ before it; X: the ratio (default 1)\n"
	       "  statistics on|off      count and time all spans of each site\n"
	       "  duration-min TIME      no record of spans shorter than that (0: all)\n"
	       "  site NAME enable|disable|duration-min TIME\n"
	       "                         the same for the sites of this name; a pattern with\n"
	       "                         * ? [] in quotes names several. Sites that the program\n"
	       "                         has not come to yet are not known, and begin enabled.\n"
	       "\n"
	       "Options\n"
	       "  --rings DIR            ring directory of the programs\n"
	       "                         (SPANRING_DIR, else /dev/shm/spanring-<uid>)\n"
	       "  --json                 one JSON document\n"
	       "\n"
	       "Exit codes\n"
	       "  0  done\n"
	       "  1  some program could not be changed, or no site has that name\n"
	       "  2  wrong words on the command line\n"
	       "  3  no such traced process here\n"
	       "  6  standard output cannot be written\n";
}

static double ratio_of(const struct ctl_state *state) {
	return (double)state->sampling.threshold / (double)SPANRING__SAMPLING_ALL;
}

const char *ctl_sampler_text(const struct ctl_state *state, char ret_text[CTL_SAMPLER_TEXT_BYTES]) {
	const char *name = spanring__sampling_name(&state->sampling);
	if (spanring__sampling_has_ratio(name))
		(void)snprintf(ret_text, CTL_SAMPLER_TEXT_BYTES, "%s %.12g", name, ratio_of(state));
	else
		(void)snprintf(ret_text, CTL_SAMPLER_TEXT_BYTES, "%s", name);
	return ret_text;
}

void ctl_write_state(struct json *json, const struct ctl_state *state) {
	json_bool(json, "enabled", state->enabled != 0);
	json_u64(json, "generation", state->enabled);
	json_text(json, "sampler", spanring__sampling_name(&state->sampling));
	json_f64(json, "ratio", ratio_of(state));
	json_bool(json, "statistics", (state->sampling.flags & SPANRING_CONTROL_STATISTICS) != 0);
	json_u64(json, "duration_min_ns", state->sampling.duration_min_ns);
}

struct run {
	const struct config *config;
	const struct log *log;
	struct ctl_request request;
	struct ps_list list;
	uint32_t done;
	uint32_t failed;
	struct ctl_outcome total;
	struct json json; /* with --json */
};

static const char *duration_text(uint64_t ns, char ret_text[UNITS_TEXT_BYTES]) {
	return ns == 0 ? "0" : units_format_duration((double)ns, ret_text);
}

static void print_name(const struct ps_row *row) {
	char service[TEXT_BYTES];
	(void)text_printable(row->service, strlen(row->service), service, sizeof(service));
	(void)printf("pid %" PRIu32 " service %s: ", row->pid, service);
}

static void print_change(const struct run *run, const struct ps_row *row, const struct ctl_outcome *outcome) {
	print_name(row);
	for (uint32_t i = 0; i < run->request.count; i++) {
		const struct ctl_change *change = &run->request.changes[i];
		for (uint32_t word = 0; word < change->word_count; word++) {
			char text[TEXT_BYTES];
			(void)text_printable(change->words[word], strlen(change->words[word]), text, sizeof(text));
			(void)printf("%s%s", word > 0 ? " " : i > 0 ? ", " : "", text);
		}
		if (ctl_is_of_sites(change))
			(void)printf(" (%" PRIu32 " site%s)", outcome->matched[i], outcome->matched[i] == 1 ? "" : "s");
	}
	(void)printf("\n");
}

static void print_state(const struct ps_row *row, const struct ctl_state *state) {
	char sampler[CTL_SAMPLER_TEXT_BYTES];
	char duration[UNITS_TEXT_BYTES];
	print_name(row);
	(void)printf("%s, sampler %s, statistics %s, duration-min %s\n", state->enabled ? "enabled" : "disabled",
	             ctl_sampler_text(state, sampler),
	             (state->sampling.flags & SPANRING_CONTROL_STATISTICS) ? "on" : "off",
	             duration_text(state->sampling.duration_min_ns, duration));
}

static void print_site(const struct ctl_site *site) {
	char text[TEXT_BYTES];
	char duration[UNITS_TEXT_BYTES];
	(void)text_printable(site->name, strlen(site->name), text, sizeof(text));
	(void)printf("  site %s", text);
	(void)text_printable(site->file, strlen(site->file), text, sizeof(text));
	if (*text)
		(void)printf(" (%s:%" PRIu32 ")", text, site->entry.line);
	(void)printf(": %s", (site->control.flags & SPANRING_SITE_DISABLED) ? "disabled" : "enabled");
	if (site->control.duration_min_ns != 0)
		(void)printf(", duration-min %s", duration_text(site->control.duration_min_ns, duration));
	(void)printf("\n");
}

static void write_site(struct json *json, const struct ctl_site *site) {
	json_open(json, NULL, '{');
	json_text(json, "name", site->name);
	json_text(json, "file", site->file);
	json_u64(json, "line", site->entry.line);
	json_bool(json, "enabled", (site->control.flags & SPANRING_SITE_DISABLED) == 0);
	json_u64(json, "duration_min_ns", site->control.duration_min_ns);
	json_close(json);
}

/* The sites that are not as they begin. */
static int say_sites(struct run *run, struct process_reader *reader) {
	struct ctl_site site;
	uint32_t id = 0;
	int rc;
	while ((rc = ctl_file_next_site(reader, &id, &site)) == 1) {
		if (run->config->json)
			write_site(&run->json, &site);
		else
			print_site(&site);
	}
	return rc;
}

static void write_process(struct run *run, const struct ps_row *row, struct process_reader *reader,
                          const struct ctl_state *state, const struct ctl_outcome *outcome, int rc) {
	struct json *json = &run->json;
	json_open(json, NULL, '{');
	json_u64(json, "pid", row->pid);
	json_text(json, "instance", row->instance);
	json_text(json, "service", row->service);
	json_text(json, "error", rc < 0 ? ps_refusal_text(rc) : "");
	if (rc == 0) {
		uint64_t matched = 0;
		for (uint32_t i = 0; i < run->request.count; i++)
			matched += outcome->matched[i];
		ctl_write_state(json, state);
		json_u64(json, "sites_matched", matched);
		json_open(json, "sites", '[');
		rc = say_sites(run, reader);
		json_close(json);
	}
	json_close(json);
}

static void one_process(struct run *run, const struct ps_row *row) {
	CLEANUP(ps_instance_close) struct ps_instance instance;
	struct ctl_outcome outcome = {0};
	struct ctl_state state = {0};
	int rc = ps_instance_open(row->rings_fd, row->instance, &instance);
	if (rc == 0 && !run->request.show)
		rc = ctl_file_change(instance.directory_fd, &instance.reader, &run->request, &outcome);
	if (rc == 0)
		rc = ctl_file_state(&instance.reader, &state);
	if (run->config->json)
		write_process(run, row, &instance.reader, &state, &outcome, rc);
	if (rc < 0) {
		run->failed++;
		log_error(run->log, "pid %" PRIu32 " (%s): %s", row->pid, row->instance, ps_refusal_text(rc));
		return;
	}
	run->done++;
	for (uint32_t i = 0; i < run->request.count; i++)
		run->total.matched[i] += outcome.matched[i];
	if (run->config->json)
		return;
	if (!run->request.show) {
		print_change(run, row, &outcome);
		return;
	}
	print_state(row, &state);
	if (say_sites(run, &instance.reader) < 0) {
		run->failed++;
		log_error(run->log, "pid %" PRIu32 " (%s): its table of sites breaks the format", row->pid,
		          row->instance);
	}
}

/* A pattern that names nothing anywhere is most likely misspelt. */
static bool all_sites_found(const struct run *run) {
	bool found = true;
	for (uint32_t i = 0; i < run->request.count && run->done > 0; i++) {
		const struct ctl_change *change = &run->request.changes[i];
		if (!ctl_is_of_sites(change) || run->total.matched[i] > 0)
			continue;
		log_error(run->log, "site %s: no program has come to a site of that name so far", change->name);
		found = false;
	}
	return found;
}

static void change_all(struct run *run, const bool *chosen) {
	if (run->config->json) {
		run->json = json_begin(stdout);
		json_open(&run->json, NULL, '{');
		json_text(&run->json, "schema", "ctl/1");
		json_text(&run->json, "ring_directory", run->config->rings);
		json_open(&run->json, "process_list", '[');
	}
	for (uint32_t i = 0; i < run->list.count; i++)
		if (chosen[i])
			one_process(run, &run->list.rows[i]);
	if (run->config->json) {
		json_close(&run->json);
		json_u64(&run->json, "done", run->done);
		json_u64(&run->json, "failed", run->failed);
		json_close(&run->json);
	}
}

static int run_request(struct run *run) {
	CLEANUP_FREE bool *chosen = calloc(run->list.count + 1, sizeof(*chosen));
	if (!chosen) {
		log_error(run->log, "ctl: %s", strerror(ENOMEM));
		return EXIT_CODE_FAILED;
	}
	int code = ctl_target_choose(&run->list, run->request.target, run->config->rings, run->log, chosen);
	if (code != 0)
		return code;
	change_all(run, chosen);
	if (fflush(stdout) != 0) {
		log_error(run->log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	bool all = strcmp(run->request.target, "all") == 0;
	bool found = all_sites_found(run);
	return run->failed > 0 || (all && run->list.refused > 0) || !found ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

int ctl_command(const struct config *config, const struct log *log) {
	struct run run = {.config = config, .log = log};
	if (ctl_words_parse(config->words, config->word_count, log, &run.request) < 0)
		return EXIT_CODE_USAGE;
	int code = ps_list_read(config, log, &run.list);
	if (code == 0)
		code = run_request(&run);
	ps_list_close(&run.list);
	return code;
}

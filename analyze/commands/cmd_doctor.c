/* SPDX-License-Identifier: Apache-2.0 */
/* doctor: is everything here that tracing needs? One line for each thing that was looked at, and what to do about it. */
#include "analyze/command.h"
#include "analyze/doctor/doctor.h"
#include "ring_place.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"

#include <spanring/version.h>

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define CHECK_COLUMNS 15
#define TEXT_COLUMN 27 /* state, check, text */

static const char help[] = "  spanring-analyze doctor\n"
                           "  spanring-analyze doctor STORE\n"
                           "  spanring-analyze doctor --json\n"
                           "\n"
                           "Looks at what tracing needs on this machine, and from this shell: the\n"
                           "processor's counter, what the kernel allows, limits, environment variables, the\n"
                           "library, the ring directory, its agent, and the store if one is named. Says\n"
                           "what to do where something is wrong. Changes nothing. The place to begin when\n"
                           "no span arrives, and what a bug report should bring (--json).\n"
                           "\n"
                           "  ok       as it should be\n"
                           "  note     works; good to know\n"
                           "  warning  works, but not as well as it could\n"
                           "  problem  something will not work; the exit code is 1\n"
                           "\n"
                           "Options\n"
                           "  --rings DIR      look at this ring directory (SPANRING_DIR, else the usual one)\n";

enum own { OWN_RINGS };
static const struct option_own own[] = {[OWN_RINGS] = {"--rings", 0, OPTION_VALUE_TEXT}};

static const char *const state_words[] = {
    [FINDING_OK] = "ok", [FINDING_NOTE] = "note", [FINDING_WARNING] = "warning", [FINDING_PROBLEM] = "problem"};
static const enum terminal_style state_styles[] = {[FINDING_OK] = STYLE_GREEN,
                                                   [FINDING_NOTE] = STYLE_CYAN,
                                                   [FINDING_WARNING] = STYLE_YELLOW,
                                                   [FINDING_PROBLEM] = STYLE_RED};

static uint32_t count_of(const struct doctor *doctor, enum finding_state state) {
	uint32_t count = 0;
	for (uint32_t i = 0; i < doctor->finding_count; i++)
		count += doctor->findings[i].state == state;
	return count;
}

static void print_json(const struct doctor *doctor, const struct utsname *system) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "doctor/1");
	json_text(&json, "version", SPANRING_VERSION_STRING);
	json_text(&json, "kernel", system->release);
	json_text(&json, "machine", system->machine);
	json_text(&json, "ring_directory", doctor->rings);
	json_u64(&json, "problems", count_of(doctor, FINDING_PROBLEM));
	json_u64(&json, "warnings", count_of(doctor, FINDING_WARNING));
	json_open(&json, "findings", '[');
	for (uint32_t i = 0; i < doctor->finding_count; i++) {
		const struct finding *finding = &doctor->findings[i];
		json_open(&json, NULL, '{');
		json_text(&json, "area", finding->area);
		json_text(&json, "check", finding->check);
		json_text(&json, "state", state_words[finding->state]);
		json_text(&json, "text", finding->text);
		if (*finding->remedy)
			json_text(&json, "remedy", finding->remedy);
		else
			json_null(&json, "remedy");
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_finding(const struct terminal *terminal, const struct finding *finding) {
	bool is_long = strlen(finding->check) > CHECK_COLUMNS;
	char remedy[DOCTOR_TEXT_BYTES + 8];
	(void)printf("  %s%-8s%s ", terminal_style(terminal, state_styles[finding->state]), state_words[finding->state],
	             terminal_style(terminal, STYLE_PLAIN));
	if (is_long)
		(void)printf("%s\n%*s", finding->check, TEXT_COLUMN, "");
	else
		(void)printf("%-*s", CHECK_COLUMNS + 1, finding->check);
	terminal_paragraph(terminal, stdout, STYLE_PLAIN, TEXT_COLUMN, finding->text);
	if (!*finding->remedy)
		return;
	(void)snprintf(remedy, sizeof(remedy), "%s %s", terminal->utf8 ? "→" : "->", finding->remedy);
	(void)printf("%*s", TEXT_COLUMN, "");
	terminal_paragraph(terminal, stdout, STYLE_BOLD, TEXT_COLUMN, remedy);
}

static void print_text(const struct context *context, const struct doctor *doctor, const struct utsname *system) {
	struct terminal terminal = context->terminal;
	const char *area = "";
	if (terminal.width == TERMINAL_WIDTH_UNLIMITED)
		terminal.width = TERMINAL_WIDTH_DEFAULT;
	(void)printf("Spanring %s on %s %s, %s\n", SPANRING_VERSION_STRING, system->sysname, system->release,
	             system->machine);
	for (uint32_t i = 0; i < doctor->finding_count; i++) {
		if (strcmp(doctor->findings[i].area, area) != 0)
			(void)printf("\n%s\n", doctor->findings[i].area);
		area = doctor->findings[i].area;
		print_finding(&terminal, &doctor->findings[i]);
	}
	uint32_t problems = count_of(doctor, FINDING_PROBLEM);
	uint32_t warnings = count_of(doctor, FINDING_WARNING);
	if (problems + warnings == 0)
		(void)printf("\nready to trace\n");
	else
		(void)printf("\n%" PRIu32 " problem%s, %" PRIu32 " warning%s\n", problems, problems == 1 ? "" : "s",
		             warnings, warnings == 1 ? "" : "s");
}

static int run(const struct context *context) {
	const struct option_given *rings = &context->options->own[OWN_RINGS];
	struct doctor *doctor CLEANUP_FREE = calloc(1, sizeof(*doctor));
	struct utsname system;
	if (!doctor || uname(&system) != 0)
		return command_failed(context, -ENOMEM, "looking");
	doctor->rings_are_given = ring_place_find(rings->text, doctor->rings);
	doctor->store = context->options->store;
	doctor_look_at_machine(doctor);
	doctor_look_at_limits(doctor);
	doctor_look_at_environment(doctor);
	doctor_look_at_library(doctor);
	doctor_look_at_rings(doctor);
	doctor_look_at_agent(doctor);
	doctor_look_at_store(doctor);
	if (context->options->json)
		print_json(doctor, &system);
	else
		print_text(context, doctor, &system);
	return count_of(doctor, FINDING_PROBLEM) ? EXIT_CODE_FAILED : EXIT_CODE_OK;
}

const struct command command_doctor = {
    .name = "doctor",
    .summary = "is everything here that tracing needs? says what to do",
    .help = help,
    .takes = {.allowed = OPTIONS_COMMON | OPTION_STORE_OPTIONAL, .own = own, .own_count = sizeof(own) / sizeof(own[0])},
    .run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "config_show.h"

#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>
#include <spanring/ring_abi.h>
#include <stdio.h>
#include <string.h>

static const char *const sources[] = {[OPTIONS_FROM_DEFAULT] = "default",
                                      [OPTIONS_FROM_PRESET] = "preset",
                                      [OPTIONS_FROM_FILE] = "file",
                                      [OPTIONS_FROM_ENVIRONMENT] = "environment",
                                      [OPTIONS_FROM_FLAG] = "flag"};

static void print_origin(const struct config *config, enum options_id id) {
	const struct options_origin *origin = &config->origins[id];
	char file[PATH_MAX];
	switch (origin->source) {
	case OPTIONS_FROM_PRESET:
		(void)printf("preset %s", preset_names[config->preset]);
		break;
	case OPTIONS_FROM_FILE:
		(void)text_printable(config->file, strlen(config->file), file, sizeof(file));
		(void)printf("%s:%" PRIu32, file, origin->line);
		break;
	case OPTIONS_FROM_ENVIRONMENT:
		(void)printf("%s", options_table[id].variable);
		break;
	case OPTIONS_FROM_FLAG:
		(void)printf("--%s", options_table[id].name);
		break;
	default:
		(void)printf("default");
		break;
	}
}

static void print_about(const char *about) {
	while (*about) {
		size_t bytes = strcspn(about, "\n");
		(void)printf("# %.*s\n", (int)bytes, about);
		about += bytes + (about[bytes] != '\0');
	}
}

/* A path that begins in the current directory means nothing in a file, and not every path is a line of text. */
static bool fits_file(const struct options_entry *entry, const char *value, const char *shown) {
	size_t bytes = strlen(value);
	if (entry->type != OPTIONS_PATH)
		return true;
	return *value == '/' && strcmp(value, shown) == 0 && value[bytes - 1] != ' ';
}

static void print_entry(const struct config *config, enum options_id id) {
	const struct options_entry *entry = &options_table[id];
	char value[PATH_MAX];
	char shown[PATH_MAX];
	char bounds[OPTIONS_WHY_BYTES];
	(void)options_text(id, config, value, sizeof(value));
	(void)text_printable(value, strlen(value), shown, sizeof(shown));
	(void)printf("\n");
	print_about(entry->about);
	if (*options_bounds(id, bounds))
		(void)printf("# %s\n", bounds);
	if (!*value) {
		(void)printf("# made for each run\n#%s =\n", entry->name);
		return;
	}
	(void)printf("# from: ");
	print_origin(config, id);
	(void)printf("%s", entry->reloads ? "" : "; a change needs a restart");
	(void)printf("\n%s%s = %s\n", fits_file(entry, value, shown) ? "" : "#", entry->name, shown);
}

static void print_rings_wanted(const struct config *config) {
	if (preset_queue_records(config->preset) == 0)
		return;
	(void)printf("#\n# This preset wants rings of %" PRIu32
	             " records or more, which is for the programs to choose:\n# SPANRING_RING_BYTES=%" PRIu64
	             " or more in their environment. The usual ring has %u.\n",
	             preset_queue_records(config->preset), preset_ring_bytes(config->preset),
	             SPANRING_RING_BYTES_DEFAULT);
}

static void print_file(const struct config *config) {
	char file[PATH_MAX];
	(void)text_printable(config->file, strlen(config->file), file, sizeof(file));
	(void)printf("# spanring-agent %s: values in effect, and where each comes from.\n# Configuration file: %s.\n",
	             config->asked_for == CONFIG_RECORD ? "record" : "run", *file ? file : "none");
	print_rings_wanted(config);
	for (uint32_t section = 0; options_sections[section]; section++) {
		(void)printf("\n[%s]\n", options_sections[section]);
		for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
			if (options_table[id].section &&
			    strcmp(options_table[id].section, options_sections[section]) == 0)
				print_entry(config, id);
	}
}

static void write_entry(struct json *json, const struct config *config, enum options_id id) {
	const struct options_entry *entry = &options_table[id];
	const struct options_origin *origin = &config->origins[id];
	char value[PATH_MAX];
	json_open(json, NULL, '{');
	json_text(json, "name", entry->name);
	json_text(json, "section", entry->section);
	json_text(json, "variable", entry->variable);
	json_text(json, "value", options_text(id, config, value, sizeof(value)));
	json_bool(json, "reloads", entry->reloads);
	json_text(json, "source", sources[origin->source]);
	if (origin->source == OPTIONS_FROM_FILE)
		json_u64(json, "line", origin->line);
	else
		json_null(json, "line");
	json_close(json);
}

static void write_json(const struct config *config) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "config/1");
	json_text(&json, "command", config->asked_for == CONFIG_RECORD ? "record" : "run");
	if (*config->file)
		json_text(&json, "file", config->file);
	else
		json_null(&json, "file");
	json_u64(&json, "queue_records", preset_queue_records(config->preset));
	json_u64(&json, "ring_bytes_min", preset_ring_bytes(config->preset));
	json_open(&json, "options", '[');
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		if (options_table[id].section)
			write_entry(&json, config, id);
	json_close(&json);
	json_close(&json);
}

int config_show(const struct config *config, const struct log *log) {
	if (config->json)
		write_json(config);
	else
		print_file(config);
	if (fflush(stdout) != 0) {
		log_error(log, "standard output: %s", strerror(errno));
		return EXIT_CODE_OUTPUT;
	}
	return EXIT_CODE_OK;
}

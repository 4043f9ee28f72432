/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/suggest.h"
#include "config_file.h"
#include "libshm/system_directory.h"

#include <ctype.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define RECORD_STORE "spanring.store"
#define OPTION_BASE 256 /* of getopt's numbers */
#define SHOWN_MAX 80    /* bytes of somebody's text in a message */
#define SECTIONS_MAX 8u

/* What each source says, before any of it counts. */
struct gathering {
	const struct log *log;
	const char *word; /* of the command */
	const char *file; /* NULL: none is read */
	bool own_place;   /* rings and store come from flags alone */
	const char *flags[OPTIONS_COUNT];
	const char *texts[OPTIONS_COUNT]; /* of the highest source */
	struct options_origin origins[OPTIONS_COUNT];
	uint32_t key_lines[OPTIONS_COUNT];
	uint32_t section_lines[SECTIONS_MAX];
	struct config scratch; /* for values that are only to be checked */
};

static void take(struct gathering *all, enum options_id id, const char *text, enum options_source source,
                 uint32_t line) {
	bool settled = source < OPTIONS_FROM_FLAG && all->own_place && options_table[id].is_of_place;
	if (settled)
		return;
	all->texts[id] = text;
	all->origins[id] = (struct options_origin){.source = source, .line = line};
}

static int refuse_section(const struct gathering *all, const struct config_file_item *item, uint32_t count) {
	const char *nearest = suggest_nearest(item->section, options_sections, count);
	log_error(
	    all->log,
	    "%s:%u: unknown section [%.*s]%s%s%s; sections are [agent], [flush], [retention], [quotas], [programs] and [tail]",
	    all->file, item->line, SHOWN_MAX, item->section, nearest ? "; did you mean [" : "", nearest ? nearest : "",
	    nearest ? "]?" : "");
	return -EINVAL;
}

static int take_section(struct gathering *all, const struct config_file_item *item) {
	uint32_t number = 0;
	uint32_t count = 0;
	while (options_sections[count])
		count++;
	while (number < count && strcmp(options_sections[number], item->section) != 0)
		number++;
	if (number == count)
		return refuse_section(all, item, count);
	if (all->section_lines[number]) {
		log_error(all->log, "%s:%u: section [%s] is there twice, first in line %u; put its keys together",
		          all->file, item->line, item->section, all->section_lines[number]);
		return -EINVAL;
	}
	all->section_lines[number] = item->line;
	return 0;
}

static int refuse_key(const struct gathering *all, const struct config_file_item *item) {
	const char *nearest = options_nearest(item->key);
	if (nearest)
		log_error(all->log, "%s:%u: unknown key \"%.*s\" in [%s]; did you mean \"%s\" (in [%s])?", all->file,
		          item->line, SHOWN_MAX, item->key, item->section, nearest,
		          options_table[options_find(nearest)].section);
	else
		log_error(all->log, "%s:%u: unknown key \"%.*s\" in [%s]; spanring-agent config lists all", all->file,
		          item->line, SHOWN_MAX, item->key, item->section);
	return -EINVAL;
}

static int take_key(struct gathering *all, const struct config_file_item *item) {
	enum options_id id = options_find(item->key);
	char why[OPTIONS_WHY_BYTES];
	if (id == OPTIONS_COUNT || !options_table[id].section)
		return refuse_key(all, item);
	const struct options_entry *entry = &options_table[id];
	if (strcmp(entry->section, item->section) != 0) {
		log_error(all->log, "%s:%u: %s belongs into [%s], not into [%s]", all->file, item->line, item->key,
		          entry->section, item->section);
		return -EINVAL;
	}
	if (all->key_lines[id]) {
		log_error(all->log, "%s:%u: %s is set twice, first in line %u; remove one of them", all->file,
		          item->line, item->key, all->key_lines[id]);
		return -EINVAL;
	}
	all->key_lines[id] = item->line;
	int rc = options_set(id, item->value, &all->scratch, why);
	if (rc == 0 && entry->type == OPTIONS_PATH && item->value[0] != '/') {
		(void)snprintf(why, sizeof(why), "give a path from \"/\" on, a file has no current directory");
		rc = -EINVAL;
	}
	if (rc < 0) {
		log_error(all->log, "%s:%u: %s = %.*s: %s", all->file, item->line, item->key, SHOWN_MAX, item->value,
		          why);
		return rc;
	}
	take(all, id, item->value, OPTIONS_FROM_FILE, item->line);
	return 0;
}

static int take_item(void *context, const struct config_file_item *item) {
	return item->key ? take_key(context, item) : take_section(context, item);
}

/* The file that was named must be there; the one of the machine may be missing. */
static int read_file(struct gathering *all, char **ret_text) {
	const char *named = all->flags[OPTIONS_CONFIG] ? all->flags[OPTIONS_CONFIG] : getenv("SPANRING_CONFIG");
	size_t bytes = 0;
	uint32_t line;
	char why[CONFIG_FILE_WHY_BYTES];
	bool is_named = named && *named;
	all->file = is_named ? named : CONFIG_FILE_DEFAULT;
	int rc = config_file_load(all->file, ret_text, &bytes);
	if (rc == -ENOENT && !is_named) {
		all->file = NULL;
		return 0;
	}
	if (rc < 0) {
		log_error(all->log, "%s: %s; name another with --config FILE, or none with --config /dev/null",
		          all->file,
		          rc == ERR_FOREIGN ? "no regular file"
		          : rc == ERR_LIMIT ? "more than 64 KiB are no configuration file"
		                            : strerror(-rc));
		return -EINVAL;
	}
	rc = config_file_parse(*ret_text, bytes, take_item, all, &line, why);
	if (rc == ERR_DAMAGED) {
		log_error(all->log, "%s:%u: %s", all->file, line, why);
		return -EINVAL;
	}
	return rc;
}

/* A variable with our prefix that is none of ours is most likely misspelt. */
static int check_variables(const struct gathering *all) {
	static const char prefix[] = OPTIONS_VARIABLE_PREFIX;
	for (char **at = environ; at && *at; at++) {
		char name[64];
		size_t bytes = strcspn(*at, "=");
		bool known = strncmp(*at, prefix, sizeof(prefix) - 1) != 0;
		for (uint32_t id = 0; id < OPTIONS_COUNT && !known; id++) {
			const char *variable = options_table[id].variable;
			known = variable && strlen(variable) == bytes && strncmp(variable, *at, bytes) == 0;
		}
		if (known)
			continue;
		size_t to = 0;
		for (size_t i = sizeof(prefix) - 1; i < bytes && to + 1 < sizeof(name); i++)
			name[to++] = (*at)[i] == '_' ? '-' : (char)tolower((unsigned char)(*at)[i]);
		name[to] = '\0';
		const char *nearest = options_nearest(name);
		log_error(all->log, "unknown variable %.*s in the environment; %s%s%s",
		          bytes < SHOWN_MAX ? (int)bytes : SHOWN_MAX, *at, nearest ? "did you mean " : "unset it",
		          nearest ? options_table[options_find(nearest)].variable : "", nearest ? "?" : "");
		return -EINVAL;
	}
	return 0;
}

static int read_environment(struct gathering *all) {
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++) {
		const struct options_entry *entry = &options_table[id];
		char why[OPTIONS_WHY_BYTES];
		const char *text = entry->section && entry->variable ? getenv(entry->variable) : NULL;
		if (!text || !*text)
			continue;
		if (options_set(id, text, &all->scratch, why) < 0) {
			log_error(all->log, "%s=%.*s: %s", entry->variable, SHOWN_MAX, text, why);
			return -EINVAL;
		}
		take(all, id, text, OPTIONS_FROM_ENVIRONMENT, 0);
	}
	return check_variables(all);
}

static int read_flags(struct gathering *all) {
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++) {
		char why[OPTIONS_WHY_BYTES];
		if (!all->flags[id])
			continue;
		if (options_set(id, all->flags[id], &all->scratch, why) < 0) {
			log_error(all->log, "--%s %.*s: %s", options_table[id].name, SHOWN_MAX,
			          *all->flags[id] ? all->flags[id] : "''", why);
			return -EINVAL;
		}
		take(all, id, all->flags[id], OPTIONS_FROM_FLAG, 0);
	}
	return 0;
}

static const char *usual_of(const struct options_entry *entry, bool record, bool system) {
	if (record && entry->usual_record)
		return entry->usual_record;
	return system && entry->usual_system ? entry->usual_system : entry->usual;
}

/* All texts are known and were checked: now they count. */
static int settle(struct gathering *all, bool record, struct config *config) {
	char why[OPTIONS_WHY_BYTES];
	int rc = all->texts[OPTIONS_PRESET] ? options_set(OPTIONS_PRESET, all->texts[OPTIONS_PRESET], config, why) : 0;
	if (rc == 0 && all->texts[OPTIONS_SYSTEM])
		rc = options_set(OPTIONS_SYSTEM, all->texts[OPTIONS_SYSTEM], config, why);
	for (uint32_t id = 0; rc == 0 && id < OPTIONS_COUNT; id++) {
		const struct options_entry *entry = &options_table[id];
		const char *preset = preset_value(config->preset, id);
		const char *text = all->texts[id];
		if (!text && preset) {
			text = preset;
			all->origins[id].source = OPTIONS_FROM_PRESET;
		}
		if (!text)
			text = usual_of(entry, record, config->system);
		if (text)
			rc = options_set(id, text, config, why);
		if (rc < 0)
			log_error(all->log, "%s: %s", entry->name, why);
		config->origins[id] = all->origins[id];
	}
	if (rc == 0)
		(void)snprintf(config->file, sizeof(config->file), "%s", all->file ? all->file : "");
	return rc;
}

/* The programs of this user: where the library looks for a ring directory. */
static bool user_of_system(enum config_command command, struct config *config) {
	gid_t group;
	if ((command != CONFIG_PS && command != CONFIG_CTL && command != CONFIG_ATTACH) ||
	    spanring__system_directory_look(SYSTEM_DIRECTORY_PATH, &group) < 0)
		return false;
	(void)snprintf(config->rings, sizeof(config->rings), SYSTEM_DIRECTORY_PATH "/%u", (unsigned)geteuid());
	return true;
}

static void default_rings(enum config_command command, struct config *config) {
	config->rings_are_default = true;
	if (config->system)
		(void)snprintf(config->rings, sizeof(config->rings), SYSTEM_DIRECTORY_PATH);
	if (config->system || user_of_system(command, config))
		return;
	(void)snprintf(config->rings, sizeof(config->rings), "/dev/shm/spanring-%u", (unsigned)geteuid());
}

static int default_store(bool record, const struct log *log, struct config *config) {
	const char *state = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");
	int length;
	if (record)
		length = snprintf(config->store, sizeof(config->store), RECORD_STORE);
	else if (geteuid() == 0 || config->system)
		length = snprintf(config->store, sizeof(config->store), "/var/lib/spanring");
	else if (state && *state == '/')
		length = snprintf(config->store, sizeof(config->store), "%s/spanring", state);
	else if (home && *home == '/')
		length = snprintf(config->store, sizeof(config->store), "%s/.local/state/spanring", home);
	else
		length = -1;
	if (length > 0 && (size_t)length < sizeof(config->store))
		return 0;
	log_error(log, "no home directory to keep the store in; name one with --store DIR");
	return -EINVAL;
}

static int check_config_words(int argc, char **argv, const struct log *log, struct config *config) {
	if (optind < argc && strcmp(argv[optind], "record") == 0)
		config->asked_for = CONFIG_RECORD;
	else if (optind < argc && strcmp(argv[optind], "run") != 0) {
		log_error(log, "config: unexpected word \"%s\"; give run (or nothing) or record", argv[optind]);
		return -EINVAL;
	}
	if (optind + 1 < argc) {
		log_error(log, "config: unexpected word \"%s\"; see spanring-agent --help", argv[optind + 1]);
		return -EINVAL;
	}
	return 0;
}

static int check_words(enum config_command command, int argc, char **argv, const struct gathering *all,
                       struct config *config) {
	const struct log *log = all->log;
	if (all->flags[OPTIONS_HEAP] && command != CONFIG_RECORD) {
		log_error(log, "%s: --heap belongs to record; preload libspanring_heap.so into other programs yourself",
		          argv[0]);
		return -EINVAL;
	}
	if (all->flags[OPTIONS_ATTACH_DURATION] && command != CONFIG_ATTACH) {
		log_error(log, "%s: --duration belongs to attach", argv[0]);
		return -EINVAL;
	}
	if (all->flags[OPTIONS_TAKE_OVER] && command != CONFIG_RUN) {
		log_error(log, "%s: --take-over belongs to run", argv[0]);
		return -EINVAL;
	}
	for (uint32_t id = OPTIONS_EACH_RING; id <= OPTIONS_ONCE; id++) {
		bool fits = command == CONFIG_TOP || (command == CONFIG_STATUS && id == OPTIONS_EACH_RING);
		if (!all->flags[id] || fits)
			continue;
		log_error(log, "%s: --%s belongs to %s", argv[0], options_table[id].name,
		          id == OPTIONS_EACH_RING ? "status and top" : "top");
		return -EINVAL;
	}
	if (all->flags[OPTIONS_JSON] && command == CONFIG_TOP) {
		log_error(log, "top: no --json here; spanring-agent status --json has all figures");
		return -EINVAL;
	}
	if (all->flags[OPTIONS_SYSTEM] && command == CONFIG_RECORD) {
		log_error(log, "record: its rings are its own; leave --system out");
		return -EINVAL;
	}
	bool dashes = optind > 1 && strcmp(argv[optind - 1], "--") == 0;
	if (command == CONFIG_RECORD) {
		if (optind < argc) {
			config->command = argv + optind;
			return 0;
		}
		log_error(log, "record: no command; give it after \"--\": spanring-agent record -- COMMAND ...");
		return -EINVAL;
	}
	if (command == CONFIG_CONFIG)
		return check_config_words(argc, argv, log, config);
	if (command == CONFIG_CTL || command == CONFIG_ATTACH) {
		config->words = argv + optind;
		config->word_count = (uint32_t)(argc - optind);
		return 0;
	}
	if (optind < argc || dashes) {
		log_error(log, "%s: unexpected word \"%s\"; see spanring-agent --help", argv[0],
		          optind < argc ? argv[optind] : "--");
		return -EINVAL;
	}
	return 0;
}

static int refuse_flag(const struct gathering *all, bool unknown, const char *flag) {
	const char *nearest = unknown ? options_nearest(flag + strspn(flag, "-")) : NULL;
	if (nearest)
		log_error(all->log, "%s: unknown option \"%s\"; did you mean --%s?", all->word, flag, nearest);
	else
		log_error(all->log, "%s: %s \"%s\"; see spanring-agent --help", all->word,
		          unknown ? "unknown option" : "no value for", flag);
	return -EINVAL;
}

/* 0, 1 (help) or -EINVAL. */
static int gather_flags(enum config_command command, int argc, char **argv, struct gathering *all) {
	struct option longs[OPTIONS_COUNT + 2] = {{"help", no_argument, NULL, 'h'}};
	for (uint32_t id = 0; id < OPTIONS_COUNT; id++)
		longs[id + 1] = (struct option){.name = options_table[id].name,
		                                .has_arg = options_table[id].value ? required_argument : no_argument,
		                                .val = OPTION_BASE + (int)id};
	/* "+": the words of the recorded command are not ours. Options of ctl and config may stand behind their words. */
	bool behind = command == CONFIG_CTL || command == CONFIG_CONFIG || command == CONFIG_ATTACH;
	optind = 0;
	opterr = 0;
	for (;;) {
		int at = optind ? optind : 1;
		int number = getopt_long(argc, argv, behind ? ":o:h" : "+:o:h", longs, NULL);
		if (number == -1)
			return 0;
		if (number == 'h')
			return 1;
		if (number == '?' || number == ':') {
			while (argv[at] && argv[at][0] != '-')
				at++;
			return refuse_flag(all, number == '?', argv[at]);
		}
		uint32_t id = number == 'o' ? OPTIONS_STORE : (uint32_t)(number - OPTION_BASE);
		all->flags[id] = options_table[id].value ? optarg : "yes";
	}
}

int config_parse(enum config_command command, int argc, char **argv, const struct log *log, struct config *ret_config) {
	CLEANUP_FREE struct gathering *all = calloc(1, sizeof(*all));
	CLEANUP_FREE char *text = NULL;
	if (!all) {
		log_error(log, "not enough memory to start");
		return -EINVAL;
	}
	memset(ret_config, 0, sizeof(*ret_config));
	ret_config->given_count = argc;
	ret_config->given = argv;
	*all = (struct gathering){.log = log, .word = argv[0]};
	int rc = gather_flags(command, argc, argv, all);
	if (rc != 0)
		return rc;
	rc = check_words(command, argc, argv, all, ret_config);
	bool record = command == CONFIG_RECORD || ret_config->asked_for == CONFIG_RECORD;
	all->own_place = record;
	if (rc == 0)
		rc = read_file(all, &text);
	if (rc == 0)
		rc = read_environment(all);
	if (rc == 0)
		rc = read_flags(all);
	if (rc == 0)
		rc = settle(all, record || command == CONFIG_ATTACH, ret_config);
	if (rc == 0 && !*ret_config->rings && !record)
		default_rings(command, ret_config);
	/* A store that is an agent's by configuration is not meant by who looks into one program. */
	bool attach = command == CONFIG_ATTACH;
	if (rc == 0 && attach && ret_config->origins[OPTIONS_STORE].source != OPTIONS_FROM_FLAG)
		ret_config->store[0] = '\0';
	bool stores = command != CONFIG_PS && command != CONFIG_CTL && command != CONFIG_RELOAD;
	if (rc == 0 && !*ret_config->store && stores)
		rc = default_store(record || attach, log, ret_config);
	return rc;
}

void config_log(const struct config *config, struct log *log) {
	bool less = config->quiet && config->log_level > LOG_LEVEL_WARNING;
	log->format = config->log_format;
	log->level = less ? LOG_LEVEL_WARNING : config->log_level;
}

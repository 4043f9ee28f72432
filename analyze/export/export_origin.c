/* SPDX-License-Identifier: Apache-2.0 */
#include "export_origin.h"

#include "analyze/kernels/resource.h"

#include "base/cleanup.h"

#include <inttypes.h>
#include <string.h>

struct export_origins {
	const struct store_overview *overview;
	char **texts; /* by index of the process */
};

int export_origins_new(const struct store_overview *overview, struct export_origins **ret_origins) {
	struct export_origins *origins = calloc(1, sizeof(*origins));
	if (!origins)
		return -ENOMEM;
	origins->overview = overview;
	origins->texts = calloc(overview->process_count + 1, sizeof(origins->texts[0]));
	if (!origins->texts) {
		free(origins);
		return -ENOMEM;
	}
	*ret_origins = origins;
	return 0;
}

void export_origins_free(struct export_origins *origins) {
	if (!origins)
		return;
	for (size_t i = 0; i < origins->overview->process_count; i++)
		free(origins->texts[i]);
	free(origins->texts);
	free(origins);
}

const char *export_origin(struct export_origins *origins, uint32_t process,
                          void (*write)(struct export_text *text, const struct store_process_view *process)) {
	char **kept = &origins->texts[process - 1];
	if (*kept)
		return *kept;
	struct export_text text = {0};
	write(&text, &origins->overview->processes[process - 1]);
	export_put(&text, "", 1);
	if (text.failed)
		export_text_done(&text);
	*kept = text.bytes;
	return *kept;
}

/* What stands elsewhere of a process; the list of its own may say it, too. */
static bool is_column(const char *key) {
	static const char *const keys[] = {"service.name", "process.pid", "process.parent_pid",
	                                   "process.executable.path", "process.command_line"};
	for (size_t i = 0; i < sizeof(keys) / sizeof(keys[0]); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

void export_resource(struct export_text *text, const struct store_process_view *process,
                     void (*pair)(struct export_text *text, const char *key, const char *value, size_t bytes)) {
	CLEANUP_FREE char *copy = strdup(process->resource);
	char *rest = copy;
	char number[16];
	if (!copy)
		text->failed = true;
	if (process->ppid) {
		int bytes = snprintf(number, sizeof(number), "%" PRIu32, process->ppid);
		pair(text, "process.parent_pid", number, (size_t)bytes);
	}
	if (process->executable[0])
		pair(text, "process.executable.path", process->executable, strlen(process->executable));
	if (process->command[0])
		pair(text, "process.command_line", process->command, strlen(process->command));
	for (struct resource_pair own; resource_next(&rest, &own);)
		if (!is_column(own.key))
			pair(text, own.key, own.value, own.value_bytes);
}

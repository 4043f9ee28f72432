/* SPDX-License-Identifier: Apache-2.0 */
/* import: spans from elsewhere into a store. The only command that writes. */
#include "analyze/command.h"
#include "analyze/import/import_read.h"
#include "analyze/import/import_store.h"
#include "analyze/terminal/interrupt.h"
#include "analyze/terminal/progress.h"

#include "base/cleanup.h"
#include "base/errs.h"
#include "base/json.h"
#include "base/text.h"
#include "base/units.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PROBLEMS_SHOWN 20u
#define PROGRESS_SPANS 4096u
#define NAME_BYTES 256u

static const char help[] = "  spanring-analyze import --into STORE spans.jsonl\n"
                           "  spanring-analyze import --into STORE --from otlp-json traces-*.json\n"
                           "  zcat spans.csv.gz | spanring-analyze import --into STORE -\n"
                           "\n"
                           "Puts spans of other tools into a store (made if missing), so that every\n"
                           "command can ask for them. docs/import.md describes the formats.\n"
                           "\n"
                           "  --into STORE     a store directory; else SPANRING_STORE\n"
                           "  --from FORMAT    jsonl: a span in each line, {\"trace_id\": ...}\n"
                           "                   csv: with a header that names the columns\n"
                           "                   otlp-json: OpenTelemetry's requests, as its Collector\n"
                           "                   writes them to files\n"
                           "                   without the word: by the first bytes of each file\n"
                           "  --keep-going     leave out what is wrong and import the rest\n"
                           "\n"
                           "FILE - is standard input. Files are read as a stream. A file is in the store\n"
                           "whole or not at all, also after a kill: the first mistake, which is told\n"
                           "with line and column, keeps it out (exit 3). With --keep-going mistakes are\n"
                           "counted, the first 20 of a file told, and exit is 1 if there were any. A\n"
                           "store that an agent writes is refused (exit 5): give one of its own.\n";

/* Of one file. */
struct import {
	const struct context *context;
	struct import_store *store;
	struct import_read read;
	const char *file;
	char name[NAME_BYTES]; /* the same, printable */
	enum import_format format;
	int error; /* of the store */
	bool imported;
	struct progress progress;
	uint64_t bytes_total;
};

static int on_span(void *context, const struct import_origin *origin, const struct import_span *span,
                   char ret_text[JSON_READER_ERROR_BYTES]) {
	struct import *import = context;
	ret_text[0] = 0;
	import->error = import_store_add(import->store, origin, span);
	if (import->read.spans % PROGRESS_SPANS == 0) {
		if (import->bytes_total)
			progress_update(&import->progress, import->read.source->bytes, import->bytes_total);
		if (interrupt_wanted())
			return -EINTR;
	}
	/* That is about the span; nothing a store says is. */
	return import->error == -EINVAL ? -EIO : import->error;
}

static void on_problem(void *context, uint64_t line, uint64_t column, const char *text) {
	struct import *import = context;
	if (import->read.problems <= PROBLEMS_SHOWN)
		log_error(&import->context->log, "%s:%" PRIu64 ":%" PRIu64 ": %s", import->name, line, column, text);
}

static int tell_store(const struct import *import, int error) {
	const char *text = import_store_error(import->store);
	log_error(&import->context->log, "%s: not imported: %s", import->name, *text ? text : strerror(-error));
	return error == ERR_LIMIT ? EXIT_CODE_INPUT : error == -ENOMEM ? EXIT_CODE_FAILED : EXIT_CODE_OUTPUT;
}

static int finish(struct import *import) {
	int error = import_store_finish(import->store);
	if (error)
		return tell_store(import, error);
	import->imported = true;
	if (import->read.problems == 0)
		return EXIT_CODE_OK;
	log_warning(&import->context->log, "%s: %" PRIu64 " mistakes, left out; all else is imported", import->name,
	            import->read.problems);
	return EXIT_CODE_FAILED;
}

static int read_source(struct import *import, struct byte_source *source) {
	const struct options *options = import->context->options;
	import->format = options->from ? import_format_named(options->from) : import_read_guess(source);
	if (!options->from && !source->error)
		log_info(&import->context->log, "%s: taken for %s (--from says otherwise)", import->name,
		         import_format_name(import->format));
	import->read.source = source;
	import->progress = progress_begin("importing", options->quiet);
	int error = import_read(&import->read, import->format);
	progress_end(&import->progress);
	/* Ctrl-C also ends what feeds a pipe: its end is then not the end of the spans. */
	if (!error && !interrupt_wanted())
		return finish(import);
	import_store_discard(import->store);
	if (interrupt_wanted()) {
		log_error(&import->context->log, "%s: interrupted: nothing of it is imported", import->name);
		return EXIT_CODE_INTERRUPTED;
	}
	if (import->error)
		return tell_store(import, import->error);
	if (error == -ENOMEM) {
		log_error(&import->context->log, "%s: not imported: out of memory", import->name);
		return EXIT_CODE_FAILED;
	}
	log_error(&import->context->log,
	          options->keep_going || source->error
	              ? "%s: nothing of it is imported"
	              : "%s: nothing of it is imported; --keep-going leaves out what is wrong",
	          import->name);
	return EXIT_CODE_INPUT;
}

static int import_file(struct import *import) {
	struct byte_source source;
	struct stat status;
	bool is_input = strcmp(import->file, "-") == 0;
	int fd CLEANUP_FD = is_input ? FD_NONE : open(import->file, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	(void)text_printable(import->file, strlen(import->file), import->name, sizeof(import->name));
	if (!is_input && fd < 0) {
		log_error(&import->context->log, "%s: cannot be opened: %s", import->name, strerror(errno));
		return EXIT_CODE_INPUT;
	}
	if (byte_source_open(is_input ? STDIN_FILENO : fd, &source) < 0)
		return command_failed(import->context, -ENOMEM, "opening the file");
	if (!is_input && fstat(fd, &status) == 0 && S_ISREG(status.st_mode))
		import->bytes_total = (uint64_t)status.st_size;
	int code = read_source(import, &source);
	byte_source_done(&source);
	return code;
}

static void print_json(const struct context *context, const struct import *imports) {
	struct json json = json_begin(stdout);
	json_open(&json, NULL, '{');
	json_text(&json, "schema", "import/1");
	json_text(&json, "store", context->options->store);
	json_open(&json, "files", '[');
	for (size_t i = 0; i < context->options->file_count && imports[i].file; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "file", imports[i].file);
		json_text(&json, "format", import_format_name(imports[i].format));
		json_bool(&json, "imported", imports[i].imported);
		json_u64(&json, "spans", imports[i].imported ? imports[i].read.spans : 0);
		json_u64(&json, "mistakes", imports[i].read.problems);
		json_close(&json);
	}
	json_close(&json);
	json_close(&json);
}

static void print_text(const struct context *context, const struct import *imports) {
	char text[UNITS_TEXT_BYTES];
	for (size_t i = 0; i < context->options->file_count && imports[i].file; i++)
		if (imports[i].imported)
			printf("%s: %s spans imported\n", imports[i].name,
			       units_format_count(imports[i].read.spans, text));
}

static int open_store(const struct context *context, struct import_store **ret_store) {
	char text[IMPORT_STORE_TEXT_BYTES];
	int error = import_store_open(context->options->store, ret_store, text, sizeof(text));
	if (!error) {
		if (*text)
			log_warning(&context->log, "%s", text);
		return EXIT_CODE_OK;
	}
	log_error(&context->log, "%s", *text ? text : strerror(-error));
	if (error == ERR_HELD)
		return EXIT_CODE_HELD;
	return error == ERR_DAMAGED || error == ERR_FOREIGN || error == ERR_NEWER ? EXIT_CODE_INPUT : EXIT_CODE_OUTPUT;
}

static void import_all(const struct context *context, struct import_store *store, struct import *imports,
                       struct import_span *span, struct import_origin *origin, int *code) {
	const struct options *options = context->options;
	for (size_t i = 0; i < options->file_count && !interrupt_wanted(); i++) {
		struct import *import = &imports[i];
		*import = (struct import){.context = context, .store = store, .file = options->files[i]};
		import->read = (struct import_read){.keep_going = options->keep_going,
		                                    .on_span = on_span,
		                                    .on_problem = on_problem,
		                                    .context = import,
		                                    .span = span,
		                                    .origin = origin};
		int one = import_file(import);
		*code = one > *code ? one : *code;
	}
}

static int run(const struct context *context) {
	const struct options *options = context->options;
	struct import_store *store = NULL;
	struct import_span *span = NULL;
	if (options->from && import_format_named(options->from) == IMPORT_FORMAT_GUESS) {
		log_error(&context->log, "--from '%s': give jsonl, csv or otlp-json", options->from);
		return EXIT_CODE_USAGE;
	}
	struct import *imports CLEANUP_FREE = calloc(options->file_count, sizeof(*imports));
	struct import_origin *origin CLEANUP_FREE = calloc(1, sizeof(*origin));
	if (!imports || !origin || import_span_new(&span) < 0)
		return command_failed(context, -ENOMEM, "making room for the import");
	int code = open_store(context, &store);
	if (code == EXIT_CODE_OK) {
		import_all(context, store, imports, span, origin, &code);
		if (import_store_close(store) < 0)
			log_warning(&context->log, "%s: an older segment could not be sealed; the next agent will",
			            options->store);
		if (options->json)
			print_json(context, imports);
		else
			print_text(context, imports);
	}
	import_span_free(span);
	return code;
}

const struct command command_import = {
    .name = "import",
    .summary = "spans of other tools into a store",
    .help = help,
    .takes.allowed = OPTIONS_COMMON | OPTION_IMPORT,
    .run = run,
};

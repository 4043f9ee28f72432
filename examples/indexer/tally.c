/* SPDX-License-Identifier: Apache-2.0 */
#include "tally.h"

#include <inttypes.h>

static const char *const tally_names[TALLY_SPANS] = {
    [TALLY_COMMIT] = "commit", [TALLY_COMPRESS] = "compress", [TALLY_FILE] = "file",         [TALLY_INDEX] = "index",
    [TALLY_INSERT] = "insert", [TALLY_READ] = "read",         [TALLY_TOKENIZE] = "tokenize", [TALLY_WALK] = "walk"};

void tally_print(const struct tally *tally, FILE *file) {
	double percent = tally->bytes > 0 ? 100.0 * (double)tally->compressed_bytes / (double)tally->bytes : 0.0;
	(void)fprintf(file, "files indexed      %12" PRIu64 "\n", tally->files_indexed);
	(void)fprintf(file, "  of them binary   %12" PRIu64 "  (compressed, no words)\n", tally->files_binary);
	(void)fprintf(file, "files too large    %12" PRIu64 "\n", tally->files_large);
	(void)fprintf(file, "unreadable         %12" PRIu64 "\n", tally->unreadable);
	(void)fprintf(file, "bytes read         %12" PRIu64 "\n", tally->bytes);
	(void)fprintf(file, "bytes compressed   %12" PRIu64 "  (%.1f %%)\n", tally->compressed_bytes, percent);
	(void)fprintf(file, "words              %12" PRIu64 "\n\n", tally->words);

	uint64_t begun = 0, errors = 0;
	(void)fprintf(file, "spans begun by name\n%-10s %12s %8s\n", "name", "count", "errors");
	for (unsigned i = 0; i < TALLY_SPANS; i++) {
		(void)fprintf(file, "%-10s %12" PRIu64 " %8" PRIu64 "\n", tally_names[i], tally->begun[i],
		              tally->errors[i]);
		begun += tally->begun[i];
		errors += tally->errors[i];
	}
	(void)fprintf(file, "%-10s %12" PRIu64 " %8" PRIu64 "\n", "total", begun, errors);
}

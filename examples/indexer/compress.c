/* SPDX-License-Identifier: Apache-2.0 */
#include "compress.h"

#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#define COMPRESS_LEVEL 3

struct compressor {
	ZSTD_CCtx *context;
	struct buffer output;
};

int compressor_new(struct compressor **ret_compressor) {
	struct compressor *compressor = calloc(1, sizeof(*compressor));
	if (!compressor)
		return -ENOMEM;
	compressor->context = ZSTD_createCCtx();
	if (!compressor->context) {
		free(compressor);
		return -ENOMEM;
	}
	*ret_compressor = compressor;
	return 0;
}

void compressor_free(struct compressor *compressor) {
	if (!compressor)
		return;
	(void)ZSTD_freeCCtx(compressor->context);
	buffer_done(&compressor->output);
	free(compressor);
}

int compressor_run(struct compressor *compressor, const struct buffer *content, size_t *ret_bytes) {
	struct buffer *output = &compressor->output;
	int rc = buffer_reserve(output, ZSTD_compressBound(content->bytes));
	if (rc < 0)
		return rc;
	size_t bytes = ZSTD_compressCCtx(compressor->context, output->data, output->capacity, content->data,
	                                 content->bytes, COMPRESS_LEVEL);
	if (ZSTD_isError(bytes))
		return -EINVAL;
	output->bytes = bytes;
	*ret_bytes = bytes;
	return 0;
}

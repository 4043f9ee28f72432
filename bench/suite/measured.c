/* SPDX-License-Identifier: Apache-2.0 */
#include "measured.h"

#include "base/errs.h"

#include <errno.h>
#include <string.h>

int measured_run(const char *command, const struct bench_options *options, enum result_format format,
                 measured_body *body, const void *task) {
	struct stage stage;
	int code = stage_open(options, true, &stage);
	if (code != EXIT_CODE_OK)
		return code;
	struct result *result = result_new(command);
	int rc = result ? body(&stage, task, result) : -ENOMEM;
	code = stage_close(&stage);
	if (rc < 0) {
		log_error(&options->log, "%s: the measurement failed: %s", command,
		          rc == -EOVERFLOW ? "something was dropped where all had room" : strerror(-rc));
		code = EXIT_CODE_FAILED;
	}
	if (code == EXIT_CODE_OK)
		code = result_print(result, format, stdout) < 0 ? EXIT_CODE_OUTPUT : result_exit_code(result);
	result_free(result);
	return code;
}

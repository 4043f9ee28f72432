/* SPDX-License-Identifier: Apache-2.0 */
/* From a stage to a printed result: what the commands of the suite have in common. */
#ifndef SPANRING_BENCH_MEASURED_H
#define SPANRING_BENCH_MEASURED_H

#include "bench/harness/result.h"
#include "bench/stage.h"

/* Measures and fills the result. 0, or negative errno, which is told. */
typedef int measured_body(const struct stage *stage, const void *task, struct result *result);

/* Open a stage (with an agent), measure, close it, print. An exit code. */
int measured_run(const char *command, const struct bench_options *options, enum result_format format,
                 measured_body *body, const void *task);

#endif

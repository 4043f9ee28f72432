/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file of gates: levels of one's own in place of the defaults.
 *
 *     # comment
 *     quick: overhead ratio = 1.2 1.5
 *     load: p95 = 20ms 80ms
 *
 * Before the colon the command that was run, then the gate as it is printed, the good level and the red flag in the unit of the gate
 * (nanoseconds also as a time, bytes as a size).
 */
#ifndef SPANRING_BENCH_GATES_H
#define SPANRING_BENCH_GATES_H

#include "bench/harness/result.h"

#define GATES_MAX 128u

struct gate_override {
	char command[RESULT_NAME_BYTES];
	char name[RESULT_NAME_BYTES];
	char good[RESULT_NAME_BYTES];
	char red_flag[RESULT_NAME_BYTES];
	uint32_t line;
	bool used;
};

struct gates {
	struct gate_override overrides[GATES_MAX];
	uint32_t count;
};

/* 0, or negative errno and one line in ret_text. */
int gates_read(const char *path, struct gates *ret_gates, char ret_text[RESULT_TEXT_BYTES]);

/* Levels of this gate of that command, if the file has any. 0, or -EINVAL: they are no numbers in its unit. */
int gates_apply(struct gates *gates, const char *command, struct result_gate *gate);

/* The first one that named no gate; NULL: all did. */
const struct gate_override *gates_unused(const struct gates *gates);

#endif

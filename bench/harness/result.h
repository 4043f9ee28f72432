/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a run found: figures with their samples, and gates. Printed as text, JSON (bench-result/1), CSV or Markdown; JSON is read again by
 * compare. A gate has two levels: good, and red flag; between them it warns, from the red flag on it fails.
 */
#ifndef SPANRING_BENCH_RESULT_H
#define SPANRING_BENCH_RESULT_H

#include "machine.h"
#include "samples.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define RESULT_ROWS_MAX 128u
#define RESULT_FACTS_MAX 32u
#define RESULT_GATES_MAX 64u
#define RESULT_NAME_BYTES 64u
#define RESULT_SCHEMA "bench-result/1"

enum result_direction { RESULT_LOWER_IS_BETTER, RESULT_HIGHER_IS_BETTER, RESULT_NEITHER };

enum result_format { RESULT_TEXT, RESULT_JSON, RESULT_CSV, RESULT_MARKDOWN };
/* Words of enum result_format; ends in NULL. */
extern const char *const result_formats[];

enum result_state { RESULT_GOOD, RESULT_WARNING, RESULT_RED_FLAG };

struct result_row {
	char name[RESULT_NAME_BYTES];
	char unit[RESULT_NAME_BYTES]; /* "ns", "x", "bytes", "1/s", ... */
	enum result_direction direction;
	struct samples samples;
};

struct result_fact {
	char key[RESULT_NAME_BYTES];
	char value[MACHINE_TEXT_BYTES];
};

struct result_gate {
	char name[RESULT_NAME_BYTES];
	char unit[RESULT_NAME_BYTES];
	double value; /* NaN: could not be measured, which is a red flag */
	double good;
	double red_flag;
	bool higher_is_better;
};

struct result {
	char command[RESULT_NAME_BYTES];
	char version[RESULT_NAME_BYTES];
	uint64_t time_wall_ns;
	struct machine machine;
	char fingerprint[MACHINE_FINGERPRINT_BYTES];
	struct result_row *rows[RESULT_ROWS_MAX];
	uint32_t row_count;
	struct result_fact facts[RESULT_FACTS_MAX];
	uint32_t fact_count;
	struct result_gate gates[RESULT_GATES_MAX];
	uint32_t gate_count;
};

/* Looks at the machine. NULL without memory. */
struct result *result_new(const char *command);
void result_free(struct result *result);

/* The row to add samples to; NULL without memory, or when there are too many. */
struct result_row *result_row(struct result *result, const char *name, const char *unit,
                              enum result_direction direction);
const struct result_row *result_find(const struct result *result, const char *name);

__attribute__((format(printf, 3, 4))) void result_fact(struct result *result, const char *key, const char *format, ...);
void result_gate(struct result *result, const struct result_gate *gate);
enum result_state result_gate_state(const struct result_gate *gate);
const char *result_state_text(enum result_state state);

/* Looks at the machine once more, then prints. 0 or -EIO. */
int result_print(struct result *result, enum result_format format, FILE *file);

/* EXIT_CODE_FAILED if some gate is a red flag. */
int result_exit_code(const struct result *result);

/*
 * Read a document of result_print back. 0, or negative errno and one line in ret_text (what, where, what to give). The
 * file may be anybody's.
 */
#define RESULT_TEXT_BYTES 512u
int result_read(const char *path, struct result **ret_result, char ret_text[RESULT_TEXT_BYTES]);

#endif

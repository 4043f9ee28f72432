/* SPDX-License-Identifier: Apache-2.0 */
/* On what, and in what company, a benchmark ran. */
#ifndef SPANRING_BENCH_MACHINE_H
#define SPANRING_BENCH_MACHINE_H

#include <stdint.h>

#define MACHINE_TEXT_BYTES 128u

struct machine {
	char processor[MACHINE_TEXT_BYTES];
	char kernel[MACHINE_TEXT_BYTES];
	char clock_source[MACHINE_TEXT_BYTES];
	char governor[MACHINE_TEXT_BYTES]; /* "unknown" where nothing says */
	uint32_t cores;
	double frequency_mhz; /* just now, of the first core; NaN: unknown */
	double ping_pong_ns;  /* core to core; NaN: one core */
	double
	    steal_percent; /* of the time since machine_look, what the host took; NaN before machine_finish, or unknown */
	double load_percent; /* of all cores, what everybody used, we included */
	uint64_t steal_ticks;
	uint64_t busy_ticks;
	uint64_t all_ticks;
};

/* The first line of a file, or what stands behind the colon of the first line with this key (NULL: any line); "unknown" if there is none. */
void machine_read_line(const char *path, const char *key, char ret_text[MACHINE_TEXT_BYTES]);

void machine_look(struct machine *ret_machine);
void machine_finish(struct machine *machine);

/* Sixteen hexadecimal digits of what decides whether two results can be compared: processor, cores, kernel, clock source. */
#define MACHINE_FINGERPRINT_BYTES 17u
void machine_fingerprint(const struct machine *machine, char ret_text[MACHINE_FINGERPRINT_BYTES]);

#endif

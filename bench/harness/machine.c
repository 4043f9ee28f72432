/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include "base/cleanup.h"
#include "bench/floors/topology.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)
#define PING_PONG_ROUNDS 20000u

void machine_read_line(const char *path, const char *key, char ret_text[MACHINE_TEXT_BYTES]) {
	CLEANUP_FILE FILE *file = fopen(path, "re");
	char line[2 * MACHINE_TEXT_BYTES];
	(void)snprintf(ret_text, MACHINE_TEXT_BYTES, "unknown");
	while (file && fgets(line, sizeof(line), file)) {
		if (key && strncmp(line, key, strlen(key)) != 0)
			continue;
		char *value = key ? strchr(line, ':') : line;
		if (!value)
			continue;
		value += strspn(value, ": \t");
		value[strcspn(value, "\n")] = 0;
		(void)snprintf(ret_text, MACHINE_TEXT_BYTES, "%.*s", (int)MACHINE_TEXT_BYTES - 1, value);
		return;
	}
}

/* user nice system idle iowait irq softirq steal of all cores together; proc(5). */
static void read_ticks(uint64_t *ret_steal, uint64_t *ret_busy, uint64_t *ret_all) {
	CLEANUP_FILE FILE *file = fopen("/proc/stat", "re");
	uint64_t ticks[8] = {0};
	*ret_steal = *ret_busy = *ret_all = 0;
	if (!file ||
	    fscanf(file,
	           "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64,
	           &ticks[0], &ticks[1], &ticks[2], &ticks[3], &ticks[4], &ticks[5], &ticks[6], &ticks[7]) != 8)
		return;
	for (int i = 0; i < 8; i++)
		*ret_all += ticks[i];
	*ret_steal = ticks[7];
	*ret_busy = *ret_all - ticks[3] - ticks[4] - ticks[7];
}

void machine_look(struct machine *ret_machine) {
	char text[MACHINE_TEXT_BYTES];
	struct utsname name;
	*ret_machine = (struct machine){.steal_percent = NAN, .load_percent = NAN, .cores = topology_core_count()};
	machine_read_line("/proc/cpuinfo", "model name", ret_machine->processor);
	(void)snprintf(ret_machine->kernel, MACHINE_TEXT_BYTES, "%.*s", (int)MACHINE_TEXT_BYTES - 1,
	               uname(&name) == 0 ? name.release : "unknown");
	machine_read_line("/sys/devices/system/clocksource/clocksource0/current_clocksource", NULL,
	                  ret_machine->clock_source);
	machine_read_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", NULL, ret_machine->governor);
	machine_read_line("/proc/cpuinfo", "cpu MHz", text);
	ret_machine->frequency_mhz = strtod(text, NULL) > 0 ? strtod(text, NULL) : NAN;
	ret_machine->ping_pong_ns = topology_ping_pong_ns(PING_PONG_ROUNDS);
	read_ticks(&ret_machine->steal_ticks, &ret_machine->busy_ticks, &ret_machine->all_ticks);
}

void machine_finish(struct machine *machine) {
	uint64_t steal, busy, all;
	read_ticks(&steal, &busy, &all);
	if (all <= machine->all_ticks)
		return;
	double passed = (double)(all - machine->all_ticks);
	machine->steal_percent = 100 * (double)(steal - machine->steal_ticks) / passed;
	machine->load_percent = 100 * (double)(busy - machine->busy_ticks) / passed;
}

static uint64_t hash(uint64_t so_far, const char *text) {
	for (; *text; text++)
		so_far = (so_far ^ (uint8_t)*text) * FNV_PRIME;
	return so_far * FNV_PRIME; /* "ab" "c" is not "a" "bc" */
}

void machine_fingerprint(const struct machine *machine, char ret_text[MACHINE_FINGERPRINT_BYTES]) {
	char cores[16];
	(void)snprintf(cores, sizeof(cores), "%" PRIu32, machine->cores);
	uint64_t value =
	    hash(hash(hash(hash(FNV_BASIS, machine->processor), cores), machine->kernel), machine->clock_source);
	(void)snprintf(ret_text, MACHINE_FINGERPRINT_BYTES, "%016" PRIx64, value);
}

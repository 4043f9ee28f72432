/* SPDX-License-Identifier: Apache-2.0 */
/* The programs of a soak, coming and going: who runs, who is next to go and how, who takes the place. */
#ifndef SPANRING_BENCH_SOAK_CREW_H
#define SPANRING_BENCH_SOAK_CREW_H

#include "bench/stage.h"
#include "soak_ledger.h"

#include <stdbool.h>

#define SOAK_PROGRAMS_MAX 64u

struct soak_member {
	pid_t pid; /* 0: none */
	uint64_t end_ns;
	bool is_killed; /* with SIGKILL, when it is over; otherwise asked to go */
	bool is_told;
};

struct soak_crew {
	struct stage stage; /* where they are started */
	struct soak_ledger *ledger;
	int ledger_fd;
	uint32_t programs;
	uint32_t rate; /* spans per second of one program */
	uint64_t life_min_ns;
	uint64_t life_max_ns;
	uint64_t random;
	uint64_t started;
	uint64_t killed;
	struct soak_member members[SOAK_PROGRAMS_MAX]; /* the first stays to the end */
};

/* The rest of *crew is set by the caller. 0 or negative errno. */
int soak_crew_open(struct soak_crew *crew);
void soak_crew_close(struct soak_crew *crew);

/* Whoever's time is over goes, whoever is gone is replaced. 0, -ECHILD if one ended as it should not, or negative errno. */
int soak_crew_turn(struct soak_crew *crew, uint64_t now_ns);

/* All go, in good order, and have gone. 0 or -ECHILD. */
int soak_crew_dismiss(struct soak_crew *crew);

#endif

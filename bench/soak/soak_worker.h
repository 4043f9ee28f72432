/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A traced program of a soak: small trees of spans at a steady rate, with an attribute, an event or an error here and there, until it
 * is told to end (SIGTERM, or the ledger's stop) or is killed. Some of them fork now and then, some start threads that end soon.
 */
#ifndef SPANRING_BENCH_SOAK_WORKER_H
#define SPANRING_BENCH_SOAK_WORKER_H

#include <stdint.h>

enum soak_kind { SOAK_KIND_PLAIN, SOAK_KIND_FORKING, SOAK_KIND_THREADS, SOAK_KIND_COUNT };

/* How a worker is told what to do: "LEDGER-DESCRIPTOR KIND SPANS-PER-SECOND". */
#define SOAK_WORKER_VARIABLE "BENCH_SOAK_WORKER"
#define SOAK_WORKER_COMMAND "soak-worker"
#define SOAK_SPANS_PER_TREE 4u

#endif

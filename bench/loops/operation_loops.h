/* SPDX-License-Identifier: Apache-2.0 */
/* What a program does with the library, one thing a round, for `spanring-bench run`. */
#ifndef SPANRING_BENCH_OPERATION_LOOPS_H
#define SPANRING_BENCH_OPERATION_LOOPS_H

#include <stdint.h>

/* Each returns the nanoseconds that `count` rounds took. */
uint64_t operation_noop_ns(uint64_t count);      /* a call of a function that does nothing */
uint64_t operation_span_ns(uint64_t count);      /* begin and end */
uint64_t operation_child_ns(uint64_t count);     /* the same inside of another span */
uint64_t operation_attribute_ns(uint64_t count); /* a number, of one open span */
uint64_t operation_string_ns(uint64_t count);    /* a string of 16 bytes, of one open span */
uint64_t operation_event_ns(uint64_t count);
uint64_t operation_link_ns(uint64_t count);
uint64_t operation_context_ns(uint64_t count); /* make another context the current one, and back */

/* Of about a thousand nanoseconds and no span: what is traced in comparisons. */
uint64_t operation_work(uint64_t seed);
uint64_t operation_plain_ns(uint64_t count);  /* work */
uint64_t operation_traced_ns(uint64_t count); /* work in a span with an attribute */

#endif

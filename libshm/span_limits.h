/* SPDX-License-Identifier: Apache-2.0 */
/* Limits of one span, from OpenTelemetry's environment variables. */
#ifndef SPANRING_LIBSHM_SPAN_LIMITS_H
#define SPANRING_LIBSHM_SPAN_LIMITS_H

#include "ring_writer.h"

void spanring__span_limits_choose(struct spanring__limits *ret_limits);

#endif

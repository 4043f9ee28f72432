/* SPDX-License-Identifier: Apache-2.0 */
/* The books of rings that a user had no quota for, once their program has ended: nothing of them is stored, and everything told. */
#ifndef SPANRING_AGENT_OVER_QUOTA_H
#define SPANRING_AGENT_OVER_QUOTA_H

#include "agent/commit/flush.h"
#include "agent/intake/producer.h"
#include "agent/intake/roster.h"

/*
 * Of a program that has ended and whose own rings are taken: one cursor for each ring file that never was taken in, as a quarantined
 * ring with reason EDQUOT. 0 or -ENOMEM.
 */
int over_quota_close(struct producer *producer, const struct roster *roster, struct flush_job *job);

/* The reason of a cursor: what a program dropped while its user was held back. */
uint32_t over_quota_reason(const struct producer *producer, const struct store_cursor *row);

#endif

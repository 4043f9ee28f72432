/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program says of itself, held against what the kernel says. Its user is the owner of its files, whatever it claims. Its pid
 * is a claim that the kernel can only contradict:
 *
 *     another user's      the process with that pid and start time runs under no uid that owns these files; root may become anybody, so what
 *                         root owns is not held against this
 *     nobody's            there is no such process, and a ring of it has a living owner
 *
 * A contradiction is kept with the books of the process (table `claim`), and nothing else changes: samples of memory are taken only of
 * a process whose effective user owns the files.
 */
#ifndef SPANRING_AGENT_CLAIM_H
#define SPANRING_AGENT_CLAIM_H

#include "libshm/process_reader.h"

struct producer;

/* STORE_CLAIM_* of a program whose files have this owner. */
uint32_t claim_find(const struct process_reader_identity *identity, uid_t owner, uint64_t our_namespace);

/* The second of the two above; looks once in the life of a producer. */
void claim_check_living(struct producer *producer);

#endif

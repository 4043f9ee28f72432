/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Meaning of the negative errno values that our own code raises. Functions return 0 or a count, or one of these, or what a
 * system call said, negated. errno itself is never part of an interface.
 */
#ifndef SPANRING_BASE_ERRS_H
#define SPANRING_BASE_ERRS_H

#include <errno.h>

#define ERR_DAMAGED (-EBADMSG)       /* data does not keep its own promises: checksum, bounds, order */
#define ERR_FOREIGN (-EMEDIUMTYPE)   /* a file that is not ours at all */
#define ERR_NEWER (-EPROTONOSUPPORT) /* ours, but of a version or feature that this build does not know */
#define ERR_FULL (-ENOSPC)           /* no room, on disk or in a bounded table */
#define ERR_GONE (-ESHUTDOWN)        /* the other side, or the file, is no longer there */
#define ERR_HELD (-EBUSY)            /* another process holds the lock */
#define ERR_LIMIT (-E2BIG)           /* over a named limit */

/* Exit codes of the programs, a contract (docs/architecture.md). */
enum exit_code {
	EXIT_CODE_OK = 0,
	EXIT_CODE_FAILED = 1, /* a check failed, or the answer is incomplete */
	EXIT_CODE_USAGE = 2,  /* wrong words on the command line */
	EXIT_CODE_INPUT = 3,  /* bad or unreadable input */
	EXIT_CODE_NO_BASELINE = 4,
	EXIT_CODE_HELD = 5,         /* another agent holds the ring directory or the store */
	EXIT_CODE_OUTPUT = 6,       /* output cannot be written: store or ring directory */
	EXIT_CODE_INTERRUPTED = 130 /* by SIGINT, as a shell counts it */
};

#endif

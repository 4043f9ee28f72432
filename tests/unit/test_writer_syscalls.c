/* SPDX-License-Identifier: Apache-2.0 */
/*
 * No system call per span: after the first span of each site, a filter kills the process at any call but write and
 * exit_group, and a hundred thousand spans go through it, also into a full ring, past many publications and with attributes.
 */
#include "support/cmocka.h"

#include "ring_view.h"
#include "support/sanitizer.h"

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <spanring/spanring.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#define SPANS 100000u

static void one_round(void) {
	SPANRING_SPAN_KIND(span, "quiet", SPANRING_KIND_SERVER);
	SPANRING_SET_U64(span, "u", 7);
	SPANRING_SET_STRING(span, "s", "a text of more than thirty-two bytes");
	SPANRING_EVENT(span, "event");
	{
		SPANRING_SPAN(child, "child");
		spanring_set_status(child, SPANRING_STATUS_ERROR, "a description");
	}
}

static void filtered(void) {
	struct sock_filter filter[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 2, 0),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 1, 0),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = {.len = sizeof(filter) / sizeof(filter[0]), .filter = filter};
	one_round();
	CHECK(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	CHECK(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
	for (unsigned i = 0; i < SPANS / 2; i++)
		one_round();
	spanring_flush(0);
	struct spanring_counters counters;
	spanring_counters_read(&counters);
	CHECK(counters.begun == SPANS + 2 && counters.dropped_full > 0);
}

static void test_no_system_call_per_span(void **state) {
	(void)state;
	view_close(view_open(view_scratch.rings, view_run(view_scratch.rings, filtered, VIEW_LEAVE_AT_ONCE)));
}

int main(void) {
	if (SANITIZER_SLOWDOWN > 1) {
		(void)printf("skipped: the sanitizers make system calls of their own\n");
		return 77;
	}
	const struct CMUnitTest tests[] = {
	    VIEW_TEST(test_no_system_call_per_span),
	};
	return cmocka_run_group_tests_name("writer system calls", tests, NULL, NULL);
}

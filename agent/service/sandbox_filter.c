/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox_filter.h"

#include "base/errs.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCHITECTURE AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define ARCHITECTURE AUDIT_ARCH_RISCV64
#else
#define ARCHITECTURE 0
#endif

#define X32_BIT UINT32_C(0x40000000)
#define INSTRUCTIONS_MAX 192u

#define LOW_HALF(number) (offsetof(struct seccomp_data, args) + 8 * (number)) /* of a little-endian argument */

/* Never asked for by an agent that runs. Those that this processor does not have are left out. */
static const uint32_t refused[] = {
    SYS_execve,
    SYS_execveat,
    SYS_process_vm_readv,
    SYS_process_vm_writev,
    SYS_kcmp,
    SYS_io_uring_setup,
    SYS_io_uring_register,
    SYS_bpf,
    SYS_perf_event_open,
    SYS_userfaultfd,
    SYS_add_key,
    SYS_request_key,
    SYS_keyctl,
    SYS_mount,
    SYS_umount2,
    SYS_move_mount,
    SYS_open_tree,
    SYS_fsopen,
    SYS_fsmount,
    SYS_fsconfig,
    SYS_fspick,
    SYS_mount_setattr,
    SYS_pivot_root,
    SYS_chroot,
    SYS_setns,
    SYS_unshare,
    SYS_init_module,
    SYS_finit_module,
    SYS_delete_module,
    SYS_kexec_load,
    SYS_kexec_file_load,
    SYS_reboot,
    SYS_swapon,
    SYS_swapoff,
    SYS_sethostname,
    SYS_setdomainname,
    SYS_acct,
    SYS_quotactl,
    SYS_syslog,
    SYS_settimeofday,
    SYS_clock_settime,
    SYS_clock_adjtime,
    SYS_adjtimex,
    SYS_open_by_handle_at,
    SYS_personality,
    SYS_setuid,
    SYS_setgid,
    SYS_setreuid,
    SYS_setregid,
    SYS_setresuid,
    SYS_setresgid,
    SYS_setfsuid,
    SYS_setfsgid,
    SYS_setgroups,
    SYS_capset,
    SYS_mknodat,
    SYS_vhangup,
#ifdef SYS_fork
    SYS_fork,
    SYS_vfork,
    SYS_mknod,
    SYS_modify_ldt,
    SYS_iopl,
    SYS_ioperm,
#endif
#ifndef __SANITIZE_ADDRESS__ /* its search for leaks, at the end, is a process that traces this one */
    SYS_ptrace,
#endif
};
#define REFUSED_COUNT (sizeof(refused) / sizeof(refused[0]))

struct program {
	struct sock_filter code[INSTRUCTIONS_MAX];
	uint16_t count;
};

static void emit(struct program *program, struct sock_filter instruction) {
	if (program->count < INSTRUCTIONS_MAX)
		program->code[program->count++] = instruction;
}

#define STATEMENT(code, k) ((struct sock_filter)BPF_STMT((code), (k)))
#define JUMP(code, k, yes, no) ((struct sock_filter)BPF_JUMP((code), (k), (yes), (no)))
#define LOAD (BPF_LD | BPF_W | BPF_ABS)
#define IF_EQUAL (BPF_JMP | BPF_JEQ | BPF_K)
#define IF_ANY (BPF_JMP | BPF_JSET | BPF_K)
#define IF_AT_LEAST (BPF_JMP | BPF_JGE | BPF_K)
#define ANSWER(error) STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (uint32_t)(error))

/* If the test of this argument is true, the call is refused; otherwise it is allowed. Begins and ends with the number of the call loaded. */
static void refuse_if(struct program *program, uint32_t call, uint32_t argument, uint16_t test, uint32_t value,
                      bool when) {
	emit(program, JUMP(IF_EQUAL, call, 0, 4));
	emit(program, STATEMENT(LOAD, LOW_HALF(argument)));
	emit(program, JUMP(test, value, when ? 0 : 1, when ? 1 : 0));
	emit(program, ANSWER(EPERM));
	emit(program, STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

static void make(struct program *program) {
	emit(program, STATEMENT(LOAD, offsetof(struct seccomp_data, arch)));
	emit(program, JUMP(IF_EQUAL, ARCHITECTURE, 1, 0));
	emit(program, ANSWER(EPERM));
	emit(program, STATEMENT(LOAD, offsetof(struct seccomp_data, nr)));
	emit(program, JUMP(IF_AT_LEAST, X32_BIT, 0, 1));
	emit(program, ANSWER(EPERM));
	for (size_t i = 0; i < REFUSED_COUNT; i++) {
		emit(program, JUMP(IF_EQUAL, refused[i], 0, 1));
		emit(program, ANSWER(EPERM));
	}
	refuse_if(program, SYS_socket, 0, IF_EQUAL, AF_UNIX, false);
	refuse_if(program, SYS_socketpair, 0, IF_EQUAL, AF_UNIX, false);
	refuse_if(program, SYS_mmap, 2, IF_ANY, PROT_EXEC, true);
	refuse_if(program, SYS_mprotect, 2, IF_ANY, PROT_EXEC, true);
	refuse_if(program, SYS_pkey_mprotect, 2, IF_ANY, PROT_EXEC, true);
	refuse_if(program, SYS_ioctl, 1, IF_EQUAL, TIOCSTI, true);
#ifndef __SANITIZE_ADDRESS__
	refuse_if(program, SYS_clone, 0, IF_ANY, CLONE_THREAD, false);
	/* Its flags lie in memory, out of a filter's sight; with this answer the C library takes clone instead. */
	emit(program, JUMP(IF_EQUAL, SYS_clone3, 0, 1));
	emit(program, ANSWER(ENOSYS));
#endif
	emit(program, STATEMENT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW));
}

int sandbox_filter_install(void) {
	struct program program = {.count = 0};
	if (ARCHITECTURE == 0)
		return -EOPNOTSUPP;
	make(&program);
	if (program.count == INSTRUCTIONS_MAX)
		return ERR_LIMIT;
	struct sock_fprog all = {.len = program.count, .filter = program.code};
	long rc = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &all);
	if (rc > 0)
		return -EAGAIN; /* a thread of that number keeps out of it */
	return rc < 0 ? -errno : 0;
}

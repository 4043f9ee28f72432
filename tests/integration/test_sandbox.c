/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Goal: what an agent gives up it cannot get back, in any thread; it asks for nothing of it (B38); and it works, with io_uring, under what the unit file
 * for systemd takes away (B37) and within the memory that is promised.
 * Method: the filter and the rules in processes of the test that then try; an agent traced from its first call on, all calls of interest counted
 * with their arguments; an agent without capabilities, as a user of its own, in namespaces of its own on read-only file systems, below a
 * filter made of what systemd says its groups of calls are. Namespaces and users need root, systemd's groups systemd-analyze.
 */
#include "support/cmocka.h"
#include "support/session.h"
#include "support/stored.h"

#include "agent/service/sandbox.h"
#include "agent/settings/config.h"
#include "base/cleanup.h"
#include "base/errs.h"

#include "syscall_table.h"

#include <fcntl.h>
#include <linux/filter.h>
#include <linux/io_uring.h>
#include <linux/landlock.h>
#include <linux/mount.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CALLS_MAX 1024u
#define NOBODY 65534u
#define CAPABILITIES_MAX 64
#define RSS_KIB_MAX (64u << 10)
#define PATH_BYTES (SCRATCH_PATH_BYTES + 64)

#define REQUIRE(condition)                                                                                             \
	do {                                                                                                           \
		if (!(condition)) {                                                                                    \
			(void)fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));     \
			_exit(1);                                                                                      \
		}                                                                                                      \
	} while (0)

static void must_end_well(pid_t pid) {
	int status;
	assert_true(pid > 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail_msg("a process of the test ended with status %x", (unsigned)status);
}

static void *map_and_run(void *context) {
	char byte;
	const int *pipe_fds = context;
	ssize_t got = read(pipe_fds[0], &byte, 1);
	void *map = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return got == 1 && map == MAP_FAILED && errno == EPERM ? context : NULL;
}

static void *do_nothing(void *context) {
	return context;
}

static void try_what_is_sealed(void) {
	static struct config config = {.sandbox = SANDBOX_AUTO};
	struct sandbox sandbox;
	pthread_t before;
	pthread_t after;
	void *result = NULL;
	int pipe_fds[2];
	int sockets[2];
	char *const argv[] = {(char *)(uintptr_t) "true", NULL};
	REQUIRE(pipe(pipe_fds) == 0);
	REQUIRE(pthread_create(&before, NULL, map_and_run, pipe_fds) == 0);
	REQUIRE(sandbox_enter(&config, &sandbox) == 0);
	REQUIRE(sandbox_seal(&config, &sandbox) == 0);
	REQUIRE(strcmp(sandbox_in_use(&sandbox), "filter") == 0);
	REQUIRE(execv("/bin/true", argv) < 0 && errno == EPERM);
	REQUIRE(socket(AF_INET, SOCK_STREAM, 0) < 0 && errno == EPERM);
	REQUIRE(socket(AF_NETLINK, SOCK_RAW, 0) < 0 && errno == EPERM);
	REQUIRE(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	REQUIRE(socket(AF_UNIX, SOCK_DGRAM, 0) >= 0);
	REQUIRE(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED);
	void *map = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	REQUIRE(map != MAP_FAILED && mprotect(map, 4096, PROT_READ | PROT_EXEC) < 0 && errno == EPERM);
	REQUIRE(syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno == EPERM);
	REQUIRE(syscall(SYS_bpf, 0, NULL, 0) < 0 && errno == EPERM);
	REQUIRE(unshare(CLONE_NEWUSER) < 0 && errno == EPERM);
	REQUIRE(mount("none", "/nonexistent", "tmpfs", 0, NULL) < 0 && errno == EPERM);
	REQUIRE(setuid(getuid()) < 0 && errno == EPERM);
#ifndef __SANITIZE_ADDRESS__
	REQUIRE(fork() < 0 && errno == EPERM);
	REQUIRE(ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0 && errno == EPERM);
#endif
	REQUIRE(pthread_create(&after, NULL, do_nothing, NULL) == 0);
	REQUIRE(pthread_join(after, NULL) == 0);
	/* A thread that was there before is under it, too. */
	REQUIRE(write(pipe_fds[1], "x", 1) == 1);
	REQUIRE(pthread_join(before, &result) == 0 && result == pipe_fds);
	_exit(0);
}

static void what_is_sealed_is_refused(void **state) {
	(void)state;
	pid_t pid = child_fork();
	if (pid == 0)
		try_what_is_sealed();
	must_end_well(pid);
}

static bool has_landlock(void) {
	return syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION) > 0;
}

static void try_to_write(const struct scratch *scratch) {
	static struct config config = {.sandbox = SANDBOX_STRICT, .metrics = "off"};
	struct sandbox sandbox;
	char inside[PATH_BYTES];
	char outside[PATH_BYTES];
	char moved[PATH_BYTES];
	(void)snprintf(config.rings, sizeof(config.rings), "%s", scratch->rings);
	(void)snprintf(config.store, sizeof(config.store), "%s", scratch->store);
	(void)snprintf(inside, sizeof(inside), "%s/inside", scratch->store);
	(void)snprintf(moved, sizeof(moved), "%s/moved", scratch->store);
	(void)snprintf(outside, sizeof(outside), "%s/outside", scratch->files);
	int file = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	REQUIRE(file >= 0);
	REQUIRE(sandbox_enter(&config, &sandbox) == 0);
	REQUIRE(strcmp(sandbox_in_use(&sandbox), "strict") == 0);
	REQUIRE(open(outside, O_RDONLY | O_CLOEXEC) >= 0);
	REQUIRE(open(outside, O_WRONLY | O_CLOEXEC) < 0 && errno == EACCES);
	REQUIRE(unlink(outside) < 0 && errno == EACCES);
	REQUIRE(open("/tmp/spanring-test-sandbox", O_WRONLY | O_CREAT | O_CLOEXEC, 0600) < 0 && errno == EACCES);
	REQUIRE(open(inside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) >= 0);
	REQUIRE(rename(inside, outside) < 0);
	REQUIRE(rename(inside, moved) == 0);
	REQUIRE(unlink(moved) == 0);
	REQUIRE(symlink("/etc/passwd", inside) < 0 && errno == EACCES);
	_exit(0);
}

static void strict_writes_in_its_places_only(void **state) {
	(void)state;
	struct scratch scratch;
	if (!has_landlock()) {
		print_message("this kernel has no Landlock\n");
		skip();
	}
	scratch_make(&scratch);
	pid_t pid = child_fork();
	if (pid == 0)
		try_to_write(&scratch);
	must_end_well(pid);
	scratch_remove(&scratch);
}

static void read_text(const char *path, char *ret_text, size_t bytes) {
	CLEANUP_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got = fd < 0 ? -1 : read(fd, ret_text, bytes - 1);
	ret_text[got > 0 ? got : 0] = '\0';
}

static void check_all_is_stored(struct session *session, uint64_t spans) {
	struct stored stored;
	stored_load(session->scratch.store, &stored);
	assert_int_equal(stored.count, spans);
	stored_check_tree(&stored);
	stored_free(&stored);
	session_check_audit(session);
}

static void an_agent_says_what_it_gave_up(const char *mode, const char *in_use) {
	static const char *const arguments[] = {"--threads", "1", "--trees", "100", NULL};
	struct session session;
	char line[64];
	char path[64];
	char text[4096];
	session_open(&session);
	session_spawn_agent(&session, (const char *[]){"--config", "/dev/null", "--sandbox", mode, NULL}, NULL);
	(void)snprintf(line, sizeof(line), ", sandbox %s (", in_use);
	child_wait_for_line(&session.agent, line);
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)session.agent.pid);
	read_text(path, text, sizeof(text));
	bool off = strcmp(mode, "off") == 0;
	if (!off)
		assert_non_null(strstr(text, "NoNewPrivs:\t1\nSeccomp:\t2\n"));
	struct child producer = session_producer(&session, arguments);
	(void)session_producer_finish(&producer);
	const char *argv[] = {child_program("spanring-agent"), "status", "--json", "--rings",
	                      session.scratch.rings,           NULL};
	struct child_result result = child_run(argv, NULL);
	(void)snprintf(line, sizeof(line), "\"sandbox\": \"%s\",", in_use);
	assert_non_null(strstr(result.out, line));
	child_result_free(&result);
	session_stop_agent(&session);
	check_all_is_stored(&session, 500);
	session_close(&session);
}

static void each_mode_works_and_is_told(void **state) {
	(void)state;
	an_agent_says_what_it_gave_up("auto", "filter");
	an_agent_says_what_it_gave_up("off", "off");
	if (has_landlock())
		an_agent_says_what_it_gave_up("strict", "strict");
}

/* What an agent asked of the kernel. */
struct asked {
	unsigned programs;
	unsigned sockets;
	unsigned foreign_sockets;
	unsigned rings;
	unsigned rings_enabled_at_once;
	unsigned registered[64];
	unsigned registered_count;
};

static void emit_traced(struct sock_filter *code, unsigned *count) {
	static const uint32_t traced[] = {SYS_execve,     SYS_execveat,       SYS_socket,
	                                  SYS_socketpair, SYS_io_uring_setup, SYS_io_uring_register};
	code[(*count)++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < sizeof(traced) / sizeof(traced[0]); i++) {
		code[(*count)++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, traced[i], 0, 1);
		code[(*count)++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	}
	code[(*count)++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
}

static void install(struct sock_filter *code, unsigned count) {
	struct sock_fprog program = {.len = (unsigned short)count, .filter = code};
	REQUIRE(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	REQUIRE(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0);
}

static void note_call(pid_t pid, struct asked *asked) {
	struct __ptrace_syscall_info info;
	assert_true(ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof(info), &info) > 0);
	assert_int_equal(info.op, PTRACE_SYSCALL_INFO_SECCOMP);
	const uint64_t *arguments = (const uint64_t *)info.seccomp.args;
	switch (info.seccomp.nr) {
	case SYS_execve:
	case SYS_execveat:
		asked->programs++;
		break;
	case SYS_socket:
	case SYS_socketpair:
		asked->sockets++;
		asked->foreign_sockets += arguments[0] != AF_UNIX;
		break;
	case SYS_io_uring_setup: {
		unsigned long address = arguments[1] + offsetof(struct io_uring_params, flags);
		long word = ptrace(PTRACE_PEEKDATA, pid, (void *)(address & ~7ul), NULL);
		uint32_t flags = (uint32_t)((unsigned long)word >> (8 * (address & 7)));
		asked->rings++;
		asked->rings_enabled_at_once += (flags & IORING_SETUP_R_DISABLED) == 0;
		break;
	}
	default:
		if (asked->registered_count < sizeof(asked->registered) / sizeof(asked->registered[0]))
			asked->registered[asked->registered_count++] = (unsigned)arguments[1];
	}
}

/* A whole life of an agent beside the tracer: a program, then the end. */
static void live_beside(struct session *session, pid_t agent) {
	static const char *const arguments[] = {"--threads", "2", "--trees", "200", NULL};
	const char *argv[] = {child_program("spanring-agent"), "status", "--rings", session->scratch.rings, NULL};
	for (int exit_code = 1; exit_code != 0;) {
		struct child_result answer = child_run(argv, NULL);
		exit_code = answer.exit_code;
		child_result_free(&answer);
	}
	struct child producer = session_producer(session, arguments);
	(void)session_producer_finish(&producer);
	(void)kill(agent, SIGTERM);
	_exit(0);
}

static void trace(pid_t agent, pid_t driver, struct asked *asked) {
	const unsigned long options = PTRACE_O_TRACESECCOMP | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
	for (bool first = true;; first = false) {
		int status;
		pid_t pid = waitpid(-1, &status, __WALL);
		assert_true(pid > 0);
		if (pid == driver) {
			assert_int_equal(status, 0);
			continue;
		}
		if (pid == agent && (WIFEXITED(status) || WIFSIGNALED(status))) {
			assert_int_equal(status, 0);
			return;
		}
		if (!WIFSTOPPED(status))
			continue;
		int signal_number = WSTOPSIG(status);
		if (first)
			assert_int_equal(ptrace(PTRACE_SETOPTIONS, pid, 0, options), 0);
		if (status >> 8 == (SIGTRAP | (PTRACE_EVENT_SECCOMP << 8)))
			note_call(pid, asked);
		bool ours = signal_number == SIGSTOP || signal_number == SIGTRAP;
		assert_true(ptrace(PTRACE_CONT, pid, 0, ours ? 0 : signal_number) == 0 || errno == ESRCH);
	}
}

/* What would be refused is not even asked for: so the filter is off here. */
static void an_agent_asks_for_nothing_more(void **state) {
	(void)state;
	struct session session;
	struct asked asked = {0};
	session_open(&session);
	const char *argv[] = {child_program("spanring-agent"),
	                      "run",
	                      "--rings",
	                      session.scratch.rings,
	                      "--store",
	                      session.scratch.store,
	                      "--sandbox",
	                      "off",
	                      "--config",
	                      "/dev/null",
	                      "--log-level",
	                      "error",
	                      NULL};
	pid_t agent = child_fork();
	if (agent == 0) {
		struct sock_filter code[32];
		unsigned count = 0;
		(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1); /* it would trace the agent, too */
		emit_traced(code, &count);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) < 0)
			_exit(77);
		(void)raise(SIGSTOP);
		install(code, count);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	pid_t driver = child_fork();
	if (driver == 0)
		live_beside(&session, agent);
	trace(agent, driver, &asked);
	check_all_is_stored(&session, 2000);
	assert_int_equal(asked.programs, 1); /* itself */
	assert_true(asked.sockets >= 1);
	assert_int_equal(asked.foreign_sockets, 0);
	if (asked.rings >
	    0) { /* where io_uring is allowed: made disabled, restricted, enabled, in that order and nothing after it */
		assert_int_equal(asked.rings_enabled_at_once, 0);
		assert_true(asked.registered_count >= 2);
		assert_int_equal(asked.registered[asked.registered_count - 2], IORING_REGISTER_RESTRICTIONS);
		assert_int_equal(asked.registered[asked.registered_count - 1], IORING_REGISTER_ENABLE_RINGS);
	}
	session_close(&session);
}

static long number_of(const char *name) {
	for (size_t i = 0; i < sizeof(syscall_table) / sizeof(syscall_table[0]); i++)
		if (strcmp(syscall_table[i].name, name) == 0)
			return syscall_table[i].number;
	return -1; /* not on this processor */
}

/* All calls of a group of systemd's, set in a table; false without systemd-analyze. */
static bool read_group(const char *group, bool value, bool *ret_calls) {
	const char *argv[] = {"/usr/bin/systemd-analyze", "--no-pager", "syscall-filter", group, NULL};
	struct child_result result = child_run(argv, NULL);
	bool known = result.exit_code == 0;
	char *rest = NULL;
	for (char *line = known ? strtok_r(result.out, "\n", &rest) : NULL; line; line = strtok_r(NULL, "\n", &rest)) {
		char *name = line + strspn(line, " ");
		name[strcspn(name, " ")] = '\0';
		if (*name == '@' && line != name)
			known = known && read_group(name, value, ret_calls);
		long number = number_of(name);
		if (number >= 0 && number < (long)CALLS_MAX)
			ret_calls[number] = value;
	}
	child_result_free(&result);
	return known;
}

static unsigned make_unit_filter(const bool *calls, struct sock_filter *code) {
	unsigned count = 0;
	code[count++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (uint32_t number = 0; number < CALLS_MAX; number++) {
		if (!calls[number])
			continue;
		code[count++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1);
		code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	}
	code[count++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
	return count;
}

static void set_writable(const char *path, bool writable) {
	struct mount_attr attributes = {.attr_set = writable ? 0 : MOUNT_ATTR_RDONLY,
	                                .attr_clr = writable ? MOUNT_ATTR_RDONLY : 0};
	REQUIRE(syscall(SYS_mount_setattr, AT_FDCWD, path, AT_RECURSIVE, &attributes, sizeof(attributes)) == 0);
}

/* Namespaces, read-only file systems, no capability, a user of its own: as root only. */
static void take_rights_away(const struct scratch *scratch) {
	REQUIRE(unshare(CLONE_NEWNS | CLONE_NEWNET | CLONE_NEWIPC | CLONE_NEWUTS) == 0);
	REQUIRE(mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0);
	REQUIRE(mount(scratch->rings, scratch->rings, NULL, MS_BIND, NULL) == 0);
	REQUIRE(mount(scratch->files, scratch->files, NULL, MS_BIND, NULL) == 0);
	set_writable("/", false);
	set_writable(scratch->rings, true);
	set_writable(scratch->files, true);
	for (int i = 0; i < CAPABILITIES_MAX; i++)
		(void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

static void become_nobody(void) {
	REQUIRE(syscall(SYS_setgroups, 0, NULL) == 0);
	REQUIRE(syscall(SYS_setresgid, NOBODY, NOBODY, NOBODY) == 0);
	REQUIRE(syscall(SYS_setresuid, NOBODY, NOBODY, NOBODY) == 0);
	REQUIRE(prctl(PR_SET_PDEATHSIG, SIGKILL) == 0);
}

/* By descriptor: that user may not be able to come to the place of the programs. */
static void run_program(int program_fd, const char *const *argv) {
	extern char **environ;
	(void)fexecve(program_fd, (char *const *)(uintptr_t)argv, environ);
	REQUIRE(false);
}

static void start_confined(struct session *session, const char *mode, bool *calls) {
	const char *argv[] = {"spanring-agent",
	                      "run",
	                      "--rings",
	                      session->scratch.rings,
	                      "--store",
	                      session->scratch.store,
	                      "--io",
	                      "uring",
	                      "--sandbox",
	                      mode,
	                      "--config",
	                      "/dev/null",
	                      NULL};
	static struct sock_filter code[2 * CALLS_MAX + 2];
	unsigned count = make_unit_filter(calls, code);
	int program_fd = open(child_program("spanring-agent"), O_PATH | O_CLOEXEC);
	int err[2];
	assert_true(program_fd >= 0);
	assert_int_equal(pipe2(err, O_CLOEXEC), 0);
	pid_t pid = child_fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)dup2(err[1], STDERR_FILENO);
		if (geteuid() == 0) {
			take_rights_away(&session->scratch);
			become_nobody();
		}
		install(code, count);
		run_program(program_fd, argv);
	}
	(void)close(program_fd);
	(void)close(err[1]);
	session->agent = (struct child){.pid = pid, .out = FD_NONE, .err = err[0]};
}

static void run_producer(const struct session *session) {
	const char *argv[] = {"producer", "--threads", "4", "--trees", "2000", "--flush-every", "500", NULL};
	int program_fd = open(child_program("spanring-test-producer"), O_PATH | O_CLOEXEC);
	pid_t pid = child_fork();
	assert_true(program_fd >= 0 && pid >= 0);
	if (pid == 0) {
		(void)putenv((char *)(uintptr_t)session->environment);
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		if (geteuid() == 0)
			become_nobody();
		run_program(program_fd, argv);
	}
	(void)close(program_fd);
	must_end_well(pid);
}

static void check_memory(pid_t agent) {
	char path[64];
	char text[4096];
	unsigned kib = 0;
	(void)snprintf(path, sizeof(path), "/proc/%ld/status", (long)agent);
	read_text(path, text, sizeof(text));
	const char *at = strstr(text, "VmHWM:");
	assert_non_null(at);
	assert_int_equal(sscanf(at, "VmHWM: %u kB", &kib), 1);
	print_message("largest resident size of the agent: %u KiB\n", kib);
#ifndef __SANITIZE_ADDRESS__
#ifndef __SANITIZE_THREAD__
	assert_in_range(kib, 1, RSS_KIB_MAX);
#endif
#endif
}

static void it_works_under_the_unit(const char *mode, bool *calls) {
	struct session session;
	char line[64];
	session_open(&session);
	if (geteuid() == 0) {
		assert_int_equal(chown(session.scratch.rings, NOBODY, NOBODY), 0);
		assert_int_equal(chown(session.scratch.files, NOBODY, NOBODY), 0);
	}
	start_confined(&session, mode, calls);
	(void)snprintf(line, sizeof(line), ", io uring (asked for), sandbox %s (",
	               strcmp(mode, "auto") == 0 ? "filter" : mode);
	child_wait_for_line(&session.agent, line);
	run_producer(&session);
	check_memory(session.agent.pid);
	session_stop_agent(&session);
	check_all_is_stored(&session, 4 * 2000 * STORED_SPANS_PER_TREE);
	session_close(&session);
}

static void the_unit_leaves_what_is_needed(void **state) {
	(void)state;
	static bool calls[CALLS_MAX];
	if (access("/usr/bin/systemd-analyze", X_OK) < 0 || !read_group("@system-service", true, calls) ||
	    !read_group("@privileged", false, calls) || !read_group("@resources", false, calls)) {
		print_message("no systemd-analyze here\n");
		skip();
	}
	if (syscall(SYS_io_uring_setup, 1, NULL) < 0 && errno != EFAULT) {
		print_message("io_uring is refused here\n");
		skip();
	}
	assert_true(calls[SYS_io_uring_setup]);
	assert_false(calls[SYS_mount]);
	/* As the units name them behind the groups: in newer versions of systemd a group has them, too. */
	calls[SYS_seccomp] = calls[SYS_landlock_create_ruleset] = calls[SYS_landlock_add_rule] =
	    calls[SYS_landlock_restrict_self] = calls[SYS_sched_setscheduler] = true;
	assert_false(calls[SYS_setuid]);
#ifdef __SANITIZE_ADDRESS__
	(void)setenv("ASAN_OPTIONS", "detect_leaks=0", 1);
	calls[SYS_ptrace] = true;
#endif
	it_works_under_the_unit("auto", calls);
	if (has_landlock())
		it_works_under_the_unit("strict", calls);
}

int main(void) {
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_sealed_is_refused),      cmocka_unit_test(strict_writes_in_its_places_only),
	    cmocka_unit_test(each_mode_works_and_is_told),    cmocka_unit_test(an_agent_asks_for_nothing_more),
	    cmocka_unit_test(the_unit_leaves_what_is_needed),
	};
	return cmocka_run_group_tests_name("sandbox", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "access_trap.h"

#include "cmocka.h"

#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <ucontext.h>

#define REGIONS_MAX 16u
#define LOOKS_MAX 65536u
#define TRAPPED_BYTES 8192u
#define TRAP_FLAG 0x100
#define FAULT_WAS_WRITE 2

void *__real_mmap(void *address, size_t bytes, int access, int flags, int fd, off_t offset);
void *__wrap_mmap(void *address, size_t bytes, int access, int flags, int fd, off_t offset);
int __real_munmap(void *address, size_t bytes);
int __wrap_munmap(void *address, size_t bytes);
int __real_shared_file_read(int fd, void *ret_bytes, size_t bytes, uint64_t offset);
int __wrap_shared_file_read(int fd, void *ret_bytes, size_t bytes, uint64_t offset);
int __real_fault_guard_run(const void *base, size_t bytes, void (*touch)(void *context), void *context);
int __wrap_fault_guard_run(const void *base, size_t bytes, void (*touch)(void *context), void *context);

struct region {
	char *base; /* NULL: free */
	size_t bytes;
	int access;
	ino_t file;
};

static struct {
	bool armed;
	void (*hook)(void *context);
	void *context;
	struct region regions[REGIONS_MAX];
	struct region *open; /* one instruction may use it */
	struct access_trap_look looks[LOOKS_MAX];
	uint32_t look_count;
	struct sigaction before[2];
} trap;

static void note(struct access_trap_look look) {
	if (trap.look_count < LOOKS_MAX)
		trap.looks[trap.look_count++] = look;
}

static struct region *region_of(const char *address) {
	for (uint32_t i = 0; i < REGIONS_MAX; i++) {
		struct region *region = &trap.regions[i];
		if (region->base && address >= region->base && address < region->base + region->bytes)
			return region;
	}
	return NULL;
}

#if ACCESS_TRAP_POSSIBLE
static void on_fault(int signal_number, siginfo_t *info, void *machine) {
	ucontext_t *context = machine;
	const char *address = info->si_addr;
	struct region *region = region_of(address);
	if (!region || trap.open) {
		(void)signal(signal_number, SIG_DFL);
		return;
	}
	note((struct access_trap_look){.file = region->file,
	                               .offset = (uint64_t)(address - region->base),
	                               .is_store = (context->uc_mcontext.gregs[REG_ERR] & FAULT_WAS_WRITE) != 0});
	trap.open = region;
	(void)mprotect(region->base, region->bytes, region->access);
	context->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

static void on_step(int signal_number, siginfo_t *info, void *machine) {
	ucontext_t *context = machine;
	(void)signal_number;
	(void)info;
	context->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	if (!trap.open)
		return;
	(void)mprotect(trap.open->base, trap.open->bytes, PROT_NONE);
	trap.open = NULL;
	if (trap.hook)
		trap.hook(trap.context);
}
#endif

void access_trap_arm(void (*hook)(void *context), void *context) {
	memset(trap.regions, 0, sizeof(trap.regions));
	trap.look_count = 0;
	trap.hook = hook;
	trap.context = context;
	trap.open = NULL;
#if ACCESS_TRAP_POSSIBLE
	struct sigaction fault = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
	struct sigaction step = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO};
	assert_int_equal(sigaction(SIGSEGV, &fault, &trap.before[0]), 0);
	assert_int_equal(sigaction(SIGTRAP, &step, &trap.before[1]), 0);
#endif
	trap.armed = true;
}

void access_trap_disarm(void) {
	trap.armed = false;
	for (uint32_t i = 0; i < REGIONS_MAX; i++)
		if (trap.regions[i].base)
			(void)mprotect(trap.regions[i].base, trap.regions[i].bytes, trap.regions[i].access);
#if ACCESS_TRAP_POSSIBLE
	(void)sigaction(SIGSEGV, &trap.before[0], NULL);
	(void)sigaction(SIGTRAP, &trap.before[1], NULL);
#endif
}

const struct access_trap_look *access_trap_looks(uint32_t *ret_count) {
	assert_true(trap.look_count < LOOKS_MAX);
	*ret_count = trap.look_count;
	return trap.looks;
}

void access_trap_forget(void) {
	trap.look_count = 0;
}

void *__wrap_mmap(void *address, size_t bytes, int access, int flags, int fd, off_t offset) {
	void *at = __real_mmap(address, bytes, access, flags, fd, offset);
	struct stat status;
	if (!trap.armed || at == MAP_FAILED || !(flags & MAP_SHARED) || fd < 0 || fstat(fd, &status) < 0)
		return at;
	for (uint32_t i = 0; i < REGIONS_MAX; i++)
		if (!trap.regions[i].base) {
			size_t trapped = bytes < TRAPPED_BYTES ? bytes : TRAPPED_BYTES;
			trap.regions[i] = (struct region){at, trapped, access, status.st_ino};
			(void)mprotect(at, trapped, PROT_NONE);
			return at;
		}
	fail_msg("more than %u mappings", REGIONS_MAX);
	return at;
}

int __wrap_munmap(void *address, size_t bytes) {
	struct region *region = trap.armed ? region_of(address) : NULL;
	if (region)
		region->base = NULL;
	return __real_munmap(address, bytes);
}

int __wrap_shared_file_read(int fd, void *ret_bytes, size_t bytes, uint64_t offset) {
	struct stat status;
	int rc = __real_shared_file_read(fd, ret_bytes, bytes, offset);
	if (!trap.armed || fstat(fd, &status) < 0)
		return rc;
	note((struct access_trap_look){.file = status.st_ino, .offset = offset, .bytes = bytes});
	if (trap.hook)
		trap.hook(trap.context);
	return rc;
}

/* A look that the guard jumped out of was never finished: its mapping is shut here. */
int __wrap_fault_guard_run(const void *base, size_t bytes, void (*touch)(void *context), void *context) {
	int rc = __real_fault_guard_run(base, bytes, touch, context);
	if (trap.open) {
		(void)mprotect(trap.open->base, trap.open->bytes, PROT_NONE);
		trap.open = NULL;
	}
	return rc;
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Flush, shutdown, and what the library says about itself. */
#include "control.h"
#include "process.h"
#include "thread_ring.h"
#include <errno.h>
#include <time.h>
#include <unistd.h>

#define FLUSH_STEP_NS_MIN UINT64_C(50000)
#define FLUSH_STEP_NS_MAX UINT64_C(1000000)
/* Waits between two looks at whether the agent is still there. */
#define FLUSH_STEPS_PER_LOOK 64u
/* At exit another thread may hold the lock for ever (a handler that interrupted it called exit): then go without. */
#define EXIT_LOCK_TRIES 100u
#define EXIT_LOCK_STEP_NS 1000000

static bool is_attended(void) {
	struct spanring__process *process = spanring__process_get();
	int fd = process ? spanring__directory_open(&process->directory) : -1;
	if (fd < 0)
		return false;
	bool attended = spanring__control_attended(&process->directory, fd);
	(void)close(fd);
	return attended;
}

static bool is_stored(const struct spanring__thread *self) {
	return ring_order_tail_read(self->header) >= ring_writer_position(self);
}

static int wait_stored(const struct spanring__thread *self, uint64_t timeout_ns) {
	uint64_t start_ns = ticks_clock_ns(CLOCK_MONOTONIC);
	uint64_t step_ns = FLUSH_STEP_NS_MIN;
	ring_order_flush_wanted_publish(self->header, ring_writer_position(self));
	for (unsigned step = 0; !is_stored(self); step++) {
		uint64_t passed_ns = ticks_clock_ns(CLOCK_MONOTONIC) - start_ns;
		if (passed_ns >= timeout_ns)
			return -ETIMEDOUT;
		if (step % FLUSH_STEPS_PER_LOOK == 0) {
			if (!is_attended())
				return -ENOTCONN;
			spanring__control_ring(self->bell);
		}
		uint64_t wait_ns = timeout_ns - passed_ns < step_ns ? timeout_ns - passed_ns : step_ns;
		struct timespec wait = {.tv_sec = 0, .tv_nsec = (long)wait_ns};
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &wait, NULL);
		step_ns = step_ns * 2 < FLUSH_STEP_NS_MAX ? step_ns * 2 : FLUSH_STEP_NS_MAX;
	}
	return 0;
}

int spanring_flush(uint64_t timeout_ns) {
	struct spanring__thread *self = ring_writer_self();
	if (!self)
		return 0;
	ring_writer_publish(self, spanring__ticks_quiet(self->clock_kind));
	/* In test mode it is where it is read. */
	if (timeout_ns == 0 || spanring__process_get()->testing)
		return 0;
	int saved_errno = errno;
	int rc = wait_stored(self, timeout_ns);
	errno = saved_errno;
	return rc;
}

static void shut_down(struct spanring__process *process) {
	spanring__process_switch_off();
	spanring__thread_retire(process);
	if (process->header && process->stage == SPANRING__STAGE_ATTACHED)
		ring_order_state_publish(&process->header->state, SPANRING_PROCESS_EXITED);
	if (process->stage != SPANRING__STAGE_FAILED)
		process->reason = SPANRING_REASON_SHUTDOWN;
	process->stage = SPANRING__STAGE_SHUTDOWN;
}

void spanring_shutdown(void) {
	int saved_errno = errno, cancel;
	(void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel);
	spanring__process_switch_off();
	struct spanring__process *process = spanring__process_lock();
	if (process) {
		shut_down(process);
		spanring__process_unlock(process);
	}
	(void)pthread_setcancelstate(cancel, NULL);
	errno = saved_errno;
}

/* Runs after the program's own destructors. A process that never attached has no state and leaves nothing. */
__attribute__((destructor(101))) static void process_exits(void) {
	struct spanring__process *process = spanring__process_get();
	const struct timespec step = {.tv_sec = 0, .tv_nsec = EXIT_LOCK_STEP_NS};
	spanring__thread_unhook();
	if (!process || !__atomic_load_n(&process->header, __ATOMIC_ACQUIRE))
		return;
	for (unsigned i = 0; !spanring__process_try_lock(process); i++) {
		if (i == EXIT_LOCK_TRIES)
			return;
		(void)clock_nanosleep(CLOCK_MONOTONIC, 0, &step, NULL);
	}
	shut_down(process);
	spanring__process_unlock(process);
}

/* Entries of a stack that are no spans. Of another thread this is a hint, as all of its open spans are. */
static uint64_t count_contexts(const struct spanring__thread *thread, uint64_t open) {
	uint64_t count = 0;
	for (uint64_t i = 0; i < open && i < SPANRING_DEPTH_MAX; i++) {
		uint8_t type = ring_order_get(&thread->stack[i].tail.type);
		count += type == SPANRING_ENTRY_CONTEXT || type == SPANRING_ENTRY_CONTEXT_UNSAMPLED;
	}
	return count;
}

static void add_ring(const struct spanring__thread *thread, struct spanring_counters *counters) {
	const struct spanring_ring_header *header = thread->header;
	uint64_t begun_open = ring_order_begun_open_read(header);
	uint64_t contexts = count_contexts(thread, begun_open & SPANRING_OPEN_MASK);
	counters->begun += (begun_open >> SPANRING_BEGUN_SHIFT) - contexts;
	counters->open += (begun_open & SPANRING_OPEN_MASK) - contexts;
	counters->dropped_full += ring_order_get(&header->dropped_full);
	counters->begun += ring_order_get(&header->muted);
	counters->sampled_out += ring_order_get(&header->sampled_out) + ring_order_get(&header->muted);
	counters->sampled_out_short += ring_order_get(&header->sampled_out_short);
	counters->dropped_depth += ring_order_get(&header->dropped_depth);
	counters->dropped_attributes += ring_order_get(&header->dropped_attributes);
	counters->dropped_events += ring_order_get(&header->dropped_events);
}

static void add_process(const struct spanring__process *process, struct spanring_counters *counters) {
	const struct spanring_process_header *header = process->header;
	counters->reason = process->reason;
	counters->misuse = ring_order_get(&process->misuse_early);
	counters->contexts_malformed = ring_order_get(&process->contexts_malformed_early);
	if (!header)
		return;
	for (uint32_t i = 0; i < process->thread_count; i++)
		add_ring(process->threads[i], counters);
	uint64_t async = spanring__async_table_count(&process->async);
	counters->begun += async;
	counters->open += async;
	counters->dropped_no_ring = ring_order_get(&header->dropped_no_ring);
	counters->dropped_async = ring_order_get(&header->dropped_async);
	counters->dropped_contexts = ring_order_get(&header->dropped_contexts);
	counters->dropped_reentry = ring_order_get(&header->dropped_reentry);
	counters->statistics_overflowed = ring_order_get(&header->statistics_overflowed);
	counters->begun += counters->dropped_no_ring + counters->dropped_reentry;
	counters->ended = counters->begun - counters->open;
	counters->names_cut = ring_order_get(&header->names_cut);
	counters->misuse = ring_order_get(&header->misuse);
	counters->threads_untraced = ring_order_get(&header->threads_untraced);
	counters->attributes_over_limit = ring_order_get(&header->attributes_over_limit);
	counters->events_over_limit = ring_order_get(&header->events_over_limit);
	counters->links_over_limit = ring_order_get(&header->links_over_limit);
	counters->values_cut = ring_order_get(&header->values_cut);
	counters->dropped_links = ring_order_get(&header->dropped_links);
	counters->contexts_malformed = ring_order_get(&header->contexts_malformed);
}

void spanring_counters_read(struct spanring_counters *ret_counters) {
	struct spanring_counters counters;
	memset(&counters, 0, sizeof(counters));
	if (spanring__process_get()) {
		int saved_errno = errno;
		struct spanring__process *process = spanring__process_lock();
		if (process) {
			add_process(process, &counters);
			spanring__process_unlock(process);
		}
		errno = saved_errno;
	}
	*ret_counters = counters;
}

const char *spanring_reason_text(uint32_t reason) {
	static const char *const texts[] = {
	    [SPANRING_REASON_NONE] = "traced",
	    [SPANRING_REASON_DISABLED] = "switched off by the environment",
	    [SPANRING_REASON_DIRECTORY] = "the ring directory cannot be made or is not ours",
	    [SPANRING_REASON_SPACE] = "no room for a ring or process file",
	    [SPANRING_REASON_LIMIT] =
	        "too many rings in this process, or too many unattended ones in the ring directory",
	    [SPANRING_REASON_SYSTEM] = "a system call failed",
	    [SPANRING_REASON_SHUTDOWN] = "tracing was shut down",
	};
	return reason < sizeof(texts) / sizeof(texts[0]) ? texts[reason] : "unknown reason";
}

const char *spanring_version(void) {
	return SPANRING_VERSION_STRING;
}

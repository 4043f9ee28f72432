/* SPDX-License-Identifier: Apache-2.0 */
#include "ending.h"

#include "agent/footprint/sampler.h"
#include "producer.h"

#include <sys/wait.h>

static void note(struct producer *producer, enum store_ending ending, int value) {
	producer->ending = ending;
	producer->ending_value = (uint32_t)value;
}

static bool is_command(const struct producer *producer, const struct ending_command *command) {
	return command->pid != 0 && command->start_time != 0 && producer->same_namespace &&
	       producer->target.pid == command->pid && producer->target.start_time == command->start_time;
}

bool ending_find(struct producer *producer, const struct ending_command *command) {
	if (producer->exited)
		return true;
	if (producer->same_namespace && sampler_runs(&producer->target)) {
		note(producer, STORE_ENDING_EXEC, 0);
		return true;
	}
	if (!is_command(producer, command))
		return true;
	if (!command->ended)
		return false;
	if (WIFSIGNALED(command->status))
		note(producer, STORE_ENDING_SIGNAL, WTERMSIG(command->status));
	else
		note(producer, STORE_ENDING_STATUS, WEXITSTATUS(command->status));
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "latency_table.h"

#include "agent/lifecycle.h"
#include "base/sibling.h"

#include <sys/wait.h>
#include <unistd.h>

#define EXIT_NOT_FOUND 127

void latency_table_show(const char *store, const char *since, const struct log *log) {
	char path[PATH_MAX];
	sibling_program("spanring-analyze", path);
	pid_t pid = fork();
	if (pid == 0) {
		lifecycle_signals_restore();
		/* Standard output belongs to the command alone. */
		(void)dup2(STDERR_FILENO, STDOUT_FILENO);
		(void)execlp(path, path, "latency", store, since ? "--since" : (char *)NULL, since, (char *)NULL);
		_exit(EXIT_NOT_FOUND);
	}
	int status = 0;
	if (pid < 0 || waitpid(pid, &status, 0) != pid || (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_NOT_FOUND))
		log_warning(log, "spanring-analyze not found; see the latencies with: spanring-analyze latency %s",
		            store);
}

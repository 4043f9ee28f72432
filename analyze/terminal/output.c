/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BUFFER_BYTES ((size_t)256 << 10)

/* mkstemp makes files for their owner alone; this one is to be as others are. */
static void give_usual_mode(int fd) {
	mode_t mask = umask(0);
	(void)umask(mask);
	(void)fchmod(fd, 0666 & ~mask);
}

static int open_temporary(struct output *output) {
	if (asprintf(&output->temporary, "%s.part-XXXXXX", output->path) < 0) {
		output->temporary = NULL;
		return -ENOMEM;
	}
	int fd = mkstemp(output->temporary);
	if (fd < 0) {
		int error = -errno;
		free(output->temporary);
		output->temporary = NULL;
		return error;
	}
	give_usual_mode(fd);
	output->file = fdopen(fd, "w");
	if (output->file)
		return 0;
	(void)close(fd);
	return -ENOMEM;
}

int output_open(const char *path, struct output *ret_output) {
	struct output output = {.file = stdout};
	struct stat status;
	if (path && strcmp(path, "-") != 0) {
		/* rename would put a file in the place of a device or pipe, or fail late on a directory */
		if (stat(path, &status) == 0 && !S_ISREG(status.st_mode))
			return S_ISDIR(status.st_mode) ? -EISDIR : -EINVAL;
		output.path = strdup(path);
		int error = output.path ? open_temporary(&output) : -ENOMEM;
		if (error) {
			output_discard(&output);
			return error;
		}
	}
	(void)setvbuf(output.file, NULL, _IOFBF, BUFFER_BYTES);
	*ret_output = output;
	return 0;
}

int output_commit(struct output *output) {
	int error = 0;
	if (!output->path)
		return 0;
	errno = 0;
	if (fflush(output->file) != 0 || ferror(output->file) || fsync(fileno(output->file)) != 0)
		error = errno ? -errno : -EIO;
	if (fclose(output->file) != 0 && !error)
		error = -errno;
	output->file = NULL;
	if (!error && rename(output->temporary, output->path) != 0)
		error = -errno;
	if (!error) {
		free(output->temporary);
		output->temporary = NULL;
	}
	output_discard(output);
	return error;
}

void output_discard(struct output *output) {
	if (output->path && output->file)
		(void)fclose(output->file);
	if (output->temporary)
		(void)unlink(output->temporary);
	free(output->temporary);
	free(output->path);
	*output = (struct output){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
/* Gives every file of the folders named on the command line to a fuzz target: the corpus as a plain test, without libFuzzer. */
#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (16u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int replay(int folder, const char *name) {
	struct stat status;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > (off_t)INPUT_BYTES_MAX) {
		(void)close(fd);
		return 0;
	}
	/* Exactly as large as the input, so that a sanitizer sees one byte too many. */
	size_t size = (size_t)status.st_size;
	uint8_t *data = malloc(size ? size : 1);
	if (!data || read(fd, data, size) != (ssize_t)size) {
		(void)fprintf(stderr, "%s cannot be read\n", name);
		exit(1);
	}
	(void)close(fd);
	(void)LLVMFuzzerTestOneInput(data, size);
	free(data);
	return 1;
}

int main(int argc, char **argv) {
	int count = 0;
	for (int i = 1; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 1;
		}
		for (const struct dirent *entry; (entry = readdir(folder));)
			count += replay(dirfd(folder), entry->d_name);
		(void)closedir(folder);
	}
	(void)printf("%d inputs\n", count);
	return count > 0 ? 0 : 1;
}

/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gives every file of the folders named on the command line to a fuzz target, the corpus as a plain test without libFuzzer, then as many
 * inputs made of them as the first word says.
 */
#include "mutate.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define INPUT_BYTES_MAX (16u << 20)
#define MUTATED_BYTES_MAX 65536u
#define INPUTS_MAX 256u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct mutate_input inputs[INPUTS_MAX];
static size_t input_count;

/* Exactly as large as the input, so that a sanitizer sees one byte too many. */
static void give(const uint8_t *data, size_t size) {
	uint8_t *copy = malloc(size ? size : 1);
	if (!copy)
		abort();
	if (size)
		memcpy(copy, data, size);
	(void)LLVMFuzzerTestOneInput(copy, size);
	free(copy);
}

static void replay(int folder, const char *name) {
	struct stat status;
	int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) || status.st_size > (off_t)INPUT_BYTES_MAX) {
		(void)close(fd);
		return;
	}
	size_t size = (size_t)status.st_size;
	uint8_t *data = malloc(size ? size : 1);
	if (!data || read(fd, data, size) != (ssize_t)size || input_count == INPUTS_MAX) {
		(void)fprintf(stderr, "%s cannot be read\n", name);
		exit(1);
	}
	(void)close(fd);
	inputs[input_count++] = (struct mutate_input){data, size};
	give(data, size);
}

static void replay_changed(unsigned rounds) {
	static uint8_t changed[MUTATED_BYTES_MAX];
	struct seed seed = seed_start("changed inputs");
	for (unsigned i = 0; i < rounds; i++)
		give(changed, mutate(&seed, inputs, input_count, changed, sizeof(changed)));
}

int main(int argc, char **argv) {
	unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 0;
	for (int i = 2; i < argc; i++) {
		DIR *folder = opendir(argv[i]);
		if (!folder) {
			perror(argv[i]);
			return 1;
		}
		for (const struct dirent *entry; (entry = readdir(folder));)
			replay(dirfd(folder), entry->d_name);
		(void)closedir(folder);
	}
	if (input_count == 0)
		return 1;
	if (rounds > 0)
		replay_changed(seed_rounds(rounds));
	(void)printf("%zu inputs, %u changed ones\n", input_count, rounds ? seed_rounds(rounds) : 0);
	for (size_t i = 0; i < input_count; i++)
		free(inputs[i].data);
	return 0;
}

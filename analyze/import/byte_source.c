/* SPDX-License-Identifier: Apache-2.0 */
#include "byte_source.h"

#include "base/cleanup.h"
#include "base/errs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

int byte_source_open(int fd, struct byte_source *ret_source) {
	uint8_t *buffer = malloc(BYTE_SOURCE_BYTES);
	if (!buffer)
		return -ENOMEM;
	*ret_source =
	    (struct byte_source){.fd = fd, .buffer = buffer, .next = buffer, .end = buffer, .line = 1, .column = 1};
	return 0;
}

int byte_source_open_file(const char *path, struct byte_source *ret_source, int *ret_fd) {
	struct stat status;
	int fd CLEANUP_FD = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status) != 0 || !S_ISREG(status.st_mode))
		return ERR_FOREIGN;
	int error = byte_source_open(fd, ret_source);
	if (!error)
		*ret_fd = take_fd(&fd);
	return error;
}

void byte_source_memory(const void *bytes, size_t count, struct byte_source *ret_source) {
	const uint8_t *first = bytes;
	*ret_source = (struct byte_source){
	    .fd = FD_NONE, .next = first, .end = count ? first + count : first, .line = 1, .column = 1};
}

void byte_source_done(struct byte_source *source) {
	free(source->buffer);
	*source = (struct byte_source){.fd = FD_NONE};
}

static size_t read_some(struct byte_source *source, uint8_t *to, size_t room) {
	ssize_t got;
	if (!source->buffer || source->error)
		return 0;
	do
		got = read(source->fd, to, room);
	while (got < 0 && errno == EINTR);
	if (got < 0)
		source->error = -errno;
	return got > 0 ? (size_t)got : 0;
}

int byte_source_refill(struct byte_source *source) {
	size_t got = read_some(source, source->buffer, BYTE_SOURCE_BYTES);
	if (got == 0)
		return BYTE_SOURCE_END;
	source->next = source->buffer;
	source->end = source->buffer + got;
	return *source->next;
}

size_t byte_source_look(struct byte_source *source, const uint8_t **ret_bytes) {
	size_t got = 1;
	while (source->buffer && got > 0 && source->next == source->buffer) {
		size_t held = (size_t)(source->end - source->buffer);
		got = held < BYTE_SOURCE_BYTES ? read_some(source, source->buffer + held, BYTE_SOURCE_BYTES - held) : 0;
		source->end += got;
	}
	*ret_bytes = source->next;
	return (size_t)(source->end - source->next);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "ctl_file.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/errs.h"
#include "libshm/fault_guard.h"
#include "libshm/ring_order.h"
#include "libshm/shared_file.h"

#include <fcntl.h>
#include <fnmatch.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>

#define UNCHOSEN_SAMPLER "parentbased_always_on" /* how programs begin */
#define RETRY_NS 5000000
#define OPEN_TRIES 100u /* somebody's lease on the file: the agent's is given back at once */
#define SITE_WORDS (SPANRING_SITES_MAX / 8u)

static struct spanring_site_control *site_controls(struct spanring_process_header *header) {
	return (void *)((uint8_t *)header + SPANRING_SITE_CONTROL_OFFSET);
}

static void copy_state(const struct spanring_process_header *header, struct ctl_state *state) {
	state->enabled = ring_order_control_read(header);
	state->sampling = (struct spanring__sampling){.sampler = ring_order_get(&header->sampler),
	                                              .flags = ring_order_get(&header->control_flags),
	                                              .threshold = ring_order_get(&header->sampler_threshold),
	                                              .duration_min_ns = ring_order_get(&header->duration_min_ns)};
	if (state->sampling.threshold > SPANRING__SAMPLING_ALL)
		state->sampling.threshold = SPANRING__SAMPLING_ALL;
}

struct look {
	const struct spanring_process_header *header;
	struct ctl_state state;
};

static void touch_state(void *context) {
	struct look *look = context;
	copy_state(look->header, &look->state);
}

int ctl_file_state(const struct process_reader *reader, struct ctl_state *ret_state) {
	struct look look = {.header = reader->header};
	int rc = fault_guard_run(reader->header, sizeof(*reader->header), touch_state, &look);
	if (rc == 0)
		*ret_state = look.state;
	return rc;
}

static int site_name(struct process_reader *reader, uint32_t id, struct spanring_site_entry *ret_entry,
                     char ret_name[SPANRING_NAME_BYTES_MAX + 1]) {
	size_t bytes;
	int rc = process_reader_site(reader, id, ret_entry);
	return rc < 0 ? rc : process_reader_string(reader, ret_entry->name, ret_name, &bytes);
}

/* How many sites the program has by now; its word is checked by the reader. */
static int count_sites(struct process_reader *reader, uint32_t *ret_count) {
	struct spanring_site_entry entry;
	int rc = process_reader_site(reader, reader->sites + 1, &entry);
	*ret_count = reader->sites;
	/* Only an id beyond the last makes the reader look again, and none is there: that is no damage. */
	return rc == ERR_DAMAGED || rc == 0 ? 0 : rc;
}

struct edit {
	struct spanring_process_header *header; /* whole file, mapped, hostile */
	const struct ctl_request *request;
	uint8_t (*matches)[SITE_WORDS]; /* by change: sites that its pattern names */
	uint32_t sites;
	bool left_alone;
};

static int match_sites(struct process_reader *reader, struct edit *edit, struct ctl_outcome *outcome) {
	bool wanted = false;
	for (uint32_t i = 0; i < edit->request->count; i++)
		wanted = wanted || ctl_is_of_sites(&edit->request->changes[i]);
	int rc = wanted ? count_sites(reader, &edit->sites) : 0;
	for (uint32_t id = 1; rc == 0 && id <= edit->sites; id++) {
		struct spanring_site_entry entry;
		char name[SPANRING_NAME_BYTES_MAX + 1];
		rc = site_name(reader, id, &entry, name);
		for (uint32_t i = 0; rc == 0 && i < edit->request->count; i++) {
			const struct ctl_change *change = &edit->request->changes[i];
			if (!ctl_is_of_sites(change) ||
			    (strcmp(change->name, name) != 0 && fnmatch(change->name, name, 0) != 0))
				continue;
			edit->matches[i][(id - 1) / 8] |= (uint8_t)(1u << ((id - 1) % 8));
			outcome->matched[i]++;
		}
	}
	return rc;
}

static void apply_to_sites(const struct edit *edit, uint32_t number) {
	const struct ctl_change *change = &edit->request->changes[number];
	struct spanring_site_control *controls = site_controls(edit->header);
	for (uint32_t i = 0; i < edit->sites; i++) {
		if (!(edit->matches[number][i / 8] & (1u << (i % 8))))
			continue;
		uint32_t flags = ring_order_get(&controls[i].flags);
		if (change->action == CTL_SITE_DURATION_MIN)
			ring_order_put(&controls[i].duration_min_ns, change->value);
		else if (change->action == CTL_SITE_DISABLE)
			ring_order_put(&controls[i].flags, flags | SPANRING_SITE_DISABLED);
		else
			ring_order_put(&controls[i].flags, flags & ~SPANRING_SITE_DISABLED);
	}
}

static bool any_site_controlled(struct spanring_process_header *header) {
	const struct spanring_site_control *controls = site_controls(header);
	for (uint32_t i = 0; i < SPANRING_SITES_MAX; i++)
		if (ring_order_get(&controls[i].flags) != 0 || ring_order_get(&controls[i].duration_min_ns) != 0)
			return true;
	return false;
}

static void apply_to_process(const struct ctl_change *change, struct ctl_state *state) {
	struct spanring__sampling *sampling = &state->sampling;
	switch (change->action) {
	case CTL_ENABLE:
	case CTL_DISABLE:
		state->enabled = change->action == CTL_ENABLE;
		break;
	case CTL_RATIO:
		sampling->sampler = SPANRING_SAMPLER_TRACEIDRATIO;
		sampling->threshold = change->value;
		break;
	case CTL_SAMPLER:
		(void)spanring__sampling_set(sampling, change->name, change->argument);
		break;
	case CTL_STATISTICS_ON:
		sampling->flags |= SPANRING_CONTROL_STATISTICS;
		break;
	case CTL_STATISTICS_OFF:
		sampling->flags &= ~SPANRING_CONTROL_STATISTICS;
		break;
	case CTL_DURATION_MIN:
		sampling->duration_min_ns = change->value;
		break;
	default:
		break;
	}
}

static void touch_change(void *context) {
	struct edit *edit = context;
	struct spanring_process_header *header = edit->header;
	struct ctl_state state;
	copy_state(header, &state);
	uint32_t flags_before = state.sampling.flags;
	uint32_t generation = ring_order_get(&header->control_generation);
	if (generation == 0 && state.enabled != 0)
		generation = state.enabled;
	edit->left_alone =
	    edit->request->gently && (generation > 1 || state.enabled == 0 ||
	                              strcmp(spanring__sampling_name(&state.sampling), UNCHOSEN_SAMPLER) != 0);
	if (edit->left_alone)
		return;
	/* A process that was never changed began with 1, also if it is disabled by now. */
	generation = generation == 0 ? 2 : generation + 1 == 0 ? 1 : generation + 1;
	for (uint32_t i = 0; i < edit->request->count; i++) {
		const struct ctl_change *change = &edit->request->changes[i];
		if (ctl_is_of_sites(change))
			apply_to_sites(edit, i);
		else
			apply_to_process(change, &state);
	}
	if ((flags_before ^ state.sampling.flags) & SPANRING_CONTROL_STATISTICS)
		state.sampling.flags |= SPANRING_CONTROL_SWITCHED;
	state.sampling.flags &= ~SPANRING_CONTROL_SITES;
	if (any_site_controlled(header))
		state.sampling.flags |= SPANRING_CONTROL_SITES;
	ring_order_put(&header->sampler, state.sampling.sampler);
	ring_order_put(&header->control_flags, state.sampling.flags);
	ring_order_put(&header->sampler_threshold, state.sampling.threshold);
	ring_order_put(&header->duration_min_ns, state.sampling.duration_min_ns);
	ring_order_put(&header->control_generation, generation);
	ring_order_control_publish(header, state.enabled == 0 ? 0 : generation);
}

static void wait_a_little(void) {
	const struct timespec time = {.tv_nsec = RETRY_NS};
	(void)nanosleep(&time, NULL);
}

/* The very file that was read, for writing. */
static int open_for_change(int directory_fd, const struct process_reader *reader, bool gently, int *ret_fd) {
	struct shared_file file;
	struct stat seen;
	struct stat opened;
	int rc = -EAGAIN;
	for (uint32_t i = 0; i < (gently ? 1 : OPEN_TRIES) && rc == -EAGAIN; i++) {
		if (i > 0)
			wait_a_little();
		rc = shared_file_open(directory_fd, SPANRING_PROCESS_NAME, O_RDWR, &file);
	}
	if (rc < 0)
		return rc;
	CLEANUP_FD int fd = file.fd;
	if (fstat(fd, &opened) < 0 || fstat(reader->fd, &seen) < 0)
		return -errno;
	if (opened.st_ino != seen.st_ino || opened.st_dev != seen.st_dev || file.uid != reader->uid)
		return ERR_FOREIGN;
	if (file.bytes != SPANRING_PROCESS_FILE_BYTES)
		return ERR_GONE;
	*ret_fd = take_fd(&fd);
	return 0;
}

/* Not F_OFD_SETLKW: whoever can open the file could make us wait for ever. */
static int lock_file(int fd, bool gently) {
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	uint64_t until_ns = clock_monotonic_ns() + CTL_LOCK_WAIT_NS;
	while (fcntl(fd, F_OFD_SETLK, &lock) < 0) {
		if (errno != EAGAIN && errno != EACCES && errno != EINTR)
			return -errno;
		if (gently || clock_monotonic_ns() > until_ns)
			return ERR_HELD;
		wait_a_little();
	}
	return 0;
}

int ctl_file_change(int directory_fd, struct process_reader *reader, const struct ctl_request *request,
                    struct ctl_outcome *ret_outcome) {
	CLEANUP_FD int fd = FD_NONE;
	CLEANUP_FREE void *matches = calloc(CTL_CHANGES_MAX, SITE_WORDS);
	struct edit edit = {.request = request, .matches = matches};
	*ret_outcome = (struct ctl_outcome){0};
	if (!matches)
		return -ENOMEM;
	int rc = open_for_change(directory_fd, reader, request->gently, &fd);
	if (rc == 0)
		rc = lock_file(fd, request->gently);
	if (rc == 0)
		rc = match_sites(reader, &edit, ret_outcome);
	if (rc < 0)
		return rc;
	void *address = mmap(NULL, SPANRING_PROCESS_FILE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (address == MAP_FAILED)
		return -errno;
	edit.header = address;
	rc = fault_guard_run(address, SPANRING_PROCESS_FILE_BYTES, touch_change, &edit);
	(void)munmap(address, SPANRING_PROCESS_FILE_BYTES);
	ret_outcome->left_alone = edit.left_alone;
	return rc;
}

int ctl_file_next_site(struct process_reader *reader, uint32_t *id, struct ctl_site *ret_site) {
	uint32_t sites;
	int rc = count_sites(reader, &sites);
	for ((*id)++; rc == 0 && *id <= sites; (*id)++) {
		struct spanring_site_control control;
		size_t bytes;
		uint64_t offset = SPANRING_SITE_CONTROL_OFFSET + (uint64_t)(*id - 1) * sizeof(control);
		rc = shared_file_read(reader->fd, &control, sizeof(control), offset);
		if (rc < 0 || ((control.flags & SPANRING_SITE_DISABLED) == 0 && control.duration_min_ns == 0))
			continue;
		*ret_site = (struct ctl_site){.id = *id, .control = control};
		rc = site_name(reader, *id, &ret_site->entry, ret_site->name);
		if (rc == 0 && ret_site->entry.file != 0)
			rc = process_reader_string(reader, ret_site->entry.file, ret_site->file, &bytes);
		return rc < 0 ? rc : 1;
	}
	return rc;
}

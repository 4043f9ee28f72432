/* SPDX-License-Identifier: Apache-2.0 */
#include "log_limit.h"

#include <string.h>

static struct log_limit_bucket *find_bucket(struct log_limit *limit, const char *kind) {
	size_t at = (size_t)(((uintptr_t)kind * UINT64_C(0x9e3779b97f4a7c15)) >> 32) % LOG_LIMIT_KINDS_MAX;
	for (uint32_t i = 0; i < LOG_LIMIT_KINDS_MAX; i++) {
		struct log_limit_bucket *bucket = &limit->buckets[(at + i) % LOG_LIMIT_KINDS_MAX];
		if (bucket->kind && bucket->kind != kind)
			continue;
		bucket->kind = kind;
		return bucket;
	}
	return &limit->buckets[at];
}

/* At most LIKE_BYTES, whole characters: what is shown later is made safe then. */
static void keep_like(struct log_limit_bucket *bucket, const char *text) {
	size_t bytes = strnlen(text, LOG_LIMIT_LIKE_BYTES - 1);
	while (bytes > 0 && ((uint8_t)text[bytes] >> 6) == 2)
		bytes--;
	memcpy(bucket->like, text, bytes);
	bucket->like[bytes] = '\0';
}

bool log_limit_take(struct log_limit *limit, const char *kind, enum log_level level, const char *text, uint64_t now_ns,
                    uint64_t *ret_left_out) {
	(void)pthread_mutex_lock(&limit->lock);
	struct log_limit_bucket *bucket = find_bucket(limit, kind);
	uint64_t full_ns = bucket->full_ns > now_ns ? bucket->full_ns : now_ns;
	bool may = full_ns + LOG_LIMIT_REFILL_NS <= now_ns + LOG_LIMIT_BURST * LOG_LIMIT_REFILL_NS;
	if (may) {
		bucket->full_ns = full_ns + LOG_LIMIT_REFILL_NS;
		limit->left_out -= bucket->left_out;
		*ret_left_out = bucket->left_out;
		bucket->left_out = 0;
	} else {
		if (bucket->left_out++ == 0)
			bucket->first_ns = now_ns;
		limit->left_out++;
		bucket->level = level;
		keep_like(bucket, text);
	}
	(void)pthread_mutex_unlock(&limit->lock);
	return may;
}

bool log_limit_untold(struct log_limit *limit, uint64_t now_ns, struct log_limit_bucket *ret_bucket) {
	bool found = false;
	(void)pthread_mutex_lock(&limit->lock);
	for (uint32_t i = 0; limit->left_out > 0 && !found && i < LOG_LIMIT_KINDS_MAX; i++) {
		struct log_limit_bucket *bucket = &limit->buckets[i];
		if (bucket->left_out == 0 || now_ns < bucket->first_ns + LOG_LIMIT_TELL_NS)
			continue;
		*ret_bucket = *bucket;
		limit->left_out -= bucket->left_out;
		bucket->left_out = 0;
		found = true;
	}
	(void)pthread_mutex_unlock(&limit->lock);
	return found;
}

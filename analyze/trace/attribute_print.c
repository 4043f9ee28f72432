/* SPDX-License-Identifier: Apache-2.0 */
#include "attribute_print.h"

#include "analyze/kernels/fit.h"

#include "base/cleanup.h"

#include <spanring/record.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *key_of(const struct query *query, const struct trace_attribute *attribute) {
	return query->overview->names[attribute->key <= query->overview->name_count ? attribute->key : 0];
}

static double number_of(const struct trace_attribute *attribute) {
	double number;
	memcpy(&number, &attribute->value, sizeof(number));
	return number;
}

void attribute_print_json(struct json *json, const struct query *query, const struct trace *trace, uint64_t span_id,
                          uint32_t event_index) {
	size_t count = 0;
	const struct trace_attribute *rows = trace_attributes_of(trace, span_id, event_index, &count);
	json_open(json, "attributes", '{');
	for (size_t i = 0; i < count; i++) {
		const char *key = key_of(query, &rows[i]);
		switch (rows[i].type) {
		case SPANRING_VALUE_BOOL:
			json_bool(json, key, rows[i].value != 0);
			break;
		case SPANRING_VALUE_I64:
			json_i64(json, key, (int64_t)rows[i].value);
			break;
		case SPANRING_VALUE_F64:
			json_f64(json, key, number_of(&rows[i]));
			break;
		case SPANRING_VALUE_STRING:
			json_text_n(json, key, trace->text + rows[i].text_offset, rows[i].text_bytes);
			break;
		default:
			json_u64(json, key, rows[i].value);
		}
	}
	json_close(json);
}

/* Printable; NULL without memory. */
static char *value_text(const struct trace *trace, const struct trace_attribute *attribute) {
	char text[64];
	switch (attribute->type) {
	case SPANRING_VALUE_STRING:
		return fit_printable(trace->text + attribute->text_offset, attribute->text_bytes);
	case SPANRING_VALUE_BOOL:
		return strdup(attribute->value ? "true" : "false");
	case SPANRING_VALUE_I64:
		(void)snprintf(text, sizeof(text), "%" PRId64, (int64_t)attribute->value);
		return strdup(text);
	case SPANRING_VALUE_F64:
		(void)snprintf(text, sizeof(text), "%.15g", number_of(attribute));
		return strdup(text);
	default:
		(void)snprintf(text, sizeof(text), "%" PRIu64, attribute->value);
		return strdup(text);
	}
}

int attribute_print_lines(FILE *out, const struct query *query, const struct trace *trace, uint64_t span_id,
                          unsigned indent) {
	size_t count = 0;
	const struct trace_attribute *rows = trace_attributes_of(trace, span_id, 0, &count);
	for (size_t i = 0; i < count; i++) {
		const char *name = key_of(query, &rows[i]);
		CLEANUP_FREE char *key = fit_printable(name, strlen(name));
		CLEANUP_FREE char *value = value_text(trace, &rows[i]);
		if (!key || !value)
			return -ENOMEM;
		(void)fprintf(out, "%*s%s = %s\n", (int)indent, "", key, value);
	}
	return (int)count;
}

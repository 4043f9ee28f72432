/* SPDX-License-Identifier: Apache-2.0 */
#include "export_value.h"

#include <spanring/record.h>

#include <string.h>

void export_put_value(struct export_text *text, const struct export_value *value) {
	double number;
	switch (value->type) {
	case SPANRING_VALUE_STRING:
		export_put_json(text, value->text, value->text_bytes);
		break;
	case SPANRING_VALUE_BOOL:
		export_put_word(text, value->value ? "true" : "false");
		break;
	case SPANRING_VALUE_I64:
		export_put_i64(text, (int64_t)value->value);
		break;
	case SPANRING_VALUE_F64:
		memcpy(&number, &value->value, sizeof(number));
		export_put_f64(text, number);
		break;
	default:
		export_put_u64(text, value->value);
	}
}

void export_put_values(struct export_text *text, const struct export_span *span, uint32_t event_index,
                       const char *open) {
	bool any = false;
	for (uint32_t i = 0; i < span->value_count; i++) {
		const struct export_value *value = &span->values[i];
		if (value->event_index != event_index)
			continue;
		export_put_word(text, any ? "," : open);
		export_put_json_word(text, value->key);
		export_put(text, ":", 1);
		export_put_value(text, value);
		any = true;
	}
	if (any)
		export_put(text, "}", 1);
}

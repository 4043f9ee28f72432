/* SPDX-License-Identifier: Apache-2.0 */
#include "doctor.h"

#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void doctor_say(struct doctor *doctor, enum finding_state state, const char *area, const char *check,
                const char *remedy, const char *format, ...) {
	char text[DOCTOR_TEXT_BYTES];
	va_list arguments;
	if (doctor->finding_count == DOCTOR_FINDINGS_MAX)
		return;
	struct finding *finding = &doctor->findings[doctor->finding_count++];
	*finding = (struct finding){.state = state, .area = area, .check = check};
	va_start(arguments, format);
	(void)vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	(void)text_printable(text, strlen(text), finding->text, sizeof(finding->text));
	(void)text_printable(remedy, strlen(remedy), finding->remedy, sizeof(finding->remedy));
}

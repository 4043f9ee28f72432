/* SPDX-License-Identifier: Apache-2.0 */
/* Programs in C++ for test_cpp_span.c, which reads what they left in their rings. Each ends with a status of 99 if it goes wrong. */
#ifndef SPANRING_TESTS_UNIT_CPP_SCENARIOS_H
#define SPANRING_TESTS_UNIT_CPP_SCENARIOS_H

#include <spanring/export.h>

SPANRING_EXTERN_C_BEGIN

void cpp_scopes(void);
void cpp_moves(void);
void cpp_attributes(void);
void cpp_parents(void);
void cpp_empty(void);
void cpp_async(void);

SPANRING_EXTERN_C_END

#endif

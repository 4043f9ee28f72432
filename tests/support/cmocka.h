/* SPDX-License-Identifier: Apache-2.0 */
/* cmocka wants these four before it; said once. */
#ifndef SPANRING_TESTS_SUPPORT_CMOCKA_H
#define SPANRING_TESTS_SUPPORT_CMOCKA_H

/* clang-format off */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
/* clang-format on */

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Visibility of public symbols. The library is built with hidden visibility; only what carries SPANRING_API leaves. */
#ifndef SPANRING_EXPORT_H
#define SPANRING_EXPORT_H

#if defined(__GNUC__)
#define SPANRING_API __attribute__((visibility("default")))
#else
#define SPANRING_API
#endif

/* Called twice a span: straight through the table of addresses, without the stub that the linker would put in between. */
#ifdef __has_attribute
#if __has_attribute(noplt)
#define SPANRING_HOT_API SPANRING_API __attribute__((noplt))
#endif
#endif
#ifndef SPANRING_HOT_API
#define SPANRING_HOT_API SPANRING_API
#endif

#ifdef __cplusplus
#define SPANRING_EXTERN_C_BEGIN extern "C" {
#define SPANRING_EXTERN_C_END }
#define SPANRING_STATIC_ASSERT(condition, text) static_assert(condition, text)
#else
#define SPANRING_EXTERN_C_BEGIN
#define SPANRING_EXTERN_C_END
#define SPANRING_STATIC_ASSERT(condition, text) _Static_assert(condition, text)
#endif

#endif

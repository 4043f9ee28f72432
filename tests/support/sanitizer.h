/* SPDX-License-Identifier: Apache-2.0 */
/* Which sanitizer this build has, and by how much campaigns are cut there to take their usual time. */
#ifndef SPANRING_TESTS_SUPPORT_SANITIZER_H
#define SPANRING_TESTS_SUPPORT_SANITIZER_H

#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define SANITIZER_THREAD 1
#elif __has_feature(address_sanitizer)
#define SANITIZER_ADDRESS 1
#endif
#endif
#if defined(__SANITIZE_THREAD__) && !defined(SANITIZER_THREAD)
#define SANITIZER_THREAD 1
#elif defined(__SANITIZE_ADDRESS__) && !defined(SANITIZER_ADDRESS)
#define SANITIZER_ADDRESS 1
#endif

#if !defined(SANITIZER_THREAD)
#define SANITIZER_THREAD 0
#endif
#if !defined(SANITIZER_ADDRESS)
#define SANITIZER_ADDRESS 0
#endif

#if SANITIZER_THREAD
#define SANITIZER_SLOWDOWN 20u
#elif SANITIZER_ADDRESS
#define SANITIZER_SLOWDOWN 5u
#else
#define SANITIZER_SLOWDOWN 1u
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* The one place where the version of the library, the programs and the formats is written down. CMake parses it. */
#ifndef SPANRING_VERSION_H
#define SPANRING_VERSION_H

#define SPANRING_VERSION_MAJOR 0
#define SPANRING_VERSION_MINOR 1
#define SPANRING_VERSION_PATCH 0
#define SPANRING_VERSION_STRING "0.1.0"

/* Version of the shared-memory contract (ring_abi.h). A reader refuses a version that it does not know. */
#define SPANRING_ABI_VERSION 1u

#endif

/* SPDX-License-Identifier: Apache-2.0 */
/* Who this process is: the identity fields of its process file. Hints for people; the instance id is what identifies. */
#ifndef SPANRING_LIBSHM_IDENTITY_H
#define SPANRING_LIBSHM_IDENTITY_H

#include <spanring/ring_abi.h>

void spanring__identity_fill(struct spanring_process_header *header);

#endif

/* SPDX-License-Identifier: MIT */
/* The one hash that migration uses, xxHash64: for checksums and for comparing two machines. */
#pragma once

#include "lib/types.h"

/* Hash of @len bytes. Chaining the result of one call as the next one's @seed hashes a sequence. */
u64 hash64(const void *data, size_t len, u64 seed);

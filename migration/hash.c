// SPDX-License-Identifier: MIT
// xxHash64 from its package's header. It lives in a file of its own because that header defines
// hundreds of names.
#include "migration/hash.h"

/* The header declares the XXH3 family as static and, told to leave it out, does not define it. */
#pragma GCC diagnostic ignored "-Wunused-function"
#define XXH_INLINE_ALL
#define XXH_NO_XXH3
#include <xxhash.h>

u64 hash64(const void *data, size_t len, u64 seed)
{
	return XXH64(data, len, seed);
}

// SPDX-License-Identifier: MIT
// Scanning and hashing guest memory, page by page.
#include "migration/memhash.h"

#include "migration/hash.h"

/* Guest memory is also accessed as whatever the guest has there. */
typedef u64 __attribute__((may_alias)) word_t;

bool page_is_zero(const void *page)
{
	const word_t *w = page;

	/* Most pages that are not zero are so in their first line. */
	for (size_t i = 0; i < PAGE_SIZE / 8; i += 8) {
		if (w[i] | w[i + 1] | w[i + 2] | w[i + 3] | w[i + 4] | w[i + 5] | w[i + 6] |
		    w[i + 7])
			return false;
	}
	return true;
}

void memory_hash_add(struct memory_hash *h, u64 gfn, const void *page)
{
	if (page_is_zero(page))
		return;
	h->sum += hash64(page, PAGE_SIZE, gfn);
	h->pages++;
}

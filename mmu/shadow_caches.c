// SPDX-License-Identifier: MIT
/* What shadow pages and rmaps are made of, allocated before mmu_lock is taken. */
#include "mmu/env.h"
#include "mmu/shadow_page.h"

static int fill_pages(struct mmu_caches *c, int pages)
{
	while (c->nr_pages < MIN(pages, CACHE_PAGES)) {
		void *page = c->raw_pages ? env_page_alloc_raw() : env_page_alloc();

		if (!page)
			return -ENOMEM;
		c->pages[c->nr_pages++] = page;
	}
	return 0;
}

static int fill_headers(struct mmu_caches *c, int headers)
{
	while (c->nr_headers < MIN(headers, CACHE_HEADERS)) {
		struct shadow_page *sp = env_alloc(sizeof(*sp));

		if (!sp)
			return -ENOMEM;
		c->headers[c->nr_headers++] = sp;
	}
	return 0;
}

static int fill_shadowed(struct mmu_caches *c, int shadowed)
{
	while (c->nr_shadowed < MIN(shadowed, CACHE_HEADERS)) {
		u64 *array = env_alloc(TABLE_ENTRIES * sizeof(u64));

		if (!array)
			return -ENOMEM;
		c->shadowed[c->nr_shadowed++] = array;
	}
	return 0;
}

static int fill_descs(struct mmu_caches *c, int descs)
{
	while (c->nr_descs < descs) {
		struct rmap_desc *desc = env_alloc(sizeof(*desc));

		if (!desc)
			return -ENOMEM;
		desc->more = c->descs;
		c->descs = desc;
		c->nr_descs++;
	}
	return 0;
}

int mmu_caches_fill(struct mmu *mmu, struct mmu_caches *c, int pages, int headers, int shadowed,
		    int descs)
{
	int r;

	(void)mmu;
	if ((r = fill_pages(c, pages)) || (r = fill_headers(c, headers)) ||
	    (r = fill_shadowed(c, shadowed)))
		return r;
	return fill_descs(c, descs);
}

void mmu_caches_free(struct mmu_caches *c)
{
	while (c->nr_pages)
		env_page_free(c->pages[--c->nr_pages]);
	while (c->nr_headers)
		env_free(c->headers[--c->nr_headers]);
	while (c->nr_shadowed)
		env_free(c->shadowed[--c->nr_shadowed]);
	while (c->descs) {
		struct rmap_desc *desc = c->descs;

		c->descs = desc->more;
		env_free(desc);
	}
	c->nr_descs = 0;
}

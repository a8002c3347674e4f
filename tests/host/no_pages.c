// SPDX-License-Identifier: MIT
/* The world of mmu/flush.c where there are tags, but no tables and nobody else to stop. */
#include "mmu/env.h"

void env_flush(struct mmu *mmu, u32 trees)
{
	(void)mmu, (void)trees;
}

void env_page_free(void *page)
{
	(void)page;
}

hpa_t env_hpa(const void *va)
{
	return (hpa_t){(u64)va};
}

void *env_page_private(hpa_t page)
{
	(void)page;
	return NULL;
}

void env_page_set_private(hpa_t page, void *p)
{
	(void)page, (void)p;
}

void env_trace(enum mmu_event ev, u64 a, u64 b, u64 c, u64 d)
{
	(void)ev, (void)a, (void)b, (void)c, (void)d;
}

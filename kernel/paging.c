// SPDX-License-Identifier: MIT
/* L0's page tables: four levels, changed only by adding, except while they are being made. */
#include "kernel/paging.h"
#include "kernel/cpu.h"
#include "kernel/page_alloc.h"
#include "kernel/panic.h"
#include "lib/lock.h"

#define TABLE_FLAGS (PTE_P | PTE_W)
#define RAM_FLAGS   (PTE_P | PTE_W | PTE_NX | PTE_A | PTE_D)
#define MMIO_FLAGS  (RAM_FLAGS | PTE_PCD)

extern u8 __text_start[], __text_end[], __rodata_start[], __rodata_end[];
extern u8 __data_start[], __bss_end[];
extern u8 boot_stack_guard[];

static struct {
	struct spinlock lock; /* the tables */
	u64 *root;
	int largest; /* level of the largest leaf: 3 where there are 1G pages */
	bool active; /* the page allocator supplies the tables */
} paging;

static bool is_leaf(u64 pte, int level)
{
	return level == 1 || (pte & PTE_PS);
}

static u64 *pte_table(u64 pte)
{
	return (u64 *)(pte & PTE_ADDR);
}

static u64 *table_alloc(void)
{
	return paging.active ? page_alloc() : mem_boot_alloc(PAGE_SIZE, PAGE_SIZE, 1ull << 32);
}

/* A leaf entry; level 1 has no PS bit (there it would be PAT). */
static u64 leaf_make(u64 hpa, u64 flags, int level)
{
	return hpa | flags | (level > 1 ? PTE_PS : 0);
}

/* Puts a table in the place of an absent entry, or of a leaf, which it then maps as before. */
static u64 *table_make(u64 *pte, int level)
{
	u64 *table = table_alloc();
	u64 old = *pte;

	if (!table)
		return NULL;
	if (old & PTE_P) {
		u64 hpa = old & PTE_ADDR, flags = old & ~(PTE_ADDR | PTE_PS);

		for (u64 i = 0; i < PT_ENTRIES; i++)
			table[i] = leaf_make(hpa + i * PT_LEVEL_SIZE(level - 1), flags, level - 1);
	}
	WRITE_ONCE(*pte, (u64)table | TABLE_FLAGS);
	return table;
}

/* The entry of level @level for @va, with tables made on the way. NULL: memory is out. */
static u64 *pte_make(u64 va, int level)
{
	u64 *table = paging.root;

	for (int l = 4; l > level; l--) {
		u64 *pte = &table[PT_INDEX(va, l)];

		table = (*pte & PTE_P) && !is_leaf(*pte, l) ? pte_table(*pte) : table_make(pte, l);
		if (!table)
			return NULL;
	}
	return &table[PT_INDEX(va, level)];
}

/* The largest leaf for [@va, @va + @size) at @hpa. */
static int leaf_level(u64 va, u64 hpa, u64 size, int largest)
{
	int level = largest;

	while (level > 1 &&
	       (!IS_ALIGNED(va | hpa, PT_LEVEL_SIZE(level)) || size < PT_LEVEL_SIZE(level)))
		level--;
	return level;
}

/*
 * Maps [@va, @va + @size), whole pages, to @hpa; with @flags 0 takes the mapping away. Where
 * there are smaller tables already, it fills those. -ENOMEM, with a part mapped.
 */
static int map(u64 va, u64 hpa, u64 size, u64 flags, int largest)
{
	while (size) {
		int level = leaf_level(va, hpa, size, largest);
		u64 *pte = pte_make(va, level);

		while (pte && (*pte & PTE_P) && !is_leaf(*pte, level))
			pte = &pte_table(*pte)[PT_INDEX(va, --level)];
		if (!pte)
			return -ENOMEM;
		u64 old = *pte;

		WRITE_ONCE(*pte, flags ? leaf_make(hpa, flags, level) : 0);
		if (old & PTE_P)
			invlpg(va);
		va += PT_LEVEL_SIZE(level);
		hpa += PT_LEVEL_SIZE(level);
		size -= PT_LEVEL_SIZE(level);
	}
	return 0;
}

/* While the tables are being made nothing may fail. */
static void map_boot(u64 start, u64 end, u64 flags, int largest)
{
	if (start < end && map(start, start, end - start, flags, largest))
		panic("out of memory while making the page tables");
}

static void map_image(void)
{
	map_boot((u64)__text_start, (u64)__text_end, PTE_P | PTE_A, 1);
	map_boot((u64)__rodata_start, (u64)__rodata_end, PTE_P | PTE_A | PTE_NX, 1);
	map_boot((u64)__data_start, (u64)__bss_end, RAM_FLAGS, 1);
	map_boot((u64)boot_stack_guard, (u64)boot_stack_guard + PAGE_SIZE, 0, 1);
}

void paging_init(void)
{
	const struct ranges *ram = mem_boot_mapped();

	paging.root = table_alloc();
	paging.largest = cpu_has_1g_pages() ? 3 : 2;
	for (u32 i = 0; i < ram->count; i++)
		map_boot(ram->r[i].start, ram->r[i].end, RAM_FLAGS, paging.largest);
	map_boot(0, PAGE_SIZE, 0, 1);
	map_image();
	paging_init_cpu();
	page_alloc_init();
	paging.active = true;
}

void paging_init_cpu(void)
{
	write_cr3((u64)paging.root);
}

/* The leaf entry that maps @va, or 0; *@level is its level. */
static u64 leaf_find(u64 va, int *level)
{
	u64 *table = paging.root;

	for (*level = 4; table && *level >= 1; --*level) {
		u64 pte = READ_ONCE(table[PT_INDEX(va, *level)]);

		if (!(pte & PTE_P))
			return 0;
		if (is_leaf(pte, *level))
			return pte;
		table = pte_table(pte);
	}
	return 0;
}

static bool canonical(u64 va)
{
	return (u64)((s64)(va << 16) >> 16) == va;
}

int paging_translate(u64 va, hpa_t *out)
{
	int level;
	u64 pte = canonical(va) ? leaf_find(va, &level) : 0;

	if (!pte)
		return -EFAULT;
	out->v = (pte & PTE_ADDR & ~(PT_LEVEL_SIZE(level) - 1)) | (va & (PT_LEVEL_SIZE(level) - 1));
	return 0;
}

bool paging_mapped(u64 va)
{
	hpa_t hpa;

	/* Before there are tables of ours, the boot stub's map the first 4 GiB. */
	if (!paging.root)
		return va >= PAGE_SIZE && va < 1ull << 32;
	return paging_translate(va, &hpa) == 0;
}

void *mmio_map(hpa_t hpa, u64 size)
{
	u64 start = hpa.v & PAGE_MASK;
	u64 end = ALIGN_UP(hpa.v + size, PAGE_SIZE);

	if (size == 0 || end <= start || (end - 1) >> MIN(cpu_physical_bits(), 47u))
		return NULL;
	if (ranges_touch(mem_boot_mapped(), start, end))
		return NULL;
	spin_lock(&paging.lock);
	int err = map(start, start, end - start, MMIO_FLAGS, 2);

	spin_unlock(&paging.lock);
	return err ? NULL : (void *)hpa.v;
}

u64 stack_map(u32 slot)
{
	u64 bottom = STACK_AREA + slot * STACK_SLOT_SIZE + STACK_OFFSET;
	int err = 0;

	assert(slot < STACK_SLOTS);
	spin_lock(&paging.lock);
	for (u64 va = bottom; va < bottom + STACK_SIZE && !err; va += PAGE_SIZE) {
		void *page = paging_mapped(va) ? NULL : page_alloc();

		if (!page && !paging_mapped(va))
			err = -ENOMEM;
		else if (page)
			err = map(va, (u64)page, PAGE_SIZE, RAM_FLAGS, 1);
		if (err && page)
			page_free(page);
	}
	spin_unlock(&paging.lock);
	return err ? 0 : bottom + STACK_SIZE;
}

// SPDX-License-Identifier: MIT
/* The machine's one frame allocator: buddy.c behind a lock. */
#include "kernel/page_alloc.h"
#include "kernel/buddy.h"
#include "kernel/shutdown.h"
#include "lib/assert.h"
#include "lib/lock.h"
#include "lib/string.h"

static struct {
	struct spinlock lock; /* buddy, but not the frames' private words */
	struct buddy buddy;
} pool;

static unsigned int level_order(int level)
{
	assert(level >= 1 && level <= 3);
	return 9u * (unsigned int)(level - 1);
}

int mem_alloc_order(unsigned int order, hpa_t *out)
{
	u64 first;

	spin_lock(&pool.lock);
	int err = buddy_alloc(&pool.buddy, order, &first);

	spin_unlock(&pool.lock);
	if (err)
		return err;
	out->v = first << PAGE_SHIFT;
	return 0;
}

void mem_free_order(hpa_t hpa, unsigned int order)
{
	assert(IS_ALIGNED(hpa.v, PAGE_SIZE));
	spin_lock(&pool.lock);
	buddy_free(&pool.buddy, hpa.v >> PAGE_SHIFT, order);
	spin_unlock(&pool.lock);
}

int mem_alloc(int level, hpa_t *out)
{
	return mem_alloc_order(level_order(level), out);
}

void mem_free(hpa_t hpa, int level)
{
	mem_free_order(hpa, level_order(level));
}

void *page_alloc(void)
{
	hpa_t hpa;

	if (mem_alloc(1, &hpa))
		return NULL;
	return memset(hpa_to_ptr(hpa), 0, PAGE_SIZE);
}

void page_free(void *page)
{
	mem_free(ptr_to_hpa(page), 1);
}

static struct frame *ram_frame(hpa_t hpa)
{
	struct frame *f = buddy_frame(&pool.buddy, hpa.v >> PAGE_SHIFT);

	return f && f->state != FRAME_NONE ? f : NULL;
}

u64 page_private(hpa_t hpa)
{
	struct frame *f = ram_frame(hpa);

	assert(f && f->state != FRAME_FREE);
	return f->private;
}

void page_set_private(hpa_t hpa, u64 value)
{
	struct frame *f = ram_frame(hpa);

	assert(f && f->state != FRAME_FREE);
	f->private = value;
}

bool mem_is_reused(hpa_t hpa)
{
	struct frame *f = ram_frame(hpa);

	assert(f && f->state != FRAME_FREE);
	return f->reused;
}

bool mem_is_ram(hpa_t hpa)
{
	return ram_frame(hpa) != NULL;
}

void mem_stats(struct mem_stats *s)
{
	spin_lock(&pool.lock);
	s->total = pool.buddy.total_frames << PAGE_SHIFT;
	s->free = pool.buddy.free_frames << PAGE_SHIFT;
	s->available[0] = 0;
	for (int level = 1; level <= 3; level++)
		s->available[level] = buddy_available(&pool.buddy, level_order(level));
	spin_unlock(&pool.lock);
}

u64 mem_free_bytes(void)
{
	return READ_ONCE(pool.buddy.free_frames) << PAGE_SHIFT;
}

/* --- boot --- */

/* Below this, not even L0's own structures and one small guest have a place. */
#define MEMORY_LEAST (48ull << 20)

extern u8 __image_start[], __image_end[];

static struct ranges usable; /* what may be given away */
static struct ranges mapped; /* what must be reachable */

static void must(int err)
{
	if (err)
		machine_refuse("the memory map is in more pieces than the %d that fit", RANGES_MAX);
}

static u64 page_down(u64 v)
{
	return v & PAGE_MASK;
}

static u64 page_up(u64 v)
{
	return v > PAGE_MASK ? PAGE_MASK : ALIGN_UP(v, PAGE_SIZE);
}

static void reserve(u64 start, u64 end)
{
	must(ranges_remove(&usable, page_down(start), page_up(end)));
}

/* What is outside would fault when it is read; page 0 is never mapped. */
static void reserve_module(u32 index, const struct boot_module *m)
{
	if (m->start < m->end &&
	    (m->start < PAGE_SIZE || !ranges_contain(&mapped, m->start, m->end)))
		machine_refuse("boot module %u, at %#lx to %#lx, lies outside of memory", index,
			       m->start, m->end);
	reserve(m->start, m->end);
}

void mem_boot_init(const struct bootinfo *info)
{
	for (u32 i = 0; i < info->range_count; i++) {
		const struct memory_range *r = &info->ranges[i];

		if (r->kind == MEMORY_RAM) {
			must(ranges_add(&usable, page_up(r->start), page_down(r->end)));
			must(ranges_add(&mapped, page_up(r->start), page_down(r->end)));
		}
		if (r->kind == MEMORY_ACPI || r->kind == MEMORY_NVS)
			must(ranges_add(&mapped, page_down(r->start), page_up(r->end)));
	}
	/* Where ranges overlap, the one that reserves wins. */
	for (u32 i = 0; i < info->range_count; i++) {
		if (info->ranges[i].kind != MEMORY_RAM)
			reserve(info->ranges[i].start, info->ranges[i].end);
	}
	reserve(0, 1 << 20);
	reserve((u64)__image_start, (u64)__image_end);
	reserve(info->block_start, info->block_end);
	for (u32 i = 0; i < info->module_count; i++)
		reserve_module(i, &info->modules[i]);
	if (ranges_total(&usable) < MEMORY_LEAST)
		machine_refuse("too little memory: %lu MiB to be had, at least %llu MiB needed",
			       ranges_total(&usable) >> 20, MEMORY_LEAST >> 20);
}

const struct ranges *mem_boot_mapped(void)
{
	return &mapped;
}

void *mem_boot_alloc(u64 size, u64 align, u64 limit)
{
	u64 at;

	if (ranges_take(&usable, ALIGN_UP(size, PAGE_SIZE), MAX(align, PAGE_SIZE), limit, &at))
		machine_refuse("too little memory: no %lu KiB below %lu MiB at boot", size >> 10,
			       limit >> 20);
	return memset((void *)at, 0, size);
}

void page_alloc_init(void)
{
	const u64 section = BUDDY_SECTION_FRAMES << PAGE_SHIFT;
	u64 top = usable.r[usable.count - 1].end;
	u64 count = DIV_ROUND_UP(top, section);
	struct frame **sections = mem_boot_alloc(count * sizeof(*sections), PAGE_SIZE, ~0ull);

	for (u64 i = 0; i < count; i++) {
		if (ranges_touch(&usable, i * section, (i + 1) * section))
			sections[i] = mem_boot_alloc(BUDDY_SECTION_FRAMES * sizeof(struct frame),
						     PAGE_SIZE, ~0ull);
	}
	buddy_init(&pool.buddy, sections, count);
	for (u32 i = 0; i < usable.count; i++)
		buddy_add(&pool.buddy, usable.r[i].start >> PAGE_SHIFT,
			  usable.r[i].end >> PAGE_SHIFT);
}

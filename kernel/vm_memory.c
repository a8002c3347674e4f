// SPDX-License-Identifier: MIT
/* The host memory behind a VM: the largest pieces that there are, so that huge leaves exist. */
#include "kernel/kmem.h"
#include "kernel/page_alloc.h"
#include "kernel/params.h"
#include "kernel/task.h"
#include "kernel/vm.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/x86.h"

struct mem_piece {
	hpa_t hpa;
	u64 level;
};

#define SLOT_MEMORY 0 /* and 1, above the hole */

/* huge= caps the pieces too: what is not contiguous cannot be mapped by a larger leaf. */
static int largest_level(void)
{
	return (int)params.huge + PG_LEVEL_4K;
}

/* Room for one more. 0 or -ENOMEM. */
static int pieces_reserve(struct vm *vm, u64 *capacity)
{
	struct mem_piece *more;

	if (vm->nr_pieces < *capacity)
		return 0;
	*capacity = MAX(*capacity * 2, 64ul);
	more = kmalloc(*capacity * sizeof(*more));
	if (!more)
		return -ENOMEM;
	if (vm->nr_pieces)
		memcpy(more, vm->pieces, vm->nr_pieces * sizeof(*more));
	kfree(vm->pieces);
	vm->pieces = more;
	return 0;
}

/*
 * What another guest, or L0, has left there must not be seen. Frames that nobody has had since
 * boot keep what they hold: emulators start with zeroes and provide a page when it is first
 * touched, so that touching all of it would take seconds and their host's memory.
 */
static void zero_reused(hpa_t hpa, u64 size)
{
	for (u64 end = hpa.v + size; hpa.v < end; hpa.v += PAGE_SIZE) {
		if (mem_is_reused(hpa))
			memset(hpa_to_ptr(hpa), 0, PAGE_SIZE);
		if (IS_ALIGNED(hpa.v, SIZE_2M))
			resched_point();
	}
}

/* The piece for [@at, @end): of @*level, or of the next smaller one that can be had. */
static int piece_alloc(u64 at, u64 end, int *level, hpa_t *hpa)
{
	for (; *level >= PG_LEVEL_4K; --*level) {
		u64 size = LEVEL_SIZE(*level);

		if (IS_ALIGNED(at, size) && size <= end - at && !mem_alloc(*level, hpa))
			return 0;
	}
	return -ENOMEM;
}

/* Memory for all of @slot. */
static int add_pieces(struct vm *vm, struct memslot *slot, u64 *capacity)
{
	u64 at = gfn_to_gpa(slot->base).v, end = at + slot->npages * PAGE_SIZE;

	while (at < end) {
		int level = largest_level(), err;
		hpa_t hpa;

		if (pieces_reserve(vm, capacity) || piece_alloc(at, end, &level, &hpa))
			return -ENOMEM;
		vm->pieces[vm->nr_pieces++] = (struct mem_piece){hpa, (u64)level};
		zero_reused(hpa, LEVEL_SIZE(level));
		err = memslot_set_piece(slot, (gfn_t){at >> PAGE_SHIFT}, hpa, level);
		if (err)
			return err;
		at += LEVEL_SIZE(level);
	}
	return 0;
}

/* A page of page tables for each 2M comes on top, and something for L0 itself. */
#define OVERHEAD(bytes) ((bytes) / 256)

/* The largest mem= that would do, in whole 2M. */
static u64 most_memory(const struct mem_stats *s)
{
	return ALIGN_DOWN(s->free - OVERHEAD(s->free), SIZE_2M);
}

static int add_slots(struct vm *vm)
{
	const u64 start[] = {0, VM_HOLE_END}, bytes[] = {vm_low_bytes(vm), vm_high_bytes(vm)};
	u64 capacity = 0;
	int err = 0;

	for (u32 i = 0; !err && i < ARRAY_SIZE(start) && bytes[i]; i++) {
		struct memslot *slot;

		err = memslot_add(&vm->mmu, SLOT_MEMORY + (int)i, (gfn_t){start[i] >> PAGE_SHIFT},
				  bytes[i] >> PAGE_SHIFT, 0, &slot);
		err = err ? err : add_pieces(vm, slot, &capacity);
	}
	return err;
}

int vm_memory_create(struct vm *vm, char *why, size_t size)
{
	struct mem_stats stats;
	int err = -ENOMEM;

	mem_stats(&stats);
	if (vm->mem_bytes <= stats.free && vm->mem_bytes <= stats.free - OVERHEAD(stats.free)) {
		err = add_slots(vm);
	}
	if (err)
		snprintf(why, size,
			 "too little memory: it needs %llu MiB and page tables, %llu MiB are free; "
			 "say mem=%lluM or less",
			 (unsigned long long)vm->mem_bytes >> 20,
			 (unsigned long long)stats.free >> 20,
			 (unsigned long long)most_memory(&stats) >> 20);
	return err;
}

void vm_memory_pieces(const struct vm *vm, u64 count[4])
{
	for (u64 i = 0; i < vm->nr_pieces; i++)
		count[vm->pieces[i].level]++;
}

void vm_memory_destroy(struct vm *vm)
{
	for (u64 i = 0; i < vm->nr_pieces; i++)
		mem_free(vm->pieces[i].hpa, (int)vm->pieces[i].level);
	kfree(vm->pieces);
	vm->pieces = NULL;
	vm->nr_pieces = 0;
}

// SPDX-License-Identifier: MIT
/* The bench device; devices/benchdev.h has its ports. */
#include "devices/benchdev.h"
#include "kernel/bootinfo.h"
#include "kernel/cpu.h"
#include "kernel/page_alloc.h"
#include "kernel/params.h"
#include "kernel/vm.h"
#include "mmu/dirty_log.h"

enum { REG_COMMAND = 0, REG_FIGURE = 1, REG_VALUE = 4 };
enum { COMMAND_LOG_ON = 1, COMMAND_LOG_READ = 2, COMMAND_LOG_OFF = 3 };
enum { FIGURE_EXITS, FIGURE_FREE, FIGURE_TICKS };

/* As migration takes it. */
#define CHUNK_PAGES 4096

void benchdev_init(struct benchdev *b, struct vm *vm)
{
	*b = (struct benchdev){.vm = vm};
}

static u64 free_pages(void)
{
	struct mem_stats s;

	mem_stats(&s);
	return s.free / PAGE_SIZE;
}

u32 benchdev_in(void *dev, u16 offset, int size)
{
	const struct benchdev *b = dev;

	if (size != 4 || offset != REG_VALUE || b->failed)
		return ~0u;
	switch (b->figure) {
	case FIGURE_EXITS:
		return (u32)b->vm->vcpus[0]->stats.exits;
	case FIGURE_FREE:
		return (u32)free_pages();
	case FIGURE_TICKS:
		return (u32)(rdtsc() - boot_tsc);
	}
	return ~0u;
}

static void log_read(struct mmu *mmu, struct memslot *slot)
{
	u64 bits[CHUNK_PAGES / 64];

	dirty_log_sync(mmu);
	for (u64 at = 0; at < slot->npages; at += CHUNK_PAGES)
		dirty_log_read_clear(mmu, slot, at, MIN(slot->npages - at, (u64)CHUNK_PAGES), bits);
}

static int command(struct mmu *mmu, u8 what)
{
	struct memslot *slot = &mmu->slots[0];
	bool on = slot->dirty_bitmap;

	/* The log is migration's own where there may be one. */
	if (params.migrate != PARAM_migrate_off)
		return -EINVAL;
	switch (what) {
	case COMMAND_LOG_ON:
		return dirty_log_enable(mmu, slot,
					params.dirty_mode == PARAM_dirty_mode_protect
						? DIRTY_PROTECT_ALL
						: DIRTY_INITIALLY_SET);
	case COMMAND_LOG_READ:
		if (on)
			log_read(mmu, slot);
		return on ? 0 : -EINVAL;
	case COMMAND_LOG_OFF:
		if (on)
			dirty_log_disable(mmu, slot);
		return on ? 0 : -EINVAL;
	}
	return 0;
}

void benchdev_out(void *dev, u16 offset, int size, u32 val)
{
	struct benchdev *b = dev;

	if (size == 1 && offset == REG_COMMAND)
		b->failed = command(&b->vm->mmu, (u8)val);
	else if (size == 1 && offset == REG_FIGURE)
		b->figure = (u8)val;
}

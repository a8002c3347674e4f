// SPDX-License-Identifier: MIT
/* The Multiboot 1 information block (specification 3.3) and the state at entry (3.2). */
#include "devices/multiboot1_info.h"
#include "devices/multiboot1.h"
#include "kernel/vcpu.h"
#include "lib/multiboot1.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

#define LOW_END	 0xa0000u  /* conventional memory */
#define HIGH	 0x100000u /* where memory goes on after video memory and ROMs */
#define LOADER	 "Cleave"
#define CMD_SIZE 1024

/* One piece, so that it needs one place. */
struct info_block {
	struct multiboot1_info info;
	struct multiboot1_mmap_entry map[3];
	char loader[8];
	char cmdline[CMD_SIZE];
};

static bool place_is_free(const struct multiboot1_loader *l, u64 start, u64 end)
{
	for (u32 i = 0; i < l->nr_used; i++)
		if (start < l->used[i].end && l->used[i].start < end)
			return false;
	return true;
}

/*
 * The first free page in conventional memory, as boot loaders do; else after the kernel.
 * Page 0 stays free: many a kernel keeps it unmapped, to catch null pointers.
 */
static int find_place(struct multiboot1_loader *l, u64 size, u64 *at)
{
	u64 end = MIN(l->mem, (u64)LOW_END);

	for (*at = PAGE_SIZE; *at + size <= end; *at += PAGE_SIZE)
		if (place_is_free(l, *at, *at + size))
			return 0;
	*at = HIGH;
	for (u32 i = 0; i < l->nr_used; i++)
		*at = MAX(*at, ALIGN_UP(l->used[i].end, PAGE_SIZE));
	if (*at + size <= MIN(l->mem, 1ull << 32))
		return 0;
	return multiboot1_fail(l, -ENOSPC, "it leaves no place for the boot information");
}

/* What a PC has: the hole for video memory and ROMs is told, though memory is behind it. */
static u32 fill_map(struct multiboot1_mmap_entry map[3], u64 mem)
{
	u64 low = MIN(mem, (u64)LOW_END);
	u32 n = 0;

	map[n++] = (struct multiboot1_mmap_entry){
		.size = 20, .addr = 0, .len = low, .type = MULTIBOOT1_MMAP_AVAILABLE};
	map[n++] = (struct multiboot1_mmap_entry){.size = 20,
						  .addr = LOW_END,
						  .len = HIGH - LOW_END,
						  .type = MULTIBOOT1_MMAP_RESERVED};
	if (mem > HIGH)
		map[n++] = (struct multiboot1_mmap_entry){.size = 20,
							  .addr = HIGH,
							  .len = mem - HIGH,
							  .type = MULTIBOOT1_MMAP_AVAILABLE};
	return n;
}

static u32 field_address(u64 block, size_t offset)
{
	return (u32)(block + offset);
}

int multiboot1_write_info(struct multiboot1_loader *l, const char *cmdline, u32 *gpa)
{
	struct info_block b = {0};
	u64 at = 0;
	int err;

	if (strlen(cmdline) >= CMD_SIZE)
		return multiboot1_fail(l, -ENOSPC, "its command line is longer than %u characters",
				       CMD_SIZE - 1);
	err = find_place(l, sizeof(b), &at);
	if (err)
		return err;
	memcpy(b.cmdline, cmdline, strlen(cmdline));
	memcpy(b.loader, LOADER, sizeof(LOADER));
	b.info.flags = MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MMAP |
		       MULTIBOOT1_INFO_LOADER_NAME;
	b.info.mem_lower = (u32)(MIN(l->mem, (u64)LOW_END) >> 10);
	b.info.mem_upper = l->mem > HIGH ? (u32)MIN((l->mem - HIGH) >> 10, 0xffffffffull) : 0;
	b.info.mmap_length = fill_map(b.map, l->mem) * (u32)sizeof(b.map[0]);
	b.info.mmap_addr = field_address(at, offsetof(struct info_block, map));
	b.info.cmdline = field_address(at, offsetof(struct info_block, cmdline));
	b.info.boot_loader_name = field_address(at, offsetof(struct info_block, loader));
	if (guest_write(l->mmu, (gpa_t){at}, &b, sizeof(b)))
		return multiboot1_fail(l, -ENOSPC, "the VM has no memory at 0x%llx",
				       (unsigned long long)at);
	*gpa = (u32)at;
	return 0;
}

/* Attributes: P, S, DPL 0, type, D/B, G in the VMCB's 12 bits. */
#define FLAT_CODE32 0xc9b
#define FLAT_DATA   0xc93
#define BUSY_TSS    0x08b
#define LDT	    0x082

void multiboot1_entry_state(const struct multiboot1_entry *entry, struct vcpu_state *s)
{
	static const struct segment data = {
		.limit = 0xffffffff, .selector = 0x10, .attrib = FLAT_DATA};

	memset(s->gpr, 0, sizeof(s->gpr));
	s->gpr[RAX] = MULTIBOOT1_BOOT_MAGIC;
	s->gpr[RBX] = entry->info;
	s->rip = entry->eip;
	s->rflags = RFLAGS_FIXED;
	s->cr0 = CR0_PE | CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
	s->seg[SEG_CS] = data;
	s->seg[SEG_CS].selector = 0x08;
	s->seg[SEG_CS].attrib = FLAT_CODE32;
	s->seg[SEG_DS] = s->seg[SEG_ES] = s->seg[SEG_SS] = s->seg[SEG_FS] = s->seg[SEG_GS] = data;
	s->seg[SEG_TR] = (struct segment){.limit = 0x67, .attrib = BUSY_TSS};
	s->seg[SEG_LDTR] = (struct segment){.limit = 0xffff, .attrib = LDT};
	s->cpl = 0;
}

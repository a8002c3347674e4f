// SPDX-License-Identifier: MIT
/* The Multiboot 1 information block (specification 3.3) and the state at entry (3.2). */
#include "devices/multiboot1_info.h"
#include "devices/multiboot1.h"
#include "kernel/vcpu.h"
#include "lib/multiboot1.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

#define LOADER	 "Cleave"
#define CMD_SIZE 1024

/* One piece, so that it needs one place. */
struct info_block {
	struct multiboot1_info info;
	struct multiboot1_mmap_entry map[LOADER_MAP_MAX];
	struct multiboot1_module modules[LOADER_MODULES];
	char loader[8];
	char cmdline[CMD_SIZE];
	char strings[LOADER_MODULES][CMD_SIZE]; /* the modules' */
};

/*
 * The first free page in conventional memory, as boot loaders do; else after the kernel.
 * Page 0 stays free: many a kernel keeps it unmapped, to catch null pointers.
 */
static int find_place(struct loader *l, u64 size, u64 *at)
{
	if (!loader_place(l, PAGE_SIZE, LOADER_LOW_END, size, at) ||
	    !loader_place(l, LOADER_HIGH, LOADER_4G, size, at))
		return 0;
	return loader_fail(l, -ENOSPC, "it leaves no place for the boot information");
}

static u32 fill_map(const struct loader *l, struct multiboot1_mmap_entry map[LOADER_MAP_MAX])
{
	struct memory_map_entry from[LOADER_MAP_MAX];
	u32 n = loader_map(l, from);

	for (u32 i = 0; i < n; i++)
		map[i] = (struct multiboot1_mmap_entry){
			.size = 20, .addr = from[i].addr, .len = from[i].len, .type = from[i].type};
	return n;
}

static u32 field_address(u64 block, size_t offset)
{
	return (u32)(block + offset);
}

static int put_string(struct loader *l, char to[CMD_SIZE], const char *what)
{
	if (strlen(what) >= CMD_SIZE)
		return loader_fail(l, -ENOSPC, "a command line is longer than %u characters",
				   CMD_SIZE - 1);
	memcpy(to, what, strlen(what) + 1);
	return 0;
}

/* On pages of their own, after the kernel. */
static int put_modules(struct loader *l, struct info_block *b, u64 at)
{
	for (u32 i = 0; i < l->nr_modules; i++) {
		const struct loader_module *m = &l->modules[i];
		u64 gpa = 0;
		int err = loader_place(l, LOADER_HIGH, LOADER_4G, m->size, &gpa);

		if (err)
			return loader_fail(l, -ENOSPC, "module %u of %zu bytes finds no place",
					   i + 1, m->size);
		err = loader_put(l, gpa, m->data, m->size, m->size);
		err = err ? err : put_string(l, b->strings[i], m->cmdline);
		if (err)
			return err;
		b->modules[i] = (struct multiboot1_module){
			.start = (u32)gpa,
			.end = (u32)(gpa + m->size),
			.string = field_address(at, offsetof(struct info_block, strings[i])),
		};
	}
	b->info.mods_count = l->nr_modules;
	b->info.mods_addr = field_address(at, offsetof(struct info_block, modules));
	return 0;
}

int multiboot1_write_info(struct loader *l, u32 *gpa)
{
	static struct info_block b; /* too large for a stack; VMs are loaded one after the other */
	u64 at = 0;
	int err;

	memset(&b, 0, sizeof(b));
	err = put_string(l, b.cmdline, l->cmdline);
	err = err ? err : find_place(l, sizeof(b), &at);
	if (err)
		return err;
	memcpy(b.loader, LOADER, sizeof(LOADER));
	b.info.flags = MULTIBOOT1_INFO_MEMORY | MULTIBOOT1_INFO_CMDLINE | MULTIBOOT1_INFO_MMAP |
		       MULTIBOOT1_INFO_MODS | MULTIBOOT1_INFO_LOADER_NAME;
	b.info.mem_lower = (u32)(MIN(l->low, (u64)LOADER_LOW_END) >> 10);
	b.info.mem_upper = l->low > LOADER_HIGH ? (u32)((l->low - LOADER_HIGH) >> 10) : 0;
	b.info.mmap_length = fill_map(l, b.map) * (u32)sizeof(b.map[0]);
	b.info.mmap_addr = field_address(at, offsetof(struct info_block, map));
	b.info.cmdline = field_address(at, offsetof(struct info_block, cmdline));
	b.info.boot_loader_name = field_address(at, offsetof(struct info_block, loader));
	/* The block first, so that no module takes its place. */
	err = loader_put(l, at, &b, sizeof(b), sizeof(b));
	err = err ? err : put_modules(l, &b, at);
	if (err)
		return err;
	if (guest_write(l->mmu, (gpa_t){at}, &b, sizeof(b)))
		return loader_fail(l, -ENOSPC, "the VM has no memory at 0x%llx",
				   (unsigned long long)at);
	*gpa = (u32)at;
	return 0;
}

#define FLAT_CODE32 0xc9b /* as in a VMCB: P, S, DPL 0, type, D, G */

void multiboot1_entry_state(const struct multiboot1_entry *entry, struct vcpu_state *s)
{
	loader_flat_state(s, entry->eip, 0x08, FLAT_CODE32);
	s->gpr[RAX] = MULTIBOOT1_BOOT_MAGIC;
	s->gpr[RBX] = entry->info;
	s->cr0 = CR0_PE | CR0_ET;
	s->cr4 = 0;
	s->efer = 0;
}

// SPDX-License-Identifier: MIT
/* Loads a bzImage; devices/linux_boot.h. */
#include "devices/linux_boot.h"
#include "kernel/vcpu.h"
#include "lib/string.h"
#include "lib/x86.h"

/* The setup header, from 1F1h of the file on, and of boot_params ("the zero page"). */
#define HDR_AT		0x1f1
#define HDR_SECTS	0x1f1 /* u8: sectors of real-mode code after the first; 0 means 4 */
#define HDR_BOOT_FLAG	0x1fe /* u16: AA55h */
#define HDR_JUMP_LEN	0x201 /* u8: the header ends so far after 202h */
#define HDR_MAGIC	0x202 /* "HdrS" */
#define HDR_VERSION	0x206 /* u16 */
#define HDR_LOADER	0x210 /* u8: FFh, one without a number of its own */
#define HDR_LOADFLAGS	0x211 /* u8 */
#define HDR_INITRD	0x218 /* u32: address, then size */
#define HDR_CMDLINE	0x228 /* u32: address */
#define HDR_INITRD_MAX	0x22c /* u32: its last byte at most */
#define HDR_ALIGNMENT	0x230 /* u32 */
#define HDR_RELOCATES	0x234 /* u8 */
#define HDR_XFLAGS	0x236 /* u16 */
#define HDR_CMDLINE_MAX 0x238 /* u32 */
#define HDR_PREFERRED	0x258 /* u64 */
#define HDR_INIT_SIZE	0x260 /* u32: memory from the load address on that it needs */
#define HDR_END		0x268

#define VERSION_2_10  0x020a
#define LOADED_HIGH   0x01
#define XLF_KERNEL_64 0x01
#define SECTOR	      512
#define ENTRY_64      0x200 /* behind the kernel's load address */

/* boot_params beside it. */
#define PARAMS_RSDP	    0x070
#define PARAMS_E820_ENTRIES 0x1e8
#define PARAMS_E820	    0x2d0
#define E820_SIZE	    20

/* Where everything below 1M goes. */
#define AT_PARAMS    0x10000
#define AT_CMDLINE   0x11000
#define AT_GDT	     0x12000
#define AT_TABLES    0x13000 /* PML4, PDPT, four page directories of 2M pages */
#define TABLES	     6
#define PAGE_ENTRIES 512
#define CMDLINE_SIZE 4096

static u64 get(const u8 *image, u32 offset, u32 size)
{
	u64 v = 0;

	memcpy(&v, image + offset, size);
	return v;
}

bool linux_is_image(const u8 *image, size_t size)
{
	return size >= HDR_END && get(image, HDR_BOOT_FLAG, 2) == 0xaa55 &&
	       !memcmp(image + HDR_MAGIC, "HdrS", 4);
}

static int check_header(struct loader *l)
{
	const u8 *i = l->image;

	if (get(i, HDR_VERSION, 2) < VERSION_2_10 || !(get(i, HDR_LOADFLAGS, 1) & LOADED_HIGH))
		return loader_fail(l, -ENOEXEC,
				   "it is a Linux kernel of before 2010: boot protocol %u.%u",
				   i[HDR_VERSION + 1], i[HDR_VERSION]);
	if (!(get(i, HDR_XFLAGS, 2) & XLF_KERNEL_64))
		return loader_fail(l, -ENOEXEC,
				   "it is a Linux kernel without a 64-bit entry point");
	return 0;
}

/* The protected-mode part of the file goes where the kernel prefers to be. */
static int load_kernel(struct loader *l, u64 *at)
{
	u64 setup = get(l->image, HDR_SECTS, 1), init_size = get(l->image, HDR_INIT_SIZE, 4), size;

	setup = ((setup ? setup : 4) + 1) * SECTOR;
	if (setup >= l->size)
		return loader_fail(l, -ENOEXEC,
				   "it is cut short: only its real-mode code is there");
	size = l->size - setup;
	*at = get(l->image, HDR_PREFERRED, 8);
	if (*at < LOADER_HIGH || !IS_ALIGNED(*at, PAGE_SIZE))
		return loader_fail(l, -ENOEXEC, "it wants to be loaded at 0x%llx",
				   (unsigned long long)*at);
	return loader_put(l, *at, l->image + setup, size, MAX(size, init_size));
}

/* As high as the kernel allows, where the kernel that unpacks itself does not come by. */
static int load_initrd(struct loader *l, u8 *params)
{
	u64 last = get(l->image, HDR_INITRD_MAX, 4), at = 0;
	const struct loader_module *m = &l->modules[0];

	if (!l->nr_modules)
		return 0;
	if (l->nr_modules > 1)
		return loader_fail(l, -ENOEXEC,
				   "a Linux kernel takes one module, its initrd, not %u",
				   l->nr_modules);
	if (loader_place_high(l, last + 1, m->size, &at))
		return loader_fail(l, -ENOSPC, "its initrd of %zu MiB does not fit beside it",
				   m->size >> 20);
	memcpy(params + HDR_INITRD, &(u32){(u32)at}, 4);
	memcpy(params + HDR_INITRD + 4, &(u32){(u32)m->size}, 4);
	return loader_put(l, at, m->data, m->size, m->size);
}

static int put_cmdline(struct loader *l)
{
	size_t len = strlen(l->cmdline);
	u64 most = MIN(get(l->image, HDR_CMDLINE_MAX, 4), (u64)CMDLINE_SIZE - 1);

	if (len > most)
		return loader_fail(l, -ENOSPC, "its command line is longer than %llu characters",
				   (unsigned long long)most);
	return loader_put(l, AT_CMDLINE, l->cmdline, len, CMDLINE_SIZE);
}

static void fill_e820(const struct loader *l, u8 *params)
{
	struct memory_map_entry map[LOADER_MAP_MAX];
	u32 n = loader_map(l, map);

	params[PARAMS_E820_ENTRIES] = (u8)n;
	for (u32 i = 0; i < n; i++) {
		u8 *e = params + PARAMS_E820 + i * E820_SIZE;

		memcpy(e, &map[i].addr, 8);
		memcpy(e + 8, &map[i].len, 8);
		memcpy(e + 16, &map[i].type, 4);
	}
}

static int put_params(struct loader *l, u64 rsdp)
{
	static u8 params[PAGE_SIZE]; /* VMs are loaded one after the other */
	u32 end = HDR_MAGIC + l->image[HDR_JUMP_LEN];
	int err;

	memset(params, 0, sizeof(params));
	memcpy(params + HDR_AT, l->image + HDR_AT, MIN(end, (u32)PARAMS_E820) - HDR_AT);
	params[HDR_LOADER] = 0xff;
	memcpy(params + HDR_CMDLINE, &(u32){AT_CMDLINE}, 4);
	memcpy(params + PARAMS_RSDP, &rsdp, 8);
	fill_e820(l, params);
	err = load_initrd(l, params);
	return err ? err : loader_put(l, AT_PARAMS, params, sizeof(params), sizeof(params));
}

/* Four gigabytes, one to one. */
static int put_tables(struct loader *l)
{
	static u64 table[TABLES][PAGE_ENTRIES];

	memset(table, 0, sizeof(table));
	table[0][0] = (AT_TABLES + PAGE_SIZE) | PTE_P | PTE_W;
	for (u64 i = 0; i < 4; i++) {
		table[1][i] = (AT_TABLES + (2 + i) * PAGE_SIZE) | PTE_P | PTE_W;
		for (u64 k = 0; k < PAGE_ENTRIES; k++)
			table[2 + i][k] = (i << 30 | k << 21) | PTE_PS | PTE_P | PTE_W;
	}
	return loader_put(l, AT_TABLES, table, sizeof(table), sizeof(table));
}

/* __BOOT_CS is 10h, __BOOT_DS 18h. */
static int put_gdt(struct loader *l)
{
	static const u64 gdt[] = {0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff};

	return loader_put(l, AT_GDT, gdt, sizeof(gdt), sizeof(gdt));
}

int linux_load(struct loader *l, u64 rsdp, struct linux_entry *entry)
{
	u64 at = 0;
	int err = check_header(l);

	err = err ? err : load_kernel(l, &at);
	err = err ? err : put_cmdline(l);
	err = err ? err : put_params(l, rsdp);
	err = err ? err : put_tables(l);
	err = err ? err : put_gdt(l);
	*entry = (struct linux_entry){
		.rip = at + ENTRY_64, .boot_params = AT_PARAMS, .cr3 = AT_TABLES};
	return err;
}

#define CODE64 0xa9b /* as in a VMCB: P, S, DPL 0, type, L, G */

void linux_entry_state(const struct linux_entry *entry, struct vcpu_state *s)
{
	loader_flat_state(s, entry->rip, 0x10, CODE64);
	s->gpr[RSI] = entry->boot_params;
	s->cr0 = CR0_PG | CR0_NE | CR0_ET | CR0_PE;
	s->cr3 = entry->cr3;
	s->cr4 = CR4_PAE;
	s->efer = EFER_LME | EFER_LMA;
	s->seg[SEG_GDTR] = (struct segment){.base = AT_GDT, .limit = 31};
}

// SPDX-License-Identifier: MIT
/* The Multiboot 1 loader: finds the header, loads the kernel's pieces within strict bounds. */
#include "devices/multiboot1.h"
#include "devices/elf.h"
#include "devices/loader.h"
#include "devices/multiboot1_info.h"
#include "lib/multiboot1.h"
#include "lib/string.h"

static int find_header(struct loader *l, struct multiboot1_header *h, u64 *offset)
{
	u64 end = MIN(l->size, (size_t)MULTIBOOT1_SEARCH);

	/* The three words that are always there; the rest only with MULTIBOOT1_AOUT_KLUDGE. */
	for (u64 at = 0; at + 12 <= end; at += 4) {
		memset(h, 0, sizeof(*h));
		memcpy(h, l->image + at, MIN(sizeof(*h), (size_t)(l->size - at)));
		if (h->magic != MULTIBOOT1_HEADER_MAGIC || h->magic + h->flags + h->checksum)
			continue;
		if ((h->flags & MULTIBOOT1_AOUT_KLUDGE) && l->size - at < sizeof(*h))
			continue;
		*offset = at;
		return 0;
	}
	return loader_fail(l, -ENOEXEC, "it has no Multiboot 1 header in its first %u bytes",
			   MULTIBOOT1_SEARCH);
}

/* Copies @filesz bytes from @offset of the image to @paddr, and zeroes up to @memsz. */
static int load_segment(struct loader *l, u64 paddr, u64 offset, u64 filesz, u64 memsz)
{
	if (offset > l->size || filesz > l->size - offset)
		return loader_fail(l, -ENOEXEC,
				   "it is cut short: %llu bytes at 0x%llx lie outside of the file",
				   (unsigned long long)filesz, (unsigned long long)offset);
	if (filesz > memsz)
		return loader_fail(l, -ENOEXEC,
				   "a part of it is larger in the file than in memory");
	return loader_put(l, paddr, l->image + offset, filesz, memsz);
}

/* Some part that was loaded holds @addr, and 32 bits hold the address. */
static int check_entry(struct loader *l, u64 addr)
{
	for (u32 i = 0; i < l->nr_used; i++)
		if (addr >= l->used[i].start && addr < l->used[i].end && addr <= 0xffffffff)
			return 0;
	return loader_fail(l, -ENOEXEC, "its entry point 0x%llx is not in what it loads",
			   (unsigned long long)addr);
}

/* Where everything goes is said by the Multiboot header, specification 3.1.3. */
static int load_by_header(struct loader *l, const struct multiboot1_header *h, u64 offset,
			  u32 *entry)
{
	u64 before, start, filesz, memsz;
	int err;

	before = (u64)h->header_addr - h->load_addr;
	if (h->load_addr > h->header_addr || before > offset)
		return loader_fail(l, -ENOEXEC, "its Multiboot header has a wrong load address");
	start = offset - before;
	if (h->load_end_addr && h->load_end_addr < h->load_addr)
		return loader_fail(l, -ENOEXEC, "its Multiboot header has a wrong load end");
	filesz = h->load_end_addr ? h->load_end_addr - h->load_addr : l->size - start;
	memsz = filesz;
	if (h->bss_end_addr) {
		if (h->bss_end_addr < h->load_addr + filesz)
			return loader_fail(l, -ENOEXEC, "its Multiboot header has a wrong bss end");
		memsz = h->bss_end_addr - h->load_addr;
	}
	err = load_segment(l, h->load_addr, start, filesz, memsz);
	if (err)
		return err;
	*entry = h->entry_addr;
	return check_entry(l, h->entry_addr);
}

/* An ELF file of either class, reduced to what loading needs. */
struct elf_view {
	bool wide;
	u16 type, machine, phentsize, phnum;
	u64 entry, phoff;
};

static bool elf_open(const struct loader *l, struct elf_view *v)
{
	struct elf32_header h32;
	struct elf64_header h64;

	if (l->size < sizeof(h64) || memcmp(l->image, ELF_MAGIC, 4) ||
	    l->image[ELF_DATA] != ELF_DATA_LITTLE)
		return false;
	memcpy(&h32, l->image, sizeof(h32));
	memcpy(&h64, l->image, sizeof(h64));
	v->wide = l->image[ELF_CLASS] == ELF_CLASS64;
	if (!v->wide && l->image[ELF_CLASS] != ELF_CLASS32)
		return false;
	v->type = h32.type;
	v->machine = h32.machine;
	v->phentsize = v->wide ? h64.phentsize : h32.phentsize;
	v->phnum = v->wide ? h64.phnum : h32.phnum;
	v->entry = v->wide ? h64.entry : h32.entry;
	v->phoff = v->wide ? h64.phoff : h32.phoff;
	return v->type == ELF_TYPE_EXEC &&
	       (v->machine == ELF_MACHINE_386 || v->machine == ELF_MACHINE_X64) &&
	       v->phentsize >=
		       (v->wide ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment));
}

/* Program header @i, widened; false when it lies outside of the file. */
static bool elf_segment(const struct loader *l, const struct elf_view *v, u32 i,
			struct elf64_segment *s)
{
	size_t len = v->wide ? sizeof(struct elf64_segment) : sizeof(struct elf32_segment);
	u64 offset = (u64)i * v->phentsize;
	struct elf32_segment seg32;

	if (v->phoff > l->size || offset + len > l->size - v->phoff)
		return false;
	offset += v->phoff;
	if (v->wide) {
		memcpy(s, l->image + offset, len);
		return true;
	}
	memcpy(&seg32, l->image + offset, len);
	*s = (struct elf64_segment){
		.type = seg32.type,
		.offset = seg32.offset,
		.vaddr = seg32.vaddr,
		.paddr = seg32.paddr,
		.filesz = seg32.filesz,
		.memsz = seg32.memsz,
	};
	return true;
}

/*
 * The entry point is a virtual address; before there is paging the kernel wants to be
 * entered at the physical one. Parts without a virtual address of their own have both alike.
 */
static int load_elf(struct loader *l, u32 *entry)
{
	struct elf_view v;
	struct elf64_segment s;
	u64 start;
	int err;

	if (!elf_open(l, &v))
		return loader_fail(
			l, -ENOEXEC,
			"it is neither an x86 ELF executable nor loadable by its Multiboot header");
	start = v.entry;
	for (u32 i = 0; i < v.phnum; i++) {
		if (!elf_segment(l, &v, i, &s))
			return loader_fail(
				l, -ENOEXEC,
				"it is cut short: program header %u lies outside of the file", i);
		if (s.type != ELF_PT_LOAD || s.memsz == 0)
			continue;
		err = load_segment(l, s.paddr, s.offset, s.filesz, s.memsz);
		if (err)
			return err;
		if (v.entry >= s.vaddr && v.entry - s.vaddr < s.memsz)
			start = v.entry - s.vaddr + s.paddr;
	}
	*entry = (u32)start;
	return check_entry(l, start);
}

int multiboot1_load(struct loader *l, struct multiboot1_entry *entry)
{
	struct multiboot1_header h = {0};
	u64 offset = 0;
	int err;

	err = find_header(l, &h, &offset);
	if (err)
		return err;
	if (h.flags & MULTIBOOT1_VIDEO_MODE)
		return loader_fail(l, -ENOEXEC,
				   "it requires a video mode, and the VM has no screen");
	if (h.flags & MULTIBOOT1_REQUIRED & ~(MULTIBOOT1_PAGE_ALIGN | MULTIBOOT1_MEMORY_INFO))
		return loader_fail(l, -ENOEXEC,
				   "its Multiboot header requires features 0x%x that are not known",
				   h.flags & MULTIBOOT1_REQUIRED);
	if (h.flags & MULTIBOOT1_AOUT_KLUDGE)
		err = load_by_header(l, &h, offset, &entry->eip);
	else
		err = load_elf(l, &entry->eip);
	return err ? err : multiboot1_write_info(l, &entry->info);
}

// SPDX-License-Identifier: MIT
/* Places in the VM's memory, and its map; devices/loader.h. */
#include "devices/loader.h"
#include "kernel/vcpu.h"
#include "lib/printf.h"
#include "lib/string.h"
#include "lib/x86.h"
#include "mmu/guest_mem.h"

/* Attributes: P, S, DPL 0, type, D/B, G in the VMCB's 12 bits. */
#define FLAT_DATA 0xc93
#define BUSY_TSS  0x08b
#define LDT	  0x082

#define MIB(bytes) ((unsigned long long)(bytes) >> 20)

int loader_fail(struct loader *l, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(l->why, l->why_size, fmt, ap);
	va_end(ap);
	return err;
}

static int zero(struct loader *l, u64 at, u64 len)
{
	static const u8 zeroes[PAGE_SIZE];

	while (len) {
		u64 n = MIN(len, (u64)PAGE_SIZE);
		int err = guest_write(l->mmu, (gpa_t){at}, zeroes, n);

		if (err)
			return err;
		at += n;
		len -= n;
	}
	return 0;
}

int loader_put(struct loader *l, u64 gpa, const void *data, u64 filesz, u64 memsz)
{
	if (gpa > l->low || memsz > l->low - gpa)
		return loader_fail(
			l, -ENOSPC, "it wants %llu bytes at 0x%llx, and the VM has %llu MiB",
			(unsigned long long)memsz, (unsigned long long)gpa, MIB(l->low + l->high));
	if (l->nr_used == ARRAY_SIZE(l->used))
		return loader_fail(l, -ENOEXEC, "it has more than %zu parts to load",
				   ARRAY_SIZE(l->used));
	l->used[l->nr_used].start = gpa;
	l->used[l->nr_used++].end = gpa + memsz;
	if ((filesz && guest_write(l->mmu, (gpa_t){gpa}, data, filesz)) ||
	    zero(l, gpa + filesz, memsz - filesz))
		return loader_fail(l, -ENOSPC, "the VM has no memory at 0x%llx",
				   (unsigned long long)gpa);
	return 0;
}

/* What is taken of [start, end), or LOADER_PARTS. */
static u32 in_the_way(const struct loader *l, u64 start, u64 end)
{
	for (u32 i = 0; i < l->nr_used; i++)
		if (start < l->used[i].end && l->used[i].start < end)
			return i;
	return LOADER_PARTS;
}

int loader_place(struct loader *l, u64 from, u64 end, u64 size, u64 *gpa)
{
	u64 at = ALIGN_UP(from, PAGE_SIZE);
	u32 i;

	end = MIN(end, l->low);
	while (at <= end && size <= end - at) {
		i = in_the_way(l, at, at + size);
		if (i == LOADER_PARTS) {
			*gpa = at;
			return 0;
		}
		at = ALIGN_UP(l->used[i].end, PAGE_SIZE);
	}
	return -ENOSPC;
}

int loader_place_high(struct loader *l, u64 end, u64 size, u64 *gpa)
{
	u64 top = MIN(end, l->low);
	u32 i;

	while (size <= top && ALIGN_DOWN(top - size, PAGE_SIZE) >= LOADER_HIGH) {
		u64 at = ALIGN_DOWN(top - size, PAGE_SIZE);

		i = in_the_way(l, at, at + size);
		if (i == LOADER_PARTS) {
			*gpa = at;
			return 0;
		}
		top = l->used[i].start;
	}
	return -ENOSPC;
}

void loader_flat_state(struct vcpu_state *s, u64 rip, u16 code, u16 attrib)
{
	const struct segment data = {
		.limit = 0xffffffff, .selector = (u16)(code + 8), .attrib = FLAT_DATA};

	memset(s->gpr, 0, sizeof(s->gpr));
	s->rip = rip;
	s->rflags = RFLAGS_FIXED;
	for (int i = SEG_ES; i <= SEG_GS; i++)
		s->seg[i] = data;
	s->seg[SEG_CS].selector = code;
	s->seg[SEG_CS].attrib = attrib;
	s->seg[SEG_TR] = (struct segment){.limit = 0x67, .attrib = BUSY_TSS};
	s->seg[SEG_LDTR] = (struct segment){.limit = 0xffff, .attrib = LDT};
	s->cpl = 0;
}

u32 loader_map(const struct loader *l, struct memory_map_entry map[LOADER_MAP_MAX])
{
	u64 low = MIN(l->low, (u64)LOADER_LOW_END);
	u32 n = 0;

	map[n++] = (struct memory_map_entry){0, low, MAP_USABLE};
	map[n++] = (struct memory_map_entry){LOADER_LOW_END, LOADER_HIGH - LOADER_LOW_END,
					     MAP_RESERVED};
	if (l->low > LOADER_HIGH)
		map[n++] = (struct memory_map_entry){LOADER_HIGH, l->low - LOADER_HIGH, MAP_USABLE};
	if (l->high)
		map[n++] = (struct memory_map_entry){LOADER_4G, l->high, MAP_USABLE};
	return n;
}

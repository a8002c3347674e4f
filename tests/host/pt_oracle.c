// SPDX-License-Identifier: MIT
/*
 * What a walk of guest page tables must come to, written from the manuals, format by format. It
 * shares nothing with mmu/pt_format.c and mmu/pt_walk.c.
 */
#include <string.h>

#include "tests/host/pt_oracle.h"

static u64 load(const struct oracle_memory *memory, u64 gpa, int size)
{
	u64 v = 0;

	if (gpa + (u64)size > memory->size)
		return size == 4 ? 0xffffffff : ~0ull;
	memcpy(&v, (const char *)memory->bytes + gpa, (size_t)size);
	return v;
}

static bool ept(const struct pt_mode *m)
{
	return m->fmt->id == PT_FMT_EPT4 || m->fmt->id == PT_FMT_EPT5;
}

static u64 range(int hi, int lo)
{
	u64 v = 0;

	for (int i = lo; i <= hi; i++)
		v |= 1ull << i;
	return v;
}

/* Which bits are reserved; APM 2 figures 5-9 to 5-26, SDM 3A 4.4, 4.5. */
static bool reserved(const struct pt_mode *m, int level, u64 e, bool leaf)
{
	int max = m->maxphyaddr;

	switch (m->fmt->id) {
	case PT_FMT_32:
		if (level == 2 && leaf) { /* PSE-36: bits 20:13 are address 39:32 */
			u64 high = e >> 13 & 0xff;

			return (e & 0x200000) || (max < 40 && high >> (max - 32));
		}
		return false;
	case PT_FMT_PAE:
		if (level == 3)
			/* Bit 5 is reserved, and QEMU sets it: docs/emulators.md. */
			return e & (range(2, 1) | range(8, 6) | range(63, max));
		if ((e & range(62, max)) || (!m->nx && e >> 63))
			return true;
		return level == 2 && leaf && (e & range(20, 13));
	case PT_FMT_LONG4:
	case PT_FMT_LONG5:
		if ((e & range(51, max)) || (!m->nx && e >> 63))
			return true;
		if (level >= 4 || (level == 3 && !m->huge_1g))
			return e & 0x80;
		if (leaf && level == 3)
			return e & range(29, 13);
		if (leaf && level == 2)
			return e & range(20, 13);
		return false;
	default: /* EPT: SDM 3C 28.3.3.1, misconfigurations */
		if ((e & 3) == 2 || (e & range(51, max)))
			return true;
		if (level >= 4 || (level == 3 && !m->huge_1g))
			return e & range(7, 3);
		if (!leaf)
			return e & range(6, 3);
		if ((e >> 3 & 7) == 2 || (e >> 3 & 7) == 3 || (e >> 3 & 7) == 7)
			return true;
		return (level == 3 && (e & range(29, 12))) || (level == 2 && (e & range(20, 12)));
	}
}

static bool maps(const struct pt_mode *m, int level, u64 e)
{
	if (level == 1)
		return true;
	if (!(e & 0x80) || level > 3)
		return false;
	if (m->fmt->id == PT_FMT_32)
		return m->pse;
	if (level == 3)
		return m->fmt->id != PT_FMT_PAE && m->huge_1g;
	return true;
}

static u32 rights(const struct pt_mode *m, int level, u64 e)
{
	u32 r = ACC_READ;

	if (ept(m))
		return (e & 1 ? ACC_READ : 0) | (e & 2 ? ACC_WRITE : 0) | (e & 4 ? ACC_EXEC : 0) |
		       ACC_USER;
	if (m->fmt->id == PT_FMT_PAE && level == 3)
		return ACC_ALL;
	r |= e & 2 ? ACC_WRITE : 0;
	r |= e & 4 ? ACC_USER : 0;
	if (m->fmt->id == PT_FMT_32 || !(m->nx && e >> 63))
		r |= ACC_EXEC;
	return r;
}

bool oracle_allows(const struct pt_mode *m, u32 granted, u32 access)
{
	if (ept(m)) {
		if ((access & ACC_EXEC) ? !(granted & ACC_EXEC) : !(granted & ACC_READ))
			return false;
		return !(access & ACC_WRITE) || (granted & ACC_WRITE);
	}
	if ((access & ACC_USER) && !(granted & ACC_USER))
		return false;
	if ((access & ACC_EXEC) && !(granted & ACC_EXEC))
		return false;
	if (!(access & ACC_WRITE) || (granted & ACC_WRITE))
		return true;
	return !(access & ACC_USER) && !m->wp;
}

bool oracle_address_fits(const struct pt_mode *m, u64 addr)
{
	switch (m->fmt->id) {
	case PT_FMT_32:
	case PT_FMT_PAE:
		return addr < 1ull << 32;
	case PT_FMT_LONG4:
		return addr < 1ull << 48 || addr >= 0xffff000000000000;
	case PT_FMT_LONG5:
		return addr < 1ull << 57 || addr >= 0xfe00000000000000;
	case PT_FMT_EPT4:
		return addr < 1ull << 48;
	default:
		return addr < 1ull << 57;
	}
}

static struct pt_outcome fault(struct pt_outcome o, const struct pt_mode *m, u32 access, int level,
			       u32 why)
{
	o.err = -EFAULT;
	o.level = level;
	o.error = why;
	o.error |= access & ACC_WRITE ? 2 : 0;
	o.error |= access & ACC_USER ? 4 : 0;
	if ((access & ACC_EXEC) && (m->nx || ept(m)))
		o.error |= 16;
	return o;
}

int oracle_levels(const struct pt_mode *m)
{
	static const int levels[] = {2, 3, 4, 5, 4, 5};

	return levels[m->fmt->id];
}

int oracle_entry_size(const struct pt_mode *m)
{
	return m->fmt->id == PT_FMT_32 ? 4 : 8;
}

static int shift_of(const struct pt_mode *m, int level)
{
	return 12 + (m->fmt->id == PT_FMT_32 ? 10 : 9) * (level - 1);
}

u64 oracle_span(const struct pt_mode *m, int level)
{
	return 1ull << shift_of(m, level);
}

u32 oracle_index(const struct pt_mode *m, u64 addr, int level)
{
	if (m->fmt->id == PT_FMT_PAE && level == 3)
		return addr >> 30 & 3;
	return addr >> shift_of(m, level) & (m->fmt->id == PT_FMT_32 ? 1023 : 511);
}

struct oracle_entry oracle_entry(const struct pt_mode *m, int level, u64 e)
{
	struct oracle_entry o = {.leaf = maps(m, level, e)};
	bool legacy = m->fmt->id == PT_FMT_32;

	o.present = ept(m) ? e & 7 : e & 1;
	if (!o.present)
		return o;
	o.malformed = reserved(m, level, e, o.leaf);
	o.access = rights(m, level, e);
	o.addr = legacy ? e & 0xfffff000 : e & range(51, 12);
	if (o.leaf && legacy && level == 2)
		o.addr = (e & 0xffc00000) | (e >> 13 & 0xff) << 32;
	else if (o.leaf)
		o.addr &= ~(oracle_span(m, level) - 1);
	return o;
}

u64 oracle_ad_bits(const struct pt_mode *m, int level, bool leaf, bool write)
{
	if (!m->ad || (m->fmt->id == PT_FMT_PAE && level == 3))
		return 0;
	if (ept(m))
		return leaf && write ? 0x300 : 0x100;
	return leaf && write ? 0x60 : 0x20;
}

struct pt_outcome pt_oracle(const struct pt_mode *m, const struct oracle_memory *memory, u64 root,
			    u64 addr, u32 access)
{
	u64 table = root & (m->fmt->id == PT_FMT_PAE ? range(51, 5) : range(51, 12));
	int size = oracle_entry_size(m), top = oracle_levels(m), level;
	u64 where[PT_MAX_LEVEL + 1], e = 0;
	struct pt_outcome o = {.access = ACC_ALL};
	struct oracle_entry at;

	if (!oracle_address_fits(m, addr))
		return fault(o, m, access, top, 0);
	for (level = top;; level--) {
		where[level] = table + oracle_index(m, addr, level) * (u64)size;
		e = load(memory, where[level], size);
		at = oracle_entry(m, level, e);
		if (!at.present)
			return fault(o, m, access, level, 0);
		if (at.malformed)
			return fault(o, m, access, level, 1 | 8);
		o.access &= at.access;
		if (at.leaf)
			break;
		table = at.addr;
	}
	o.level = level;
	o.gpa = at.addr | (addr & (oracle_span(m, level) - 1));
	if (!oracle_allows(m, o.access, access))
		return fault(o, m, access, level, 1);
	o.dirty = !m->ad || (access & ACC_WRITE) || (e & (ept(m) ? 0x200 : 0x40));
	for (int l = top; l >= level; l--) {
		o.set[l].gpa = where[l];
		o.set[l].bits = oracle_ad_bits(m, l, l == level, access & ACC_WRITE);
	}
	return o;
}

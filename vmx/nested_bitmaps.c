// SPDX-License-Identifier: MIT
/*
 * L1's bitmaps: what of L2's it wants, and the MSR bitmap that L2 runs with. Where L1 names no
 * memory all accesses exit.
 */
#include "vmx/nested_bitmaps.h"
#include "lib/string.h"
#include "mmu/guest_mem.h"
#include "vmx/bitmaps.h"

/* One byte of the page at @page. */
static u8 byte_at(struct vmx_vcpu *vmx, u64 page, u32 offset)
{
	u8 byte;

	if (guest_read(vmx_mmu(vmx), (gpa_t){page + offset}, &byte, sizeof(byte)))
		return 0xff;
	return byte;
}

bool vmx_l1_wants_msr(struct vmx_vcpu *vmx, const struct vmcs12 *v, u32 msr, bool write)
{
	int bit = vmx_msr_bit(msr, write);

	if (!(v->proc_controls & VMX_PROC_MSR_BITMAPS) || bit < 0)
		return true;
	return byte_at(vmx, v->msr_bitmap, (u32)bit / 8) >> bit % 8 & 1;
}

/* A has the ports of the lower half, B the others. */
static u8 io_byte(struct vmx_vcpu *vmx, const struct vmcs12 *v, u32 at)
{
	if (at >= 2 * PAGE_SIZE)
		return 0xff;
	return byte_at(vmx, at < PAGE_SIZE ? v->io_bitmap_a : v->io_bitmap_b, at % PAGE_SIZE);
}

/* 24.6.2: with the bitmaps on, unconditional exiting counts no more. */
bool vmx_l1_wants_io(struct vmx_vcpu *vmx, const struct vmcs12 *v, u16 port, u8 size)
{
	u32 at = port / 8;
	u16 word;

	if (!(v->proc_controls & VMX_PROC_IO_BITMAPS))
		return v->proc_controls & VMX_PROC_IO_ALL;
	word = io_byte(vmx, v, at);
	if (port % 8 + size > 8)
		word |= (u16)(io_byte(vmx, v, at + 1) << 8);
	return vmx_io_wants(word, port, size);
}

void vmx_msr_map_init(struct vmx_msr_map *m, const u64 *l0)
{
	m->nr = 0;
	for (u32 i = 0; i < VMX_MSR_BITMAP_WORDS; i++) {
		if (~l0[i] && m->nr < VMX_MSR_MAP_OPEN)
			m->open[m->nr++] = (u16)i;
	}
	m->l0 = l0;
}

void vmx_msr_map_merge(const struct vmx_msr_map *m, struct vmx_vcpu *vmx, const struct vmcs12 *v,
		       u64 *to)
{
	gfn_t gfn = {v->msr_bitmap / PAGE_SIZE};
	const u64 *l1 = NULL;

	if (v->proc_controls & VMX_PROC_MSR_BITMAPS)
		l1 = guest_page_read(vmx_mmu(vmx), gfn);
	for (u32 i = 0; i < m->nr; i++) {
		u32 at = m->open[i];

		to[at] = l1 ? m->l0[at] | __atomic_load_n(&l1[at], __ATOMIC_RELAXED) : ~0ull;
	}
}

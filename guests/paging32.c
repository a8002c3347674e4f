// SPDX-License-Identifier: MIT
/*
 * Paging of the 32-bit kernels. They lie one to one in every mode, so that any may follow any
 * other; in long mode they run as compatibility mode code, and take no interrupts there.
 */
#include "guests/guest.h"
#include "guests/paging.h"

static struct npt own[NPT_MODES];

static bool long_mode(enum npt_mode mode)
{
	return mode >= NPT_LONG4;
}

const struct npt_format *paging_format(void)
{
	u64 cr4 = read_cr4();

	if (rdmsr(MSR_EFER) & EFER_LMA)
		return &npt_formats[cr4 & CR4_LA57 ? NPT_LONG5 : NPT_LONG4];
	if (cr4 & CR4_PAE)
		return &npt_formats[NPT_PAE];
	return &npt_formats[cr4 & CR4_PSE ? NPT_PSE : NPT_32];
}

bool paging_possible(enum npt_mode mode)
{
	return mode != NPT_LONG5 || cpuid(CPUID_EXT_FEATURES, 0).ecx & CPUID_7_ECX_LA57;
}

static void make_tables(enum npt_mode mode)
{
	struct npt *npt = &own[mode];
	int level = npt_formats[mode].leaf_level > 1 ? 2 : 1;

	npt_init_format(npt, &npt_formats[mode]);
	npt_map(npt, 0, 0, ALIGN_UP(memory_end, npt_size(npt, level)), level, PTE_P | PTE_W);
}

void paging_enter(enum npt_mode mode)
{
	u64 cr4 = read_cr4() & ~(CR4_PSE | CR4_PAE | CR4_LA57);
	u64 efer = rdmsr(MSR_EFER) & ~EFER_LME;

	if (!own[mode].root)
		make_tables(mode);
	if (mode == NPT_PSE)
		cr4 |= CR4_PSE;
	if (mode >= NPT_PAE)
		cr4 |= CR4_PAE;
	if (mode == NPT_LONG5)
		cr4 |= CR4_LA57;
	if (long_mode(mode))
		efer |= EFER_LME;
	/* Without paging all of it may change, APM 2 14.6. */
	write_cr0(read_cr0() & ~CR0_PG);
	wrmsr(MSR_EFER, efer);
	write_cr4(cr4);
	write_cr3((u64)own[mode].root);
	write_cr0(read_cr0() | CR0_PG);
}

void paging_init(void)
{
	static const char *const names[] = {"32", "pse", "pae", NULL};

	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE | EFER_NXE);
	paging_enter(option_choice("npt", names));
}

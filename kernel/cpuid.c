// SPDX-License-Identifier: MIT
/*
 * What a guest sees in CPUID: what the processor has, masked by what Cleave virtualizes (or
 * needs not to). A feature that nobody has thought about stays hidden. Read once at boot, as
 * CPUID itself is slow where L0 is somebody's guest.
 */
#include "kernel/cpu.h"
#include "kernel/exits.h"
#include "kernel/vendor.h"
#include "lib/string.h"

#define ALL 0xffffffffu

/* Leaf 1 */
#define ECX1_SSE3	  BIT(0)
#define ECX1_PCLMUL	  BIT(1)
#define ECX1_SSSE3	  BIT(9)
#define ECX1_FMA	  BIT(12)
#define ECX1_SSE41	  BIT(19)
#define ECX1_SSE42	  BIT(20)
#define ECX1_MOVBE	  BIT(22)
#define ECX1_X2APIC	  BIT(21)
#define ECX1_POPCNT	  BIT(23)
#define ECX1_TSC_DEADLINE BIT(24)
#define ECX1_AES	  BIT(25)
#define ECX1_AVX	  BIT(28)
#define ECX1_F16C	  BIT(29)
#define ECX1_OFFERED                                                                       \
	(ECX1_SSE3 | ECX1_PCLMUL | ECX1_SSSE3 | ECX1_FMA | CPUID_1_ECX_CX16 | ECX1_SSE41 | \
	 ECX1_SSE42 | ECX1_MOVBE | ECX1_POPCNT | ECX1_AES | CPUID_1_ECX_XSAVE | ECX1_AVX | \
	 ECX1_F16C | CPUID_1_ECX_RDRAND)
/* FPU VME DE PSE TSC MSR PAE CX8 APIC; SEP MTRR PGE; CMOV PAT PSE36 CLFSH; MMX FXSR SSE SSE2. No
 * MCE, MCA (no banks), HTT (one thread for each package). */
#define EDX1_OFFERED                                                                   \
	(GENMASK(6, 0) | GENMASK(9, 8) | GENMASK(13, 11) | GENMASK(17, 15) | BIT(19) | \
	 GENMASK(26, 23))
#define EBX1_CLFLUSH GENMASK(15, 8)

/* Leaf 7: BMI1 AVX2 BMI2 ERMS ADX RDSEED CLFLUSHOPT CLWB SHA besides the named ones */
#define EBX7_OFFERED                                                                             \
	(CPUID_7_EBX_FSGSBASE | BIT(3) | BIT(5) | CPUID_7_EBX_SMEP | BIT(8) | BIT(9) | BIT(18) | \
	 BIT(19) | CPUID_7_EBX_SMAP | BIT(23) | BIT(24) | BIT(29))
/* LA57 is the vendor's to offer: L1's nested tables may have as many levels as its own. */
#define ECX7_OFFERED CPUID_7_ECX_UMIP
#define EDX7_OFFERED BIT(4) /* fast short REP MOVSB */

/* 8000_0001: LAHF ALTMOVCR8 ABM SSE4A MISALIGNSSE 3DNOWPREFETCH */
#define ECX81_OFFERED (BIT(0) | GENMASK(8, 4))
/* As leaf 1's, and SYSCALL NX MMXEXT FFXSR 1G RDTSCP LM */
#define EDX81_OFFERED                                                                            \
	(GENMASK(6, 0) | GENMASK(9, 8) | GENMASK(13, 11) | GENMASK(17, 15) | CPUID_EXT1_EDX_NX | \
	 GENMASK(27, 22) | CPUID_EXT1_EDX_LM)

static const struct cpuid_rule {
	u32 leaf, index;
	bool indexed; /* ECX chooses */
	u32 mask[4];  /* eax, ebx, ecx, edx */
} rules[] = {
	{CPUID_VENDOR, 0, false, {ALL, ALL, ALL, ALL}},
	{CPUID_FEATURES, 0, false, {ALL, EBX1_CLFLUSH, ECX1_OFFERED, EDX1_OFFERED}},
	{CPUID_EXT_FEATURES, 0, true, {0, EBX7_OFFERED, ECX7_OFFERED, EDX7_OFFERED}},
	/* EBX and ECX are sizes; they are computed. XSAVEOPT, XSAVEC, XGETBV1; no XSAVES. */
	{CPUID_XSAVE, 0, true, {XCR0_X87 | XCR0_SSE | XCR0_AVX, 0, 0, 0}},
	{CPUID_XSAVE, 1, true, {GENMASK(2, 0), 0, 0, 0}},
	{CPUID_XSAVE, 2, true, {ALL, ALL, 0, 0}},
	{CPUID_EXT_MAX, 0, false, {ALL, ALL, ALL, ALL}},
	{CPUID_EXT1, 0, false, {ALL, 0, ECX81_OFFERED, EDX81_OFFERED}},
	{CPUID_BRAND_FIRST, 0, false, {ALL, ALL, ALL, ALL}},
	{CPUID_BRAND_FIRST + 1, 0, false, {ALL, ALL, ALL, ALL}},
	{CPUID_BRAND_FIRST + 2, 0, false, {ALL, ALL, ALL, ALL}},
	{0x80000005, 0, false, {ALL, ALL, ALL, ALL}}, /* caches and TLBs */
	{0x80000006, 0, false, {ALL, ALL, ALL, ALL}},
	{CPUID_EXT7, 0, false, {0, 0, 0, CPUID_EXT7_EDX_INVARIANT_TSC}},
	{CPUID_EXT8, 0, false, {0xffff, 0, 0, 0}},   /* address widths; one core */
	{CPUID_SVM, 0, false, {ALL, ALL, ALL, ALL}}, /* the vendor's, see below */
};

static u32 values[ARRAY_SIZE(rules)][4];
/* Which rule a leaf's first one is, from leaf 0 and from 8000_0000 on. 0: none, else one more. */
#define ROW_LEAVES 16u
static u8 rows[2][ROW_LEAVES];
static u64 xcr0_mask;

#define XSAVE_LEGACY_SIZE 576 /* legacy area and header */
#define XSAVE_AVX_SIZE	  832

static void read_rule(u32 i)
{
	struct cpuid c = cpuid(rules[i].leaf, rules[i].index);
	u32 r[4] = {c.eax, c.ebx, c.ecx, c.edx};

	for (int k = 0; k < 4; k++)
		values[i][k] = r[k] & rules[i].mask[k];
}

static u8 *row_of(u32 leaf)
{
	u32 n = leaf & ~CPUID_EXT_MAX;

	return n < ROW_LEAVES ? &rows[leaf >> 31][n] : NULL;
}

static u32 *value_of(u32 leaf)
{
	return values[*row_of(leaf) - 1];
}

void cpuid_init(void)
{
	u32 max = cpuid(0, 0).eax, max_ext = cpuid(CPUID_EXT_MAX, 0).eax;

	for (u32 i = ARRAY_SIZE(rules); i-- > 0;) {
		*row_of(rules[i].leaf) = (u8)(i + 1);
		/* A leaf above the processor's own maximum reads as another one. */
		if (rules[i].leaf <= (rules[i].leaf < CPUID_EXT_MAX ? max : max_ext))
			read_rule(i);
	}
	value_of(CPUID_VENDOR)[0] = MIN(max, (u32)CPUID_XSAVE);
	value_of(CPUID_EXT_MAX)[0] = MIN(max_ext, (u32)CPUID_SVM);
	/* The local APIC is ours, and has these whatever the processor's own has. */
	value_of(CPUID_FEATURES)[2] |= ECX1_X2APIC | ECX1_TSC_DEADLINE | CPUID_1_ECX_HYPERVISOR;
	/* 57 bits of linear address come with LA57 only. */
	if (value_of(CPUID_EXT8)[0] >> 8 > 48)
		value_of(CPUID_EXT8)[0] = (value_of(CPUID_EXT8)[0] & 0xff) | 48 << 8;
	if (value_of(CPUID_FEATURES)[2] & CPUID_1_ECX_XSAVE)
		xcr0_mask = value_of(CPUID_XSAVE)[0];
	else
		memset(value_of(CPUID_XSAVE), 0, sizeof(values[0]));
}

u64 cpuid_xcr0_mask(void)
{
	return xcr0_mask;
}

static void hypervisor_leaf(u32 r[4])
{
	r[0] = CPUID_HYPERVISOR;
	memcpy(&r[1], "CleaveCleave", 12);
}

/* Sizes of the XSAVE area: for the XCR0 that is set now, and for all that may be set. */
static void xsave_sizes(u32 r[4])
{
	if (!xcr0_mask)
		return;
	r[1] = xgetbv(0) & XCR0_AVX ? XSAVE_AVX_SIZE : XSAVE_LEGACY_SIZE;
	r[2] = xcr0_mask & XCR0_AVX ? XSAVE_AVX_SIZE : XSAVE_LEGACY_SIZE;
}

/* The rules of one leaf stand together, and those of an indexed one from index 0 on. */
static const u32 *find_values(u32 leaf, u32 index)
{
	static const u32 nothing[4];
	const u8 *row = row_of(leaf);
	u32 i;

	if (!row || !*row)
		return nothing;
	i = *row - 1;
	if (!rules[i].indexed)
		return values[i];
	i += index;
	return index < ARRAY_SIZE(rules) && i < ARRAY_SIZE(rules) && rules[i].leaf == leaf
		       ? values[i]
		       : nothing;
}

void cpuid_read(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4])
{
	const u32 *v = find_values(leaf, index);

	for (int i = 0; i < 4; i++)
		r[i] = v[i];
	if (leaf == CPUID_HYPERVISOR)
		hypervisor_leaf(r);
	else if (leaf == CPUID_XSAVE && index == 0)
		xsave_sizes(r);
	else if (leaf == CPUID_FEATURES)
		r[1] |= (u32)vcpu->id << 24;
	/* What depends on the vendor: SVM, VMX and their leaves; OSXSAVE, which mirrors CR4. */
	vendor->cpuid(vcpu, leaf, index, r);
}

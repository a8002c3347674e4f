// SPDX-License-Identifier: MIT
/*
 * RDMSR and WRMSR of what neither vendor keeps. Each MSR that is known stands in the table with
 * the reason for its behaviour; all others are #GP, as on a processor that does not have them.
 */
#include "kernel/exits.h"
#include "kernel/platform.h"
#include "kernel/trace.h"
#include "kernel/vendor.h"
#include "lib/x86.h"

#define MSR_AMD_SYSCFG	     0xc0010010
#define MSR_AMD_HWCR	     0xc0010015
#define MSR_AMD_TOP_MEM2     0xc001001d
#define MSR_AMD_INT_PENDING  0xc0010055
#define MSR_AMD_DE_CFG	     0xc0011029
#define MTRR_DEF_WRITE_BACK  0x806	 /* enabled, no fixed ranges, all memory write-back */
#define MTRR_DEF_RESERVED    (~0x8ffull) /* with the fixed ranges' bit, as MTRRCAP has none */
#define MTRR_TYPES	     0x73	 /* UC, WC, WT, WP, WB, by number (SDM 3A 11.11.2.1) */
#define DE_CFG_LFENCE_SERIAL 0x2

enum msr_write_rule {
	WRITE_GP,     /* read-only */
	WRITE_IGNORE, /* the value has no meaning here */
	WRITE_SAME,   /* only the value that is read may be written */
	WRITE_MTRR, /* any type that there is: kernels switch MTRRs off for a while and on again */
};

static const struct msr_rule {
	u32 index;
	enum msr_write_rule write;
	u64 value; /* what is read */
	const char *why;
} rules[] = {
	{MSR_BIOS_SIGN_ID, WRITE_IGNORE, 0, "microcode revision: there is none to load"},
	{MSR_MTRRCAP, WRITE_GP, 0, "CPUID offers MTRR, but no ranges: nested paging decides"},
	{MSR_MTRR_DEF_TYPE, WRITE_MTRR, MTRR_DEF_WRITE_BACK, "all memory is write-back"},
	{MSR_AMD_SYSCFG, WRITE_GP, 0, "no MTRR extensions, no memory encryption"},
	{MSR_AMD_HWCR, WRITE_IGNORE, 0, "kernels set errata bits in it"},
	{MSR_AMD_TOP_MEM2, WRITE_GP, 0, "no memory ranges of the northbridge"},
	{MSR_AMD_INT_PENDING, WRITE_IGNORE, 0, "C1E: kernels read it to switch it off"},
	{MSR_AMD_DE_CFG, WRITE_SAME, DE_CFG_LFENCE_SERIAL, "LFENCE serializes; kernels check it"},
};

/*
 * SPEC_CTRL, PRED_CMD, ARCH_CAPABILITIES, MCG_*, PERF_*, XSS belong to features that CPUID does not
 * offer: #GP, without a line here.
 */
static const struct msr_rule *find(u32 index)
{
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (rules[i].index == index)
			return &rules[i];
	return NULL;
}

int msr_read(struct vcpu *vcpu, u32 index, u64 *val)
{
	const struct msr_rule *rule;
	int err = vendor->msr_read(vcpu, index, val);

	if (err == -ENOENT)
		err = platform_msr_read(vcpu, index, val);
	if (err != -ENOENT)
		return err ? -EINVAL : 0;
	rule = find(index);
	if (!rule) {
		trace(msr_unknown, index, 0, 0, vcpu->rip);
		return -EINVAL;
	}
	*val = rule->value;
	return 0;
}

static bool may_write(const struct msr_rule *rule, u64 val)
{
	switch (rule->write) {
	case WRITE_IGNORE:
		return true;
	case WRITE_SAME:
		return val == rule->value;
	case WRITE_MTRR:
		return !(val & MTRR_DEF_RESERVED) && (val & 0xff) < 8 &&
		       MTRR_TYPES >> (val & 0xff) & 1;
	default:
		return false;
	}
}

int msr_write(struct vcpu *vcpu, u32 index, u64 val)
{
	const struct msr_rule *rule;
	int err = vendor->msr_write(vcpu, index, val);

	if (err == -ENOENT)
		err = platform_msr_write(vcpu, index, val);
	if (err != -ENOENT)
		return err ? -EINVAL : 0;
	rule = find(index);
	if (rule && may_write(rule, val))
		return 0;
	trace(msr_unknown, index, 1, val, vcpu->rip);
	return -EINVAL;
}

// SPDX-License-Identifier: MIT
/* What every processor is set to, and what CPUID says about it. */
#include "kernel/cpu.h"
#include "kernel/shutdown.h"
#include "lib/string.h"

static u32 extended_max(void)
{
	return cpuid(CPUID_EXT_MAX, 0).eax;
}

void cpu_init(void)
{
	struct cpuid ext = cpuid(CPUID_EXT1, 0);
	u64 cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;

	if (!(ext.edx & CPUID_EXT1_EDX_NX))
		machine_refuse(
			"the processor cannot forbid execution (NX); the firmware may have it "
			"switched off");
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_NXE);
	write_cr0(CR0_PE | CR0_MP | CR0_ET | CR0_NE | CR0_WP | CR0_PG);
	if (cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE)
		cr4 |= CR4_OSXSAVE;
	write_cr4(cr4);
}

void cpu_vendor(char name[13])
{
	struct cpuid c = cpuid(CPUID_VENDOR, 0);

	memcpy(name, &c.ebx, 4);
	memcpy(name + 4, &c.edx, 4);
	memcpy(name + 8, &c.ecx, 4);
	name[12] = '\0';
}

void cpu_brand(char name[49])
{
	char *start = name;

	memset(name, 0, 49);
	if (extended_max() < CPUID_BRAND_FIRST + 2) {
		memcpy(name, "unknown", 8);
		return;
	}
	for (u32 i = 0; i < 3; i++) {
		struct cpuid c = cpuid(CPUID_BRAND_FIRST + i, 0);

		memcpy(name + 16 * i, &c, 16);
	}
	/* Some brands are padded, in front or behind. */
	while (*start == ' ')
		start++;
	memmove(name, start, strlen(start) + 1);
	for (size_t n = strlen(name); n > 0 && name[n - 1] == ' '; n--)
		name[n - 1] = '\0';
}

u32 cpu_physical_bits(void)
{
	if (extended_max() < CPUID_EXT8)
		return 36;
	return cpuid(CPUID_EXT8, 0).eax & 0xff;
}

bool cpu_has_1g_pages(void)
{
	return cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_1G_PAGES;
}

// SPDX-License-Identifier: MIT
/* Saving and loading what XSAVE knows, and what may be loaded. */
#include "kernel/fpu.h"
#include "kernel/cpu.h"
#include "kernel/vcpu.h"
#include "lib/string.h"

/* XCR0's bits that Cleave knows how to check, SDM 1 13.1. */
#define XCR0_BNDREGS BIT(3)
#define XCR0_BNDCSR  BIT(4)
#define XCR0_AVX512  (BIT(5) | BIT(6) | BIT(7))
#define XCR0_PKRU    BIT(9)
#define XCR0_KNOWN \
	(XCR0_X87 | XCR0_SSE | XCR0_AVX | XCR0_BNDREGS | XCR0_BNDCSR | XCR0_AVX512 | XCR0_PKRU)

/* The legacy area and the XSAVE header, SDM 1 13.4. */
#define FPU_MXCSR	24
#define FPU_MXCSR_MASK	28
#define FPU_XSTATE_BV	512
#define FPU_HEADER_REST 520 /* XCOMP_BV and reserved bytes: zero in the standard format */
#define FPU_HEADER_END	576
#define MXCSR_MASK_OLD	0xffbfu

struct fpu_host fpu_host;

/*
 * AMD's processors save and restore the x87's last instruction and operand pointers only while an
 * exception is pending (APM 5, FXSAVE): without this the vCPU would see those of the one before it.
 * Loading a constant makes them L0's own.
 */
static void fpu_forget_pointers(void)
{
	static const u32 zero;

	__asm__ volatile("fnclex\n\temms\n\tfildl %0" : : "m"(zero));
}

void fpu_save(void *area, u64 *xcr0)
{
	if (!fpu_host.xsave) {
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
		return;
	}
	*xcr0 = xgetbv(0);
	xsetbv(0, fpu_host.xcr0);
	__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	xsetbv(0, *xcr0);
}

void fpu_load(const void *area, u64 xcr0)
{
	fpu_forget_pointers();
	if (!fpu_host.xsave) {
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
		return;
	}
	xsetbv(0, fpu_host.xcr0);
	__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	xsetbv(0, xcr0);
}

static u64 xcr0_probe(void)
{
	struct cpuid r = cpuid(CPUID_XSAVE, 0);
	u64 mask = ((u64)r.edx << 32 | r.eax) & XCR0_KNOWN;

	for (u32 i = 2; i < 10; i++) {
		r = cpuid(CPUID_XSAVE, i);
		if (r.eax + r.ebx > VCPU_FPU_SIZE)
			mask &= ~BIT(i);
	}
	return mask;
}

void fpu_probe(void)
{
	static u8 area[VCPU_FPU_SIZE] __aligned(64);
	u32 mask;

	fpu_host.xsave = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE;
	fpu_host.xcr0 = fpu_host.xsave ? xcr0_probe() : XCR0_X87;
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	memcpy(&mask, area + FPU_MXCSR_MASK, sizeof(mask));
	fpu_host.mxcsr_mask = mask ? mask : MXCSR_MASK_OLD;
}

int xcr0_check(u64 xcr0)
{
	if (!fpu_host.xsave)
		return xcr0 == XCR0_X87 ? 0 : -EINVAL;
	if (!(xcr0 & XCR0_X87) || xcr0 & ~fpu_host.xcr0)
		return -EINVAL;
	if (xcr0 & XCR0_AVX && !(xcr0 & XCR0_SSE))
		return -EINVAL;
	if (xcr0 & XCR0_AVX512 && ((xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(xcr0 & XCR0_AVX)))
		return -EINVAL;
	if (!(xcr0 & XCR0_BNDREGS) != !(xcr0 & XCR0_BNDCSR))
		return -EINVAL;
	return 0;
}

int fpu_check(const u8 *area)
{
	u64 xstate_bv;
	u32 mxcsr;

	memcpy(&mxcsr, area + FPU_MXCSR, sizeof(mxcsr));
	if (mxcsr & ~fpu_host.mxcsr_mask)
		return -EINVAL;
	if (!fpu_host.xsave)
		return 0;
	memcpy(&xstate_bv, area + FPU_XSTATE_BV, sizeof(xstate_bv));
	if (xstate_bv & ~fpu_host.xcr0)
		return -EINVAL;
	for (u32 i = FPU_HEADER_REST; i < FPU_HEADER_END; i++) {
		if (area[i])
			return -EINVAL;
	}
	return 0;
}

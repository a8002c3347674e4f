// SPDX-License-Identifier: MIT
/*
 * Registers that VMRUN does not switch and L0 does not use: FPU, XCR0, DR0 to DR3, TSC_AUX. A
 * guest's stay where they are until another vCPU takes the CPU.
 *
 * XCR0 is never tracked but read when it matters: emulators do not intercept XSETBV.
 */
#include "kernel/cpu.h"
#include "lib/assert.h"
#include "lib/string.h"
#include "svm/svm.h"

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

static void fpu_save(void *area)
{
	if (svm_host.xsave)
		__asm__ volatile("xsave64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
}

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

static void fpu_restore(const void *area)
{
	fpu_forget_pointers();
	if (svm_host.xsave)
		__asm__ volatile("xrstor64 (%0)" : : "r"(area), "a"(~0u), "d"(~0u) : "memory");
	else
		__asm__ volatile("fxrstor64 (%0)" : : "r"(area) : "memory");
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

void svm_fpu_probe(void)
{
	static u8 area[VCPU_FPU_SIZE] __aligned(64);
	u32 mask;

	svm_host.xsave = cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE;
	svm_host.xcr0 = svm_host.xsave ? xcr0_probe() : XCR0_X87;
	__asm__ volatile("fxsave64 (%0)" : : "r"(area) : "memory");
	memcpy(&mask, area + FPU_MXCSR_MASK, sizeof(mask));
	svm_host.mxcsr_mask = mask ? mask : MXCSR_MASK_OLD;
}

int svm_xcr0_check(u64 xcr0)
{
	if (!svm_host.xsave)
		return xcr0 == XCR0_X87 ? 0 : -EINVAL;
	if (!(xcr0 & XCR0_X87) || xcr0 & ~svm_host.xcr0)
		return -EINVAL;
	if (xcr0 & XCR0_AVX && !(xcr0 & XCR0_SSE))
		return -EINVAL;
	if (xcr0 & XCR0_AVX512 && ((xcr0 & XCR0_AVX512) != XCR0_AVX512 || !(xcr0 & XCR0_AVX)))
		return -EINVAL;
	if (!(xcr0 & XCR0_BNDREGS) != !(xcr0 & XCR0_BNDCSR))
		return -EINVAL;
	return 0;
}

int svm_fpu_check(const u8 *fpu)
{
	u64 xstate_bv;
	u32 mxcsr;

	memcpy(&mxcsr, fpu + FPU_MXCSR, sizeof(mxcsr));
	if (mxcsr & ~svm_host.mxcsr_mask)
		return -EINVAL;
	if (!svm_host.xsave)
		return 0;
	memcpy(&xstate_bv, fpu + FPU_XSTATE_BV, sizeof(xstate_bv));
	if (xstate_bv & ~svm_host.xcr0)
		return -EINVAL;
	for (u32 i = FPU_HEADER_REST; i < FPU_HEADER_END; i++) {
		if (fpu[i])
			return -EINVAL;
	}
	return 0;
}

void svm_cpu_save(struct svm_vcpu *svm)
{
	if (svm_cpus[this_cpu()->id].owner != svm)
		return;
	if (svm_host.xsave) {
		svm->xcr0 = xgetbv(0);
		xsetbv(0, svm_host.xcr0);
	}
	fpu_save(svm->vcpu.fpu);
	if (svm_host.xsave)
		xsetbv(0, svm->xcr0);
	svm->dr[0] = read_dr0();
	svm->dr[1] = read_dr1();
	svm->dr[2] = read_dr2();
	svm->dr[3] = read_dr3();
	if (svm_host.tsc_aux)
		svm->tsc_aux = rdmsr(MSR_TSC_AUX);
}

void svm_cpu_release(struct svm_vcpu *svm)
{
	struct svm_cpu *cpu = &svm_cpus[this_cpu()->id];

	if (cpu->owner != svm)
		return;
	svm_cpu_save(svm);
	cpu->owner = NULL;
}

void svm_cpu_take(struct svm_cpu *cpu, struct svm_vcpu *svm)
{
	if (cpu->owner)
		svm_cpu_release(cpu->owner);
	if (svm_host.xsave)
		xsetbv(0, svm_host.xcr0);
	fpu_restore(svm->vcpu.fpu);
	if (svm_host.xsave)
		xsetbv(0, svm->xcr0);
	write_dr0(svm->dr[0]);
	write_dr1(svm->dr[1]);
	write_dr2(svm->dr[2]);
	write_dr3(svm->dr[3]);
	if (svm_host.tsc_aux)
		wrmsr(MSR_TSC_AUX, svm->tsc_aux);
	cpu->owner = svm;
}

// SPDX-License-Identifier: MIT
/* L2's regular exits to L1, each with a check of its result, and of what must not change. */
#include "guests/fpu.h"
#include "guests/history.h"
#include "guests/l2.h"
#include "lib/string.h"

#define COUNTS_EVERY 3 /* cycles */

u64 l2_checks;

u64 l2_check_registers(u64 pattern, u64 hypercall);

static const u32 own_msrs[] = {
	MSR_STAR,    MSR_LSTAR,	       MSR_CSTAR,	 MSR_KERNEL_GS_BASE, MSR_FS_BASE,
	MSR_GS_BASE, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_SYSENTER_CS,    MSR_SFMASK,
};

static u64 cycle;
static u64 fpu_pattern;
static u64 exceptions;
static u64 timers;

/* A value that every one of them takes: a canonical address of at most 32 bits. */
static u64 msr_pattern(u32 msr)
{
	/* SYSENTER_CS keeps 16 bits, the bases must be canonical. */
	return history_mix(l2_params->seed + msr) & (msr == MSR_SYSENTER_CS ? 0xffff : 0x7fffffff);
}

static void check_cpuid(void)
{
	struct cpuid c = cpuid(CPUID_HYPERVISOR, 0);

	if (c.ebx != 0x61656c43 || c.ecx != 0x4c206576 || c.edx != 0x31)
		die("CPUID 4000_0000 is not L1's");
	c = cpuid(CPUID_FEATURES, 0);
	if (!(c.ecx & CPUID_1_ECX_HYPERVISOR))
		die("CPUID 1 does not show a hypervisor");
	if (c.ecx & CPUID_1_ECX_VMX || cpuid(CPUID_EXT1, 0).ecx & CPUID_EXT1_ECX_SVM)
		die("CPUID shows VMX or SVM, which L1 hides");
}

static void check_registers(void)
{
	u64 bad = l2_check_registers(history_mix(cycle), HC_NOP);

	if (bad)
		die("registers changed across a hypercall (0x%lx)", bad);
}

static void check_msr_intercepted(void)
{
	u64 v;

	if (try_rdmsr(L2_MSR_PRESENT, &v) != CPU_NO_EXCEPTION || v != L2_MSR_PRESENT_VALUE)
		die("RDMSR 0x%x gave 0x%lx, not L1's answer", L2_MSR_PRESENT, v);
}

static void check_injected_gp(void)
{
	u64 v;

	if (try_rdmsr(L2_MSR_ABSENT, &v) != EXC_GP || cpu_exception.error)
		die("RDMSR of an MSR that L1 does not have: vector %d error 0x%x",
		    (int)cpu_exception.vector, cpu_exception.error);
	exceptions++;
}

static void check_injected_ud(void)
{
	u32 vector = l2_params->vmx ? TRY("vmxoff", ::
						  : "memory")
				    : TRY("vmrun %0", ::"a"(0ul)
					  : "memory");

	if (vector != EXC_UD)
		die("VMRUN or VMXOFF in L2: vector %d", (int)vector);
	exceptions++;
}

static void check_msrs(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		if (rdmsr(own_msrs[i]) != msr_pattern(own_msrs[i]))
			die("MSR 0x%x changed to 0x%lx", own_msrs[i], rdmsr(own_msrs[i]));
}

/* A port that L1 lets through: the byte is kept by the UART below L1. */
static void check_scratch(void)
{
	outb(L2_PORT_SCRATCH, (u8)cycle);
	outb(L2_PORT_PROGRESS, (u8)cycle);
	if (inb(L2_PORT_SCRATCH) != (u8)cycle)
		die("the UART's scratch register lost 0x%x", (u8)cycle);
}

static void check_fpu(void)
{
	const char *bad = fpu_check_l2(fpu_pattern);

	if (bad)
		die("%s changed", bad);
	fpu_pattern = history_mix(fpu_pattern) >> 2;
	fpu_set_l2(fpu_pattern);
}

void l2_check_counts(void)
{
	l2_hypercall(HC_COUNTS, cpu_interrupts[L2_VECTOR_EVENT], cpu_interrupts[L2_VECTOR_VIRQ],
		     cpu_interrupts[L2_VECTOR_TIMER], exceptions);
	if (cpu_exception.count != exceptions)
		die("%lu exceptions came, %lu were expected", cpu_exception.count, exceptions);
}

void l2_checks_init(void)
{
	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		wrmsr(own_msrs[i], msr_pattern(own_msrs[i]));
	fpu_pattern = history_mix(l2_params->seed) >> 2;
	fpu_set_l2(fpu_pattern);
}

void l2_check_next(void)
{
	static void (*const checks[])(void) = {
		check_cpuid,	   check_registers, check_msr_intercepted, check_injected_gp,
		check_injected_ud, check_msrs,	    check_scratch,	   check_fpu,
	};

	checks[cycle % ARRAY_SIZE(checks)]();
	if (cycle % (COUNTS_EVERY * ARRAY_SIZE(checks)) == 0)
		l2_check_counts();
	cycle++;
	l2_checks++;
}

void l2_wait_timer(u64 microseconds)
{
	timers++;
	l2_hypercall(HC_TIMER, microseconds, 0, 0, 0);
	interrupts_off();
	while (cpu_interrupts[L2_VECTOR_TIMER] < timers) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	if (cpu_interrupts[L2_VECTOR_TIMER] != timers)
		die("%lu timer interrupts came, %lu were asked for",
		    cpu_interrupts[L2_VECTOR_TIMER], timers);
	interrupts_on();
	l2_checks++;
}

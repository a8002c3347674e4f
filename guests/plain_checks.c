// SPDX-License-Identifier: MIT
/* What the processor does where L0 makes it up, or must stay out of the way: one check for each. */
#include "guests/fpu.h"
#include "guests/history.h"
#include "guests/l1.h"
#include "guests/plain.h"
#include "lib/string.h"

#define NONE		CPU_NO_EXCEPTION
#define PORT_NOBODY	0x5a0
#define MSR_NOBODY	0xc0dec0de
#define NOWHERE		0xf0000000ul /* mapped by boot.S; no memory */
#define HYPERCALL_ERROR ((u64)-1000)
#define TIMER_US	200
#define DR6_B0		BIT(0)
#define DR6_BS		BIT(14)
#define DR7_L0		BIT(0) /* an execution breakpoint in DR0 */

u64 plain_checks;

static u64 pattern;

static const u32 own_msrs[] = {
	MSR_FS_BASE, MSR_GS_BASE, MSR_KERNEL_GS_BASE, MSR_STAR,		MSR_LSTAR,
	MSR_CSTAR,   MSR_SFMASK,  MSR_SYSENTER_CS,    MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,
};

void plain_expect(const char *what, u64 got, u64 want)
{
	if (got != want)
		die("%s: 0x%lx, should be 0x%lx", what, got, want);
}

/* --- registers that are nobody's business --- */

static u64 msr_pattern(u32 msr)
{
	/* SYSENTER_CS keeps 16 bits, the bases must be canonical. */
	return history_mix(pattern + msr) & (msr == MSR_SYSENTER_CS ? 0xffff : 0x7fffffff);
}

static u64 dr6_pattern(void)
{
	return DR6_INIT | (pattern & 0xf);
}

static bool has_tsc_aux(void)
{
	return cpuid(CPUID_EXT1, 0).edx & CPUID_EXT1_EDX_RDTSCP;
}

static void registers_set(void)
{
	static bool tsc_aux, asked;

	if (!asked)
		tsc_aux = has_tsc_aux();
	asked = true;
	if (tsc_aux)
		wrmsr(MSR_TSC_AUX, (u32)pattern);
	write_dr6(dr6_pattern());
	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		wrmsr(own_msrs[i], msr_pattern(own_msrs[i]));
	fpu_set_l1(pattern);
	fpu_set_l2(pattern);
	write_cr2(pattern);
}

void plain_registers_init(void)
{
	pattern = history_mix(7);
	registers_set();
}

void plain_registers_check(void)
{
	const char *bad = fpu_check_l1(pattern);

	if (!bad)
		bad = fpu_check_l2(pattern);
	if (bad)
		die("%s changed", bad);
	plain_expect("CR2", read_cr2(), pattern);
	plain_expect("DR6", read_dr6(), dr6_pattern());
	for (u32 i = 0; i < ARRAY_SIZE(own_msrs); i++)
		if (rdmsr(own_msrs[i]) != msr_pattern(own_msrs[i]))
			die("MSR 0x%x changed to 0x%lx", own_msrs[i], rdmsr(own_msrs[i]));
	pattern = history_mix(pattern);
	registers_set();
}

/* --- instructions with exits --- */

static bool is_intel(void)
{
	return cpuid(CPUID_VENDOR, 0).ebx == 0x756e6547; /* "Genu" */
}

static bool under_cleave(void)
{
	return platform_has_test_device();
}

static void check_cpuid(void)
{
	struct cpuid c = cpuid(CPUID_HYPERVISOR, 0);

	if (!under_cleave())
		return;
	plain_expect("CPUID 4000_0000 EBX", c.ebx, 0x61656c43); /* "Clea" */
	plain_expect("CPUID 1 ECX.VMX", cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_VMX, 0);
}

static void check_ports(void)
{
	u32 v = 0;

	outb(PORT_NOBODY, 1);
	outl(PORT_NOBODY, 2);
	plain_expect("IN of a byte", inb(PORT_NOBODY), 0xff);
	asm volatile("movl $-1, %%eax\n\tinw %1, %%ax\n\tmovl %%eax, %0"
		     : "=r"(v)
		     : "d"((u16)PORT_NOBODY)
		     : "eax", "memory");
	plain_expect("IN of a word", v, 0xffffffff);
}

static void check_msrs(void)
{
	u64 efer = rdmsr(MSR_EFER), pat = rdmsr(MSR_PAT), v;

	plain_expect("RDMSR of none", try_rdmsr(MSR_NOBODY, &v), EXC_GP);
	plain_expect("WRMSR of none", try_wrmsr(MSR_NOBODY, 1), EXC_GP);
	wrmsr(MSR_EFER, efer ^ EFER_SCE);
	plain_expect("EFER", rdmsr(MSR_EFER), efer ^ EFER_SCE);
	wrmsr(MSR_EFER, efer);
	plain_expect("WRMSR of EFER's reserved bits", try_wrmsr(MSR_EFER, efer | BIT(1)), EXC_GP);
	plain_expect("WRMSR of EFER.LME with paging", try_wrmsr(MSR_EFER, efer & ~EFER_LME),
		     EXC_GP);
	wrmsr(MSR_PAT, pat ^ 1);
	plain_expect("WRMSR of a reserved PAT type", try_wrmsr(MSR_PAT, 2), EXC_GP);
	plain_expect("PAT", rdmsr(MSR_PAT), pat ^ 1);
	wrmsr(MSR_PAT, pat);
}

static void check_tsc(void)
{
	u64 before = rdtsc(), between = rdmsr(MSR_TSC), after = rdtsc();

	if (before > between || between > after)
		die("the TSC runs back: 0x%lx 0x%lx 0x%lx", before, between, after);
}

static void check_tsc_aux(void)
{
	u32 aux;

	if (!has_tsc_aux())
		return;
	asm volatile("rdtscp" : "=c"(aux)::"rax", "rdx");
	plain_expect("TSC_AUX", aux, (u32)pattern);
}

/* Its bytes are different, and so is which of them exist. */
static void check_hypercall(void)
{
	u64 rax = 0x4c31;
	u32 got;

	if (!under_cleave())
		return;
	if (is_intel())
		got = TRY("vmcall", : "+a"(rax)::"memory");
	else
		got = TRY("vmmcall", : "+a"(rax)::"memory");
	plain_expect("a hypercall's exception", got, NONE);
	plain_expect("a hypercall's RAX", rax, HYPERCALL_ERROR);
}

static u32 try_xsetbv(u64 v)
{
	return TRY("xsetbv", ::"a"((u32)v), "d"((u32)(v >> 32)), "c"(0) : "memory");
}

static void check_xsetbv(void)
{
	u32 lo, hi;

	if (!(cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_XSAVE))
		return;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	plain_expect("CPUID 1 ECX.OSXSAVE", cpuid(CPUID_FEATURES, 0).ecx & CPUID_1_ECX_OSXSAVE,
		     CPUID_1_ECX_OSXSAVE);
	plain_expect("XSETBV", try_xsetbv(XCR0_X87 | XCR0_SSE), NONE);
	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	plain_expect("XCR0", lo, XCR0_X87 | XCR0_SSE);
	if (is_intel() || !under_cleave()) /* QEMU's SVM does not intercept it */
		plain_expect("XSETBV without x87", try_xsetbv(XCR0_SSE), EXC_GP);
}

static u32 try_write_cr4(u64 v)
{
	return TRY("mov %0, %%cr4", ::"r"(v) : "memory");
}

static u32 try_write_cr0(u64 v)
{
	return TRY("mov %0, %%cr0", ::"r"(v) : "memory");
}

static void check_control_registers(void)
{
	u64 cr0 = read_cr0(), cr4 = read_cr4();

	write_cr0(cr0 | CR0_CD);
	plain_expect("CR0 with CD", read_cr0(), cr0 | CR0_CD);
	write_cr0((cr0 & ~CR0_NE) | CR0_TS);
	plain_expect("CR0 without NE", read_cr0(), (cr0 & ~CR0_NE) | CR0_TS);
	write_cr0(cr0);
	plain_expect("CR0", read_cr0(), cr0);
	write_cr4(cr4 ^ CR4_PGE);
	plain_expect("CR4", read_cr4(), cr4 ^ CR4_PGE);
	write_cr4(cr4);
	if (!is_intel()) /* QEMU takes what follows */
		return;
	plain_expect("CR0.NW without CD", try_write_cr0(cr0 | CR0_NW), EXC_GP);
	plain_expect("CR0 without PG in 64-bit code", try_write_cr0(cr0 & ~CR0_PG), EXC_GP);
	plain_expect("CR4.VMXE", try_write_cr4(cr4 | CR4_VMXE), EXC_GP);
	plain_expect("CR0 afterwards", read_cr0(), cr0);
}

static void check_cr8(void)
{
	u64 v = 1 + pattern % 14, got;

	asm volatile("mov %0, %%cr8" ::"r"(v));
	asm volatile("cpuid" : : "a"(0) : "rbx", "rcx", "rdx");
	asm volatile("mov %%cr8, %0" : "=r"(got));
	asm volatile("mov %0, %%cr8" ::"r"(0ul));
	plain_expect("CR8", got, v);
}

/* Nobody offered them. */
static void check_vmx_instructions(void)
{
	static u64 address;

	if (!is_intel())
		return;
	plain_expect("VMXON", TRY("vmxon %0", ::"m"(address) : "memory"), EXC_UD);
	plain_expect("VMXOFF", TRY("vmxoff", ::: "memory"), EXC_UD);
	plain_expect("VMPTRLD", TRY("vmptrld %0", ::"m"(address) : "memory"), EXC_UD);
	plain_expect("VMREAD", TRY("vmread %%rax, %%rcx", ::"a"(0) : "rcx"), EXC_UD);
	plain_expect("VMLAUNCH", TRY("vmlaunch", ::: "memory"), EXC_UD);
}

static void check_wbinvd(void)
{
	asm volatile("wbinvd" ::: "memory");
}

static void check_nowhere(void)
{
	u32 v;

	if (!under_cleave())
		return;
	asm volatile("movl $1, (%1)\n\tmovl (%1), %0" : "=r"(v) : "r"(NOWHERE) : "memory");
	plain_expect("a load from nowhere", v, 0xffffffff);
}

/* --- exceptions and traps --- */

static void check_exceptions(void)
{
	u32 old;

	plain_expect("UD2", TRY("ud2", ::: "memory"), EXC_UD);
	plain_expect("a load at no address",
		     TRY("movq (%0), %%rax", ::"r"(BIT(62))
			 : "rax"),
		     EXC_GP);
	plain_expect("a load of no page", TRY("movl (%1), %0", : "=r"(old) : "r"(BIT(40))), EXC_PF);
	plain_expect("CR2 of a page fault", read_cr2(), BIT(40));
	write_cr2(pattern);
}

#define WITH_TF "pushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"

/*
 * A single step over each of: an instruction with an exit, and one without. The trap's RIP is where
 * the table expects it; the handler ends the stepping.
 */
static void check_single_step(void)
{
	cpu_exception.vector = NONE;
	write_dr6(DR6_INIT);
	asm volatile(WITH_TF "cpuid\n1:\tnop\n" EX_TABLE(1b, 1b)::"a"(0)
		     : "rbx", "rcx", "rdx", "memory");
	plain_expect("a step over CPUID", cpu_exception.vector, EXC_DB);
	plain_expect("DR6 after a step over CPUID", read_dr6(), DR6_INIT | DR6_BS);
	cpu_exception.vector = NONE;
	write_dr6(DR6_INIT);
	asm volatile(WITH_TF "nop\n1:\tnop\n" EX_TABLE(1b, 1b)::: "memory");
	plain_expect("a step over NOP", cpu_exception.vector, EXC_DB);
	plain_expect("DR6 after a step", read_dr6(), DR6_INIT | DR6_BS);
	write_dr6(dr6_pattern());
}

static void check_breakpoint(void)
{
	u64 dr0 = read_dr0(), dr7 = read_dr7(), at;

	asm volatile("leaq 1f(%%rip), %0" : "=r"(at));
	write_dr0(at);
	write_dr6(DR6_INIT);
	write_dr7(dr7 | DR7_L0);
	cpu_exception.vector = NONE;
	asm volatile("1:\tnop\n2:\tnop\n" EX_TABLE(1b, 2b)::: "memory");
	write_dr7(dr7);
	write_dr0(dr0);
	plain_expect("a breakpoint", cpu_exception.vector, EXC_DB);
	plain_expect("DR6 after a breakpoint", read_dr6(), DR6_INIT | DR6_B0);
	write_dr6(dr6_pattern());
}

/* The trap of ICEBP returns to after it. */
static void check_icebp(void)
{
	if (!is_intel()) /* QEMU does not know it */
		return;
	cpu_exception.vector = NONE;
	asm volatile(".byte 0xf1\n1:\tnop\n" EX_TABLE(1b, 1b)::: "memory");
	plain_expect("ICEBP", cpu_exception.vector, EXC_DB);
	write_dr6(dr6_pattern());
}

static void (*const checks[])(void) = {
	check_cpuid,	  check_ports,
	check_msrs,	  check_tsc,
	check_tsc_aux,	  check_hypercall,
	check_xsetbv,	  check_control_registers,
	check_cr8,	  check_vmx_instructions,
	check_wbinvd,	  check_nowhere,
	check_exceptions, check_single_step,
	check_breakpoint, check_icebp,
	plain_delivery,	  plain_delivery_halted,
	plain_halt,	  plain_window,
	plain_shadow,
};

u32 plain_kinds(void)
{
	return ARRAY_SIZE(checks);
}

void plain_check_next(void)
{
	checks[plain_checks++ % ARRAY_SIZE(checks)]();
}

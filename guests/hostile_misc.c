// SPDX-License-Identifier: MIT
/* Instructions and MSRs with operands that the architecture refuses, and memory that is not there.
 */
#include "guests/history.h"
#include "guests/hostile.h"

#define NONE CPU_NO_EXCEPTION

static void check_vector(const char *name, u32 got, u32 want)
{
	hostile_check(name, got == want, "exception %d, should be %d", (int)got, (int)want);
}

/* With @cleave_only, for what QEMU's own SVM does not check. */
static void check_operand(const char *name, u32 (*insn)(u64), u64 operand, bool cleave_only)
{
	if (cleave_only && !hostile_on_cleave()) {
		hostile_skip(name, "QEMU's emulation does not check it");
		return;
	}
	check_vector(name, insn(operand), EXC_GP);
}

void test_vmload_bad(void)
{
	u64 limit = hostile_physical_limit();
	u64 outside = ALIGN_UP(memory_end, SIZE_1G) + 8 * SIZE_1G;
	u64 good = (u64)hvm.v.vmcb;

	check_operand("VMRUN unaligned", try_vmrun, good + 8, false);
	check_operand("VMLOAD unaligned", try_vmload, good + 8, false);
	check_operand("VMSAVE unaligned", try_vmsave, good + 0x800, false);
	check_operand("VMRUN beyond physical memory", try_vmrun, limit, false);
	check_operand("VMLOAD beyond physical memory", try_vmload, limit, false);
	check_operand("VMSAVE beyond physical memory", try_vmsave, limit, false);
	check_operand("VMRUN outside", try_vmrun, outside, true);
	check_operand("VMLOAD outside", try_vmload, outside, true);
	check_operand("VMSAVE outside", try_vmsave, outside, true);
	check_vector("VMSAVE", try_vmsave(good), NONE);
	check_vector("VMLOAD", try_vmload(good), NONE);
	hostile_check("a good VMCB", hvm_run(HVM_NOP, 0, 0) == SVM_EXIT_VMMCALL, "it does not run");
}

void test_svm_off(void)
{
	u64 efer = rdmsr(MSR_EFER), good = (u64)hvm.v.vmcb;

	wrmsr(MSR_EFER, efer & ~EFER_SVME);
	check_vector("VMRUN, SVM off", try_vmrun(good), EXC_UD);
	check_vector("VMLOAD, SVM off", try_vmload(good), EXC_UD);
	check_vector("VMSAVE, SVM off", try_vmsave(good), EXC_UD);
	check_vector("CLGI, SVM off", TRY("clgi", ::: "memory"), EXC_UD);
	check_vector("INVLPGA, SVM off", TRY("invlpga %%rax, %%ecx", ::"a"(0), "c"(1)), EXC_UD);
	wrmsr(MSR_EFER, efer);
	hostile_check("SVM on again", hvm_run(HVM_NOP, 0, 0) == SVM_EXIT_VMMCALL,
		      "a good VMCB does not run");
}

/* A bare processor knows no hypercalls; a hypervisor below, as KVM does, may refuse politely. */
static void vmmcall(void)
{
	u64 rax = 0x4c31;
	u32 got = TRY("vmmcall", : "+a"(rax)::"memory");

	hostile_check("VMMCALL", got == EXC_UD || (got == NONE && rax == (u64)-1000),
		      "exception %d, RAX 0x%lx", (int)got, rax);
}

void test_instructions(void)
{
	check_vector("SKINIT", TRY("skinit %%eax", ::"a"(0) : "memory"), EXC_UD);
	vmmcall();
	check_vector("INVLPGA", TRY("invlpga %%rax, %%ecx", ::"a"(0x1000), "c"(1)), NONE);
	check_vector("INVLPGA, ASID 0", TRY("invlpga %%rax, %%ecx", ::"a"(0x1000), "c"(0)), NONE);
	check_vector("INVLPGA, any ASID", TRY("invlpga %%rax, %%ecx", ::"a"(~0ul), "c"(~0u)), NONE);
	check_vector("CLGI", TRY("clgi", ::: "memory"), NONE);
	check_vector("STGI", TRY("stgi", ::: "memory"), NONE);
	hostile_check("a good VMCB", hvm_run(HVM_NOP, 0, 0) == SVM_EXIT_VMMCALL, "it does not run");
}

struct msr_write {
	const char *name;
	u32 msr;
	u64 value;
};

/* Stands for the lowest address that the processor's width makes not canonical. */
#define NOT_CANONICAL 0

/* Values that the architecture refuses. */
static const struct msr_write bad_writes[] = {
	{"EFER, reserved bit", MSR_EFER, EFER_SVME | EFER_LME | EFER_LMA | BIT(40)},
	{"EFER, LME cleared while paging", MSR_EFER, EFER_SVME},
	{"PAT, reserved type", MSR_PAT, 0x0007040600070402},
	{"LSTAR, not canonical", MSR_LSTAR, NOT_CANONICAL},
	{"FS base, not canonical", MSR_FS_BASE, BIT(60)},
	{"KERNEL_GS_BASE, not canonical", MSR_KERNEL_GS_BASE, NOT_CANONICAL},
	{"VM_HSAVE_PA, not aligned", MSR_VM_HSAVE_PA, 0x1008},
	{"VM_HSAVE_PA, beyond physical memory", MSR_VM_HSAVE_PA, BIT(52)},
};

static const u32 unknown_msrs[] = {0x1fff,     0x2000,	   0x40000100, 0x4b564dff, 0xbfffffff,
				   0xc0001fff, 0xc0002000, 0xc0010fff, 0xc0012000, 0xffffffff};

/* Reading any MSR at all gives a value or #GP(0). */
static void read_all(u32 first, u32 n)
{
	u64 odd = 0, v;

	for (u32 i = 0; i < n; i++) {
		u32 got = try_rdmsr(first + i, &v);

		odd += got != NONE && (got != EXC_GP || cpu_exception.error);
	}
	hostile_check("reading each MSR", !odd, "%lu of those from 0x%x raised something else", odd,
		      first);
}

static void unknown(void)
{
	u64 v, bad = 0;

	for (u32 i = 0; i < ARRAY_SIZE(unknown_msrs); i++) {
		bad += try_rdmsr(unknown_msrs[i], &v) != EXC_GP;
		bad += try_wrmsr(unknown_msrs[i], 1) != EXC_GP;
	}
	hostile_check("unknown MSRs", !bad, "%lu accesses raised no #GP", bad);
}

static void refused(const struct msr_write *w)
{
	u32 width = cpuid(CPUID_EXT8, 0).eax >> 8 & 0xff;
	u64 value = w->value == NOT_CANONICAL ? BIT(width - 1) : w->value;

	check_vector(w->name, try_wrmsr(w->msr, value), EXC_GP);
}

void test_msr(void)
{
	read_all(0, 0x2000);
	read_all(0xc0000000, 0x2000);
	read_all(0xc0010000, 0x2000);
	if (!hostile_on_cleave()) {
		hostile_skip("bad MSRs and values", "QEMU's emulation refuses hardly any");
		return;
	}
	for (u32 i = 0; i < ARRAY_SIZE(bad_writes); i++)
		refused(&bad_writes[i]);
	unknown();
	wrmsr(MSR_STAR, 0x1122334455667788);
	hostile_check("a good MSR", rdmsr(MSR_STAR) == 0x1122334455667788, "STAR lost its value");
}

/* All ones to whatever reads; what is calculated from them is as from a register. */
static void outside_instructions(u64 at)
{
	u64 n = 5, value = 1, sum = 1, words[2] = {7, 7}, *to = words;
	const u64 *from = (const u64 *)at;
	bool carry;

	asm volatile("xchg %0, (%1)" : "+r"(value) : "r"(at) : "memory");
	hostile_check("XCHG reads all ones", value == ~0ul, "it read 0x%lx", value);
	asm volatile("movzbl 3(%1), %k0" : "=r"(value) : "r"(at));
	hostile_check("MOVZX reads a byte", value == 0xff, "it read 0x%lx", value);
	asm volatile("lock addq $2, (%1)" : "=@ccc"(carry) : "r"(at) : "memory");
	hostile_check("ADD carries", carry, "it did not");
	asm volatile("addq (%1), %0" : "+r"(sum) : "r"(at));
	hostile_check("ADD to a register", sum == 0, "the sum is 0x%lx", sum);
	asm volatile("rep movsq" : "+D"(to), "+S"(from), "=c"(n) : "2"(2) : "memory");
	hostile_check("REP MOVS reads all ones", words[0] == ~0ul && words[1] == ~0ul && !n,
		      "it read 0x%lx 0x%lx, %lu left", words[0], words[1], n);
	n = 100;
	asm volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(0) : "memory");
	hostile_check("REP STOS ends", !n, "%lu left", n);
}

/* There is nothing to read; what is written must go nowhere. L1 itself must live. */
void test_outside_memory(void)
{
	u64 from = ALIGN_UP(memory_end, SIZE_2M), stuck = 0;

	for (u64 at = from; at < from + 64 * SIZE_2M && at < 0xf0000000; at += SIZE_2M) {
		volatile u64 *p = (volatile u64 *)at;

		*p = 0x1122334455667788;
		stuck += *p == 0x1122334455667788;
	}
	hostile_check("memory that is not there", !stuck, "%lu words kept what was written", stuck);
	if (hostile_on_cleave())
		outside_instructions(from);
	else
		hostile_skip("instructions on it", "a machine's bus may answer with anything");
}

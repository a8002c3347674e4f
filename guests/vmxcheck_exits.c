// SPDX-License-Identifier: MIT
/* Controls and bitmaps that change from entry to entry: what was written last is what counts. */
#include "guests/vmxcheck.h"

#define PORT	    0x80
#define MSR_NOWHERE 0x40000000 /* in neither range of the bitmap */
#define TSC_STEP    BIT(44)

static u32 run(enum l2_op op, u64 rbx)
{
	u32 answer;

	vmxcheck_vcpu.regs.rcx = op;
	vmxcheck_vcpu.regs.rbx = rbx;
	answer = vmxcheck_run();
	vmxcheck_vcpu.regs.rcx = L2_NOTHING;
	return answer;
}

static void check(const char *name, enum l2_op op, u64 rbx, u32 want)
{
	vmxcheck_answer(name, run(op, rbx), want);
}

/* Bits of a control, taken away and given back: @without and @with are the answers. */
static void edit(const char *name, enum vmcs_field field, u64 bits, enum l2_op op, u32 without,
		 u32 with)
{
	u64 old = vmcs_read(field);

	for (u32 i = 0; i < 2; i++) {
		vmcs_write(field, old & ~bits);
		check(name, op, 0, without);
		vmxcheck_restore();
		vmcs_write(field, old | bits);
		check(name, op, 0, with);
		vmxcheck_restore();
	}
}

static void controls(void)
{
	u32 io = OTHER_EXIT(VMX_EXIT_IO);

	edit("RDTSC exiting", VMCS_proc_controls, VMX_PROC_RDTSC, L2_RDTSC, RUNS,
	     OTHER_EXIT(VMX_EXIT_RDTSC));
	edit("CR3-load exiting", VMCS_proc_controls, VMX_PROC_CR3_LOAD, L2_CR3, RUNS,
	     OTHER_EXIT(VMX_EXIT_CR_ACCESS));
	edit("#UD in the exception bitmap", VMCS_exception_bitmap, BIT(EXC_UD), L2_UD,
	     OTHER_EXIT(VMX_EXIT_TRIPLE_FAULT), OTHER_EXIT(VMX_EXIT_EXCEPTION));
	edit("I/O bitmaps", VMCS_proc_controls, VMX_PROC_IO_BITMAPS, L2_OUT, RUNS, io);
	edit("unconditional I/O beside the bitmaps", VMCS_proc_controls, VMX_PROC_IO_ALL, L2_OUT,
	     io, io);
}

static void ports(void)
{
	u8 *other = pages_alloc(1);

	vmx_bitmap_port(&vmxcheck_vcpu, PORT, false);
	check("a port let through", L2_OUT, 0, RUNS);
	vmcs_write(VMCS_proc_controls, vmcs_read(VMCS_proc_controls) | VMX_PROC_IO_ALL);
	check("... with unconditional I/O, which bitmaps override", L2_OUT, 0, RUNS);
	vmxcheck_restore();
	vmx_bitmap_port(&vmxcheck_vcpu, PORT, true);
	check("a port that exits again", L2_OUT, 0, OTHER_EXIT(VMX_EXIT_IO));
	vmcs_write(VMCS_io_bitmap_a, (u64)other);
	check("another bitmap", L2_OUT, 0, RUNS);
	vmxcheck_restore();
	check("and the first again", L2_OUT, 0, OTHER_EXIT(VMX_EXIT_IO));
}

static void msrs(void)
{
	u32 exits = OTHER_EXIT(VMX_EXIT_RDMSR);

	for (u32 i = 0; i < 2; i++) {
		check("an MSR let through", L2_RDMSR, MSR_LSTAR, RUNS);
		vmx_bitmap_msr(&vmxcheck_vcpu, MSR_LSTAR, true, false);
		check("an MSR whose reads exit", L2_RDMSR, MSR_LSTAR, exits);
		vmx_bitmap_msr(&vmxcheck_vcpu, MSR_LSTAR, false, true);
		check("an MSR whose writes exit", L2_RDMSR, MSR_LSTAR, RUNS);
		vmx_bitmap_msr(&vmxcheck_vcpu, MSR_LSTAR, false, false);
		vmx_bitmap_msr(&vmxcheck_vcpu, MSR_SYSENTER_EIP, true, false);
		check("an MSR of the low range", L2_RDMSR, MSR_SYSENTER_EIP, exits);
		vmx_bitmap_msr(&vmxcheck_vcpu, MSR_SYSENTER_EIP, false, false);
	}
	check("an MSR of neither range", L2_RDMSR, MSR_NOWHERE, exits);
	vmcs_write(VMCS_proc_controls, vmcs_read(VMCS_proc_controls) & ~VMX_PROC_MSR_BITMAPS);
	check("no MSR bitmap: all exit", L2_RDMSR, MSR_LSTAR, exits);
	vmxcheck_restore();
}

static void tsc(void)
{
	u64 before = rdtsc(), proc = vmcs_read(VMCS_proc_controls), shifted;

	vmcs_write(VMCS_proc_controls, proc | VMX_PROC_TSC_OFFSET);
	vmcs_write(VMCS_tsc_offset, TSC_STEP);
	check("RDTSC", L2_RDTSC, 0, RUNS);
	shifted = vmxcheck_vcpu.regs.rdx - TSC_STEP;
	vmxcheck("the TSC's offset", shifted >= before && shifted <= rdtsc(),
		 "L2's TSC less the offset is 0x%lx, L1's 0x%lx", shifted, before);
	vmcs_write(VMCS_proc_controls, proc);
	check("RDTSC", L2_RDTSC, 0, RUNS);
	vmxcheck("an offset that is not used", vmxcheck_vcpu.regs.rdx < TSC_STEP,
		 "L2's TSC is 0x%lx", vmxcheck_vcpu.regs.rdx);
	vmxcheck_restore();
}

static void windows(void)
{
	u64 proc = vmcs_read(VMCS_proc_controls) | VMX_PROC_INTR_WINDOW;

	vmcs_write(VMCS_proc_controls, proc);
	check("interrupt window, IF clear", L2_NOTHING, 0, RUNS);
	vmcs_write(VMCS_guest_rflags, RFLAGS_FIXED | RFLAGS_IF);
	check("interrupt window, IF set", L2_NOTHING, 0, OTHER_EXIT(VMX_EXIT_INTR_WINDOW));
	vmxcheck("it comes before L2 does anything", vmcs_read(VMCS_guest_rip) == (u64)vmxcheck_l2,
		 "RIP is 0x%lx", vmcs_read(VMCS_guest_rip));
	vmxcheck_restore();
	vmcs_write(VMCS_pin_controls, vmcs_read(VMCS_pin_controls) | VMX_PIN_TIMER);
	vmcs_write(VMCS_preemption_timer, 0);
	check("preemption timer of 0", L2_NOTHING, 0, OTHER_EXIT(VMX_EXIT_TIMER));
	vmcs_write(VMCS_preemption_timer, 0xffffffff);
	check("preemption timer of much", L2_NOTHING, 0, RUNS);
	vmxcheck_restore();
}

void vmxcheck_exits(void)
{
	controls();
	ports();
	msrs();
	tsc();
	windows();
	vmxcheck_valid();
}

// SPDX-License-Identifier: MIT
/* L2's exits, one handler each; an exit that nobody expects ends it all with one line. */
#include "guests/l1.h"

static struct vmcb_save *save(void)
{
	return &l1.vcpu.vmcb->save;
}

static struct vmcb_control *control(void)
{
	return &l1.vcpu.vmcb->control;
}

/* The lengths are known: L1 does not depend on next_rip, which not every processor has. */
static void skip(u64 length)
{
	save()->rip += length;
	control()->int_state &= ~SVM_INTERRUPT_SHADOW;
}

static void handle_cpuid(void)
{
	u32 leaf = (u32)save()->rax;
	struct cpuid c = {CPUID_HYPERVISOR, 0x61656c43, 0x4c206576, 0x31}; /* "Cleave L1" */

	if (leaf != CPUID_HYPERVISOR)
		c = cpuid(leaf, (u32)l1.vcpu.regs.rcx);
	if (leaf == CPUID_FEATURES)
		c.ecx |= (u32)CPUID_1_ECX_HYPERVISOR;
	if (leaf == CPUID_EXT1)
		c.ecx &= ~(u32)CPUID_EXT1_ECX_SVM;
	save()->rax = c.eax;
	l1.vcpu.regs.rbx = c.ebx;
	l1.vcpu.regs.rcx = c.ecx;
	l1.vcpu.regs.rdx = c.edx;
	skip(2);
}

/* L2's console: whole lines, so that they do not mix with L1's own. */
static void uart_output(char c)
{
	static char line[160];
	static size_t n;

	if (c != '\n' && n < sizeof(line) - 1) {
		line[n++] = c;
		return;
	}
	line[n] = 0;
	console_print("L2: %s\n", line);
	n = 0;
}

static void handle_ioio(void)
{
	u64 info = control()->exit_info_1;
	u16 port = (u16)(info >> SVM_IOIO_PORT_SHIFT);

	if (info & (SVM_IOIO_IN | SVM_IOIO_STR) || !(info & SVM_IOIO_SIZE8))
		die("L2 used port 0x%x in an unexpected way (0x%lx)", port, info);
	if (port == PORT_UART)
		uart_output((char)save()->rax);
	else if (port != L2_PORT_PROGRESS)
		die("L2 used port 0x%x, which is not one of its own", port);
	/* Both forms of OUT: the processor says where the next instruction is. */
	if (control()->exit_info_2 - save()->rip - 1 > 1)
		die("IOIO: the next rIP 0x%lx is not just after 0x%lx", control()->exit_info_2,
		    save()->rip);
	skip(control()->exit_info_2 - save()->rip);
}

static void handle_msr(void)
{
	u32 msr = (u32)l1.vcpu.regs.rcx;

	if (control()->exit_info_1 & SVM_MSR_EXIT_WRITE)
		die("L2 wrote MSR 0x%x", msr);
	if (msr == L2_MSR_ABSENT) {
		events_exception(EXC_GP, true);
		return;
	}
	if (msr != L2_MSR_PRESENT)
		die("L2 read MSR 0x%x, which L1 does not intercept", msr);
	save()->rax = (u32)L2_MSR_PRESENT_VALUE;
	l1.vcpu.regs.rdx = L2_MSR_PRESENT_VALUE >> 32;
	skip(2);
}

/* #NPF; or #PF where L1 shadows, which lacks what makes a nested access one. */
static void handle_fault(bool shadow)
{
	u64 l2 = control()->exit_info_2;
	u64 error = control()->exit_info_1;
	const char *wrong;

	if (shadow && error & (NPF_US | NPF_FINAL | NPF_PT))
		die("#PF of L2 with error code 0x%lx: it is all supervisor's", error);
	if (shadow)
		error |= NPF_US | NPF_FINAL;
	wrong = layout_fault(&l1.layout, &l1.npt, l2, error);
	if (wrong)
		die("fault at 0x%lx, error code 0x%lx, L2's rip 0x%lx: %s", l2, error, save()->rip,
		    wrong);
}

/* Until the timer that L2 waits for has come: L1 has nothing else to do. */
static void handle_hlt(void)
{
	skip(1);
	interrupts_off();
	while (platform_timer_interrupts() < l1.events.timers_asked) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	interrupts_on();
}

void exits_handle(void)
{
	u64 code = control()->exit_code;

	switch (code) {
	case SVM_EXIT_CPUID:
		handle_cpuid();
		return;
	case SVM_EXIT_VMMCALL:
		skip(3);
		hypercall_handle();
		return;
	case SVM_EXIT_IOIO:
		handle_ioio();
		return;
	case SVM_EXIT_MSR:
		handle_msr();
		return;
	case SVM_EXIT_VMRUN:
		events_exception(EXC_UD, false);
		return;
	case SVM_EXIT_HLT:
		handle_hlt();
		return;
	case SVM_EXIT_NPF:
		handle_fault(false);
		return;
	case SVM_EXIT_EXCP_BASE + EXC_PF:
		handle_fault(true);
		return;
	case SVM_EXIT_VINTR:
		events_window();
		return;
	case SVM_EXIT_INTR: /* L1's own handler has taken it by now */
		return;
	}
	die("unexpected exit 0x%lx (info 0x%lx 0x%lx) at L2's rip 0x%lx", code,
	    control()->exit_info_1, control()->exit_info_2, save()->rip);
}

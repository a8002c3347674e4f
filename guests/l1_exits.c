// SPDX-License-Identifier: MIT
/* L2's exits, one handler each; an exit that nobody expects ends it all with one line. */
#include "guests/l1.h"

static void skip(void)
{
	l1.virt->skip(l1.exit.length);
}

static void handle_cpuid(void)
{
	u32 leaf = (u32)l1.regs.rax;
	struct cpuid c = {CPUID_HYPERVISOR, 0x61656c43, 0x4c206576, 0x31}; /* "Cleave L1" */

	if (leaf != CPUID_HYPERVISOR)
		c = cpuid(leaf, (u32)l1.regs.rcx);
	if (leaf == CPUID_FEATURES)
		c.ecx = (c.ecx | (u32)CPUID_1_ECX_HYPERVISOR) & ~(u32)CPUID_1_ECX_VMX;
	if (leaf == CPUID_EXT1)
		c.ecx &= ~(u32)CPUID_EXT1_ECX_SVM;
	l1.regs.rax = c.eax;
	l1.regs.rbx = c.ebx;
	l1.regs.rcx = c.ecx;
	l1.regs.rdx = c.edx;
	skip();
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

static void handle_io(void)
{
	u16 port = l1.exit.io.port;

	if (!l1.exit.io.plain_out)
		die("L2 used port 0x%x in an unexpected way (0x%lx)", port, l1.exit.info_1);
	if (port == PORT_UART)
		uart_output((char)l1.regs.rax);
	else if (port != L2_PORT_PROGRESS)
		die("L2 used port 0x%x, which is not one of its own", port);
	skip();
}

static void handle_msr(void)
{
	u32 msr = (u32)l1.regs.rcx;

	if (l1.exit.msr_write)
		die("L2 wrote MSR 0x%x", msr);
	if (msr == L2_MSR_ABSENT) {
		events_exception(EXC_GP, true);
		return;
	}
	if (msr != L2_MSR_PRESENT)
		die("L2 read MSR 0x%x, which L1 does not intercept", msr);
	l1.regs.rax = (u32)L2_MSR_PRESENT_VALUE;
	l1.regs.rdx = L2_MSR_PRESENT_VALUE >> 32;
	skip();
}

static void handle_fault(void)
{
	const struct virt_exit *e = &l1.exit;
	const char *wrong = layout_fault(&l1.layout, &l1.npt, e->fault.address, e->fault.write);

	if (wrong)
		die("fault at 0x%lx, with 0x%lx and 0x%lx, L2's rip 0x%lx: %s", e->fault.address,
		    e->info_1, e->info_2, e->rip, wrong);
}

/* Until the timer that L2 waits for has come: L1 has nothing else to do. */
static void handle_hlt(void)
{
	skip();
	interrupts_off();
	while (platform_timer_interrupts() < l1.events.timers_asked) {
		interrupts_on_and_halt();
		interrupts_off();
	}
	interrupts_on();
}

void exits_handle(void)
{
	const struct virt_exit *e = &l1.exit;

	switch (e->kind) {
	case VIRT_CPUID:
		handle_cpuid();
		return;
	case VIRT_HYPERCALL:
		skip();
		hypercall_handle();
		return;
	case VIRT_IO:
		handle_io();
		return;
	case VIRT_MSR:
		handle_msr();
		return;
	case VIRT_FORBIDDEN:
		events_exception(EXC_UD, false);
		return;
	case VIRT_HLT:
		handle_hlt();
		return;
	case VIRT_NESTED_FAULT:
	case VIRT_PAGE_FAULT:
		handle_fault();
		return;
	case VIRT_WINDOW:
		events_window();
		return;
	case VIRT_NOTHING:
		return;
	case VIRT_UNEXPECTED:
		break;
	}
	die("unexpected exit 0x%lx (info 0x%lx 0x%lx) at L2's rip 0x%lx", e->code, e->info_1,
	    e->info_2, e->rip);
}

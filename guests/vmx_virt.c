// SPDX-License-Identifier: MIT
/* VMX behind guests/virt.h. */
#include "guests/guest.h"
#include "guests/paging.h"
#include "guests/vmx.h"
#include "lib/string.h"

#define VPIDS	    65536
#define BACKSTOP    50000 /* of the preemption timer: an L2 that halts comes back */
#define EPTV_ACCESS (VMX_EPTV_READ | VMX_EPTV_WRITE | VMX_EPTV_FETCH)
#define EPT_RWX	    GENMASK(2, 0)

static struct vmx_vcpu vcpu;
static struct virt_config config;
static u64 event; /* for the next entry, 0: none */
static u64 event_error, event_length;
static u8 raised_vector; /* 0: none */
static bool window_asked, window_set;
static u32 flushes;
static u16 vpid = 1;

/* Some of what only software writes, and what it wrote. One is looked at after each exit. */
static const u16 fields[] = {
	VMCS_io_bitmap_a,
	VMCS_io_bitmap_b,
	VMCS_msr_bitmap,
	VMCS_exit_msr_store_addr,
	VMCS_exit_msr_load_addr,
	VMCS_entry_msr_load_addr,
	VMCS_tsc_offset,
	VMCS_host_pat,
	VMCS_host_efer,
	VMCS_pin_controls,
	VMCS_exception_bitmap,
	VMCS_cr3_target_count,
	VMCS_exit_controls,
	VMCS_exit_msr_store_count,
	VMCS_exit_msr_load_count,
	VMCS_entry_controls,
	VMCS_entry_msr_load_count,
	VMCS_proc_controls_2,
	VMCS_cr0_mask,
	VMCS_cr4_mask,
	VMCS_cr0_shadow,
	VMCS_cr4_shadow,
	VMCS_host_cr0,
	VMCS_host_cr3,
	VMCS_host_cr4,
	VMCS_host_fs_base,
	VMCS_host_gs_base,
	VMCS_host_tr_base,
	VMCS_host_gdtr_base,
	VMCS_host_idtr_base,
	VMCS_host_sysenter_cs,
	VMCS_host_sysenter_esp,
	VMCS_host_sysenter_eip,
	VMCS_host_rip,
	VMCS_host_cs_selector,
	VMCS_host_ss_selector,
	VMCS_host_tr_selector,
	VMCS_link_pointer,
};
static u64 written[ARRAY_SIZE(fields)];
static u32 next_field;

static const struct npt_format *format(bool shadow)
{
	return shadow ? paging_format() : &npt_formats[NPT_EPT];
}

static u32 create(const struct virt_config *c)
{
	config = *c;
	vmx_vcpu_init(&vcpu, c);
	return VPIDS;
}

/* --- exits --- */

/* What each exit's instruction is long: the processor must say the same. */
static const struct {
	u8 reason, kind, length;
} plain[] = {
	{VMX_EXIT_CPUID, VIRT_CPUID, 2},       {VMX_EXIT_VMCALL, VIRT_HYPERCALL, 3},
	{VMX_EXIT_RDMSR, VIRT_MSR, 2},	       {VMX_EXIT_WRMSR, VIRT_MSR, 2},
	{VMX_EXIT_VMXOFF, VIRT_FORBIDDEN, 3},  {VMX_EXIT_HLT, VIRT_HLT, 1},
	{VMX_EXIT_INTERRUPT, VIRT_NOTHING, 0}, {VMX_EXIT_TIMER, VIRT_NOTHING, 0},
};

static void decode_plain(struct virt_exit *e)
{
	e->kind = VIRT_UNEXPECTED;
	e->msr_write = e->code == VMX_EXIT_WRMSR;
	for (u32 i = 0; i < ARRAY_SIZE(plain); i++) {
		if (plain[i].reason != e->code)
			continue;
		e->kind = plain[i].kind;
		e->length = plain[i].length;
		if (e->length && e->length != vmcs_read(VMCS_exit_insn_len))
			die("exit %lu: the instruction has %lu bytes, not %lu", e->code, e->length,
			    vmcs_read(VMCS_exit_insn_len));
	}
}

static void decode_io(struct virt_exit *e)
{
	e->kind = VIRT_IO;
	e->io.port = (u16)(e->info_1 >> VMX_IO_PORT_SHIFT);
	e->io.plain_out = !(e->info_1 & (VMX_IO_SIZE | VMX_IO_IN | VMX_IO_STRING));
	e->length = vmcs_read(VMCS_exit_insn_len);
	if (e->length - 1 > 1)
		die("I/O: OUT has %lu bytes", e->length);
}

static void decode_exception(struct virt_exit *e)
{
	u64 info = vmcs_read(VMCS_exit_intr_info);

	e->info_2 = vmcs_read(VMCS_exit_intr_error);
	e->fault.address = e->info_1;
	e->fault.write = e->info_2 & PFERR_WRITE;
	e->kind = info == (VMX_EVENT_VALID | VMX_EVENT_ERROR | VMX_EVENT_EXCEPTION | EXC_PF)
			  ? VIRT_PAGE_FAULT
			  : VIRT_UNEXPECTED;
}

static void decode_violation(struct virt_exit *e)
{
	e->kind = VIRT_NESTED_FAULT;
	e->info_2 = e->fault.address = vmcs_read(VMCS_guest_physical);
	e->fault.write = e->info_1 & VMX_EPTV_WRITE;
}

/* What was raised goes in now; asked for by L1, the exit is L1's. */
static void decode_window(struct virt_exit *e)
{
	e->kind = VIRT_WINDOW;
	if (window_asked)
		return;
	e->kind = VIRT_NOTHING;
	event = VMX_EVENT_VALID | VMX_EVENT_INTR | raised_vector;
	raised_vector = 0;
}

static void decode(struct virt_exit *e)
{
	*e = (struct virt_exit){.code = vmcs_read(VMCS_exit_reason),
				.info_1 = vmcs_read(VMCS_exit_qualification),
				.rip = vmcs_read(VMCS_guest_rip)};
	switch (e->code) {
	case VMX_EXIT_IO:
		decode_io(e);
		return;
	case VMX_EXIT_EXCEPTION:
		decode_exception(e);
		return;
	case VMX_EXIT_EPT_VIOLATION:
		decode_violation(e);
		return;
	case VMX_EXIT_INTR_WINDOW:
		decode_window(e);
		return;
	}
	decode_plain(e);
}

static void set_window(void)
{
	bool want = window_asked || raised_vector;
	u64 proc;

	if (want == window_set)
		return;
	proc = vmcs_read(VMCS_proc_controls);
	vmcs_write(VMCS_proc_controls, proc ^ VMX_PROC_INTR_WINDOW);
	window_set = want;
}

static void set_event(void)
{
	if (!event)
		return;
	vmcs_write(VMCS_entry_intr_info, event);
	vmcs_write(VMCS_entry_intr_error, event_error);
	vmcs_write(VMCS_entry_insn_len, event_length);
	event = 0;
}

static void first_entry(void)
{
	vmx_vcpu_host(&vcpu);
	for (u32 i = 0; i < ARRAY_SIZE(fields); i++)
		written[i] = vmcs_read(fields[i]);
}

static void enter(struct virt_regs *regs, struct virt_exit *e)
{
	u32 error;

	if (!vcpu.launched)
		first_entry();
	set_window();
	set_event();
	if (config.halts)
		vmcs_write(VMCS_preemption_timer, BACKSTOP);
	vcpu.regs = *regs;
	error = vmx_vcpu_enter(&vcpu);
	if (error)
		die("entering L2 failed with VM-instruction error %u", error);
	*regs = vcpu.regs;
	decode(e);
	interrupts_on();
}

static void skip(u64 length)
{
	u64 blocked = vmcs_read(VMCS_guest_interruptibility);

	vmcs_write(VMCS_guest_rip, vmcs_read(VMCS_guest_rip) + length);
	if (blocked & VMX_BLOCK_SHADOW)
		vmcs_write(VMCS_guest_interruptibility, blocked & ~VMX_BLOCK_SHADOW);
}

/* --- flushes --- */

static void flush_ept(void)
{
	static const struct {
		u64 type, cap;
	} ways[] = {
		{VMX_INVEPT_SINGLE, VMX_EPT_INVEPT_SINGLE},
		{VMX_INVEPT_ALL, VMX_EPT_INVEPT_ALL},
	};
	u32 way = flushes++ % ARRAY_SIZE(ways);
	u64 eptp = ways[way].type == VMX_INVEPT_ALL ? 0 : vmcs_read(VMCS_ept_pointer);

	if (!(vcpu.caps & ways[way].cap))
		way ^= 1;
	if (vmx_invept(ways[way].type, eptp, 0))
		die("INVEPT of type %lu failed", ways[way].type);
}

/* L1's tables are L2's own then: linear addresses, marked by the VPID. */
static void flush_linear(void)
{
	static const struct {
		u64 type, cap;
	} ways[] = {
		{VMX_INVVPID_SINGLE, VMX_VPID_SINGLE},
		{VMX_INVVPID_ALL, VMX_VPID_ALL},
		{VMX_INVVPID_KEEP_GLOBAL, VMX_VPID_KEEP_GLOBAL},
	};
	u32 way = flushes++ % (ARRAY_SIZE(ways) + 1);

	if (way == ARRAY_SIZE(ways) || !(vcpu.caps & ways[way].cap)) {
		/* Not used before, so nothing is cached for it. */
		vmcs_write(VMCS_vpid, ++vpid);
		if (!vpid)
			die("all VPIDs are used up");
		return;
	}
	if (vmx_invvpid(ways[way].type, vpid, 0))
		die("INVVPID of type %lu failed", ways[way].type);
}

static void flush(void)
{
	if (config.shadow)
		flush_linear();
	else
		flush_ept();
}

static void msr_exits(u32 msr, bool read, bool write)
{
	vmx_bitmap_msr(&vcpu, msr, read, write);
}

static void port_exits(u16 port, bool exits)
{
	vmx_bitmap_port(&vcpu, port, exits);
}

/* --- events --- */

/* What an entry that injects an interrupt needs, SDM 3C 26.3.1.4 and 26.3.1.5. */
static bool can_interrupt(void)
{
	return !event && vmcs_read(VMCS_guest_rflags) & RFLAGS_IF &&
	       !(vmcs_read(VMCS_guest_interruptibility) & VMX_BLOCK_SHADOW);
}

static void inject(u64 info)
{
	if (event)
		die("an exit of an instruction came with an event in delivery");
	event = VMX_EVENT_VALID | info;
	event_error = event_length = 0;
}

static void interrupt(u8 vector)
{
	inject(VMX_EVENT_INTR | vector);
}

static void exception(u8 vector, bool has_error)
{
	inject(VMX_EVENT_EXCEPTION | vector | (has_error ? VMX_EVENT_ERROR : 0));
}

static void raise(u8 vector)
{
	raised_vector = vector;
}

static bool raised(void)
{
	return raised_vector;
}

static void window(bool on)
{
	window_asked = on;
}

static bool reinject(void)
{
	u64 info = vmcs_read(VMCS_idt_vectoring_info);

	if (vmcs_read(VMCS_entry_intr_info) & VMX_EVENT_VALID)
		die("the exit left the event to inject valid");
	if (!(info & VMX_EVENT_VALID))
		return false;
	event = info & ~VMX_EVENT_NMI_UNBLOCK; /* undefined there, SDM 3C 24.9.3 */
	event_error = info & VMX_EVENT_ERROR ? vmcs_read(VMCS_idt_vectoring_error) : 0;
	event_length = vmcs_read(VMCS_exit_insn_len);
	return true;
}

/* --- checks --- */

/*
 * The qualification, SDM 3C table 27-7. L2 maps its memory one to one, and its page tables are
 * always there.
 */
static const char *violation_wrong(u64 leaf)
{
	u64 q = vmcs_read(VMCS_exit_qualification), address = vmcs_read(VMCS_guest_physical);
	u64 granted = (q & VMX_EPTV_GRANTED) / (VMX_EPTV_GRANTED & -VMX_EPTV_GRANTED);

	if (!(q & EPTV_ACCESS))
		return "the qualification says nothing of the access";
	if (granted != (leaf & EPT_RWX))
		return "the qualification says something else of what the tables grant";
	if (leaf && !(q & VMX_EPTV_WRITE))
		return "the qualification has no write, and the page may be read";
	if (!(q & VMX_EPTV_LINEAR) || !(q & VMX_EPTV_FINAL))
		return "the qualification must have bits 7 and 8";
	if (vmcs_read(VMCS_guest_linear) != address)
		return "the linear address is another";
	return NULL;
}

static const char *fault_wrong(u64 leaf)
{
	u64 error;

	if (!config.shadow)
		return violation_wrong(leaf);
	error = vmcs_read(VMCS_exit_intr_error);
	if (error & ~(u64)(PFERR_PRESENT | PFERR_WRITE))
		return "#PF with bits of another fault";
	if (!leaf != !(error & PFERR_PRESENT))
		return "#PF's P is wrong";
	if (leaf && !(error & PFERR_WRITE))
		return "#PF lacks W: the page may be read";
	return NULL;
}

static void remember(void)
{
}

static const char *changed(void)
{
	next_field = (next_field + 1) % ARRAY_SIZE(fields);
	if (vmcs_read(fields[next_field]) != written[next_field])
		return "a VMCS field changed that only software writes";
	return NULL;
}

const struct virt_ops vmx_virt = {
	.name = "Intel VMX",
	.tags_name = "VPIDs",
	.vmx = true,
	.enable = vmx_enable,
	.format = format,
	.create = create,
	.enter = enter,
	.skip = skip,
	.flush = flush,
	.msr_exits = msr_exits,
	.port_exits = port_exits,
	.can_interrupt = can_interrupt,
	.interrupt = interrupt,
	.exception = exception,
	.raise = raise,
	.raised = raised,
	.window = window,
	.reinject = reinject,
	.fault_wrong = fault_wrong,
	.remember = remember,
	.changed = changed,
};

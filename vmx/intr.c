// SPDX-License-Identifier: MIT
/*
 * Events on their way into a guest: the entry's interruption information, what an exit cut short,
 * the windows.
 */
#include "lib/x86.h"
#include "vmx/asm.h"
#include "vmx/vmx.h"

u32 vmx_event_encode(const struct vcpu_event *e)
{
	static const u32 types[] = {
		[EVENT_INTR] = VMX_EVENT_INTR,
		[EVENT_NMI] = VMX_EVENT_NMI,
		[EVENT_EXCEPTION] = VMX_EVENT_EXCEPTION,
		[EVENT_SOFT_INTR] = VMX_EVENT_SOFT_INTR,
	};

	if (e->type == EVENT_NONE)
		return 0;
	return (u32)VMX_EVENT_VALID | types[e->type] | e->vector |
	       (e->has_error ? (u32)VMX_EVENT_ERROR : 0);
}

void vmx_event_decode(struct vcpu_event *e, u32 info, u32 error, u32 insn_len)
{
	u32 type = info & VMX_EVENT_TYPE;

	*e = (struct vcpu_event){.vector = info & VMX_EVENT_VECTOR, .in_delivery = 1};
	if (!(info & VMX_EVENT_VALID))
		e->type = EVENT_NONE;
	else if (type == VMX_EVENT_INTR)
		e->type = EVENT_INTR;
	else if (type == VMX_EVENT_NMI)
		e->type = EVENT_NMI;
	else if (type == VMX_EVENT_SOFT_INTR)
		e->type = EVENT_SOFT_INTR;
	else
		e->type = EVENT_EXCEPTION;
	if (info & VMX_EVENT_ERROR) {
		e->has_error = 1;
		e->error = error;
	}
	if (type >= VMX_EVENT_SOFT_INTR)
		e->insn_len = insn_len;
}

/* 26.2.1.3. An exception that pushes an error code has one, the others have none. */
int vmx_event_check(const struct vcpu_event *e)
{
	bool pushes = e->type == EVENT_EXCEPTION && e->vector < EXC_COUNT &&
		      BIT(e->vector) & EXC_WITH_ERROR_CODE;

	if (e->type > EVENT_SOFT_INTR || e->in_delivery > 1 || e->insn_len > VMX_INSN_MAX)
		return -EINVAL;
	if (e->type == EVENT_NONE)
		return 0;
	if (e->has_error != pushes)
		return -EINVAL;
	if (e->type == EVENT_NMI && e->vector != EXC_NMI)
		return -EINVAL;
	if (e->type == EVENT_EXCEPTION && (e->vector >= EXC_COUNT || e->vector == EXC_NMI))
		return -EINVAL;
	/* One that is not done again by executing it: there is no length to inject it with. */
	return e->type == EVENT_SOFT_INTR && !e->insn_len ? -EINVAL : 0;
}

/* SDM 3A 6.15, table 6-5: what becomes a double fault when the second comes during the first. */
static bool contributory(u8 vector)
{
	return vector == EXC_DE || (vector >= EXC_TS && vector <= EXC_GP);
}

void vmx_queue_exception(struct vmx_vcpu *vmx, u8 vector, bool has_error, u32 error)
{
	struct vcpu_event *p = &vmx->vcpu.pending;
	bool on_top = p->type == EVENT_EXCEPTION &&
		      ((contributory(p->vector) && contributory(vector)) ||
		       (p->vector == EXC_PF && (contributory(vector) || vector == EXC_PF)));

	*p = (struct vcpu_event){.type = EVENT_EXCEPTION,
				 .vector = on_top ? EXC_DF : vector,
				 .has_error = on_top || has_error,
				 .error = on_top ? 0 : error};
}

static bool nmi_blocked(const struct vmx_vcpu *vmx)
{
	return vmx->interruptibility & (VMX_BLOCK_NMI | VMX_BLOCK_SHADOW);
}

/* 26.2.1.3: in real mode, which only an unrestricted guest has, no exception pushes one. */
static bool pushes_errors(void)
{
	return vmcs_read(VMCS_guest_cr0) & CR0_PE;
}

void vmx_event_inject(struct vmx_vcpu *vmx)
{
	struct vcpu_event e = vmx->vcpu.pending;

	if (e.type == EVENT_NMI && nmi_blocked(vmx)) {
		vmx->proc |= VMX_PROC_NMI_WINDOW;
		return;
	}
	vmx->vcpu.pending.type = EVENT_NONE;
	/* INT n, INT3, INTO, ICEBP whose delivery was cut short: RIP is still there. */
	if (e.insn_len)
		return; /* executing the instruction again delivers it */
	if (e.type == EVENT_INTR)
		vmx->proc &= ~(u32)VMX_PROC_INTR_WINDOW; /* what it was opened for is here */
	if (e.has_error) {
		e.has_error = pushes_errors();
		vmcs_write(VMCS_entry_intr_error, e.error);
	}
	vmcs_write(VMCS_entry_intr_info, vmx_event_encode(&e));
	vmx->vcpu.stats.injections++;
}

/* 27.2.4. An NMI that is to be delivered again must not be blocked by its first attempt. */
void vmx_event_collect(struct vmx_vcpu *vmx, u32 info)
{
	vmx_event_decode(&vmx->vcpu.pending, info, (u32)vmcs_read(VMCS_idt_vectoring_error),
			 (u32)vmcs_read(VMCS_exit_insn_len));
	if (vmx->vcpu.pending.type == EVENT_NMI)
		vmx->interruptibility &= ~(u32)VMX_BLOCK_NMI;
}

bool vmx_intr_allowed(struct vcpu *vcpu)
{
	return vcpu->rflags & RFLAGS_IF && vcpu->pending.type == EVENT_NONE &&
	       !(to_vmx(vcpu)->interruptibility & VMX_BLOCK_SHADOW);
}

u8 vmx_get_cr8(struct vcpu *vcpu)
{
	return ((const u32 *)to_vmx(vcpu)->vapic)[APIC_TPR / 4] >> 4 & 15;
}

void vmx_set_cr8(struct vcpu *vcpu, u8 cr8)
{
	((u32 *)to_vmx(vcpu)->vapic)[APIC_TPR / 4] = (u32)cr8 << 4;
}

/* 24.6.8, 26.2.1.1: the threshold may not be above CR8 at an entry; it is not, while CR8 holds an
 * interrupt of that priority back. */
void vmx_cr8_window(struct vcpu *vcpu, u8 priority)
{
	vmx_vmcs_use(to_vmx(vcpu));
	vmcs_write(VMCS_tpr_threshold, MIN(priority, vmx_get_cr8(vcpu)));
}

bool vmx_nested_intr(struct vcpu *vcpu)
{
	(void)vcpu;
	return false;
}

/*
 * An NMI that waits for its own window goes first: with IF set the window for interrupts would end
 * each entry before the guest's IRET.
 */
void vmx_intr_window(struct vcpu *vcpu)
{
	if (vcpu->pending.type != EVENT_NMI)
		to_vmx(vcpu)->proc |= VMX_PROC_INTR_WINDOW;
}

// SPDX-License-Identifier: MIT
/*
 * VPIDs. Each CPU hands its numbers out in turn; when they run out it flushes everything and starts
 * a new generation, in which every number taken before is void. All translations depend on an EPT
 * pointer as well (SDM 3C 28.3.1: with EPT there are no linear mappings of their own), so what
 * makes the EPT tables' stale is flushed by the pointer, for all numbers that go with it.
 */
#include "vmx/asm.h"
#include "vmx/vmx.h"

static void take_number(struct vmx_vpid *v, struct vmx_cpu *cpu)
{
	if (cpu->vpid_next >= vmx_host.vpids) {
		cpu->vpid_next = 1;
		cpu->vpid_generation++;
		vmx_invvpid(VMX_INVVPID_ALL, 0);
	}
	v->number = cpu->vpid_next++;
	v->generation = cpu->vpid_generation;
	v->cpu = (u32)(cpu - vmx_cpus);
}

/*
 * Called with interrupts off. A CPU that makes translations stale after this raises the generation
 * first and then interrupts this one, which ends the guest at once.
 *
 * A number that is new here says nothing about what the EPT pointer has left behind: this vCPU may
 * have run here before, or another VM with its root on the same page.
 */
void vmx_vpid_enter(struct vmx_vcpu *vmx, struct vmx_cpu *cpu)
{
	struct vmx_vpid *v = vmx->vpid;
	bool stale = tlb_tag_enter(vmx_mmu(vmx), &v->tag);
	bool linear_stale = v->linear_stale;

	v->linear_stale = false;
	if (unlikely(v->generation != cpu->vpid_generation || &vmx_cpus[v->cpu] != cpu)) {
		take_number(v, cpu);
		stale = true;
		linear_stale = false;
	}
	if (unlikely(stale))
		vmx_invept(VMX_INVEPT_SINGLE, v->eptp);
	else if (unlikely(linear_stale))
		vmx_invvpid(VMX_INVVPID_SINGLE, (u16)v->number);
	if (unlikely(vmx->vmcs->vpid != v->number)) {
		vmx->vmcs->vpid = v->number;
		vmcs_write(VMCS_vpid, v->number);
	}
}

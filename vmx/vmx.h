/* SPDX-License-Identifier: MIT */
/*
 * The VMX backend's own header: a vCPU as VMX sees it, and what the files of vmx/ do for each
 * other. vmcs01 runs L1.
 */
#pragma once

#include "kernel/fpu.h"
#include "kernel/page_alloc.h"
#include "kernel/percpu.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "mmu/env.h"
#include "vmx/fields.h"
#include "vmx/nested_check.h"
#include "vmx/nested_state.h"
#include "vmx/probe.h"
#include "vmx/walked.h"

/* The number that hardware tags linear addresses' translations with, as one vCPU uses it. */
struct vmx_vpid {
	u64 eptp;	    /* the processor's EPT pointer that goes with it */
	struct tlb_tag tag; /* says when translations by the EPT tables may be stale */
	bool linear_stale; /* the guest's own tables, or what says how to read them, were changed */
	u64 generation;	   /* of the CPU's numbers; 0: none taken yet */
	u32 cpu, number;
};

/* What L1 tags L2's translations with, and the number that the processor has for the pair. */
struct vmx_l1_tag {
	u64 eptp;    /* L1's; 0: L2 without EPT */
	u16 vpid;    /* L1's; 0: L2 without VPID */
	bool synced; /* its shadow tables are, since L1's last INVEPT */
	struct vmx_vpid hw;
};
#define VMX_L1_TAGS 16

/*
 * A VMCS, and what it holds of the fields that the run loop has copies of: each is written only
 * when it differs.
 */
struct vmx_vmcs {
	void *page;
	bool launched;
	u64 rip, rsp, rflags, host_rsp;
	u32 interruptibility, proc, vpid;
};

/* Registers that no VMCS holds and L0 does not use (fpu.c). */
struct vmx_regs {
	u64 dr[4], dr6, cr2, xcr0, tsc_aux;
	u64 star, lstar, cstar, sfmask, kernel_gs_base;
};

/* The longest instruction. */
#define VMX_INSN_MAX 15

struct vmx_vcpu {
	struct vcpu vcpu; /* must be first */

	struct vmx_vmcs *vmcs; /* the one that runs */
	struct vmx_vpid *vpid;
	struct vmx_vmcs vmcs01;
	struct vmx_vpid vpid01;
	struct vmx_l1_tag l1_tags[VMX_L1_TAGS];
	struct vmx_l1_tag *l1_tag; /* whose L2 runs, or NULL */

	/* As rip and rflags: mirrors of the VMCS between an exit and an entry. */
	u32 interruptibility;
	u32 proc; /* primary processor-based controls, with the windows that are open */

	void *vapic;	/* the virtual-APIC page: CR8 rests there */
	u64 tsc_offset; /* L1's */

	/* Valid while another vCPU, or none, has the CPU; else in the registers. */
	struct vmx_regs regs;

	u64 debugctl; /* an MSR with no effect here */

	struct vmx_walk walks[VMX_WALKS]; /* by linear page, insn.c */

	struct vmx_nested_state nested;
};

static inline struct vmx_vcpu *to_vmx(struct vcpu *vcpu)
{
	return (struct vmx_vcpu *)vcpu;
}

static inline struct mmu *vmx_mmu(struct vmx_vcpu *vmx)
{
	return &vmx->vcpu.vm->mmu;
}

/* What the CPUs of this machine can do. Constant after vmx_ops.probe(). */
struct vmx_host {
	struct vmx_facts facts;
	struct vmx_controls controls; /* L1's */
	struct vmx_limits limits;     /* what L1 is offered (offer.h): what VM entry checks */
	u32 vpids;		      /* numbers 1 .. vpids - 1 may be used */
	bool tsc_aux, huge_1g;
	bool nesting; /* L1 is offered VMX: not yet */
	/* CR0 and CR4 as a guest may have them, and which bits it may change without an exit. */
	u64 cr4_allowed, cr0_owned, cr4_owned;
	u32 timer_ticks; /* preemption timer's, between two looks at what waits */
};
extern struct vmx_host vmx_host;

/* What one physical CPU has. Only that CPU touches it. */
struct vmx_cpu {
	void *vmxon;
	struct vmx_vmcs *current; /* where VMREAD and VMWRITE go */
	struct vmx_vcpu *owner;	  /* whose struct vmx_regs and FPU are in the registers */
	u64 vpid_generation;
	u32 vpid_next;
};
extern struct vmx_cpu vmx_cpus[MAX_CPUS];

/*
 * enter.S: VMLAUNCH or VMRESUME. False: VMfail, and the guest did not run. Interrupts are off
 * before and after.
 */
bool vmx_enter(u64 gpr[GPR_NR], u64 *host_rsp, bool launched);
extern const char vmx_exit_here[];

/* vmcs.c */
int __must_check vmx_vmcs_create(struct vmx_vcpu *vmx);
void vmx_vmcs_free(struct vmx_vcpu *vmx);
void vmx_vmcs_init_maps(void);
/* Makes @vmx's VMCS the current one. Any operation that reads or writes its fields does so first.
 */
void vmx_vmcs_use(const struct vmx_vcpu *vmx);
/* All fields that struct vmcs12 has. */
void vmx_vmcs_read_all(const struct vmx_vcpu *vmx, struct vmcs12 *v);

/* run.c */
void vmx_run(struct vcpu *vcpu, struct vm_exit *exit);

/* explain.c: why an entry failed, in words for one line. */
void vmx_explain_failure(const struct vmx_vcpu *vmx, u64 code);

/* fpu.c: swaps registers that no VMCS holds when another vCPU takes the CPU. */
void vmx_cpu_take(struct vmx_cpu *cpu, struct vmx_vcpu *vmx);
/* Afterwards @vmx's are in memory; the CPU is nobody's if it was @vmx's. */
void vmx_cpu_release(struct vmx_vcpu *vmx);
/* Brings memory up to date, @vmx keeps the CPU. */
void vmx_cpu_save(struct vmx_vcpu *vmx);
void vmx_set_cr2(struct vmx_vcpu *vmx, u64 cr2);
/* Sets bits of DR6, and clears others first. */
void vmx_set_dr6(struct vmx_vcpu *vmx, u64 clear, u64 set);

/* vpid.c */
/* Before each entry, with the VMCS current: its VPID, and the flushes that are due. */
void vmx_vpid_enter(struct vmx_vcpu *vmx, struct vmx_cpu *cpu);

/* l1_tags.c */
/* The tag for an L2 that L1 runs with these; 0: without. Valid until the next call. */
struct vmx_l1_tag *vmx_l1_tag_get(struct vmx_vcpu *vmx, u16 vpid, u64 eptp);
/* At VM entry of L1's: vmx_vpid_enter() is about @t, with the processor's own @eptp, from now on.
 */
void vmx_l1_tag_enter(struct vmx_vcpu *vmx, struct vmx_l1_tag *t, u64 eptp);
/* At the exit to L1. */
void vmx_l1_tag_exit(struct vmx_vcpu *vmx);
/* L1's INVEPT for the tables at @eptp, or @all; the next entry with them syncs. */
void vmx_l1_tags_invept(struct vmx_vcpu *vmx, bool all, u64 eptp);
/* L1's INVVPID for @vpid, or @all but 0. */
void vmx_l1_tags_invvpid(struct vmx_vcpu *vmx, bool all, u16 vpid);

/* skip.c */
int vmx_skip(struct vcpu *vcpu, const struct vm_exit *exit);
void vmx_advance(struct vmx_vcpu *vmx, u64 len);

/* fetch.c */
/* Of the current VMCS, as all below that take no vCPU. */
bool vmx_code_is_64bit(void);
int vmx_fetch_insn(struct vcpu *vcpu, u8 *code, u32 *have);

/* intr.c */
bool vmx_intr_allowed(struct vcpu *vcpu);
void vmx_intr_window(struct vcpu *vcpu);
u8 vmx_get_cr8(struct vcpu *vcpu);
void vmx_set_cr8(struct vcpu *vcpu, u8 cr8);
void vmx_cr8_window(struct vcpu *vcpu, u8 priority);
bool vmx_nested_intr(struct vcpu *vcpu);
/* The entry's interruption information; 0 for no event. */
u32 vmx_event_encode(const struct vcpu_event *e);
/* From IDT-vectoring information. @insn_len: of a software event's instruction. */
void vmx_event_decode(struct vcpu_event *e, u32 info, u32 error, u32 insn_len);
/* Can entry inject it: 0 or -EINVAL. */
int __must_check vmx_event_check(const struct vcpu_event *e);
/* Queues an exception for the guest; a second one on top of another is a double fault. */
void vmx_queue_exception(struct vmx_vcpu *vmx, u8 vector, bool has_error, u32 error);
/* Before entry: vcpu->pending to the VMCS. After exit: what was cut short to vcpu->pending. */
void vmx_event_inject(struct vmx_vcpu *vmx);
void vmx_event_collect(struct vmx_vcpu *vmx, u32 info);

/* msr.c */
int vmx_msr_read(struct vcpu *vcpu, u32 msr, u64 *val);
int vmx_msr_write(struct vcpu *vcpu, u32 msr, u64 val);

/* cpuid.c */
void vmx_cpuid(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4]);
/* What L1 is offered; vmx_host.facts and .nesting are known. */
void vmx_limits_init(void);

/* cr.c: CR0 and CR4 as the guest sees them, and its MOVs to them that exit. */
u64 vmx_cr0(void);
u64 vmx_cr4(void);
/* What the processor runs with for a guest that sees @cr0, @cr4. */
u64 vmx_cr0_real(u64 cr0);
u64 vmx_cr4_real(u64 cr4);
/* To be called when VMX operation of L1's begins or ends: which changes of CR0 exit. */
void vmx_cr_masks(const struct vmx_vcpu *vmx);
enum nested_result vmx_cr_access(struct vmx_vcpu *vmx, const struct vm_exit *exit);
/*
 * With PAE paging the processor has the four PDPTEs in registers: reads them anew for the tables at
 * @cr3. 0, or -EINVAL when one of them has reserved bits set.
 */
int __must_check vmx_pdptes_read(struct vmx_vcpu *vmx, u64 cr3, u64 pdptes[4]);

/* tsc.c */
u64 vmx_l1_tsc(struct vcpu *vcpu);
void vmx_set_l1_tsc(struct vcpu *vcpu, u64 tsc);

/* state.c */
void vmx_get_state(struct vcpu *vcpu, struct vcpu_state *state);
int vmx_set_state(struct vcpu *vcpu, const struct vcpu_state *state);
int __must_check vmx_reset(struct vmx_vcpu *vmx);

/* paging.c */
/* Linear address to gpa for an access by the guest. 0; -EFAULT: see @w. */
int __must_check vmx_translate(struct vmx_vcpu *vmx, u64 linear, u32 access, struct pt_walk *w);
u32 vmx_cpl(void);

/* insn.c: what kernel/emulate.h needs to know. */
u8 vmx_segment_bases(struct vcpu *vcpu, u64 base[SEG_GS + 1]);
int vmx_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa);

/* nested.c */
enum nested_result vmx_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit);
u32 vmx_instants(struct vcpu *vcpu);
bool vmx_nested_owns(struct vcpu *vcpu, const struct vm_exit *exit);
enum nested_result vmx_nested_reflect(struct vcpu *vcpu, const struct vm_exit *exit);
enum nested_result vmx_nested_reflect_fault(struct vcpu *vcpu, const struct vm_exit *exit,
					    const struct nested_fault *fault);

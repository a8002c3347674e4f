/* SPDX-License-Identifier: MIT */
/*
 * The SVM backend's own header: a vCPU as SVM sees it, and what the files of svm/ do for each
 * other. vmcb01 runs L1, vmcb02 runs L2 on L1's behalf, vmcb12 is what L1 wrote.
 */
#pragma once

#include "kernel/fpu.h"
#include "kernel/page_alloc.h"
#include "kernel/percpu.h"
#include "kernel/vendor.h"
#include "kernel/vm.h"
#include "lib/vmcb.h"
#include "mmu/env.h"
#include "mmu/guest_mem.h"
#include "svm/code.h"
#include "svm/nested_state.h"

/* The number that hardware tags translations with, for one tree as one vCPU uses it. */
struct svm_asid {
	struct tlb_tag tag; /* says when translations may be stale */
	u64 paid;	    /* svm_flushes_paid() when it was last asked */
	u64 generation;	    /* of the CPU's numbers; 0: none taken yet */
	const struct svm_cpu *cpu;
	u32 number;
};

/* What CPUID offers: numbers 1 .. SVM_NASID - 1 are L1's to use. */
#define SVM_NASID 16
/* Of L1's ASIDs, those that L0 keeps apart. */
#define SVM_L1_ASIDS SVM_NASID

struct svm_l1_asid {
	u32 number;  /* L1's; 0: unused entry */
	bool np;     /* under nested paging */
	u64 ncr3;    /* that L2 last ran under */
	bool synced; /* the tree was brought up to date since this ASID was flushed last */
	struct svm_asid asid;
};

/* The longest instruction. */
#define SVM_INSN_MAX 15

/* Pages with VMCBs of L1's, as VMRUN, VMLOAD and VMSAVE named them. */
#define SVM_VMCB_PAGES 4
struct svm_vmcb_page {
	u64 named; /* the gpa and 1 more; 0: none */
	struct guest_page page;
};

/*
 * What of the last VMRUN can serve the next one. The copies of vmcb12 are nested.ctl, and the
 * state-save area of vmcb02, which is as L2 left it, and so is L1's until L1 writes there.
 */
struct svm_kept {
	bool control; /* nested.ctl was checked and is merged into vmcb02 */
	bool save;    /* vmcb02's registers were checked and put into form */
	/* L1's own, under which this was found. */
	u64 cr0, cr4, efer;
};

struct svm_vcpu {
	struct vcpu vcpu; /* must be first */

	struct vmcb *vmcb; /* the one that runs: vmcb01 or vmcb02 */
	struct svm_asid *asid;
	struct vmcb *vmcb01, *vmcb02;
	struct svm_asid asid01;

	struct svm_kept kept;
	struct svm_vmcb_page vmcb_pages[SVM_VMCB_PAGES];

	u64 injected; /* EVENTINJ of the last entry */
	bool window;  /* V_IRQ in the current VMCB is L0's, to learn of an open window */

	struct svm_nested_state nested;
	struct svm_l1_asid l1_asids[SVM_L1_ASIDS];

	/* Valid while another vCPU, or none, has the CPU; else in the registers. */
	u64 dr[4], xcr0, tsc_aux;

	struct svm_code_page code[2 * SVM_CODE_PAGES]; /* L1's, then L2's */

	u64 debugctl; /* an MSR with no effect here */
};

static inline struct svm_vcpu *to_svm(struct vcpu *vcpu)
{
	return (struct svm_vcpu *)vcpu;
}

/* L2 runs under nested tables of L1's. */
static inline bool svm_l2_is_nested(const struct svm_vcpu *svm)
{
	return svm->vcpu.guest_mode && svm->nested.ctl.nested_ctl & SVM_NP_ENABLE;
}

static inline struct mmu *svm_mmu(struct svm_vcpu *svm)
{
	return &svm->vcpu.vm->mmu;
}

/* What the CPUs of this machine can do. Constant after svm_ops.probe(). */
struct svm_host {
	u32 asids;    /* numbers 1 .. asids - 1 may be used */
	u32 features; /* CPUID 8000_000A EDX */
	bool tsc_aux, huge_1g;
	bool msrs_unchecked;	  /* WRMSR takes addresses that are not canonical (QEMU) */
	struct svm_limits limits; /* of the processor that guests see */
};
extern struct svm_host svm_host;

/* What one physical CPU has. Only that CPU touches it. */
struct svm_cpu {
	struct vmcb *host; /* VMSAVE of L0's own FS, GS, TR, LDTR and MSRs */
	void *hsave;
	struct svm_vcpu *owner; /* whose FPU and debug registers are in the registers */
	u64 asid_generation;
	u32 asid_next;
} __aligned(64);
extern struct svm_cpu svm_cpus[MAX_CPUS];

/* What L0 intercepts always, in L1 and in L2. */
extern u32 svm_intercepts[6];
/* All ones: every port and every MSR is intercepted. */
extern u8 svm_map_all[SVM_IOPM_SIZE];

/*
 * enter.S: CLGI, VMLOAD, VMRUN, VMSAVE, STGI. Interrupts are off before and after. It keeps RBP
 * alone: the compiler knows best what else is worth keeping.
 */
static inline void svm_enter(u64 gpr[GPR_NR], hpa_t vmcb, hpa_t vmload, hpa_t host)
{
	register u64 vmload_ __asm__("rdx") = vmload.v, host_ __asm__("rcx") = host.v;

	__asm__ volatile("call svm_world_switch"
			 : "+D"(gpr), "+S"(vmcb.v), "+r"(vmload_), "+r"(host_)
			 :
			 : "rax", "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15", "cc",
			   "memory");
}

/* vmcb.c */
int __must_check svm_vmcb_create(struct svm_vcpu *svm);
void svm_vmcb_init_maps(void);

/* run.c */
void svm_run(struct vcpu *vcpu, struct vm_exit *exit);

/* fpu.c: swaps registers that no VMCB holds when another vCPU takes the CPU. */
void svm_cpu_take(struct svm_cpu *cpu, struct svm_vcpu *svm);
/* Afterwards @svm's are in memory; the CPU is nobody's if it was @svm's. */
void svm_cpu_release(struct svm_vcpu *svm);
/* Brings memory up to date, @svm keeps the CPU. */
void svm_cpu_save(struct svm_vcpu *svm);

/* asid.c */
/*
 * Takes a number for the current VMCB, or finds that the one it has will do. Returns the
 * TLB_CONTROL to enter with; for svm_asid_enter() in asid.h.
 */
u8 svm_asid_renew(struct svm_vcpu *svm, struct svm_cpu *cpu, u64 paid);
/* VMRUN failed: nothing says that it did what TLB_CONTROL asked for before it did. */
void svm_asid_refused(struct svm_cpu *cpu);
/* Where L1's @number has its entry, if it has one now. */
static inline struct svm_l1_asid *svm_l1_asid_at(struct svm_vcpu *svm, u32 number)
{
	return &svm->l1_asids[number % SVM_L1_ASIDS];
}
/* The entry for L1's @number, made if there is none. */
struct svm_l1_asid *svm_l1_asid_get(struct svm_vcpu *svm, u32 number);
/* L1 wants translations of its ASID @number gone; of all ASIDs, its own included. */
void svm_l1_asid_flush(struct svm_vcpu *svm, u32 number);
void svm_l1_asid_flush_all(struct svm_vcpu *svm);

/* skip.c */
int svm_skip(struct vcpu *vcpu, const struct vm_exit *exit);
/*
 * EXIT_INVALID although all was checked before entry: true when it is really the answer to a
 * write of reserved bits in CR3 or CR4 (QEMU).
 */
bool svm_at_mov_to_cr(struct svm_vcpu *svm);

/* fetch.c */
/* L1's nested tables are read in another way now: L2's code is not where it was. */
void svm_code_forget_l2(struct svm_vcpu *svm);
/*
 * Adds code bytes from RIP on to the *@have that @buf holds, up to the end of a page. 0; -EFAULT
 * with #PF queued; -EAGAIN when L1's tables no longer map them: entered again, L2 takes a #NPF
 * there.
 */
int __must_check svm_fetch(struct svm_vcpu *svm, u8 buf[SVM_INSN_MAX], u32 *have);

/* intr.c */
bool svm_intr_allowed(struct vcpu *vcpu);
void svm_intr_window(struct vcpu *vcpu);
void svm_window_close(struct svm_vcpu *svm);
u8 svm_get_cr8(struct vcpu *vcpu);
void svm_set_cr8(struct vcpu *vcpu, u8 cr8);
void svm_cr8_window(struct vcpu *vcpu, u8 priority);
bool svm_nested_intr(struct vcpu *vcpu);
u64 svm_event_encode(const struct vcpu_event *e);
void svm_event_decode(struct vcpu_event *e, u64 event);
/* Queues an exception for the level that runs; a second one on top of another is a double fault. */
void svm_queue_exception(struct svm_vcpu *svm, u8 vector, bool has_error, u32 error);
/* Before entry: vcpu->pending to EVENTINJ. After exit: EXITINTINFO to vcpu->pending. */
void svm_event_inject(struct svm_vcpu *svm);
void svm_event_collect(struct svm_vcpu *svm);
/*
 * L1's virtual interrupt for L2. Before entry, with V_IRQ set: delivers it if L2 would take it now.
 * On a VINTR exit: false when that is L1's. intercept: makes the processor say when it can be
 * taken.
 */
void svm_virq_enter(struct svm_vcpu *svm);
bool svm_virq_exit(struct svm_vcpu *svm);
void svm_virq_intercept(struct svm_vcpu *svm);

/* gif.c */
bool svm_gif(const struct svm_vcpu *svm);
void svm_gif_set(struct svm_vcpu *svm, bool on);
/* Something waits for it to be set: the end of that is an exit. */
void svm_gif_wait(struct svm_vcpu *svm);
/* EFER.SVME has changed, or all: puts nested.gif where it is to be kept. */
void svm_gif_place(struct svm_vcpu *svm);

/* msr.c */
int svm_msr_read(struct vcpu *vcpu, u32 msr, u64 *val);
int svm_msr_write(struct vcpu *vcpu, u32 msr, u64 val);
u64 svm_efer(const struct svm_vcpu *svm);

/* cpuid.c */
void svm_cpuid(struct vcpu *vcpu, u32 leaf, u32 index, u32 r[4]);
void svm_limits_init(struct svm_limits *l);

/* tsc.c */
u64 svm_l1_tsc(struct vcpu *vcpu);
void svm_set_l1_tsc(struct vcpu *vcpu, u64 tsc);

/* state.c */
void svm_get_state(struct vcpu *vcpu, struct vcpu_state *state);
int svm_set_state(struct vcpu *vcpu, const struct vcpu_state *state);
void svm_reset(struct svm_vcpu *svm);

/* paging.c */
/* The tables in force at the level that runs, with CR0.PG set: their root, and how to read them. */
u64 svm_paging(const struct svm_vcpu *svm, struct pt_mode *mode);
/* Linear address to gpa for an access by the level that runs. 0; -EFAULT: see @w. */
int __must_check svm_translate(struct svm_vcpu *svm, u64 linear, u32 access, struct pt_walk *w);
/* How L1's own CR0, CR4 and EFER in @s say that its nested tables are to be read. */
struct pt_mode svm_nested_mode(const struct vmcb_save *s);

/* insn.c: what kernel/emulate.h needs to know. */
int svm_fetch_insn(struct vcpu *vcpu, u8 *code, u32 *have);
u8 svm_segment_bases(struct vcpu *vcpu, u64 base[SEG_GS + 1]);
int svm_linear_to_gpa(struct vcpu *vcpu, u64 linear, bool write, gpa_t *gpa);

/* nested.c */
/* The page of the VMCB at @gpa, or NULL: misaligned, or nothing there that can be written. */
struct guest_page *svm_vmcb_page_find(struct svm_vcpu *svm, u64 gpa);
static inline struct guest_page *svm_vmcb_page(struct svm_vcpu *svm, u64 gpa)
{
	struct svm_vmcb_page *p = &svm->vmcb_pages[gpa / PAGE_SIZE % SVM_VMCB_PAGES];

	/* L1 may name any address: one more than the last is 0. */
	return likely(p->named == gpa + 1 && p->named) ? &p->page : svm_vmcb_page_find(svm, gpa);
}
enum nested_result svm_virt_insn(struct vcpu *vcpu, const struct vm_exit *exit);
u32 svm_instants(struct vcpu *vcpu);

/* nested_enter.c */
enum nested_result svm_vmrun(struct svm_vcpu *svm, const struct vm_exit *exit);

/* Makes the tables and the ASID for what nested.ctl says. 0 or -ENOMEM. */
int __must_check svm_nested_load_root(struct svm_vcpu *svm, bool sync);
/* vmcb02's control area from vmcb01's and nested.ctl. Cannot fail. */
void svm_nested_merge_control(struct svm_vcpu *svm);

/* nested_exit.c */
void svm_nested_exit(struct svm_vcpu *svm, u64 code, u64 info1, u64 info2);
bool svm_nested_owns(struct vcpu *vcpu, const struct vm_exit *exit);
enum nested_result svm_nested_reflect(struct vcpu *vcpu, const struct vm_exit *exit);
enum nested_result svm_nested_reflect_fault(struct vcpu *vcpu, const struct vm_exit *exit,
					    const struct nested_fault *fault);

/* Which VMCB is current follows from guest mode. Both registers and VMCB are exchanged. */
static inline void svm_use_vmcb01(struct svm_vcpu *svm)
{
	svm->vmcb = svm->vmcb01;
	svm->asid = &svm->asid01;
	svm->nested.guest_mode = 0;
	svm->vcpu.guest_mode = false;
}

static inline void svm_use_vmcb02(struct svm_vcpu *svm, struct svm_asid *asid)
{
	svm->vmcb = svm->vmcb02;
	svm->asid = asid;
	svm->nested.guest_mode = 1;
	svm->vcpu.guest_mode = true;
}

static inline bool svm_code_is_64bit(const struct svm_vcpu *svm)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	return s->efer & EFER_LMA && s->cs.attrib & VMCB_SEG_L;
}

static inline u64 svm_linear_rip(const struct svm_vcpu *svm)
{
	if (likely(svm_code_is_64bit(svm)))
		return svm->vcpu.rip;
	return (u32)(svm->vcpu.rip + svm->vmcb->save.cs.base);
}

static inline struct svm_code_page *svm_code_page(struct svm_vcpu *svm, u64 linear, bool l2)
{
	u32 first = l2 ? SVM_CODE_PAGES : 0;

	return &svm->code[first + linear / PAGE_SIZE % SVM_CODE_PAGES];
}

/*
 * Four bytes or more of the code at @linear, which was executed just now, when that page was read
 * lately; or NULL. Whether the tables let it be executed is not asked again. @l2: in guest mode.
 */
static inline const u8 *svm_code_at(struct svm_vcpu *svm, u64 linear, bool l2)
{
	const struct svm_code_page *c = svm_code_page(svm, linear, l2);
	const struct vmcb_save *s = &svm->vmcb->save;
	u64 differs = (s->cr3 ^ c->cr3) | (s->cr4 ^ c->cr4) | (s->efer ^ c->efer);

	if (unlikely(linear - c->linear > PAGE_SIZE - sizeof(u32)) || unlikely(differs))
		return NULL;
	if (l2)
		differs = (svm->nested.ctl.ncr3 ^ c->ncr3) | svm_code_differs_further(c);
	if (unlikely(differs | svm_code_differs(c->path)))
		return NULL;
	return c->va + linear % PAGE_SIZE;
}

/* RAX, RSP, RIP and RFLAGS live in struct vcpu between an exit and an entry. */
static inline void svm_registers_to_vmcb(struct svm_vcpu *svm)
{
	struct vmcb_save *s = &svm->vmcb->save;

	s->rax = svm->vcpu.gpr[RAX];
	s->rsp = svm->vcpu.gpr[RSP];
	s->rip = svm->vcpu.rip;
	s->rflags = svm->vcpu.rflags;
}

static inline void svm_registers_from_vmcb(struct svm_vcpu *svm)
{
	const struct vmcb_save *s = &svm->vmcb->save;

	svm->vcpu.gpr[RAX] = s->rax;
	svm->vcpu.gpr[RSP] = s->rsp;
	svm->vcpu.rip = s->rip;
	svm->vcpu.rflags = s->rflags;
}

/* SPDX-License-Identifier: MIT */
/*
 * What each processor has of its own, reached through GS. Only that processor touches it,
 * except where a field says otherwise.
 *
 * A backend whose guests run with their own GS must put the host's back before C runs
 * (VMLOAD of the host's VMCB; the VMCS's host GS base).
 */
#pragma once

#include "kernel/task.h"
#include "kernel/trace.h"
#include "lib/types.h"

#define MAX_CPUS 64

/* Selectors in every processor's GDT */
#define SEL_CODE 0x08
#define SEL_DATA 0x10
#define SEL_TSS	 0x18

/* SDM 3A 8.7: the 64-bit task-state segment */
struct tss {
	u32 reserved0;
	u64 rsp[3];
	u64 reserved1;
	u64 ist[7];
	u64 reserved2;
	u16 reserved3;
	u16 io_map;
} __packed;

/* Exceptions that may come on a broken stack have stacks of their own: IST 1..3. */
enum {
	IST_DF = 1,
	IST_NMI = 2,
	IST_MC = 3,
	IST_COUNT = 3,
};
#define IST_STACK_SIZE 4096

struct percpu {
	struct percpu *self; /* must be first: this_cpu() reads it at GS:0 */
	u32 id;		     /* 0, 1, ... in the order of coming up */
	u32 apic_id;
	bool need_resched; /* set by the tick and by task_wake, cleared by the scheduler */
	u64 ticks;
	struct run_queue run_queue; /* has its own lock */
	u64 trace_counts[TRACE_COUNT];
	u64 gdt[5];
	struct tss tss;
	u8 ist_stacks[IST_COUNT][IST_STACK_SIZE] __aligned(16);
};

/* Those of the processors that run, by id; the rest are NULL. */
extern struct percpu *percpu[MAX_CPUS];
extern u32 cpu_count;

static inline struct percpu *this_cpu(void)
{
	struct percpu *cpu;

	__asm__ volatile("movq %%gs:0, %0" : "=r"(cpu));
	return cpu;
}

/* Gives the calling processor @cpu: GS, GDT, TSS. @id counts from 0. */
void percpu_init(struct percpu *cpu, u32 id);
/* The same for the boot processor, whose data is part of the image. */
void percpu_init_boot(void);
